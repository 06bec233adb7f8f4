"""
Keep which connections change their state too often.

When that is so is decided in `monitor.judge.flapping`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from monitor.store.alert_tables import flappings
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

_CHANGES = select(transitions.c.connection_id, transitions.c.at).where(
    transitions.c.connection_id.in_(bindparam("ids", expanding=True)),
    transitions.c.at > bindparam("after", type_=transitions.c.at.type),
)


def list_changes(
    tx: Transaction, ids: Collection[int], after: datetime
) -> dict[int, list[datetime]]:
    """Return when each of *ids* has changed its state since; those that did not are absent."""
    found: dict[int, list[datetime]] = {}
    for piece in in_pieces(ids):
        for number, at in tx.execute(_CHANGES, {"ids": piece, "after": after}):
            found.setdefault(number, []).append(at)
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
