"""
Ids that no insert can have given, in each table and each way: the row goes on, and so do inserts.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from monitor.judge.connections import Entry
from monitor.store import connections
from monitor.store.damage import find_damage, read_set_aside
from monitor.store.engine import Database, RowsSetAside, StoreError, StoreWorker
from monitor.store.ids import COUNTED, LARGEST_ID, OWNERS
from monitor.store.schema import outages
from tests.fakes import NOON
from tests.store.sound import execute, records_of

NO_IDS = {
    "the last number": 2**63 - 1,
    "the one before": 2**63 - 2,
    "half of it": 2**62,
    "too large": LARGEST_ID + 1,
    "zero": 0,
    "below": -5,
    "the first number": -(2**63),
}

NO_COUNTS = {
    "the last number": "9223372036854775807",
    "the one before": "9223372036854775806",
    "as text": "'9223372036854775807'",
    "endless": "9e999",
    "below": "-9223372036854775808",
    "text": "'x'",
    "bytes": "X'00FF'",
    "nothing": "NULL",
    "broken": "1.5",
}


# All values in one table, and some in all tables.
IDS = [
    *((name, bad) for name in ("connections", "silences") for bad in NO_IDS),
    *((name, bad) for name in COUNTED for bad in ("the last number", "zero")),
]
COUNTS = [
    *(("notifications", bad) for bad in NO_COUNTS),
    *((name, "the last number") for name in COUNTED),
]


def cases(pairs: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("table", "bad"), list(dict.fromkeys(pairs)))


@pytest.fixture
def database(sound: Database) -> Database:
    return sound


def query(database: Database, statement: str) -> list[Any]:
    with closing(sqlite3.connect(database.path)) as raw:
        return [row[0] if len(row) == 1 else row for row in raw.execute(statement)]


def insert_again(database: Database, table: str) -> int:
    """
    Insert the first row of a table once more, and return the id that it gets.
    """
    with closing(sqlite3.connect(database.path)) as raw, raw:
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        unique = ("name", "token_hash")
        values = [f"'{table}-2'" if name in unique else f'"{name}"' for name in names[1:]]
        columns = ", ".join(f'"{name}"' for name in names[1:])
        done = raw.execute(
            f"INSERT INTO {table} ({columns}) SELECT {', '.join(values)} FROM {table} LIMIT 1"
        )
        assert done.lastrowid is not None
        return done.lastrowid


@cases(IDS)
def test_a_row_whose_id_is_damaged_goes_on_with_an_honest_one(database, table, bad):
    bad = NO_IDS[bad]
    before = query(database, f"SELECT * FROM {table}")
    execute(database, f"UPDATE {table} SET id = {bad} WHERE id = 2")

    with database.read() as tx:
        assert [(one.table, one.key, one.column) for one in find_damage(tx)] == [
            (table, str(bad), "id")
        ]
    found = database.set_aside_damage()

    assert [(one.table, one.column) for one in found] == [(table, "id")]
    with database.read() as tx:
        assert find_damage(tx) == []
    # Where rows that belong to it still name the id that it had, it gets that one back.
    is_named = table in {"connections", "alerts", "invites"}
    assert query(database, f"SELECT id FROM {table} ORDER BY id") == [1, 2 if is_named else 3]
    if is_named:
        assert query(database, f"SELECT * FROM {table}") == before
        assert [one for one in read_set_aside(database.set_aside_path) if one.removed_with] == []
    assert insert_again(database, table) == (3 if is_named else 4)


@pytest.mark.parametrize("table", COUNTED)
def test_what_was_kept_says_how_it_was(database, table):
    execute(database, f"UPDATE {table} SET id = -7 WHERE id = 2")
    damaged = query(database, f"SELECT * FROM {table} ORDER BY id")
    database.set_aside_damage()
    [record] = records_of(database.set_aside_path)
    execute(database, record["restore"])
    assert query(database, f"SELECT * FROM {table} ORDER BY id") == damaged


@pytest.mark.parametrize("table", sorted(set(OWNERS) - set(COUNTED)))
@pytest.mark.parametrize("bad", [2**63 - 1, LARGEST_ID + 1, 0])
def test_of_what_is_only_appended_the_row_is_removed_at_the_start(database, table, bad):
    """
    Its order is that of its ids; beside the last one SQLite would go on with numbers at random.
    """
    execute(database, f"UPDATE {table} SET id = {bad} WHERE id = 2")
    found = database.set_aside_damage(is_thorough=False)
    assert [str(one) for one in found] == [f"table {table}, row {bad}, column id"]
    assert insert_again(database, table) == 2


@cases(COUNTS)
def test_a_damaged_count_begins_again_behind_the_last_row(database, table, bad):
    bad = NO_COUNTS[bad]
    execute(database, f"UPDATE sqlite_sequence SET seq = {bad} WHERE name = '{table}'")
    found = database.set_aside_damage()
    assert [str(one) for one in found] == [f"table sqlite_sequence, row {table}, column seq"]
    assert insert_again(database, table) == 3
    [record] = records_of(database.set_aside_path)
    execute(database, record["restore"])
    with database.read() as tx:
        assert find_damage(tx) == found


def test_a_count_never_gives_an_id_that_history_still_names(database):
    execute(
        database,
        "DELETE FROM connections WHERE id = 2",
        "UPDATE checks SET connection_id = 40 WHERE id = 2",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'connections'",
    )
    database.set_aside_damage(is_thorough=False)
    assert insert_again(database, "connections") == 41


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE outages SET id = 9223372036854775807 WHERE id = 2",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'outages'",
    ],
    ids=["id", "count"],
)
def test_the_daemon_takes_it_for_no_full_disk(database, harm):
    execute(database, harm)
    worker = StoreWorker(database)
    values = {"host": "h", "started_at": NOON, "is_told": False}

    def add(tx: Any) -> int:
        key = tx.execute(insert(outages).values(values)).inserted_primary_key
        return int(key[0])

    number = asyncio.run(worker.write(add))
    worker.close()
    assert number in {3, 4}
    assert worker.disk_problem is None
    assert len(records_of(database.set_aside_path)) == 1


def test_a_command_says_what_was_set_aside_and_not_that_the_disk_is_full(database):
    execute(database, "UPDATE outages SET id = 9223372036854775807 WHERE id = 2")
    row = insert(outages).values(host="h", started_at=NOON, is_told=False)
    with (
        pytest.raises(RowsSetAside, match="first in table outages, row 9223372036854775807"),
        database.write() as tx,
    ):
        tx.execute(row)
    with database.write() as tx:
        tx.execute(row)


def test_a_full_disk_stays_one(database):
    """
    SQLite is given no page more.
    """
    worker = StoreWorker(database)

    def fill(tx: Any) -> None:
        tx.exec_driver_sql("PRAGMA max_page_count = 1")
        rows = [{"host": "h" * 300, "started_at": NOON, "is_told": False} for _ in range(5000)]
        tx.execute(insert(outages), rows)

    with pytest.raises(StoreError, match="disk is full: make room"):
        asyncio.run(worker.write(fill))
    worker.close()
    assert worker.disk_problem == "the disk of the database is full"
    assert not database.set_aside_path.exists()


def test_rows_that_were_inserted_behind_a_damaged_one_get_honest_ids_too(database):
    execute(database, f"UPDATE silences SET id = {LARGEST_ID} WHERE id = 2")
    with database.read() as tx:
        assert find_damage(tx) == []  # odd, but it stops nothing
    assert insert_again(database, "silences") == LARGEST_ID + 1

    found = database.set_aside_damage()

    assert [(one.table, one.column) for one in found] == [
        ("silences", "id"),
        ("silences", "id"),
        ("sqlite_sequence", "seq"),
    ]
    assert query(database, "SELECT id FROM silences ORDER BY id") == [1, 2, 3]
    assert insert_again(database, "silences") == 4


def test_what_refers_to_a_damaged_id_goes_along(database):
    execute(
        database,
        f"UPDATE connections SET id = {2**60} WHERE id = 2",
        *(
            f'UPDATE {table} SET "connection_id" = {2**60} WHERE connection_id = 2'
            for table in ("quotas", "checks", "transitions", "quota_samples")
        ),
    )
    found = database.set_aside_damage(is_thorough=False)
    assert [str(one) for one in found] == [f"table connections, row {2**60}, column id"]
    [new] = query(database, "SELECT id FROM connections WHERE name = 'acme-north-america'")
    assert new < 100
    for table in ("quotas", "checks", "transitions", "quota_samples"):
        assert new in query(database, f"SELECT connection_id FROM {table}")
        assert 2**60 not in query(database, f"SELECT connection_id FROM {table}")


def test_two_that_lost_their_ids_get_others_and_what_was_theirs_is_kept(database):
    execute(
        database,
        "UPDATE alerts SET id = -1 WHERE id = 1",
        "UPDATE alerts SET id = -2 WHERE id = 2",
    )
    database.set_aside_damage()
    assert query(database, "SELECT id FROM alerts ORDER BY id") == [3, 4]
    kept = [one for one in read_set_aside(database.set_aside_path) if one.removed_with]
    assert {one.table for one in kept} >= {"notifications", "reminders"}
    assert all(one.removed_with.startswith("table alerts, row -") for one in kept)
    with database.read() as tx:
        assert find_damage(tx) == []
    assert query(database, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("bad", ["77", "0", "-1", "9223372036854775807", "'x'", "X'FF'", "1.5"])
def test_a_row_that_names_an_owner_which_is_not_there_is_set_aside(database, bad):
    execute(database, f"UPDATE notifications SET alert_id = {bad} WHERE id = 2")
    found = database.set_aside_damage(is_thorough=False)
    assert [str(one) for one in found] == ["table notifications, row 2, column alert_id"]
    assert query(database, "SELECT id FROM notifications") == [1]


@pytest.mark.parametrize("harm", ["UPDATE quotas SET connection_id = 77", "DELETE FROM quotas"])
def test_a_connection_without_its_quota_is_found_all_the_same(database, harm):
    """
    Nothing found it, the file's entry was inserted again, and its name was taken: no start.
    """
    execute(database, f"{harm} WHERE connection_id = 2")
    database.set_aside_damage()
    entry = Entry("acme-north-america", "amazon", "h", every=timedelta(minutes=1))
    with database.write() as tx:
        connections.sync(tx, [entry], NOON)
        [record] = connections.list_records(tx)
    assert record.id == 2


def damage_index(database: Database, table: str, constraint: str, index: str) -> None:
    """
    Insert the first row of *table* again while an index does not know of it.
    """
    with closing(sqlite3.connect(database.path, isolation_level=None)) as raw:
        entry = raw.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        made = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        without = re.sub(rf",\s*CONSTRAINT {constraint} \w+( KEY)? \(\w+\)", "", made)
        assert without != made
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (without, table))
        raw.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
    with closing(sqlite3.connect(database.path, isolation_level=None)) as raw:
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        columns = {name: f'"{name}"' for name in names if name != "id"}
        others = dict(columns, name="'another'") if table == "api_tokens" else columns
        raw.execute(
            f"INSERT INTO {table} ({', '.join(columns.values())})"
            f" SELECT {', '.join(others.values())} FROM {table} LIMIT 1"
        )
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (made, table))
        raw.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", entry)


DOUBLES = {
    "connections": ("uq_connections_name", "name", 3),
    "applications": ("pk_applications", "name", 2),
    "api_tokens": ("uq_api_tokens_token_hash", "token_hash", 2),
    "watermarks": ("pk_watermarks", "name", 2),
}


@pytest.mark.parametrize("table", DOUBLES)
def test_of_two_rows_that_a_damaged_index_let_in_one_is_set_aside(database, table):
    constraint, column, n_left = DOUBLES[table]
    n_index = 2 if table == "api_tokens" else 1
    damage_index(database, table, constraint, f"sqlite_autoindex_{table}_{n_index}")

    found = database.set_aside_damage(is_thorough=False)

    assert [(one.table, one.column) for one in found] == [(table, column)]
    assert len(query(database, f"SELECT {column} FROM {table}")) == n_left
    assert query(database, "PRAGMA integrity_check") == ["ok"]
    if table == "connections":
        assert query(database, "SELECT name FROM connections WHERE id = 3") == ["unreadable-3"]


def test_two_connections_of_one_name_stop_no_start(database):
    damage_index(database, "connections", "uq_connections_name", "sqlite_autoindex_connections_1")
    entry = Entry("soldscope-production", "amazon", "other", every=timedelta(minutes=1))

    def sync() -> None:
        with database.write() as tx:
            connections.sync(tx, [entry], NOON)

    # Found by its name it is one; the other is nobody's, and hidden.
    sync()
    with database.read() as tx:
        assert [record.id for record in connections.list_records(tx)] == [1]


def test_the_look_at_the_start_reads_no_long_table(database):
    """
    The ends of `checks` are looked up, its rows are not read.
    """
    with database.read() as tx:
        read: list[str] = []
        raw: Any = tx.connection.dbapi_connection
        raw.set_trace_callback(read.append)
        find_damage(tx, is_thorough=False)
        plans = [
            row[-1]
            for one in read
            if "FROM" in one
            for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}").all()
        ]
        raw.set_trace_callback(None)
    assert any("checks" in one for one in plans)
    assert not [one for one in plans if one.startswith(("SCAN checks", "SCAN transitions"))]
