"""
Settings from rows: made when they are needed, kept up to a number, and never of yesterday.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from structlog.testing import capture_logs

from monitor.config.connections import SoldscopeConnection
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.checkers import prepare_checkers
from monitor.engine.settings import FileReading, RowSettings
from monitor.judge.connections import WrittenEntry
from monitor.judge.outcome import Reason
from monitor.providers.http_api import HttpChecker
from monitor.providers.transport import HttpClients
from monitor.store import credentials, entries
from tests.builders import entries_of, watched_of

if TYPE_CHECKING:
    from monitor.config.model import Config
    from monitor.store.engine import Database, Transaction

KEY = b"k" * 32

FILE = """
[checks]
every = "2m"

[[connections]]
name = "one"
provider = "soldscope"
base_url = "https://a.example"
token = "the-first-token"
tags = ["red"]

[[connections]]
name = "two"
provider = "countdown"
authorized_on = 2026-01-15
tags = ["red", "blue"]

[[connections]]
name = "three"
provider = "http"
url = "https://b.example"
every = "10m"
timeout = "20s"
"""


def load(folder: Path, text: str = FILE) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load_config(path)


def take_in(database: Database, config: Config) -> RowSettings:
    reading = FileReading.of(config, KEY)
    with database.write() as tx:
        reading.store(tx)
    return reading.settings


def few(config: Config, settings: RowSettings, most: int) -> RowSettings:
    """
    The same rows, of which none is ready yet.
    """
    return RowSettings(config.with_connections(()), settings._inline, settings.intervals, most=most)


def test_rows_mean_what_the_file_means(database, tmp_path):
    config = load(tmp_path)
    plan = make_plan(config)
    settings = few(config, take_in(database, config), 2)
    names = ["three", "one", "nobody", "two"]
    with database.read() as tx:
        assert dict(settings.watched_of(tx, names)) == watched_of(plan)
        assert list(settings.watched_of(tx, names)) == ["three", "one", "two"]
        assert settings.entries_of(tx, ["one", "two", "three"]) == list(entries_of(plan))
        assert settings.connections_of(tx, ["one"]) == {"one": config.connections[0]}
        one = settings.connections_of(tx, ["one"])["one"]
        assert isinstance(one, SoldscopeConnection)
        assert one.token.reveal() == "the-first-token"
        known = settings.names(tx)
        assert ("one" in known, "nobody" in known, None in known) == (True, False, False)
        assert (sorted(known), len(known)) == (["one", "three", "two"], 3)
        assert settings.list_tags(tx) == {"red", "blue"}
    assert settings.intervals == plan.intervals


def test_only_so_many_are_kept_ready_those_used_last(database, tmp_path):
    config = load(tmp_path)
    settings = few(config, take_in(database, config), 2)
    with database.read() as tx:
        first = settings.ready_of(tx, ["one", "two"])
        again = settings.ready_of(tx, ["one"])
        settings.ready_of(tx, ["three"])
        assert [each.connection.name for each in settings.list_ready()] == ["one", "three"]
        assert again["one"] is first["one"]
        assert settings.ready_of(tx, ["two"])["two"] is not first["two"]


def test_a_row_that_was_changed_is_read_anew(database, tmp_path):
    config = load(tmp_path)
    settings = take_in(database, config)
    with database.write() as tx:
        before = settings.connections_of(tx, ["two"])["two"]
        content: dict[str, Any] = {
            "name": "two",
            "provider": "countdown",
            "authorized_on": "2026-02-01",
        }
        entries.replace_owned(tx, "file", 0, [WrittenEntry("two", 0, "another", lambda: content)])
        after = settings.connections_of(tx, ["two"])["two"]
        assert settings.connections_of(tx, ["one"]) == {}
    assert (str(before.authorized_on), str(after.authorized_on)) == ("2026-01-15", "2026-02-01")


GOOD = {"name": "good", "provider": "http", "url": "https://a.example"}


def test_a_row_that_means_nothing_is_left_out_and_said(database, tmp_path):
    settings = take_in(database, load(tmp_path))
    rows = [
        WrittenEntry("bad", 0, "x", lambda: {"name": "bad", "provider": "countdown"}),
        WrittenEntry("good", 1, "y", lambda: GOOD),
    ]
    with database.write() as tx, capture_logs() as logs:
        entries.replace_owned(tx, "stores", 2, rows)
        found = settings.watched_of(tx, ["bad", "good"])
        assert {name: one.owner for name, one in found.items()} == {"good": "stores"}
    assert [(one["event"], one["connection"], one["owner"]) for one in logs] == [
        ("entry.unusable", "bad", "stores")
    ]


def before_of(
    tx: Transaction, settings: RowSettings, newer: FileReading, config: Config
) -> dict[str, Any]:
    digests = {one.name: one.digest for one in newer.written}
    after = {one.name: one for one in config.connections}
    return {one.name: one for one in settings.list_before(tx, digests, after)}


@pytest.mark.parametrize("most", [0, 1, 10])
def test_a_newer_reading_is_compared_with_the_rows_in_force(database, tmp_path, most):
    config = load(tmp_path)
    settings = few(config, take_in(database, config), most)
    newer = load(
        tmp_path,
        FILE.replace("the-first-token", "the-second-token").replace('name = "three"', 'name = "3"'),
    )
    reading = FileReading.of(newer, KEY, settings)
    with database.read() as tx:
        settings.ready_of(tx, ["two"])
        before = before_of(tx, settings, reading, newer)
    assert sorted(before) == ["one", "three", "two"]
    assert before["one"].token.reveal() == "the-first-token"
    assert before["three"] == config.connections[2]
    assert before["two"] == newer.connections[1]


async def test_checkers_are_made_when_they_are_asked_for(database, tmp_path, anyio_backend):
    text = (
        FILE
        + '\n[[connections]]\nname = "off"\nprovider = "http"\n'
        + ('url = "https://c.example"\nenabled = false\n')
    )
    config = load(tmp_path, text)
    settings = few(config, take_in(database, config), 10)
    async with HttpClients(1) as clients:
        with database.write() as tx:
            calls = prepare_checkers(tx, config.with_connections(()), settings, clients)
            assert settings.list_ready() == []
            made = calls.make(tx, ["one", "two", "off", "nobody"])
            assert sorted(made) == ["one", "two"]
            assert calls.find(tx, "one") is made["one"]
            assert calls.find(tx, "off") is None


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(certifi.where()).read_bytes())
    return path


async def test_what_cannot_work_by_now_says_so_and_stops_nothing(
    database, tmp_path, ca_file, anyio_backend
):
    config = load(tmp_path, FILE.replace('timeout = "20s"', 'ca_file = "ca.pem"'))
    settings = few(config, take_in(database, config), 10)
    whole = ca_file.read_text()
    ca_file.write_text("")
    async with HttpClients(1) as clients:
        with database.write() as tx:
            common = config.with_connections(())
            calls = prepare_checkers(tx, common, settings, clients)
            made = calls.make(tx, ["one", "three"])
            ca_file.write_text(whole)
            mended = calls.find(tx, "three")
            assert calls.find(tx, "three") is mended
        outcome = await made["three"].check()
    assert (outcome.reason, "ca.pem" in outcome.detail) == (Reason.PROTOCOL, True)
    assert isinstance(mended, HttpChecker)


def test_the_key_that_tells_secrets_apart_is_the_databases(database, tmp_path):
    config = load(tmp_path)
    with database.write() as tx:
        key = credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
    one, other = FileReading.of(config, key), FileReading.of(config, KEY)
    assert [row.write() for row in one.written] == [row.write() for row in other.written]
    assert all(a.digest != b.digest for a, b in zip(one.written, other.written, strict=True))
