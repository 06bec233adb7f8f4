"""
Keep who has taken on which trouble.

An acknowledgement is of the trouble that stands when it is made: what is told
later is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from monitor.judge.alerts import COUNT, LASTING
from monitor.store.alert_tables import acknowledgements, alert_connections, alerts
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """
    Somebody's word that a trouble is taken care of.

    Args:
        until: When people are to be reminded again; None for as long as it lasts.
    """

    at: datetime
    until: datetime | None
    note: str

    def covers(self, born_at: datetime, now: datetime) -> bool:
        """
        Tell whether nobody is reminded *now* of what was told at *born_at*.
        """
        return born_at <= self.at and (self.until is None or now < self.until)


def save(tx: Transaction, connection_id: int, given: Acknowledgement) -> None:
    """
    Keep an acknowledgement instead of any before it.
    """
    is_of = acknowledgements.c.connection_id == connection_id
    tx.execute(delete(acknowledgements).where(is_of))
    tx.execute(
        insert(acknowledgements).values(
            connection_id=connection_id, at=given.at, until=given.until, note=given.note
        )
    )


def drop(tx: Transaction, connection_id: int) -> bool:
    """
    Forget the acknowledgement of a connection; tell whether there was one.
    """
    is_of = acknowledgements.c.connection_id == connection_id
    return tx.execute(delete(acknowledgements).where(is_of)).rowcount == 1


def list_names(tx: Transaction, now: datetime, limit: int) -> list[str]:
    """
    Return the connections with an acknowledgement that has no end before *now*, the latest first.

    Their trouble may be over.
    """
    until = acknowledgements.c.until
    rows = tx.execute(
        select(connections.c.name)
        .join(acknowledgements)
        .where(connections.c.is_configured, until.is_(None) | (until > now))
        .order_by(acknowledgements.c.at.desc(), connections.c.id)
        .limit(limit)
    )
    return list(rows.scalars())


def load(tx: Transaction, connection_ids: Collection[int]) -> dict[int, Acknowledgement]:
    """
    Return the acknowledgements of *connection_ids*, whether or not they still count.
    """
    found = {}
    for piece in in_pieces(connection_ids):
        rows = tx.execute(
            select(acknowledgements).where(acknowledgements.c.connection_id.in_(piece))
        )
        for row in rows:
            found[row.connection_id] = Acknowledgement(row.at, row.until, row.note)
    return found


def find_current(tx: Transaction, connection_id: int, now: datetime) -> Acknowledgement | None:
    """
    Return the acknowledgement of what was last told of a connection, while it counts.
    """
    given = load(tx, [connection_id]).get(connection_id)
    if given is None:
        return None
    last_told = tx.execute(
        select(func.max(alerts.c.born_at))
        .join(alert_connections)
        .where(
            alert_connections.c.connection_id == connection_id,
            alerts.c.kind.in_(kind.value for kind in LASTING),
            alerts.c.facts[COUNT].as_string().is_(None),
        )
    ).scalar_one()
    return given if given.covers(last_told or given.at, now) else None
