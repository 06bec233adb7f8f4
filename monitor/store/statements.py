"""Build the statements that many places need.

Databases limit the parameters of a statement, so that long lists of ids go in pieces. What is asked
or written for every batch is built once, when its module is imported: that costs half.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import and_, bindparam, delete, insert, not_, select, update

from monitor.store.schema import connections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from _typeshed import DataclassInstance
    from sqlalchemy import Column, Executable, Select, Table, Update

    from monitor.store.engine import Transaction

IDS_PER_QUERY = 500

IdT = TypeVar("IdT", int, str)


def in_pieces(ids: Collection[IdT]) -> Iterator[list[IdT]]:
    """Yield *ids*, in ascending order, in pieces that fit into one statement."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), IDS_PER_QUERY):
        yield ordered[start : start + IDS_PER_QUERY]


RowT = TypeVar("RowT")

AT_ONCE = 500
"""How many connections are looked at together where all are, one group after the other."""


def in_groups(rows: Iterable[RowT], size: int = AT_ONCE) -> Iterator[list[RowT]]:
    """Yield *rows* in their order, so many at a time."""
    left = iter(rows)
    while group := list(islice(left, size)):
        yield group


def select_in(
    tx: Transaction, query: Select[Any], column: Column[IdT], ids: Collection[IdT]
) -> Iterator[Any]:
    """Yield the rows of *query* whose *column* is one of *ids*, piece after piece."""
    for piece in in_pieces(ids):
        yield from tx.execute(query.where(column.in_(piece)))


def delete_in(tx: Transaction, column: Column[int], ids: Collection[int]) -> None:
    """Delete the rows whose *column* is one of *ids*."""
    for piece in in_pieces(ids):
        tx.execute(delete(column.table).where(column.in_(piece)))


def update_one(column: Column[int], names: Iterable[str]) -> Update:
    """Return the statement that sets the columns *names* where *column* is the value `of_id`."""
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(column.table).where(column == bindparam("of_id")).values(values)


def execute_many(tx: Transaction, statement: Executable, rows: Sequence[dict[str, Any]]) -> None:
    """Execute *statement* with each of *rows*, if there are any."""
    if rows:
        tx.execute(statement, rows)


def replace_rows(
    tx: Transaction, table: Table, ids: Collection[int], rows: Sequence[dict[str, Any]]
) -> None:
    """Keep *rows* in the place of those of the connections *ids*."""
    delete_in(tx, table.c.connection_id, ids)
    execute_many(tx, insert(table), rows)


def values_of(one: DataclassInstance) -> dict[str, Any]:
    """Return the fields of *one* by name, as they are: `asdict` copies them."""
    return {each.name: getattr(one, each.name) for each in fields(one)}


def names_of(table: Table) -> list[str]:
    """Return the names of the columns that are no key."""
    return [column.name for column in table.c if not column.primary_key]


def is_watched(table: Any = connections) -> Any:
    """Select watched connections.

    Args:
        table: `connections`, or an alias of it.
    """
    return and_(table.c.is_configured, table.c.is_enabled, not_(table.c.is_paused))


def list_names(tx: Transaction, *conditions: Any) -> dict[int, str]:
    """Return the names of the watched connections that meet *conditions*, by their ids."""
    query = select(connections.c.id, connections.c.name).where(is_watched(), *conditions)
    return {row.id: row.name for row in tx.execute(query.order_by(connections.c.id))}
