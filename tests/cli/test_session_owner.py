"""
Commands of root beside a unit whose database belongs to a user of its own.

As systemd has it: the state is in a folder that only root may pass through, and
secrets are visible to the unit only.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command_line import connwatch, connwatch_from_cold
from tests.daemon_process import run_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.command_line import Ended

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

MADE_UP_UID = 61_234
"""Nobody is called that, as with a `DynamicUser` that is not running."""

CONFIG = """
[monitor]
database = "sqlite:///STATE/connwatch.db"

[web]
listen = ""

[[channels]]
name = "ops"
url = { credential = "slack" }

[[connections]]
name = "acme"
provider = "countdown"
authorized_on = 2026-01-15

[[connections]]
name = "hidden"
provider = "soldscope"
base_url = "http://127.0.0.1:9/"
token = { credential = "hidden" }
"""

COMMANDS = [
    ("status",),
    ("history", "acme"),
    ("ack", "acme"),
    ("silence", "acme", "--for", "2h"),
    ("silence", "list"),
    ("renew", "acme", "--on", "2026-02-01"),
    ("pause", "acme"),
    ("resume", "acme"),
    ("alerts", "list"),
    ("alerts", "retry"),
    ("quota",),
    ("config", "check"),
    ("db", "upgrade"),
    ("db", "current"),
    ("delete", "hidden", "--yes"),
    ("web", "token", "list"),
]


class Unit:
    """
    What systemd and an installation leave on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.private = folder / "private"
        self.home = self.private / "connwatch"
        self.home.mkdir(parents=True, mode=0o700)
        os.chown(self.home, MADE_UP_UID, MADE_UP_UID)
        self.state = folder / "connwatch"
        self.state.symlink_to("private/connwatch")
        self.private.chmod(0o700)
        self.configure(CONFIG)

    def configure(self, text: str) -> None:
        path = self.folder / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text.replace("STATE", str(self.state)))

    def run(self, *command: str) -> Ended:
        return connwatch(*command, cwd=self.folder)

    def strangers(self) -> dict[str, int]:
        """
        The files in the state folder that the unit's user does not own.
        """
        owners = {path.name: path.stat().st_uid for path in self.home.iterdir()}
        return {name: uid for name, uid in owners.items() if uid != MADE_UP_UID}


@pytest.fixture
def unit() -> Iterator[Unit]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield Unit(folder)
    shutil.rmtree(folder)


@pytest.fixture
def settled(unit: Unit) -> Unit:
    # Begun as people begin it: what it imports after it has ceased to be root is read then.
    assert connwatch_from_cold("db", "upgrade", cwd=unit.folder).code == 0
    return unit


@pytest.mark.parametrize("is_private", [True, False], ids=["closed folder", "open folder"])
def test_a_database_that_root_makes_belongs_to_the_owner_of_its_folder(unit, is_private):
    unit.private.chmod(0o700 if is_private else 0o755)

    ended = unit.run("db", "upgrade")

    assert (ended.code, ended.err) == (0, "")
    assert [path.name for path in unit.home.iterdir()] == ["connwatch.db"]
    assert unit.strangers() == {}


def test_commands_of_root_work_without_secrets_and_leave_nothing_of_their_own(settled):
    for command in COMMANDS:
        ended = settled.run(*command)

        assert "Traceback" not in ended.err
        assert "unable to open" not in ended.err
        # A connection is pending; nothing is wrong with the other.
        expected = 3 if command in {("status",), ("ack", "acme")} else 0
        assert (command, ended.code) == (command, expected), ended.err
        assert settled.strangers() == {}


def test_commands_beside_a_daemon_leave_it_in_peace(unit):
    visible = CONFIG.replace('{ credential = "hidden" }', '"any"')
    unit.configure(visible.replace('{ credential = "slack" }', '"json://127.0.0.1:9/"'))
    with run_daemon(unit.folder) as daemon:
        daemon.wait_for("daemon.started")
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert f"Uid:\t{MADE_UP_UID}\t{MADE_UP_UID}\t{MADE_UP_UID}\t{MADE_UP_UID}\n" in status
        unit.configure(CONFIG)
        for command in (("status",), ("pause", "acme"), ("db", "backup", "copy.db")):
            assert "Traceback" not in unit.run(*command).err
            assert unit.strangers() == {}
        assert daemon.stop()[0] == 0
    unit.configure(visible.replace('{ credential = "slack" }', '"json://127.0.0.1:9/"'))
    with run_daemon(unit.folder) as daemon:
        daemon.wait_for("daemon.started")
        assert daemon.stop()[0] == 0
    assert [each for each in daemon.events if each["level"] == "error"] == []


def test_a_renewal_without_the_units_secrets_is_recorded_and_checked_by_the_daemon(settled):
    text = (settled.folder / "config.toml").read_text()
    settled.configure(text.replace('"hidden" }', '"hidden" }\nauthorized_on = 2026-01-01'))

    ended = settled.run("renew", "hidden", "--on", "2026-02-01")

    assert ended.code == 0
    assert "the daemon does that next" in ended.err
    assert settled.strangers() == {}


def test_a_secret_that_only_root_may_read_is_read_before_root_is_gone(settled):
    secret = settled.folder / "token"
    secret.touch(mode=0o600)
    secret.write_text("ss_live_any\n")
    settled.private.chmod(0o755)  # so that nothing but the order of things can help
    text = (settled.folder / "config.toml").read_text()
    settled.configure(text.replace('credential = "hidden"', f'file = "{secret}"'))

    ended = settled.run("check", "hidden", "--json")

    (one,) = json.loads(ended.out)["connections"]
    assert one["last_check"]["reason"] == "connect"
    assert settled.strangers() == {}


def test_root_keeps_its_own_database(tmp_path):
    (tmp_path / "config.toml").write_text('[monitor]\ndatabase = "sqlite:///own.db"\n')

    assert connwatch("db", "upgrade", cwd=tmp_path).code == 0

    assert (tmp_path / "own.db").stat().st_uid == 0


def test_a_backup_by_root_goes_where_only_root_may_write_and_belongs_to_root(settled):
    settled.run("pause", "acme")
    folder = settled.folder / "backups"
    folder.mkdir(mode=0o700)

    ended = settled.run("db", "backup", str(folder / "copy.db"))

    assert (ended.code, ended.err) == (0, "")
    copy = (folder / "copy.db").stat()
    assert (copy.st_uid, stat.S_IMODE(copy.st_mode)) == (0, 0o600)
    with closing(sqlite3.connect(folder / "copy.db")) as connection:
        rows = connection.execute("SELECT name FROM connections WHERE is_paused").fetchall()
    assert rows == [("acme",)]
    assert [path.name for path in folder.iterdir()] == ["copy.db"]
    assert [path.name for path in settled.home.iterdir()] == ["connwatch.db"]


def test_a_restore_by_root_reads_what_only_root_may_read(settled):
    copy = settled.folder / "copy.db"
    settled.run("db", "backup", str(copy))
    settled.run("pause", "acme")

    ended = settled.run("db", "restore", str(copy))

    assert (ended.code, ended.err) == (0, "")
    shown = json.loads(settled.run("status", "--json").out)["connections"]
    assert [each["state"] for each in shown] != ["paused", "pending"]
    assert settled.strangers() == {}
