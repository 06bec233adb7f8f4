"""
Claim the notifications of a message for one sender.

They are claimed by a conditional update and a lease: two processes never send
one at the same time, and one that died gives them back. Which of them travel
together is decided in `queue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, update

from monitor.judge.alerts import Severity
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.pieces import in_pieces
from monitor.store.queue import choose, is_untried, may_be_told
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from monitor.store.engine import Transaction

MOST_READ = 20
"""How many alerts of a message, and connections of an alert, are read: as many as a text lists."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """
    A notification with the alert it tells.

    Args:
        connections: The first of them; *n_connections* says how many there are.
    """

    id: int
    alert_id: int
    kind: str
    severity: str
    facts: dict[str, Any]
    connections: tuple[str, ...]
    n_connections: int
    born_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxParcel:
    """
    The notifications of one message.

    Args:
        rows: The worst of them, worst first.
        n_connections: How many connections all of them speak of.
    """

    ids: tuple[int, ...]
    channel: str
    rows: tuple[OutboxRow, ...]
    n_connections: int
    attempts: int
    due_since: datetime


def due_channels(tx: Transaction, now: datetime, *, is_final: bool = False) -> list[str]:
    """
    Return the channels that have something to send now.

    Args:
        is_final: What only waits for others of its kind counts as well.
    """
    is_due = notifications.c.state == NotificationState.DUE
    is_time = notifications.c.next_attempt_at <= now
    if is_final:
        is_time = or_(is_time, is_untried())
    found, channel = (
        [],
        tx.execute(select(func.min(notifications.c.channel)).where(is_due)).scalar(),
    )
    while channel is not None:
        # From one channel to the next in the index, however many wait on each.
        ready = select(notifications.c.id).where(
            is_due, notifications.c.channel == channel, is_time, is_unclaimed(now), may_be_told()
        )
        if tx.execute(ready.limit(1)).first() is not None:
            found.append(channel)
        following = select(func.min(notifications.c.channel))
        channel = tx.execute(following.where(is_due, notifications.c.channel > channel)).scalar()
    return found


def claim_next(  # noqa: PLR0913 - who claims what, when, for how long, and what not
    tx: Transaction,
    channel: str,
    now: datetime,
    lease: timedelta,
    owner: str,
    skip: Collection[int] = (),
    *,
    is_final: bool = False,
) -> OutboxParcel | None:
    """
    Claim what goes out next on *channel* in one message: see `queue.choose`.
    """
    chosen = choose(tx, channel, now, skip, is_final=is_final)
    if not chosen:
        return None
    claimed: set[int] = set()
    for piece in in_pieces([row.id for row in chosen]):
        claim = update(notifications).where(
            notifications.c.id.in_(piece),
            notifications.c.state == NotificationState.DUE,
            is_unclaimed(now),
        )
        values = {"claimed_by": owner, "claimed_until": now + lease, "message_id": chosen[0].id}
        claimed.update(tx.execute(claim.values(values).returning(notifications.c.id)).scalars())
    mine = [row for row in chosen if row.id in claimed]
    return _read_parcel(tx, channel, mine) if mine else None


def _read_parcel(tx: Transaction, channel: str, chosen: Sequence[Any]) -> OutboxParcel:
    """
    Return what a message about the *chosen* notifications needs.
    """
    worst = sorted(chosen, key=lambda row: (-Severity(row.severity).rank, row.id))[:MOST_READ]
    told = {
        row.id: row
        for row in tx.execute(
            select(alerts).where(alerts.c.id.in_([row.alert_id for row in worst]))
        )
    }
    rows = tuple(_read_row(tx, row, told[row.alert_id]) for row in worst)
    return OutboxParcel(
        tuple(row.id for row in chosen),
        channel,
        rows,
        rows[0].n_connections if len(chosen) == 1 else _count(tx, chosen),
        max(row.attempts for row in chosen),
        max(row.due_since for row in chosen),
    )


def _read_row(tx: Transaction, row: Any, alert: Any) -> OutboxRow:
    about = alert_connections.c.alert_id == row.alert_id
    names = tx.execute(
        select(connections.c.name)
        .join(alert_connections, connections.c.id == alert_connections.c.connection_id)
        .where(about)
        .order_by(alert_connections.c.connection_id)
        .limit(MOST_READ)
    ).scalars()
    n = tx.execute(select(func.count()).select_from(alert_connections).where(about)).scalar_one()
    return OutboxRow(
        row.id,
        row.alert_id,
        alert.kind,
        alert.severity,
        alert.facts,
        tuple(names),
        n,
        alert.born_at,
    )


def _count(tx: Transaction, chosen: Sequence[Any]) -> int:
    """
    Return how many connections the alerts of *chosen* speak of.
    """
    found: set[int] = set()
    for piece in in_pieces([row.alert_id for row in chosen]):
        query = select(alert_connections.c.connection_id)
        found.update(tx.execute(query.where(alert_connections.c.alert_id.in_(piece))).scalars())
    return len(found)
