"""
Every schema that a release had, with rows in each of its tables, is brought to the present one.

`schemas/` holds them as SQL. One that was released is never changed; a new revision
gets a file of its own, dumped from a database with that schema.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.report.status import connection_json
from monitor.resources import migrations_path
from monitor.store import connections, history, migrate, retention
from monitor.store.engine import Database
from tests.builders import HOUR, OK, entries_of, entry, plan_of, watched_of
from tests.command_line import ROOT
from tests.fakes import NOON
from tests.old_schema import alembic_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMAS = ROOT / "tests/store/schemas"
REVISIONS = [path.name.partition("_")[0] for path in migrations_path().glob("versions/0*.py")]
BEFORE = "before-0001"
LATER = NOON + HOUR

Rows = list[dict[str, Any]]


def load(schema: str, path: Path) -> Database:
    database = Database(f"sqlite:///{path}")
    database.create_file()
    script = (SCHEMAS / f"{schema}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript(script)
    return database


@pytest.fixture(params=[BEFORE, *sorted(REVISIONS)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = load(request.param, tmp_path / "old.db")
    expected = {BEFORE: migrate.UNRELEASED_HEAD}.get(request.param, request.param)
    assert migrate.current_revision(database) == expected
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


def read_schema(path: Path) -> dict[tuple[str, str], object]:
    """
    All that a database says of its tables and indexes, however it was laid out.
    """
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master")
        return {(kind, name): take_apart(sql) for kind, name, sql in found}


def take_apart(sql: str | None) -> object:
    """
    Return the columns in their order and the constraints in none, which are set off by commas.
    """
    if sql is None or not sql.startswith("CREATE TABLE"):
        return sql
    head, _, rest = " ".join(sql.split()).partition("(")
    inside, _, tail = rest.rpartition(")")
    items = [item.strip() for item in re.split(r",(?![^(]*\))", inside)]
    columns = [item for item in items if not item.startswith("CONSTRAINT")]
    return head.replace('"', "").strip(), columns, set(items) - set(columns), tail.strip()


@pytest.mark.parametrize("revision", sorted(REVISIONS))
def test_a_kept_schema_is_what_its_revision_makes(revision, tmp_path):
    kept = load(revision, tmp_path / "kept.db")
    made = Database(f"sqlite:///{tmp_path / 'made.db'}")
    made.create_file()
    with made.write() as tx:
        command.upgrade(alembic_on(tx), revision)
    made.close()
    assert read_schema(kept.path) == read_schema(made.path)


def test_the_last_schema_before_the_first_release_is_that_of_the_first_revision(tmp_path):
    before, first = (load(name, tmp_path / f"{name}.db") for name in (BEFORE, "0001"))
    schema = read_schema(before.path)
    assert len(schema) == 70
    assert schema == read_schema(first.path)


def test_a_schema_that_differs_in_a_default_or_a_constraint_would_be_found(tmp_path):
    one = load("0001", tmp_path / "one.db")
    schema = read_schema(one.path)
    for name, (old_text, new_text) in {
        "default": ("is_unexplained BOOLEAN DEFAULT 0", "is_unexplained BOOLEAN DEFAULT 1"),
        "constraint": ("UNIQUE (name)", "UNIQUE (host)"),
        "order": (
            "since BIGINT NOT NULL,\n  checked_at BIGINT",
            "checked_at BIGINT,\n  since BIGINT NOT NULL",
        ),
        "index": (
            "INDEX ix_notifications_state ON notifications (state, channel)",
            "INDEX ix_notifications_state ON notifications (channel, state)",
        ),
    }.items():
        script = (SCHEMAS / "0001.sql").read_text(encoding="utf-8")
        assert old_text in script
        path = tmp_path / f"{name}.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script.replace(old_text, new_text))
        assert read_schema(path) != schema, name


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
        connections.sync(tx, entries_of(plan), LATER)
        record, other = connections.list_records(tx)
        evaluate(tx, [FinishedCheck(each.id, None, LATER, OK) for each in (record, other)], plan)
        retention.roll_up(tx, LATER)
    with old.read() as tx:
        shown = [
            connection_json(each, watched_of(plan)[each.name], LATER)
            for each in connections.list_records(tx)
        ]
        assert [each["state"] for each in shown] == ["active", "active"]
        assert len(history.list_transitions(tx, other.id, 10)) == 2
        assert [alert.kind for alert in history.list_alerts(tx, 10)][-2:] == ["recovered", "error"]


def test_every_revision_has_its_schema_kept():
    assert sorted(path.stem for path in SCHEMAS.iterdir()) == sorted([BEFORE, *REVISIONS])
