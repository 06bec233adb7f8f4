"""
Count how notifications fare, channel by channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from monitor.store.alert_tables import notifications
from monitor.store.columns import Instant
from monitor.store.outbox import NotificationState
from monitor.store.queue import may_be_told

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(slots=True)
class ChannelCounts:
    """
    What waits on a channel, what it took and what it did not.
    """

    n_due: int = 0
    n_sent: int = 0
    n_dead: int = 0
    last_sent_at: datetime | None = None


def count_by_channel(tx: Transaction) -> dict[str, ChannelCounts]:
    """
    Return the counts of each channel that was ever told anything.
    """
    rows = tx.execute(
        select(
            notifications.c.channel,
            notifications.c.state,
            func.count(),
            func.max(notifications.c.sent_at),
        ).group_by(notifications.c.channel, notifications.c.state)
    )
    found: dict[str, ChannelCounts] = {}
    for channel, state, count, last_sent_at in rows:
        counts = found.setdefault(channel, ChannelCounts())
        match NotificationState(state):
            case NotificationState.SENT:
                counts.n_sent, counts.last_sent_at = count, last_sent_at
            case NotificationState.DEAD:
                counts.n_dead = count
            case _:
                counts.n_due += count
    return found


def oldest_wait(tx: Transaction, now: datetime) -> timedelta:
    """
    Return how long the oldest notification has waited for its channel.

    One that was never tried counts from when it may go: not while it only waits
    for others of its kind. One that failed counts from when it first was due.
    What is held, or about connections that are paused or gone, waits for people.
    """
    waits_since = case(
        (notifications.c.attempts == 0, notifications.c.next_attempt_at),
        else_=notifications.c.due_since,
    )
    since: datetime | None = tx.execute(
        select(func.min(waits_since, type_=Instant)).where(
            notifications.c.state == NotificationState.DUE, may_be_told()
        )
    ).scalar_one()
    return timedelta() if since is None else max(now - since, timedelta())
