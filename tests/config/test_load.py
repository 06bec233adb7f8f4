from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import model as file_settings
from monitor.config.connections import AmazonConnection, Application, SoldscopeConnection
from monitor.config.errors import ConfigError, Problem
from monitor.config.load import SYSTEM_WIDE, UNEXPLAINED, build_config, find_config, load_config
from monitor.config.model import AlertSettings, Channel, CheckSettings, Config, WebSettings
from monitor.config.values import Reading

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BAIT = "hunter2"


def why(caught) -> list[str]:
    return [problem.message for problem in caught.value.problems]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_file_named_by_the_option_wins_even_if_it_is_not_there(home, monkeypatch):
    touch(home / "config.toml")
    monkeypatch.setenv("CONNWATCH_CONFIG", "variable.toml")
    assert find_config("option.toml") == home / "option.toml"


def test_variable_comes_next(home, monkeypatch):
    touch(home / "config.toml")
    monkeypatch.setenv("CONNWATCH_CONFIG", str(home / "variable.toml"))
    assert find_config(None) == home / "variable.toml"


def test_working_folder_comes_before_the_personal_one(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    personal = touch(home / "xdg" / "connwatch" / "config.toml")
    assert find_config(None) == personal
    assert find_config(None) != touch(home / "config.toml")
    assert find_config(None) == home / "config.toml"


@pytest.mark.parametrize("folder", ["", "relative"])
def test_personal_folder_has_its_usual_place_without_a_usable_variable(home, monkeypatch, folder):
    monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    expected = touch(home / "home" / ".config" / "connwatch" / "config.toml")
    assert find_config(None) == expected


def test_folder_called_config_toml_is_no_file(home):
    (home / "config.toml").mkdir()
    with pytest.raises(ConfigError):
        find_config(None)


def test_nothing_found_lists_all_places_looked_at(home):
    assert not SYSTEM_WIDE.exists()
    with pytest.raises(ConfigError) as caught:
        find_config(None)
    assert caught.value.problems == (
        Problem(
            "config.toml",
            "not found; looked at --config (not given), $CONNWATCH_CONFIG (not set), "
            f"{home}/config.toml, {home}/home/.config/connwatch/config.toml, {SYSTEM_WIDE}."
            " Make one with: connwatch config init",
        ),
    )


def test_nothing_found_without_a_home(home, monkeypatch):
    monkeypatch.delenv("HOME")
    with pytest.raises(ConfigError, match="not found"):
        find_config(None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.toml", "does not exist"),
        (".", "cannot be read: Is a directory"),
        ("config.toml/x", "cannot be read: Not a directory"),
        ("a\0b", "cannot be read: "),
    ],
)
def test_file_that_cannot_be_read_is_named(write, name, message):
    path = write("").parent / name
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.path == path
    assert caught.value.problems[0].place == str(path)
    assert caught.value.problems[0].message.startswith(message)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"x = 'hunter2", r"^not TOML: Expected \"'\" \(at end of document\)$"),
        (b"\n\nevery 5", r"^not TOML: Expected '=' .* \(at line 3, column 7\)$"),
        (b"[checks]\nx = '\xff hunter2'", r"^not UTF-8 text \(at line 2\)"),
        (b"x = " + b"9" * 5000, "^not usable: it holds a number of thousands of digits$"),
        (b"x = " + b"[" * 100_000, "^not usable: its lists or tables are nested too deeply$"),
        (b"a." * 20_000 + b"b = 1", "^not usable: it holds a key of more than 100 steps$"),
        (b"x = { 'a' . " + b'"b" . ' * 20_000 + b"c = 1 }", "^not usable: it holds a key of "),
        (b"[x]\n[" + b"a-_." * 20_000 + b"c]", "^not usable: it holds a key of more than "),
    ],
    ids=[
        *("unfinished", "no equals sign", "encoding", "long number", "depth"),
        *("dotted key", "quoted dotted key", "dotted table"),
    ],
)
def test_file_that_is_not_toml_is_named_with_the_line(tmp_path, raw, message):
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    assert problem.place == str(path)
    assert re.search(message, problem.message)
    # A decoder's error carries the text, secrets included.
    assert caught.value.__context__ is None
    assert BAIT not in str(caught.value)


@pytest.mark.parametrize("text", ["a." * 99 + "b", "v1." + "2" * 5000 + ". " * 500, "." * 5000])
def test_dots_in_a_value_are_no_long_key(load, text):
    config = load(f"""
[[connections]]
name = "store"
provider = "countdown"
authorized_on = 2026-01-01
notes = "{text[:500]}" # {text}
""")
    assert config.connections[0].notes == text[:500].strip()


def test_number_too_long_to_be_written_is_refused_and_not_shown(load):
    with pytest.raises(ConfigError) as caught:
        load(f"[checks]\nconcurrency = 0x{'f' * 5000}")
    assert why(caught) == ["at most 1000000, got a number beyond all use"]


def test_empty_file_is_all_defaults(load):
    assert load("").connections == ()


def test_byte_order_mark_and_foreign_line_ends_are_accepted(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbf[checks]\r\nevery = "1m"\r\n')
    assert load_config(path).checks.every.total_seconds() == 60


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_literal_secret_is_accepted_in_a_private_file(load, connection, mode):
    config = load(connection(f'token = "{BAIT}"'), mode)
    assert config.connections[0].token.reveal() == BAIT


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_literal_secret_is_refused_in_a_file_that_others_may_read(write, connection, mode):
    path = write(connection(f'token = "{BAIT}"') + connection('name = "b"'), mode)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (
        "connections[0].token: a secret stands here, in a file that others may read: run chmod 600"
        f' {path}, or write {{ env = "NAME" }}, {{ file = "PATH" }}, {{ credential = "NAME" }}'
        ' or { command = ["PROGRAM", "ARGUMENT"] }'
    )


def test_secrets_are_not_read_by_loading(load, connection):
    load(connection('token = { file = "nowhere" }') + connection('name = "b"'))


def test_secret_file_is_taken_from_the_folder_of_the_config(load, connection, tmp_path):
    (tmp_path / "token").write_text(BAIT, encoding="utf-8")
    config = load(connection('token = { file = "token" }'))
    assert config.connections[0].token.reveal() == BAIT


def test_ca_file_is_taken_from_the_folder_of_the_config(load, connection, tmp_path):
    assert load(connection('ca_file = "ca.pem"')).connections[0].ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("", "{folder}/connwatch.db"),
        ('database = "sqlite:///data/x y.db"', "{folder}/data/x y.db"),
        ('database = "sqlite:////var/lib/connwatch/c.db"', "/var/lib/connwatch/c.db"),
    ],
)
def test_database_is_taken_from_the_folder_of_the_config(load, tmp_path, line, path):
    config = load(f"[monitor]\n{line}")
    expected = path.format(folder=tmp_path)
    assert config.monitor.database == f"sqlite:///{expected}"
    assert config.monitor.database_path == Path(expected)


@pytest.mark.parametrize("folders", ["/var/lib/connwatch", "/var/lib/connwatch:/var/lib/other"])
def test_systemds_folder_is_the_default_for_the_database(load, monkeypatch, folders):
    monkeypatch.setenv("STATE_DIRECTORY", folders)
    assert load("").monitor.database == "sqlite:////var/lib/connwatch/connwatch.db"


def test_database_in_the_file_wins_over_systemds_folder(load, monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/connwatch")
    config = load('[monitor]\ndatabase = "sqlite:///x.db"')
    assert config.monitor.database_path == tmp_path / "x.db"


@pytest.fixture
def system_wide(monkeypatch, tmp_path):
    """
    The file is where the unit has it; returned is where systemd keeps the unit's state.
    """
    monkeypatch.setattr(file_settings, "SYSTEM_FOLDER", tmp_path)
    monkeypatch.setattr(file_settings, "SYSTEM_STATE", tmp_path / "state")
    return tmp_path / "state"


def test_outside_of_the_unit_its_database_is_found(load, system_wide):
    system_wide.symlink_to(
        "private/state"
    )  # of which this user cannot even see whether it is there
    assert load("").monitor.database_path == system_wide / "connwatch.db"


def test_without_the_units_state_the_database_is_beside_the_file(load, system_wide, tmp_path):
    assert load("").monitor.database_path == tmp_path / "connwatch.db"


def test_a_database_beside_the_file_wins_over_that_of_the_unit(load, system_wide, tmp_path):
    system_wide.mkdir()
    (tmp_path / "connwatch.db").touch()
    assert load("").monitor.database_path == tmp_path / "connwatch.db"


def test_a_file_elsewhere_knows_nothing_of_the_unit(load, system_wide, tmp_path, monkeypatch):
    system_wide.mkdir()
    monkeypatch.setattr(file_settings, "SYSTEM_FOLDER", tmp_path / "etc")
    assert load("").monitor.database_path == tmp_path / "connwatch.db"


def test_path_of_the_file_is_kept(write):
    path = write("")
    assert load_config(path).path == path


def test_wrong_references_by_the_thousand_are_told_quickly(load, connection):
    names = ", ".join(f'"conection-{number}"' for number in range(2000))
    entries = "".join(connection(f'name = "connection-{number}"') for number in range(2000))
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(f'{entries}[[channels]]\nname = "o"\nurl = "json://x"\nconnections = [{names}]\n')
    assert len(caught.value.problems) == 2000
    assert "did you mean" in why(caught)[0]
    # Two thousand suggestions among as many names would take half a minute.
    assert time.process_time() - started < 8


def test_five_thousand_connections_load_in_less_than_two_seconds(write, connection):
    path = write("".join(connection(f'name = "c{number}"') for number in range(5000)))
    started = time.process_time()
    config = load_config(path)
    took = time.process_time() - started
    print(f"5,000 connections loaded in {took:.2f} s")
    assert len(config.connections) == 5000
    assert took < 2


KEYS = [
    *Config.model_fields,
    *CheckSettings.model_fields,
    *AlertSettings.model_fields,
    *WebSettings.model_fields,
    *Channel.model_fields,
    *Application.model_fields,
    *SoldscopeConnection.model_fields,
    *AmazonConnection.model_fields,
    *("env", "file", "zone", "from", "to"),
]
WORDS = ["soldscope", "bearer", "5m", "0s", "https://x.org", "http://x", "sqlite:///x", "UTC", "a"]
SCALARS = (
    st.sampled_from(WORDS)
    | st.text()
    | st.integers()
    | st.sampled_from([10**400, -(10**400)])
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.times()
)
NAMES = st.sampled_from(KEYS) | st.text()
DATA = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
        max_leaves=12,
    ),
    max_size=6,
)


def build(data) -> tuple[Config | None, tuple[Problem, ...]]:
    try:
        return build_config(data, Reading(Path("config.toml"), NOON, {})), ()
    except ConfigError as error:
        return None, error.problems


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(DATA)
def test_any_data_is_a_configuration_or_refused_in_plain_words(data):
    config, problems = build(data)
    assert (config is None) == bool(problems)
    assert [str(one) for one in problems if UNEXPLAINED in one.message] == []
    assert [one for one in problems if not str(one).isprintable()] == []


ENTRY = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]) | SCALARS,
        "provider": st.just("soldscope"),
        "base_url": st.sampled_from(WORDS) | SCALARS,
        "token": st.just({"env": "TOKEN"}) | SCALARS,
    },
    optional={
        name: st.sampled_from(WORDS) | SCALARS | st.lists(SCALARS, max_size=2)
        for name in SoldscopeConnection.model_fields
        if name not in {"name", "provider", "base_url", "token"}
    },
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRY, min_size=1, max_size=3))
def test_any_connection_is_accepted_or_refused_in_plain_words(entries):
    config, problems = build({"connections": entries})
    assert [one for one in problems if not one.place.startswith("connections[")] == []
    assert [str(one) for one in problems if UNEXPLAINED in one.message] == []
    if config is not None:
        for connection in config.connections:
            assert config.timeout_of(connection) <= config.every_of(connection)
            assert isinstance(connection.authorized_on, date | None)


CODES = st.sampled_from(["US", "CA", "UK", "GB", "JP", "us", "Japan", "ATVPDKIKX0DER"])
STORE = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]) | SCALARS,
        "provider": st.just("amazon"),
        "application": st.sampled_from(["a", "b"]) | SCALARS,
        "region": st.sampled_from(["na", "eu", "fe", "us"]) | SCALARS | st.lists(SCALARS),
        "refresh_token": st.just({"env": "TOKEN"}) | SCALARS,
    },
    optional={
        "marketplaces": st.lists(CODES | SCALARS, max_size=4) | SCALARS,
        "endpoint": st.sampled_from(WORDS) | SCALARS,
        "every": st.sampled_from(["5m", "1s"]) | SCALARS,
        "probe": st.sampled_from(["token", "sellers"]) | SCALARS,
        "authorized_on": SCALARS,
    },
)
APPLICATION = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]) | SCALARS,
        "client_id": st.sampled_from(["c", "amzn1.sp.solution.c"]) | SCALARS,
        "client_secret": st.just({"env": "SECRET"}) | SCALARS,
    },
    optional={
        name: st.sampled_from(WORDS) | SCALARS
        for name in Application.model_fields
        if name not in {"name", "client_id", "client_secret"}
    },
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(APPLICATION, max_size=2), st.lists(STORE, min_size=1, max_size=3))
def test_any_store_is_accepted_or_refused_in_plain_words(applications, stores):
    config, problems = build({"applications": applications, "connections": stores})
    assert (config is None) == bool(problems)
    assert [one for one in problems if not one.place.startswith(("app", "connections["))] == []
    assert [str(one) for one in problems if UNEXPLAINED in one.message] == []
    assert [one for one in problems if not str(one).isprintable()] == []
    if config is not None:
        for store in config.connections:
            assert isinstance(store, AmazonConnection)
            assert config.application(store.application) is not None
            assert store.host


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60) | st.text("[]{}=.\"'#\n\\abc05-:TZ_", max_size=60).map(str.encode))
def test_any_file_is_a_configuration_or_refused(tmp_path, raw):
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    seen: Path | None
    try:
        seen = load_config(path, NOON).path
    except ConfigError as error:
        seen = error.path
    assert seen == path
