"""
Claim the notifications of a message for one sender.

They are claimed by a conditional update and a lease: two processes never send
one at the same time, and one that died gives them back. Which of them travel
together is decided in `queue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, update

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outbox import MOST_LISTED, Notification, NotificationGroup
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.pieces import in_pieces
from monitor.store.queue import choose, is_untried, may_be_told
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from monitor.store.engine import Transaction


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
) -> NotificationGroup | None:
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
    return _read_group(tx, channel, mine) if mine else None


def _read_group(tx: Transaction, channel: str, chosen: Sequence[Any]) -> NotificationGroup:
    """
    Return what a message about the *chosen* notifications needs.
    """
    worst = sorted(chosen, key=lambda row: (-Severity(row.severity).rank, row.id))[:MOST_LISTED]
    told = {
        row.id: row
        for row in tx.execute(
            select(alerts).where(alerts.c.id.in_([row.alert_id for row in worst]))
        )
    }
    listed = tuple(_read_notification(tx, row, told[row.alert_id]) for row in worst)
    return NotificationGroup(
        tuple(row.id for row in chosen),
        channel,
        listed,
        listed[0].n_connections if len(chosen) == 1 else _count(tx, chosen),
        max(row.attempts for row in chosen),
        max(row.due_since for row in chosen),
    )


def _read_notification(tx: Transaction, row: Any, alert: Any) -> Notification:
    about = alert_connections.c.alert_id == row.alert_id
    names = tx.execute(
        select(connections.c.name)
        .join(alert_connections, connections.c.id == alert_connections.c.connection_id)
        .where(about)
        .order_by(alert_connections.c.connection_id)
        .limit(MOST_LISTED)
    ).scalars()
    n = tx.execute(select(func.count()).select_from(alert_connections).where(about)).scalar_one()
    return Notification(
        row.id,
        row.alert_id,
        AlertKind(alert.kind),
        Severity(alert.severity),
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
