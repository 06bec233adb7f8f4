from __future__ import annotations

import os
import threading
import traceback
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from monitor.store import engine
from monitor.store.engine import Database, RowRefused, StoreError
from monitor.store.schema import checks, deletions, transitions
from tests.fakes import NOON
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


@pytest.fixture
def is_impatient(monkeypatch):
    """
    A locked database is given up at once.
    """
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0)


def add_name(tx: Connection, name: str) -> None:
    tx.execute(insert(deletions).values(name=name, at=NOON))


def count(tx: Connection) -> int:
    counted: int = tx.execute(select(func.count()).select_from(deletions)).scalar_one()
    return counted


@pytest.mark.parametrize(
    ("setting", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 5000), ("synchronous", 1)],
)
def test_every_connection_is_configured(database, setting, value):
    with database.read() as one, database.read() as other:
        for tx in (one, other):
            assert tx.exec_driver_sql(f"PRAGMA {setting}").scalar_one() == value


def test_foreign_keys_are_kept(database):
    orphan = {"from_state": "a", "to_state": "b", "reason": "c", "detail": ""}
    with pytest.raises(StoreError, match="FOREIGN KEY"), database.write() as tx:
        tx.execute(insert(transitions).values(connection_id=7, at=NOON, **orphan))


def test_a_row_that_breaks_a_rule_is_no_fault_of_the_database(database):
    with database.write() as tx:
        add_name(tx, "one")
    with pytest.raises(RowRefused, match="UNIQUE"), database.write() as tx:
        add_name(tx, "one")


def test_the_file_and_its_companions_are_readable_by_their_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{tmp_path / 'new.db'}")
        database.create_file()
        with database.write() as tx:
            tx.exec_driver_sql("CREATE TABLE things (id INTEGER)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


def test_creating_a_file_that_is_there_keeps_what_is_in_it(database):
    before = database.path.read_bytes()
    database.create_file()
    assert database.path.read_bytes() == before


def test_a_database_exists_once_something_is_in_it(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    assert not database.exists()
    database.create_file()
    assert not database.exists()
    with database.write() as tx:
        tx.exec_driver_sql("CREATE TABLE things (id INTEGER)")
    assert database.exists()
    database.close()


def test_what_is_written_is_there_after_it_was_closed(database):
    with database.write() as tx:
        add_name(tx, "one")
    database.close()
    with database.read() as tx:
        assert count(tx) == 1


def test_a_transaction_that_fails_leaves_nothing(database):
    def write_and_fail() -> None:
        with database.write() as tx:
            add_name(tx, "one")
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()
    with database.write() as tx:
        assert count(tx) == 0


def test_a_reader_sees_one_moment(database, open_database):
    with database.read() as reading:
        assert count(reading) == 0
        with open_database().write() as tx:
            add_name(tx, "one")
        assert count(reading) == 0
    with database.read() as reading:
        assert count(reading) == 1


def test_the_write_lock_is_taken_at_the_start(is_impatient, database, open_database):
    is_begun = False
    with (
        database.write(),
        pytest.raises(StoreError, match="locked"),
        open_database().write(),
    ):
        is_begun = True
    assert not is_begun


def test_a_reader_does_not_wait_for_a_writer(is_impatient, database, open_database):
    with database.write() as tx:
        add_name(tx, "one")
        with open_database().read() as reading:
            assert count(reading) == 0


def test_a_writer_waits_for_another(database, open_database):
    other = open_database()
    has_lock, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with other.write() as tx:
            add_name(tx, "first")
            has_lock.set()
            may_end.wait(timeout=4)

    holder = threading.Thread(target=hold)
    holder.start()
    assert has_lock.wait(timeout=PATIENCE_S)
    threading.Timer(0.1, may_end.set).start()
    with database.write() as tx:
        add_name(tx, "second")
        assert count(tx) == 2
    holder.join(timeout=PATIENCE_S)


def test_after_it_was_locked_the_database_is_usable(is_impatient, database, open_database):
    other = open_database()
    with database.write(), pytest.raises(StoreError), other.write():
        pass
    with other.write() as tx:
        add_name(tx, "one")
    with database.read() as tx:
        assert count(tx) == 1


def test_an_error_says_nothing_of_the_data(database):
    secret = "hunter2"
    with database.write() as tx:
        add_name(tx, secret)
    with pytest.raises(StoreError) as caught, database.write() as tx:
        add_name(tx, secret)
    told = "".join(traceback.format_exception(caught.value))
    assert "UNIQUE constraint failed: deletions.name" in str(caught.value)
    assert str(database.path) in str(caught.value)
    assert secret not in told


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 99])
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    path = tmp_path / "holiday.db"
    path.write_bytes(content)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=r"holiday\.db: (file is not a|database)"), database.read():
        pass
    database.close()


def test_a_damaged_database_is_told(database):
    pages = bytearray(database.path.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    database.path.write_bytes(pages)
    with pytest.raises(StoreError, match="malformed"), database.read() as tx:
        count(tx)


def test_a_file_that_was_truncated_is_told(database):
    os.truncate(database.path, 4096)
    with pytest.raises(StoreError, match=r"malformed|disk image"), database.read() as tx:
        count(tx)


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    database = Database(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match=r"cannot open the database .*set monitor\.database"):
        database.create_file()
    with pytest.raises(StoreError, match="unable to open"), database.read():
        pass


def test_a_folder_that_is_not_there_is_told(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'new.db'}")
    with pytest.raises(StoreError, match="create its folder and let this user write there"):
        database.create_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_told(tmp_path):
    tmp_path.chmod(0o500)
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(StoreError, match="Permission denied"):
        database.create_file()


def test_a_database_that_is_gone_is_not_made_anew_by_a_look_at_it(database):
    database.path.unlink()
    with pytest.raises(StoreError, match="unable to open"), database.read():
        pass
    assert not database.path.exists()


def fill(tx: Connection) -> None:
    rows = [
        {"connection_id": 1, "at": NOON, "reason": "ok", "detail": "x" * 1000} for _ in range(500)
    ]
    tx.execute(insert(checks), rows)


def test_a_full_disk_is_told_and_forgotten_when_there_is_room_again(database):
    with database.write() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(StoreError, match="full"), database.write() as tx:
        fill(tx)
    with database.write() as tx:
        tx.exec_driver_sql("PRAGMA max_page_count = 1000000")
    with database.write() as tx:
        fill(tx)
        assert tx.execute(select(func.count()).select_from(checks)).scalar_one() == 500


def test_a_commit_that_fails_keeps_nothing(database, limit_file_size):
    with database.write() as tx:
        add_name(tx, "one")
    limit_file_size(20_000)

    def write_too_much() -> None:
        with database.write() as tx:
            add_name(tx, "two")
            fill(tx)

    with pytest.raises(StoreError, match="disk"):
        write_too_much()
    with database.read() as tx:
        assert count(tx) == 1


def test_the_companions_are_gone_after_it_was_closed(database, database_path: Path):
    with database.write() as tx:
        add_name(tx, "one")
    database.close()
    assert sorted(path.name for path in database_path.parent.iterdir()) == ["connwatch.db"]
