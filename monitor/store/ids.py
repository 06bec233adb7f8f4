"""Know the ids that no insert can have given, and give such a row an honest one.

SQLite counts on from the largest id of a table and from what `sqlite_sequence` remembers. One
damaged id near the end of its numbers, and no row can be inserted any more: it says that the disk
is full. Zero and below are never given either. A row with such an id keeps all else that it
knows. Where the rows that belong to it still name the id that it had, it gets that one back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, MetaData, String, Table
from sqlalchemy import text as sql

from monitor.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

LARGEST_ID = 2**53
"""A million rows a second for 285 years, and what JSON can carry."""

APPENDED = {"checks", "check_hours", "check_days", "quota_samples", "transitions"}
"""Millions of rows, which only people read: looked at when that has failed."""

SEQUENCE = Table(
    "sqlite_sequence",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("seq", Integer, nullable=False),
)
"""SQLite's own: the largest id that a table ever had."""

_KEYLESS = (
    *(("checks", "connection_id"), ("check_hours", "connection_id")),
    *(("check_days", "connection_id"), ("applications", "asker_id")),
    *(("offline_times", "alert_id"), ("notifications", "message_id")),
)
_PARENTS = {"connection_id": "connections", "asker_id": "connections", "alert_id": "alerts"} | {
    "message_id": "notifications"
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A column of one table that holds ids of another."""

    table: str
    column: str
    parent: str
    is_key: bool

    @property
    def missing(self) -> str:
        """The condition under which no row has the id that it holds."""
        return f'"{self.column}" NOT IN (SELECT id FROM "{self.parent}")'  # noqa: S608 - our own names


def _list_references() -> Iterator[Reference]:
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            yield Reference(table.name, key.parent.name, key.column.table.name, is_key=True)
    for name, column in _KEYLESS:
        yield Reference(name, column, _PARENTS[column], is_key=False)


REFERENCES = tuple(_list_references())

OWNERS = tuple(table.name for table in metadata.sorted_tables if "id" in table.c)
"""The tables whose rows have an id of their own."""

COUNTED = tuple(
    name for name in OWNERS if metadata.tables[name].dialect_options["sqlite"]["autoincrement"]
)
"""Those that `sqlite_sequence` remembers, where a row may get another id."""


def find_reference(column: Column[object]) -> Reference | None:
    """Return what *column* refers to, if it holds ids of another table."""
    found = (
        one for one in REFERENCES if (one.table, one.column) == (column.table.name, column.name)
    )
    return next(found, None)


@dataclass(frozen=True, slots=True)
class IdLimits:
    """What is known of the ids of all tables before one is changed.

    Args:
        largest: The largest id that may be one, by table.
        lost: The tables with an id that is none.
    """

    largest: Mapping[str, int]
    lost: frozenset[str]

    @classmethod
    def read(cls, tx: Connection) -> IdLimits:
        """Look at the ends of each table, which takes no time in a large one."""
        largest, lost = {}, set()
        for name in OWNERS:
            ends = f'SELECT (SELECT min(id) FROM "{name}"), (SELECT max(id) FROM "{name}")'  # noqa: S608 - our own names
            least, most = tx.exec_driver_sql(ends).one()
            kept = sql(
                f"SELECT 1 FROM sqlite_sequence WHERE name = :name AND {_no_count(LARGEST_ID)}"  # noqa: S608 - likewise
            )
            is_past = (most or 0) > LARGEST_ID or tx.execute(kept, {"name": name}).first()
            # An id just below would send the next one beyond: once one is there, those go too.
            largest[name] = LARGEST_ID // 2 if is_past else LARGEST_ID
            if most is not None and (least < 1 or most > largest[name]):
                lost.add(name)
        return cls(largest, frozenset(lost))


def _no_count(largest: int) -> str:
    return f"(typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND {largest})"


def find_damaged_counts(tx: Connection, limits: IdLimits) -> Iterator[tuple[str, str]]:
    """Yield the tables whose count is none, each with the place of that row."""
    for name in COUNTED:
        condition = _no_count(limits.largest[name])
        query = sql(f"SELECT rowid FROM sqlite_sequence WHERE name = :name AND {condition}")  # noqa: S608 - our own names
        for place in tx.execute(query, {"name": name}).scalars():
            yield name, str(place)


def assign_ids(
    tx: Connection, limits: IdLimits, lost: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], int]:
    """Return another id for each of those *lost*, by table and lost id."""
    assigned: dict[tuple[str, int], int] = {}
    for name, olds in lost.items():
        former = _find_former_id(tx, name, olds[0], limits) if len(olds) == 1 else None
        if former is not None:
            assigned[name, olds[0]] = former
            continue
        first = find_largest_id(tx, name, limits) + 1
        assigned |= {(name, old): first + n for n, old in enumerate(olds)}
    return assigned


def _find_former_id(tx: Connection, name: str, old: int, limits: IdLimits) -> int | None:
    """Return the one id that rows refer to and no row of table *name* has."""
    missed: set[int] = set()
    for one in REFERENCES:
        if one.parent != name or not one.is_key or one.table in APPENDED:
            continue
        values = {"old": old, "largest": limits.largest[name]}
        column = f'"{one.column}"'
        used = sql(f'SELECT 1 FROM "{one.table}" WHERE {column} = :old LIMIT 1')  # noqa: S608 - our own names
        if tx.execute(used, {"old": old}).first():
            return None  # it was in use by then: what refers to it moves with it
        query = sql(
            f"SELECT DISTINCT {column} FROM \"{one.table}\" WHERE typeof({column}) = 'integer'"  # noqa: S608 - likewise
            f" AND {column} BETWEEN 1 AND :largest AND {one.missing} AND {column} <> :old LIMIT 2"
        )
        missed |= set(tx.execute(query, values).scalars())
    return missed.pop() if len(missed) == 1 else None


def find_largest_id(tx: Connection, name: str, limits: IdLimits) -> int:
    """Return the largest id that table *name* is known to have given, or 0."""
    largest = limits.largest[name]
    columns = [(name, "id"), *((one.table, one.column) for one in REFERENCES if one.parent == name)]
    found = [0]
    for table, column in columns:
        query = (
            f'SELECT max("{column}") FROM "{table}" WHERE "{column}" BETWEEN 1 AND {largest}'  # noqa: S608 - our own names
            f" AND typeof(\"{column}\") = 'integer'"
        )
        found.append(tx.exec_driver_sql(query).scalar_one() or 0)
    counted = sql(
        f"SELECT max(seq) FROM sqlite_sequence WHERE name = :name AND NOT {_no_count(largest)}"  # noqa: S608 - likewise
    )
    found.append(tx.execute(counted, {"name": name}).scalar_one() or 0)
    return max(found)


def move_row(tx: Connection, name: str, old: int, new: int) -> None:
    """Give the row with the id *old* the id *new*, and all that refers to it with it."""
    values = {"old": old, "new": new}
    tx.execute(sql(f'UPDATE "{name}" SET id = :new WHERE id = :old'), values)  # noqa: S608 - our own names
    for one in REFERENCES:
        if one.parent == name:
            tx.execute(
                sql(f'UPDATE "{one.table}" SET "{one.column}" = :new WHERE "{one.column}" = :old'),  # noqa: S608 - likewise
                values,
            )


def count_on(tx: Connection, names: Iterable[str], limits: IdLimits) -> None:
    """Let SQLite count on from the largest honest id of the tables *names*."""
    for name in names:
        values = {"name": name, "seq": find_largest_id(tx, name, limits)}
        tx.execute(sql("UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"), values)
