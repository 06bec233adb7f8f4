"""
The commands that show, try, read and accept sources, beside a real daemon and without one.
"""

from __future__ import annotations

import getpass
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import Ended, connwatch
from tests.daemon_process import run_daemon
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.daemon_process import Daemon

CONFIG = """
[web]
listen = ""

[[sources]]
name = "stores"
kind = "file"
path = "stores.jsonl"
every = "1h"
defaults = { provider = "countdown", authorized_on = 2026-01-15 }
"""
MANY = [f"st-{n:03}" for n in range(60)]


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config.toml").write_text(CONFIG)

    def write(self, *names: str, more: str = "") -> None:
        text = "".join(json.dumps({"name": name}) + "\n" for name in names) + more
        (self.folder / "stores.jsonl").write_text(text)

    def run(self, *arguments: str) -> Ended:
        return connwatch(*arguments, cwd=self.folder)

    def sources(self, *arguments: str) -> Ended:
        return self.run("sources", *arguments)

    def shown(self) -> dict[str, Any]:
        ended = self.sources("list", "--json")
        assert ended.code == 0, ended.err
        [one] = json.loads(ended.out)["sources"]
        assert isinstance(one, dict)
        return one

    def reread(self, daemon: Daemon) -> None:
        """
        Have a source read without a word to anybody, since its settings changed.
        """
        n_read = len(daemon.named("source.read"))
        path = self.folder / "config.toml"
        path.write_text(path.read_text().replace('every = "1h"', 'every = "2h"'))
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(daemon.named("source.read")) > n_read)

    def audited(self) -> list[tuple[str, str, list[str], int]]:
        rows = json.loads(self.run("audit", "--json").out)["audit"]
        return [(one["who"], one["action"], one["keys"], one["count"]) for one in rows]

    def names(self) -> list[str]:
        ended = self.run("status", "--json")
        return sorted(one["name"] for one in json.loads(ended.out)["connections"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    place.write(*MANY)
    with run_daemon(place.folder) as daemon:
        daemon.wait_for("source.read")
        yield daemon


def test_a_source_that_was_never_read_is_listed(place):
    assert place.shown() == {
        "name": "stores",
        "kind": "file",
        "state": "ok",
        "read_at": None,
        "rows": 0,
        "bad": 0,
        "pending_removals": 0,
        "error": None,
    }
    assert "never" in place.sources("list").out
    assert "Source:    stores (file)" in place.sources("show", "stores").out


@pytest.mark.parametrize("command", ["show", "test", "refresh", "accept"])
def test_an_unknown_source_is_refused_with_the_one_that_was_meant(command, place):
    ended = place.sources(command, "store")
    assert ended.code == 3
    assert 'no source is called "store"; did you mean "stores"?' in ended.err


def test_without_a_daemon_nothing_is_read(place):
    with run_daemon(place.folder) as daemon:
        daemon.wait_for("daemon.started")
        daemon.stop()
    ended = place.sources("refresh", "stores")
    assert (ended.code, ended.out) == (3, "")
    assert "start `connwatch run`" in ended.err


def test_a_test_shows_what_would_change_and_stores_nothing(place):
    place.write(*MANY[:22], more='{"name": "bad", "regon": "x"}\n')
    ended = place.sources("test", "stores")
    assert ended.code == 0, ended.err
    assert "23 rows, 1 bad; 22 new or changed, 0 missing" in ended.out
    assert "sources.stores row 22 (bad).regon: unknown key" in ended.out
    assert not (place.folder / "connwatch.db").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read: No such file"),
        ("<html>", "cannot be read"),
        ('{"name": "a", "x": 1}\n', "the reading would be rejected: 1 of 1 rows cannot be used"),
    ],
)
def test_a_test_of_what_cannot_be_used_ends_with_3(text, why, place):
    if text is not None:
        (place.folder / "stores.jsonl").write_text(text)
    ended = place.sources("test", "stores")
    assert ended.code == 3
    assert why in ended.err


def test_config_check_reads_each_source_unless_it_is_offline(place):
    assert place.run("config", "check").code == 3
    assert "sources[0]: source" in place.run("config", "check").err
    assert place.run("config", "check", "--offline").code == 0
    place.write(*MANY, more='{"name": "bad", "regon": "x"}\n')
    ended = place.run("config", "check")
    assert ended.code == 0, ended.err
    assert "note: sources[0]: a row is ignored: sources.stores row 60 (bad).regon" in ended.err
    place.write(more='{"name": "bad", "regon": "x"}\n')
    ended = place.run("config", "check")
    assert ended.code == 3
    assert "sources[0]: 1 of 1 rows cannot be used" in ended.err


def test_a_refresh_reads_at_once(place, daemon):
    place.write(*MANY, "another")
    ended = place.sources("refresh", "stores")
    assert (ended.code, ended.out) == (0, "stores: 61 rows, 0 bad\n")
    assert place.names() == sorted([*MANY, "another"])
    assert place.shown()["rows"] == 61
    (place.folder / "stores.jsonl").unlink()
    ended = place.sources("refresh", "stores")
    assert ended.code == 3
    assert "cannot be read" in ended.err
    shown = place.shown()
    assert shown["state"] == "failed"
    assert "cannot be read" in shown["error"]
    assert len(place.names()) == 61


def test_what_is_held_goes_when_it_is_accepted(place, daemon):
    place.write(MANY[0])
    ended = place.sources("refresh", "stores")
    assert ended.code == 0
    assert "removals on hold: 59 of 60 connections would be removed" in ended.out
    assert place.shown()["state"] == "held"
    assert place.shown()["pending_removals"] == 59
    shown = place.sources("show", "stores").out
    assert "connwatch sources accept stores" in shown
    assert len(place.names()) == 60
    ended = place.sources("accept", "stores")
    assert (ended.code, ended.out) == (0, "stores: 59 connections removed\n")
    assert place.names() == MANY[:1]
    assert place.shown()["state"] == "ok"
    ended = place.sources("accept", "stores")
    assert ended.code == 3
    assert "no removals are on hold" in ended.err
    assert place.audited() == [
        ("source:stores", "reading", ["removed"], 59),
        (f"cli:{getpass.getuser()}", "accept", ["sources.stores"], 59),
        ("source:stores", "reading", ["added"], 60),
    ]


def test_only_what_was_last_shown_is_accepted(place, daemon):
    place.write(MANY[0], MANY[1])
    place.sources("refresh", "stores")
    place.sources("list")
    place.write(MANY[0])
    place.reread(daemon)
    ended = place.sources("accept", "stores")
    assert ended.code == 3
    assert "is not the one that was last shown" in ended.err
    assert "59 of 60 connections" in ended.err
    assert len(place.names()) == 60
    assert place.sources("accept", "stores").code == 0
    assert place.names() == MANY[:1]


def test_a_list_that_changes_before_it_is_accepted_stays_held(place, daemon):
    place.write(MANY[0], MANY[1])
    place.sources("refresh", "stores")
    place.write(MANY[0])
    ended = place.sources("accept", "stores")
    assert ended.code == 3
    assert "nothing was removed" in ended.err
    assert len(place.names()) == 60


def test_what_was_accepted_without_a_daemon_goes_when_it_starts(place, daemon):
    place.write(MANY[0])
    place.sources("refresh", "stores")
    daemon.stop()
    ended = place.sources("accept", "stores")
    assert ended.code == 0
    assert "when the daemon reads the source again" in ended.out
    with run_daemon(place.folder):
        wait_until(lambda: place.names() == MANY[:1])


def test_shadowed_and_bad_rows_are_shown(place, daemon):
    text = CONFIG + f'[[connections]]\nname = "{MANY[3]}"\nprovider = "countdown"\n'
    (place.folder / "config.toml").write_text(f"{text}authorized_on = 2026-02-02\n")
    daemon.stop()
    place.write(*MANY, more='{"name": "bad", "regon": "x"}\n')
    with run_daemon(place.folder) as again:
        again.wait_for("source.read")
        out = place.sources("show", "stores").out
    assert f"{MANY[3]} (the entry of file counts)" in out
    assert "sources.stores row 60 (bad).regon: unknown key" in out
    assert "61, 1 bad" in out
