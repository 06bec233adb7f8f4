"""
Every schema that a release had, with rows in each of its tables, is brought to the present one.

`schemas/` holds them as SQL. One that was released is never changed; a new revision
gets a file of its own, dumped from a database with that schema.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cycle import Finished, settle
from monitor.report import connection_json
from monitor.resources import migrations_path
from monitor.store import connections, history, migrate, retention
from monitor.store.engine import Database
from tests.builders import HOUR, OK, entry, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).with_name("schemas")
REVISIONS = [path.name.partition("_")[0] for path in migrations_path().glob("versions/0*.py")]
LATER = NOON + HOUR

Rows = list[dict[str, Any]]


@pytest.fixture(params=sorted(REVISIONS))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    database.create_file()
    script = (SCHEMAS / f"{request.param}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript(script)
    assert migrate.current_revision(database) == request.param
    yield database
    database.close()


def read_all(path: Path) -> dict[str, Rows]:
    """
    All rows of all tables that hold data of ours.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        tables = {row["name"] for row in connection.execute(named)} - {"alembic_version"}
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            for table in tables
        }


def test_every_row_and_column_of_an_old_database_is_there_afterwards(old):
    before = read_all(old.path)
    assert all(len(rows) == 2 for rows in before.values())

    revision, copy = migrate.upgrade(old)

    after = read_all(old.path)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
    assert old.list_faults() == []
    with closing(sqlite3.connect(old.path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    if revision == migrate.HEAD:
        assert copy is None
    else:
        assert copy is not None
        assert read_all(copy) == before


def test_an_old_database_is_worked_with_as_if_it_were_new(old):
    migrate.upgrade(old)
    migrate.require_head(old)
    plan = plan_of(entry("soldscope-production"), entry("acme-north-america"))
    with old.write() as tx:
        connections.sync(tx, plan.entries, LATER)
        record, other = connections.list_records(tx)
        settle(tx, [Finished(each.id, None, LATER, OK) for each in (record, other)], plan)
        retention.roll_up(tx, LATER)
    with old.read() as tx:
        shown = [
            connection_json(each, plan.watched[each.name], LATER)
            for each in connections.list_records(tx)
        ]
        assert [each["state"] for each in shown] == ["active", "active"]
        assert len(history.list_transitions(tx, other.id, 10)) == 2
        assert [alert.kind for alert in history.list_alerts(tx, 10)][-2:] == ["recovered", "error"]


def test_every_revision_has_its_schema_kept():
    assert sorted(path.stem for path in SCHEMAS.iterdir()) == sorted(REVISIONS)
