"""
Keep which connections change their state too often.

When that is so is decided in `monitor.judge.flapping`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, select, update

from monitor.store.alert_tables import flappings
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

_COUNT = (
    select(transitions.c.connection_id, func.count())
    .where(
        transitions.c.connection_id.in_(bindparam("ids", expanding=True)),
        transitions.c.at > bindparam("after"),
    )
    .group_by(transitions.c.connection_id)
    .having(func.count() >= bindparam("fewest"))
)


def count_changes(
    tx: Transaction, ids: Sequence[int], after: datetime, fewest: int
) -> dict[int, int]:
    """
    Return how often each of *ids* has changed since, those only that did at least *fewest* times.
    """
    found: dict[int, int] = {}
    for piece in in_pieces(ids):
        asked = {"ids": piece, "after": after, "fewest": fewest}
        found |= {row[0]: row[1] for row in tx.execute(_COUNT, asked)}
    return found


def list_flapping(tx: Transaction) -> set[int]:
    """
    Return the connections that are flapping.
    """
    return set(tx.execute(select(flappings.c.connection_id)).scalars())


def begin(tx: Transaction, changed_at: Mapping[int, datetime]) -> None:
    """
    Note that connections began to flap with their latest change.
    """
    if changed_at:
        tx.execute(
            insert(flappings),
            [
                {"connection_id": number, "since": at, "last_change_at": at}
                for number, at in changed_at.items()
            ],
        )


_GO_ON = (
    update(flappings)
    .where(flappings.c.connection_id == bindparam("of_id"))
    .values(last_change_at=bindparam("at"))
)


def go_on(tx: Transaction, changed_at: Mapping[int, datetime]) -> None:
    """
    Note one more change of each.
    """
    if changed_at:
        values = [{"of_id": number, "at": at} for number, at in changed_at.items()]
        tx.execute(_GO_ON, values)


def find_settled(tx: Transaction, unchanged_since: datetime) -> list[int]:
    """
    Return the watched connections that have not changed since then.

    What is paused waits: nobody is told anything about it.
    """
    query = (
        select(flappings.c.connection_id)
        .join(connections)
        .where(flappings.c.last_change_at <= unchanged_since, is_watched())
        .order_by(flappings.c.connection_id)
    )
    return list(tx.execute(query).scalars())


def end(tx: Transaction, ids: Sequence[int]) -> None:
    """
    Note that these flap no longer.
    """
    for piece in in_pieces(ids):
        tx.execute(delete(flappings).where(flappings.c.connection_id.in_(piece)))
