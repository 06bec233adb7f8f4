"""
A source that is a database: SQLite files, and a PostgreSQL server of our own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from monitor.sources.databases import read_database
from monitor.sources.rows import UnreadableSource
from tests.postgresql import run_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import Postgresql

COUNTDOWN = {"provider": "countdown"}
ENDLESS = (
    "with recursive n(i) as (select 1 union all select i + 1 from n)"
    " select i as name from n where i < 0"
)


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    path = tmp_path / "stores.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table stores (slug, granted, tags, is_on, days, note)")
        connection.execute(
            "insert into stores values ('a', '2026-01-15', '[\"eu\"]', 1, 30, 'hunter2'),"
            " ('b', '2026-02-01', null, 0, 365, '')"
        )
        connection.commit()
    return path


def read(
    path: Path, query: str, defaults: dict[str, Any] = COUNTDOWN, patience_s: float = 60.0
) -> list[Any]:
    rows = read_database(f"sqlite:///{path.name}", query, path.parent, defaults, patience_s)
    return [row.why or row.values for row in rows]


ALL = (
    "select slug as name, granted as authorized_on, tags, is_on as enabled, days as valid_days,"
    " note as notes from stores order by slug;"
)


def test_each_row_is_a_connection_and_a_cell_means_what_its_key_is_for(stores):
    assert read(stores, ALL) == [
        {
            "name": "a",
            "authorized_on": date(2026, 1, 15),
            "tags": ["eu"],
            "enabled": True,
            "valid_days": 30,
            "notes": "hunter2",
        },
        {"name": "b", "authorized_on": date(2026, 2, 1), "enabled": False, "valid_days": 365},
    ]


CELLS = {
    "a number for a text": ("select 7 as name", {"name": "7"}),
    "a number with a point for a text": ("select 7.5 as name", {"name": "7.5"}),
    "a whole number with a point": (
        "select 'a' as name, 30.0 as valid_days",
        {"name": "a", "valid_days": 30},
    ),
    "a list as JSON": ("select 'a' as name, '[\"x\"]' as tags", {"name": "a", "tags": ["x"]}),
    "NULL": ("select 'a' as name, null as tags", {"name": "a"}),
    "an empty text": ("select 'a' as name, '' as notes", {"name": "a"}),
    "bytes": ("select x'00ff' as name", "name: neither text, number, boolean nor date"),
    "no day": (
        "select 'a' as name, '15.1.2026' as authorized_on",
        'authorized_on: a date such as 2026-01-15, got "15.1.2026"',
    ),
    "half a JSON": (
        "select 'a' as name, '[1' as tags",
        "tags: begins like JSON and is none: not JSON (at character 2)",
    ),
    "too much": (
        "select 'a' as name, replace(hex(zeroblob(40000)), '0', 'x') as notes",
        "larger than 64 KiB",
    ),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_are_read_by_their_keys(case, stores):
    query, expected = CELLS[case]
    assert read(stores, query) == [expected]


UNREADABLE = {
    "no such table": ("select * from nothing", "the statement failed: OperationalError"),
    "no SQL": ("selec 1", "the statement failed: OperationalError"),
    "two statements": ("select 1; select 2", "more than one statement"),
    "one that writes": ("delete from stores", "the statement does more than read (SQLITE_AUTH)"),
    "one that makes a table": ("create table x (y)", "the statement "),
    "another file": ("attach 'other.db' as other", "the statement does more than read"),
    "a setting": ("pragma query_only = 0", "the statement does more than read"),
    "two columns of one name": (
        "select 1 as name, 2 as name",
        'two columns are called "name"',
    ),
    "an error that quotes a value": (
        "select json_extract('hunter2', '$.a') as name",
        "the statement failed: OperationalError",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_list_is_unreadable_and_no_value_is_said(case, stores):
    query, expected = UNREADABLE[case]
    with pytest.raises(UnreadableSource) as caught:
        read(stores, query)
    assert str(caught.value).startswith(expected)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(read(stores, ALL)) == 2
    assert sorted(each.name for each in stores.parent.iterdir()) == ["stores.db"]


@pytest.mark.parametrize(
    "content", [None, b"no database, but long enough to be taken for one" * 99]
)
def test_a_file_that_is_no_database_is_unreadable(content, tmp_path):
    path = tmp_path / "stores.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableSource, match=r"SQLITE_(CANTOPEN|NOTADB)"):
        read(path, "select * from stores")
    assert path.exists() is (content is not None)


def test_a_statement_without_end_is_ended(stores):
    with pytest.raises(UnreadableSource, match="longer than it may"):
        read(stores, ENDLESS, patience_s=0.3)


def test_nobody_who_writes_is_kept_waiting(stores):
    rows = read_database(f"sqlite:///{stores}", ALL, stores.parent, COUNTDOWN)
    next(rows)
    assert isinstance(rows, Generator)
    rows.close()
    with closing(sqlite3.connect(stores, timeout=0)) as connection:
        connection.execute("insert into stores (slug) values ('c')")
        connection.commit()


# --- PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with run_postgresql() as server:
        server.execute(
            "create table stores (slug text, granted date, tags text[], is_on boolean, days int);"
            "insert into stores values ('a', '2026-01-15', '{eu,de}', true, 30),"
            " ('b', null, null, false, 365)"
        )
        yield server


def ask(
    server: Postgresql, query: str, tmp_path: Path, url: str = "", patience_s: float = 60.0
) -> list[Any]:
    rows = read_database(url or server.url, query, tmp_path, COUNTDOWN, patience_s)
    return [row.why or row.values for row in rows]


def test_postgresql_is_read_in_its_own_types(server, tmp_path):
    query = (
        "select slug as name, granted as authorized_on, tags, is_on as enabled,"
        " days as valid_days from stores order by slug;"
    )
    first = {
        "name": "a",
        "authorized_on": date(2026, 1, 15),
        "tags": ["eu", "de"],
        "enabled": True,
        "valid_days": 30,
    }
    assert ask(server, query, tmp_path) == [
        first,
        {"name": "b", "enabled": False, "valid_days": 365},
    ]
    with_driver = server.url.replace("postgresql:", "postgresql+psycopg:")
    assert ask(server, query, tmp_path, with_driver)[0] == first


def test_postgresql_streams_its_rows(server, tmp_path):
    query = "select 'st-' || n as name, 0.5 + n as valid_days from generate_series(1, 5000) n"
    rows = ask(server, query, tmp_path)
    assert len(rows) == 5000
    assert rows[0] == {"name": "st-1", "valid_days": "1.5"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select timestamptz '2026-01-15 23:30:00-05' as authorized_on", date(2026, 1, 16)),
        ("select timestamp '2026-01-15 23:30:00' as authorized_on", date(2026, 1, 15)),
    ],
)
def test_an_instant_is_its_day_in_utc(query, expected, server, tmp_path):
    assert ask(server, query, tmp_path) == [{"authorized_on": expected}]


REFUSED = {
    "no such table": (
        "select * from nothing",
        "the statement failed (UndefinedTable, SQLSTATE 42P01)",
    ),
    "two statements": ("select 1; select 2", "it is not one SELECT (SyntaxError, SQLSTATE 42601)"),
    "one that writes": ("delete from stores", "it is not one SELECT"),
    "one that writes and yields": (
        "with gone as (delete from stores returning *) select slug as name from gone",
        "the statement ",
    ),
    "a function that writes": ("select setval('x', 1)", "the statement failed (UndefinedTable"),
    "an error that quotes a value": (
        "select 'hunter2'::int as name",
        "the statement failed (InvalidTextRepresentation, SQLSTATE 22P02)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_postgresql_refuses_is_said_without_a_value(case, server, tmp_path):
    query, expected = REFUSED[case]
    with pytest.raises(UnreadableSource) as caught:
        ask(server, query, tmp_path)
    assert str(caught.value).startswith(expected)
    assert "hunter2" not in str(caught.value)
    assert len(ask(server, "select slug as name from stores", tmp_path)) == 2


def test_a_slow_statement_is_cancelled_by_the_server(server, tmp_path):
    with pytest.raises(UnreadableSource, match="longer than it may"):
        ask(server, "select pg_sleep(60)::text as name", tmp_path, patience_s=0.5)


def test_who_is_not_let_in_is_named_without_url_and_password(server, tmp_path):
    url = server.url.replace("tester@", "stranger:hunter2@")
    with pytest.raises(UnreadableSource) as caught:
        ask(server, "select 1 as name", tmp_path, url)
    said = str(caught.value)
    assert said.startswith("the database cannot be reached, or rejects the user (")
    assert not {"hunter2", "stranger", "127.0.0.1"} & set(said.replace(":", " ").split())


def test_a_server_that_is_away_is_unreadable_and_read_when_it_is_back(server, tmp_path):
    server.stop()
    try:
        with pytest.raises(UnreadableSource, match="cannot be reached"):
            ask(server, "select 1 as name", tmp_path)
    finally:
        server.start()
    assert ask(server, "select 1 as name", tmp_path) == [{"name": "1"}]
