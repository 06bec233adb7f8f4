"""
Making a service of a first configuration file; systemd itself is asked in `tests/deploy`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.cli.config import (
    UNIT,
    Places,
    find_obstacle,
    find_program,
    install_service,
    run_command,
)
from monitor.cli.errors import CommandError
from monitor.cli.wizard import ConfigDraft
from monitor.config.connections import SoldscopeConnection
from monitor.config.load import load_config
from monitor.config.secret import SourceKind
from monitor.config.starter import CHANNELS, CONNECTIONS, SecretPlace, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.starter import Value

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs services")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    units, systemd = tmp_path / "units", tmp_path / "systemd"
    units.mkdir()
    systemd.mkdir()
    return Places(tmp_path / "etc", units, systemd)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "opt" / "connwatch"


def draft(folder: Path, token: SecretPlace) -> ConfigDraft:
    url = SecretPlace(SourceKind.FILE, "url")
    (folder / "url").write_text("json://127.0.0.1:9/hook\n")
    soldscope: dict[str, Value] = {
        "provider": "soldscope",
        "base_url": "https://api.example.com",
        "token": token,
    }
    return ConfigDraft(
        folder / "config.toml",
        [
            Table(CONNECTIONS, {**soldscope, "name": "acme EU"}),
            Table(CHANNELS, {"name": "ops", "url": url}),
        ],
    )


class Systemctl:
    """
    What systemd was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> None:
        self.asked.append(" ".join(command))


def test_the_secrets_become_credentials_that_only_root_reads(
    tmp_path, places, program, monkeypatch
):
    systemctl = Systemctl()
    token = SecretPlace(SourceKind.LITERAL, "ss_live_hunter2")

    install_service(draft(tmp_path, token), places, program, systemctl)

    text = places.config.read_text()
    data = tomllib.loads(text)
    assert "hunter2" not in text
    assert data["connections"][0]["token"] == {"credential": "secret_acme-EU-token"}
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o644
    assert stat.S_IMODE(places.secrets.stat().st_mode) == 0o700
    secrets = {path.name: path.read_text() for path in places.secrets.iterdir()}
    assert secrets == {"acme-EU-token": "ss_live_hunter2\n", "ops-url": "json://127.0.0.1:9/hook\n"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in places.secrets.iterdir()} == {0o600}
    assert systemctl.asked == ["systemctl daemon-reload", f"systemctl enable --now {UNIT}"]

    # As the unit sees them.
    seen = tmp_path / "seen"
    seen.mkdir()
    for name, value in secrets.items():
        (seen / f"secret_{name}").write_text(value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(seen))
    (connection,) = load_config(places.config).connections
    assert isinstance(connection, SoldscopeConnection)
    assert connection.token.reveal() == "ss_live_hunter2"


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["acme EU", "acme-EU"], ["acme-EU-token", "acme-EU-token-2"]),
        (["acme (EU)", "acme [EU]", "acme EU"], ["acme-EU--token", "acme-EU--token-2"]),
        (["Händler", "東京"], ["H-ndler-token", "token"]),
        ([".hidden"], ["hidden-token"]),
    ],
    ids=["alike", "signs", "letters that systemd refuses", "a dot that systemd passes over"],
)
def test_each_secret_has_a_file_of_its_own_that_systemd_takes(
    tmp_path, places, program, names, files
):
    shop = draft(tmp_path, SecretPlace(SourceKind.LITERAL, "t"))
    [first, channel] = shop.tables
    tokens = [SecretPlace(SourceKind.LITERAL, f"ss_live_{name!a}") for name in names]
    shop.tables[:] = [
        *(
            Table(CONNECTIONS, {**first.keys, "name": name, "token": token})
            for name, token in zip(names, tokens, strict=True)
        ),
        channel,
    ]

    install_service(shop, places, program, Systemctl())

    told = tomllib.loads(places.config.read_text())["connections"]
    assert [one["name"] for one in told] == names
    for one, token in zip(told, tokens, strict=True):
        file = one["token"]["credential"].removeprefix("secret_")
        assert (places.secrets / file).read_text() == f"{token.value}\n"
    assert set(files) <= {path.name for path in places.secrets.iterdir()}


def test_what_cannot_be_written_whole_leaves_nothing(tmp_path, places, program):
    (places.units / UNIT).write_text("mine")

    with pytest.raises(CommandError, match=r"connwatch\.service cannot be written: File exists"):
        install_service(
            draft(tmp_path, SecretPlace(SourceKind.LITERAL, "t")), places, program, Systemctl()
        )

    assert (places.units / UNIT).read_text() == "mine"
    assert not places.config.exists()
    assert list(places.secrets.iterdir()) == []


def test_the_unit_starts_this_program_and_says_all_else_as_it_is_shipped(tmp_path, places, program):
    install_service(
        draft(tmp_path, SecretPlace(SourceKind.LITERAL, "t")), places, program, Systemctl()
    )

    unit = (places.units / UNIT).read_text()
    assert f"\nExecStart={program} --config /etc/connwatch/config.toml run\n" in unit
    assert "\nDynamicUser=yes\n" in unit


def test_a_secret_that_is_not_there_yet_is_asked_for_before_the_start(
    tmp_path, places, program, capsys
):
    systemctl = Systemctl()

    install_service(
        draft(tmp_path, SecretPlace(SourceKind.ENV, "NOWHERE")), places, program, systemctl
    )

    said = capsys.readouterr().err
    assert systemctl.asked == ["systemctl daemon-reload"]
    assert f"Put the secret into {places.secrets}/acme-EU-token" in said
    assert "Then: systemctl enable --now connwatch" in said


def test_nothing_that_stands_there_is_touched(tmp_path, places, program):
    places.settings.mkdir()
    places.config.write_text("mine")

    with pytest.raises(CommandError, match=r"config\.toml cannot be written: File exists"):
        install_service(
            draft(tmp_path, SecretPlace(SourceKind.LITERAL, "t")), places, program, Systemctl()
        )

    assert places.config.read_text() == "mine"
    assert not (places.units / UNIT).exists()


def test_what_systemd_complains_of_is_told():
    with pytest.raises(CommandError, match=r"^sh -c echo no >&2; exit 1: no$"):
        run_command(["sh", "-c", "echo no >&2; exit 1"])


@as_root
def test_where_everything_is_right_there_is_no_obstacle(places, program):
    assert find_obstacle(places, program) is None


@as_root
def test_a_unit_that_is_there_is_an_obstacle(places, program):
    (places.units / UNIT).write_text("mine")

    assert "exists already" in str(find_obstacle(places, program))


@as_root
@pytest.mark.parametrize("program", [None, Path("/", "home", "anna", "bin", "connwatch")])
def test_a_program_that_a_service_cannot_see_is_an_obstacle(places, program):
    assert "a service cannot read it" in str(find_obstacle(places, program))


def test_without_systemd_no_service_is_offered(tmp_path):
    places = Places(tmp_path, tmp_path, tmp_path / "nowhere")
    assert find_obstacle(places, tmp_path / "connwatch") == "systemd does not run here"


def test_the_program_is_the_one_that_was_called():
    program = find_program()
    assert program is not None
    assert os.access(program, os.X_OK)
