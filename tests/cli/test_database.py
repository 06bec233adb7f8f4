"""
`connwatch db`: migrate, say the schema, copy.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from monitor.store.engine import Database, lock_database
from monitor.store.migrate import HEAD
from tests.bench import OK, connection
from tests.command_line import connwatch
from tests.daemon_process import run_daemon
from tests.old_schema import make_file_unreleased, set_revision


@pytest.fixture
def folder(tmp_path):
    """A folder with a configuration whose secrets nobody can read."""
    (tmp_path / "config.toml").write_text(
        '[[connections]]\nname = "acme"\nprovider = "soldscope"\n'
        'base_url = "https://api.example.com"\ntoken = { env = "UNSET" }\n'
    )
    return tmp_path


@pytest.fixture
def database(folder):
    assert connwatch("db", "upgrade", cwd=folder).code == 0
    return folder / "connwatch.db"


def claim_revision(database: Path, revision: str) -> None:
    with closing(Database(f"sqlite:///{database}")) as opened:
        set_revision(opened, revision)


def test_upgrade_makes_a_database_for_its_owner_alone(folder):
    ended = connwatch("db", "upgrade", cwd=folder)

    path = folder / "connwatch.db"
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{path}: made, schema {HEAD}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_upgrading_again_changes_nothing(folder, database):
    ended = connwatch("db", "upgrade", cwd=folder)

    assert (ended.code, ended.out) == (0, f"{database}: schema {HEAD}, nothing to do\n")


def test_current_prints_the_schema(folder, database):
    ended = connwatch("db", "current", cwd=folder)

    assert (ended.code, ended.out, ended.err) == (0, f"{HEAD}\n", "")


@pytest.mark.parametrize("command", [("current",), ("backup", "copy.db")], ids=" ".join)
def test_without_a_database_nothing_is_made(folder, command):
    ended = connwatch("db", *command, cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert f"no database at {folder}/connwatch.db" in ended.err
    assert [path.name for path in folder.iterdir()] == ["config.toml"]


def test_a_schema_of_a_newer_program_is_told_and_not_touched(folder, database):
    claim_revision(database, "9999")

    current = connwatch("db", "current", cwd=folder)
    upgrade = connwatch("db", "upgrade", cwd=folder)

    assert (current.code, current.out) == (0, "9999\n")
    assert "install the newer connwatch" in current.err
    assert "db upgrade" not in current.err
    assert upgrade.code == 3
    assert "newer than this program" in upgrade.err


@pytest.mark.parametrize(
    "command",
    ["db upgrade", "db restore copy.db", "status", "check", "pause acme", "alerts list", "run"],
)
def test_a_schema_older_than_the_first_release_is_told_and_not_touched(folder, database, command):
    claim_revision(database, "0004")
    (folder / "copy.db").write_bytes(database.read_bytes())
    before = database.read_bytes()

    ended = connwatch(*command.split(), cwd=folder, env={"UNSET": "any"})

    assert (ended.code, ended.out) == (3, "")
    assert "has schema 0004, which is older than the first release" in ended.err
    assert "move the file away" in ended.err
    assert "Traceback" not in ended.err
    assert database.read_bytes() == before
    assert list(folder.glob("*.before-*")) == []


def test_the_schema_of_a_database_older_than_the_first_release_is_printed(folder, database):
    claim_revision(database, "0004")

    ended = connwatch("db", "current", cwd=folder)

    assert (ended.code, ended.out) == (0, "0004\n")
    assert "older than the first release" in ended.err


def test_a_database_of_the_last_schema_before_the_first_release_is_stamped(folder, database):
    assert connwatch("pause", "acme", cwd=folder).code == 0
    make_file_unreleased(database)

    ended = connwatch("db", "upgrade", cwd=folder)

    copy = f"{database}.before-{HEAD}"
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{database}: from schema 0007 to {HEAD}; before it: {copy}\n"
    assert connwatch("db", "current", cwd=folder).out == f"{HEAD}\n"
    for path in (database, copy):
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name FROM connections WHERE is_paused").fetchall()
        assert rows == [("acme",)]


def test_a_daemon_stamps_the_last_schema_before_the_first_release(folder, database):
    make_file_unreleased(database)
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(f'[web]\nlisten = ""\n{text}')
    with run_daemon(folder, UNSET="any") as daemon:
        migrated = daemon.wait_for("database.migrated")
        daemon.wait_for("daemon.started")
        assert daemon.stop()[0] == 0

    assert (migrated["before"], migrated["now"]) == ("0007", HEAD)
    assert connwatch("db", "current", cwd=folder).out == f"{HEAD}\n"


def test_a_database_of_something_else_is_no_database_of_ours(folder):
    with closing(sqlite3.connect(folder / "connwatch.db")) as other, other:
        other.execute("CREATE TABLE music (title TEXT)")

    ended = connwatch("db", "current", cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert "contains no tables of connwatch" in ended.err


@pytest.mark.parametrize(
    "command", [("upgrade",), ("current",), ("backup", "copy.db")], ids=" ".join
)
def test_a_damaged_database_ends_with_a_sentence(folder, command):
    (folder / "connwatch.db").write_text("no database " * 100)

    ended = connwatch("db", *command, cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert "connwatch.db: file is not a database" in ended.err
    assert "Traceback" not in ended.err
    assert not (folder / "copy.db").exists()


def test_a_backup_is_a_whole_copy_for_its_owner_alone(folder, database):
    ended = connwatch("db", "backup", "copy.db", cwd=folder)

    copy = folder / "copy.db"
    assert (ended.code, ended.err) == (0, "")
    assert str(copy) in ended.out
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_backup_is_made_while_someone_writes(folder, database):
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM alembic_version")

        ended = connwatch("db", "backup", "copy.db", cwd=folder)

        assert ended.code == 0
        with closing(sqlite3.connect(folder / "copy.db")) as copy:
            assert copy.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize(
    ("path", "why"),
    [("config.toml", "exists: name a new file"), ("nowhere/copy.db", "No such file or directory")],
    ids=["exists", "no folder"],
)
def test_a_backup_overwrites_nothing_and_makes_no_folder(folder, database, path, why):
    before = (folder / "config.toml").read_text()

    ended = connwatch("db", "backup", path, cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert why in ended.err
    assert (folder / "config.toml").read_text() == before


def test_a_backup_needs_a_path(folder, database):
    assert connwatch("db", "backup", cwd=folder).code == 3


def test_a_copy_is_restored_and_what_it_replaced_is_named(folder, database):
    connwatch("db", "backup", "copy.db", cwd=folder)
    assert connwatch("pause", "acme", cwd=folder).code == 0

    ended = connwatch("db", "restore", "copy.db", cwd=folder)

    assert (ended.code, ended.err) == (0, "")
    first, second = ended.out.splitlines()
    assert first == f"{database}: restored from {folder}/copy.db"
    kept = Path(second.removeprefix("what it replaced is kept in "))
    for path, is_paused in ((database, False), (kept, True)):
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name FROM connections WHERE is_paused").fetchall()
        assert rows == ([("acme",)] if is_paused else [])


def test_nothing_is_restored_while_the_daemon_runs(folder, database):
    connwatch("db", "backup", "copy.db", cwd=folder)
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(f'[web]\nlisten = ""\n{text}')
    with run_daemon(folder, UNSET="any") as daemon:
        daemon.wait_for("daemon.started")
        ended = connwatch("db", "restore", "copy.db", cwd=folder)
        assert daemon.stop()[0] == 0

    assert (ended.code, ended.out) == (3, "")
    assert "in use by another `connwatch run`: stop that one first" in ended.err


@pytest.mark.parametrize("command", [("db", "upgrade"), ("pause", "acme")], ids=" ".join)
def test_no_command_migrates_under_a_daemon_of_the_release_before(folder, database, command):
    make_file_unreleased(database)
    with lock_database(Database(f"sqlite:///{database}")):
        ended = connwatch(*command, cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert "a daemon of the release before works on it: restart the daemon" in ended.err
    assert connwatch("db", "current", cwd=folder).out == "0007\n"


def test_a_copy_that_is_not_there_is_told(folder, database):
    ended = connwatch("db", "restore", "nowhere.db", cwd=folder)

    assert (ended.code, ended.out) == (3, "")
    assert f"cannot read {folder}/nowhere.db: No such file" in ended.err


def test_what_a_killed_restore_left_goes_with_the_next_command(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    leftover = bench.folder / "connwatch.db.restoring"
    leftover.write_text("half a copy")
    ended = bench.run("status")
    assert (ended.code, "a command that was killed had left it" in ended.err) == (0, True)
    assert not leftover.exists()
    assert bench.run("status").err == ""


def test_what_a_killed_restore_left_goes_with_the_start_of_the_daemon(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    leftover = bench.folder / "connwatch.db.restoring"
    leftover.write_text("half a copy")
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        assert daemon.stop()[0] == 0
    assert [one["path"] for one in daemon.named("database.leftover_removed")] == [str(leftover)]
    assert not leftover.exists()
