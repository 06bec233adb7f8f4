"""
Each column of each table, by the metadata: what cannot be read is found, and set aside whole.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    Integer,
    LargeBinary,
    String,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from monitor.store import damage
from monitor.store.audit import list_audit
from monitor.store.damage import find_damage, read_set_aside
from monitor.store.engine import Database, RowsSetAside, StoreDamaged, StoreError
from monitor.store.schema import EnumText, Instant, keys, metadata, outages
from tests.fakes import NOON
from tests.store.sound import execute, records_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Column

TABLES = [table.name for table in metadata.sorted_tables]

VALUES = {
    Instant: (
        "'damaged'",
        "253402300800000000",  # the year 10000, which Python cannot hold
        "253370764800000000",  # the year 9999, which no zone can be added to
        "-62135596800000000",  # the year 1
    ),
    EnumText: ("'damaged'", "X'FFFE'"),
    Boolean: ("'damaged'", "2"),
    Integer: ("'damaged'", "1.5", "9223372036854775807", "-9223372036854775808"),
    Float: ("'damaged'", "9e999", "-9e999"),
    LargeBinary: ("'damaged'", "X'00'"),
    JSON: ("'{'", "'[null]'", "X'FFFE'"),
    String: ("X'FFFE'", "CAST(X'C328' AS TEXT)"),
}


def values_of(column: Column[Any]) -> tuple[str, ...]:
    """
    Return what a column of its type may not hold, or may hold and looks odd.
    """
    return next(values for kind, values in VALUES.items() if isinstance(column.type, kind))


@pytest.fixture
def database(sound: Database) -> Database:
    return sound


def harm(tx: Any, table: str, column: str, value: str) -> bool:
    """
    Put *value* into every row; tell whether SQLite let it in.
    """
    try:
        tx.exec_driver_sql(f'UPDATE "{table}" SET "{column}" = {value}')
    except DBAPIError:
        return False
    return True


def read(tx: Any, table: str) -> bool:
    """
    Tell whether every row of a table can be read.
    """
    try:
        list(tx.execute(select(metadata.tables[table])))
    except (ValueError, LookupError, TypeError, ArithmeticError, DBAPIError):
        return False
    return True


def dump(tx: Any) -> dict[str, list[Any]]:
    """
    Return each row of each table as SQLite writes it, whatever it holds.
    """
    # Without what SQLAlchemy does for each statement, of which these are ten thousands.
    raw = tx.connection.driver_connection
    rows = {}
    for table in metadata.sorted_tables:
        columns = ", ".join(f'typeof("{one.name}"), hex("{one.name}")' for one in table.c)
        rows[table.name] = sorted(raw.execute(f'SELECT {columns} FROM "{table.name}"'))
    return rows


def test_nothing_is_found_in_a_sound_database(database):
    with database.read() as tx:
        assert all(read(tx, table) for table in TABLES)
        assert find_damage(tx) == []
    assert database.set_aside_damage() == []
    assert not database.set_aside_path.exists()


@pytest.mark.parametrize("table", TABLES)
def test_what_cannot_be_read_is_set_aside_and_all_else_can_be_read(database, tmp_path, table):
    n_damaged = 0
    with database.write() as tx:
        tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for column in metadata.tables[table].c:
            for number, value in enumerate(values_of(column)):
                part = tx.begin_nested()
                if harm(tx, table, column.name, value):
                    kept = tmp_path / f"{column.name}-{number}"
                    n_damaged += set_aside_and_restore(tx, kept, table, column.name)
                part.rollback()
    assert n_damaged or table == "alert_connections"


def set_aside_and_restore(tx: Any, kept: Path, table: str, column: str) -> int:
    """
    Return how many values of *column* cannot be read, after all that must be true of them.
    """
    found = find_damage(tx)
    if not found:
        assert read(tx, table)
        return 0
    before = dump(tx)
    assert {(one.table, one.column) for one in found} == {(table, column)}
    assert damage.set_aside(tx, kept) == found
    assert find_damage(tx) == []
    assert read(tx, table)
    # Sent to SQLite, what was kept brings back all that there was, as it was.
    for record in records_of(kept):
        tx.exec_driver_sql(record["restore"])
    assert dump(tx) == before, (column, found)
    return len(found)


def test_what_belongs_to_a_row_is_set_aside_with_it(database):
    execute(database, "UPDATE alerts SET kind = 'damaged' WHERE id = 1")

    [found] = database.set_aside_damage()

    assert str(found) == "table alerts, row 1, column kind"
    kept = read_set_aside(database.set_aside_path)
    belonging = {str(one): one.removed_with for one in kept if one.removed_with}
    assert belonging == dict.fromkeys(
        (
            "table alert_connections, row 1",
            "table notifications, row 1",
            "table reminders, row 1",
        ),
        str(found),
    )


def test_a_stored_token_is_kept_as_it_was_encrypted(database):
    execute(database, "UPDATE stored_tokens SET seller_id = X'FF' WHERE connection_id = 1")

    database.set_aside_damage()

    with database.read() as tx:
        tokens = list(tx.execute(select(metadata.tables["stored_tokens"]).order_by("seller_id")))
    assert [(one.connection_id, one.seller_id) for one in tokens] == [(1, None), (2, "2")]
    assert tokens[0].token == bytes(range(16))
    [record] = records_of(database.set_aside_path)
    assert record["row"]["token"] == {"type": "blob", "hex": bytes(range(16)).hex().upper()}


def test_a_damaged_token_of_the_api_may_not_do_more_than_before(database):
    execute(database, "UPDATE api_tokens SET is_read_only = 'no'")

    database.set_aside_damage()

    tokens = metadata.tables["api_tokens"]
    with database.read() as tx:
        assert tx.execute(select(tokens.c.is_read_only)).scalars().all() == [True, True]


@pytest.mark.parametrize("value", ["null", '"acme"', "[null]", "5", '{"acme": 1}', '["acme", 1]'])
@pytest.mark.parametrize("table", ["api_tokens", "people"])
def test_who_is_limited_to_groups_that_are_none_sees_nothing(database, table, value):
    execute(database, f"UPDATE {table} SET groups = '{value}'")

    assert {one.column for one in database.set_aside_damage()} == {"groups"}

    with database.read() as tx:
        groups = set(tx.exec_driver_sql(f"SELECT groups FROM {table}").scalars())
    assert groups == {"[]"}


@pytest.mark.parametrize("value", ["null", "5", "true", "[null]", "[[]]"])
def test_who_changed_what_is_listed_without_keys_that_are_none(database, value):
    with database.read() as tx:
        n_rows = len(list_audit(tx))
    execute(database, f"UPDATE audit SET \"keys\" = '{value}'")

    assert {one.column for one in database.set_aside_damage()} == {"keys"}

    with database.read() as tx:
        assert [row.keys for _, row in list_audit(tx)] == [()] * n_rows
    assert n_rows


def test_more_rows_than_one_look_takes_are_all_set_aside(database, monkeypatch):
    monkeypatch.setattr(damage, "MOST_AT_ONCE", 7)
    with database.write() as tx:
        rows = [{"host": f"h{n}", "started_at": NOON, "is_told": False} for n in range(30)]
        tx.execute(insert(outages), rows)
    execute(database, "UPDATE outages SET started_at = 'damaged'")

    found = database.set_aside_damage()

    assert len(found) == len(records_of(database.set_aside_path)) == 32
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(outages)).scalar_one() == 0


def test_a_key_that_keeps_nobody_out_is_set_aside(database):
    execute(database, "UPDATE keys SET value = X'00' WHERE name = 'csrf'")
    assert [str(one) for one in database.set_aside_damage()] == [
        "table keys, row csrf, column value"
    ]
    with database.read() as tx:
        assert tx.execute(select(keys.c.name)).scalars().all() == ["fingerprint"]


def test_the_file_is_for_its_owner_even_if_it_was_not(database):
    database.set_aside_path.write_text('{"table": "alerts", "ke')  # the disk was full
    database.set_aside_path.chmod(0o644)
    execute(database, "UPDATE silences SET ends_at = 'damaged' WHERE id = 2")

    found = database.set_aside_damage()

    assert database.set_aside_path.stat().st_mode & 0o777 == 0o600
    assert read_set_aside(database.set_aside_path) == found


def test_what_cannot_be_written_stays_in_the_database(database):
    execute(database, "UPDATE silences SET ends_at = 'damaged' WHERE id = 2")
    database.set_aside_path.mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        database.set_aside_damage()
    with database.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM silences").scalar_one() == 2


def test_a_look_that_finds_nothing_waits_for_no_writer_and_keeps_none_waiting(database):
    with database.read():
        pass  # the first to open it has it logged ahead, which waits for all others
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        # Refused after `BUSY_TIMEOUT_S`, if it asked for the lock.
        assert database.set_aside_damage() == []


def test_json_that_is_none_damages_its_row_alone(database):
    execute(database, "UPDATE alerts SET facts = '{' WHERE id = 1")
    facts = text("SELECT json_extract(facts, '$.host') FROM alerts")

    with pytest.raises(RowsSetAside), database.read() as tx:
        tx.execute(facts).all()

    with database.read() as tx:
        assert tx.execute(facts).all() == [(None,), (None,)]


def test_a_damaged_file_is_no_damaged_row(database):
    database.path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreDamaged), database.read() as tx:
        tx.execute(select(outages)).all()


def test_a_text_that_is_missing_stands_in_nobodys_way(database):
    """
    SQLite gives a value that is none to what reads letters.
    """
    execute(database, "UPDATE silences SET ends_at = 253402300800000000 WHERE id = 1")
    assert [str(one) for one in database.set_aside_damage()] == [
        "table silences, row 1, column ends_at"
    ]
