from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from monitor.store import migrate
from monitor.store import migrate as store_restore
from monitor.store.engine import Database, StoreError, lock_database
from monitor.store.migrate import restore
from monitor.store.schema import connections
from tests.builders import Story, entry, plan_of
from tests.fakes import NOON
from tests.old_schema import make_file_unreleased
from tests.stranger import as_stranger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(database: Database, tmp_path: Path) -> Path:
    """
    A copy from when there was one connection; now there are two.
    """
    Story.begin(database, plan_of(entry("one")))
    path = tmp_path / "copy.db"
    migrate.backup(database, path)
    Story.begin(database, plan_of(entry("one"), entry("two")))
    return path


def put_back(database: Database, copy: Path) -> Path | None:
    with copy.open("rb") as file:
        return restore(database, copy, file, NOON)


def names_in(path: Path) -> list[str]:
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as tx:
            return list(tx.execute(select(connections.c.name)).scalars())
    finally:
        database.close()


def files_beside(database: Database) -> set[str]:
    database.close()
    return {path.name for path in database.path.parent.iterdir()}


def test_a_copy_takes_the_place_of_the_database_which_is_kept(database, copy):
    kept = put_back(database, copy)

    assert kept is not None
    assert kept == database.path.with_name("connwatch.db.replaced-20261122T120000Z")
    assert names_in(database.path) == ["one"]
    assert names_in(kept) == ["one", "two"]
    assert names_in(copy) == ["one"]
    assert database.path.stat().st_mode & 0o777 == 0o600
    expected = {"connwatch.db", "connwatch.db.lock", "copy.db", kept.name}
    assert files_beside(database) == expected


def test_two_restorations_within_a_second_keep_both_databases(database, copy):
    first, second = put_back(database, copy), put_back(database, copy)
    assert first is not None
    assert second is not None
    assert second.name == f"{first.name}-2"
    assert (names_in(first), names_in(second)) == (["one", "two"], ["one"])


def test_what_a_killed_restore_left_is_not_taken_for_a_part_of_the_copy(database, copy):
    """SQLite believes any log that stands beside a file."""
    leftover = database.path.with_name("connwatch.db.restoring")
    with closing(Database(f"sqlite:///{shutil.copy(copy, f'{copy}.2')}")) as other:
        with other.write() as tx:
            tx.execute(connections.update().values(account="of another copy"))
        for suffix in ("", "-wal"):
            shutil.copy(f"{other.path}{suffix}", f"{leftover}{suffix}")
    put_back(database, copy)
    with closing(sqlite3.connect(database.path)) as restored:
        (account,) = restored.execute("SELECT DISTINCT account FROM connections").fetchone()
    assert account is None


def test_what_is_in_the_log_is_kept_with_what_was_replaced(database, copy, tmp_path):
    """As after a daemon that was killed: nobody folded its log back."""
    with database.write() as tx:
        tx.execute(connections.update().values(account="late"))
    killed = Database(f"sqlite:///{tmp_path / 'killed.db'}")
    for suffix in ("", "-wal"):
        shutil.copy(f"{database.path}{suffix}", f"{killed.path}{suffix}")
    kept = put_back(killed, copy)
    assert kept is not None
    assert names_in(killed.path) == ["one"]
    with closing(sqlite3.connect(kept)) as old:
        assert old.execute("SELECT DISTINCT account FROM connections").fetchall() == [("late",)]
    assert not kept.with_name(f"{kept.name}-wal").exists()


def test_nothing_is_restored_while_anybody_has_it_open(database, copy, open_database, monkeypatch):
    monkeypatch.setattr(store_restore, "BUSY_TIMEOUT_S", 0)
    before = files_beside(database)
    with open_database().read() as tx:
        tx.execute(select(connections.c.id)).all()
        with pytest.raises(StoreError, match="in use by another command"):
            put_back(database, copy)
    assert names_in(database.path) == ["one", "two"]
    assert (
        files_beside(database) - {f"connwatch.db{each}" for each in (".lock", "-wal", "-shm")}
        == before
    )


def test_a_copy_is_restored_where_there_is_nothing(copy, tmp_path):
    lost = Database(f"sqlite:///{tmp_path / 'lost.db'}")
    assert put_back(lost, copy) is None
    assert names_in(lost.path) == ["one"]


def test_a_copy_is_restored_over_a_damaged_database_which_is_kept_with_its_log(database, copy):
    database.close()
    database.path.write_bytes(b"damaged" * 1000)
    log = database.path.with_name("connwatch.db-wal")
    log.write_bytes(b"some log")
    kept = put_back(database, copy)
    assert kept is not None
    assert names_in(database.path) == ["one"]
    assert kept.read_bytes() == b"damaged" * 1000
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"some log"


def test_an_older_copy_is_restored_and_migrated_by_the_next_start(database, copy):
    make_file_unreleased(copy)
    put_back(database, copy)
    assert migrate.current_revision(database) == "0007"
    assert migrate.upgrade(database)[0] == "0007"
    migrate.require_head(database)


def damage(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    pages[8192:] = b"\xff" * (len(pages) - 8192)
    path.write_bytes(pages)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as copy, copy:
        copy.execute("UPDATE alembic_version SET version_num = '0999'")


def make_unreleased(path: Path) -> None:
    with closing(sqlite3.connect(path)) as copy, copy:
        copy.execute("UPDATE alembic_version SET version_num = '0006'")


def make_other(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE music (title TEXT)")


def leave_log(path: Path) -> None:
    path.with_name("copy.db-wal").write_bytes(b"the rest")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage, r"copy\.db is damaged.*: name another copy$"),
        (make_newer, r"copy\.db has schema 0999, which is newer than this program"),
        (make_unreleased, r"copy\.db has schema 0006, which is older than the first release"),
        (make_other, r"copy\.db contains no tables of connwatch"),
        (leave_log, r"copy\.db is in use, or was copied while it was.*db backup"),
        (lambda path: path.write_text("dear diary"), r"copy\.db is no database"),
        (lambda path: path.write_text(""), r"copy\.db is no database"),
        (lambda path: os.truncate(path, 4096), r"copy\.db is damaged.*: name another copy$"),
    ],
    ids=[
        "damaged",
        "newer",
        "unreleased",
        "of another program",
        "with a log",
        "no database",
        "empty",
        "cut off",
    ],
)
def test_what_is_no_copy_is_refused_and_changes_nothing(database, copy, spoil, why):
    spoil(copy)
    before = files_beside(database)
    with pytest.raises(StoreError, match=why):
        put_back(database, copy)
    assert names_in(database.path) == ["one", "two"]
    assert files_beside(database) - {"connwatch.db.lock"} == before


def test_the_owner_of_the_database_need_not_see_the_folder_of_the_copy(tmp_path):
    """
    Root opens the copy, then becomes the owner.
    """
    (tmp_path / "copy.db").write_bytes(b"no database at all")
    # Its own folder would be open to it; that there is none stands for that.
    database = Database("sqlite:////nowhere/connwatch.db")

    with (
        (tmp_path / "copy.db").open("rb") as file,
        as_stranger(),
        pytest.raises(StoreError, match="is no database"),
    ):
        restore(database, tmp_path / "copy.db", file, NOON)


def test_the_database_itself_is_no_copy(database, copy):
    with pytest.raises(StoreError, match="is the database itself"):
        put_back(database, database.path)
    assert names_in(database.path) == ["one", "two"]


def test_nothing_is_restored_while_a_daemon_runs(database, copy, open_database):
    with lock_database(open_database()), pytest.raises(StoreError, match=r"in use.*stop that one"):
        put_back(database, copy)
    assert names_in(database.path) == ["one", "two"]


def test_a_restore_that_does_not_fit_is_told_and_changes_nothing(database, copy, limit_file_size):
    before = files_beside(database)
    limit_file_size(8192)
    with pytest.raises(StoreError, match=r"cannot restore .*connwatch\.db: File too large"):
        put_back(database, copy)
    limit_file_size(-1)
    assert names_in(database.path) == ["one", "two"]
    assert files_beside(database) - {"connwatch.db.lock"} == before


def test_copies_from_before_migrations_become_no_more_than_two(database):
    Story.begin(database, plan_of(entry("one")))
    made = []
    for number, schema in enumerate(("0101", "0102", "0103")):
        made.append(migrate.backup_before(database, schema))
        at = (NOON + timedelta(seconds=number)).timestamp()
        os.utime(made[-1], (at, at))
    assert database.list_backups() == [made[2], made[1]]
    assert [names_in(path) for path in database.list_backups()] == [["one"], ["one"]]
    assert made[2].stat().st_mode & 0o777 == 0o600


def test_a_copy_that_was_just_made_stays_though_the_clock_was_set_back(database):
    for schema in ("0101", "0102"):
        older = migrate.backup_before(database, schema)
        os.utime(older, (4e9, 4e9))

    made = migrate.backup_before(database, "0103")

    assert made.exists()
    assert len(database.list_backups()) == 2


def test_a_copy_that_is_gone_overwrites_nothing(database, tmp_path):
    Story.begin(database, plan_of(entry("one")))

    with pytest.raises(StoreError, match="unable to open"):
        database.overwrite_with(tmp_path / "gone.db")

    assert names_in(database.path) == ["one"]
    assert not (tmp_path / "gone.db").exists()


def test_a_copy_holds_what_is_in_the_log_only_and_is_one_file(database, open_database, tmp_path):
    with open_database().read() as tx:
        tx.execute(text("SELECT 1"))
        Story.begin(database, plan_of(entry("one")))
        assert database.path.with_name("connwatch.db-wal").stat().st_size > 0
        copy = migrate.backup_before(database, "0101")
    assert {path.name for path in tmp_path.glob("*.before*")} == {copy.name}
    assert names_in(copy) == ["one"]


def test_a_restore_that_was_killed_leaves_nothing_beyond_the_next_command(database, copy):
    leftovers = [
        database.path.with_name(f"connwatch.db{suffix}")
        for suffix in (".restoring", ".restoring-wal", ".restoring-shm", ".part-99999999")
    ]
    kept = [
        database.path.with_name(f"connwatch.db{suffix}")
        for suffix in (f".part-{os.getpid()}", ".before-0001", ".replaced-2026", ".restoring.txt")
    ]
    for path in [*leftovers, *kept, database.path.with_name("another.db.restoring")]:
        path.write_text("x")

    with lock_database(database):  # as a restore that is at work
        assert migrate.remove_leftovers(database) == []
    assert migrate.remove_leftovers(database) == sorted(leftovers)

    assert [path for path in leftovers if path.exists()] == []
    assert all(path.exists() for path in kept)
    assert database.path.with_name("another.db.restoring").exists()
    assert names_in(database.path) == ["one", "two"]
