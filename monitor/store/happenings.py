"""
Find what happened since somebody last looked: alerts born, notifications sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from monitor.store.alert_tables import alerts, notifications
from monitor.store.outbox import NotificationState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction

MOST_TOLD = 500
"""Of each kind at once."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """
    Up to where everything is known.

    Args:
        sent_at: The latest delivery on each channel that had any.
    """

    alert_id: int
    sent_at: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class Born:
    """
    An alert that became due.
    """

    id: int
    kind: str
    severity: str


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A notification that a channel took.
    """

    alert_id: int
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """
    What happened, and up to where it is known now.
    """

    alerts: list[Born]
    sent: list[Sent]
    horizon: Horizon


def find_horizon(tx: Transaction, channels: Sequence[str]) -> Horizon:
    """
    Return how far everything has come by now.
    """
    last_id: int = tx.execute(select(func.coalesce(func.max(alerts.c.id), 0))).scalar_one()
    sent_at = {}
    for channel in channels:
        latest = select(func.max(notifications.c.sent_at)).where(notifications.c.channel == channel)
        at = tx.execute(latest).scalar_one()
        if at is not None:
            sent_at[channel] = at
    return Horizon(last_id, sent_at)


def news_since(tx: Transaction, horizon: Horizon, channels: Sequence[str]) -> News:
    """
    Return what happened after *horizon*, the oldest first.
    """
    rows = tx.execute(
        select(alerts.c.id, alerts.c.kind, alerts.c.severity)
        .where(alerts.c.id > horizon.alert_id)
        .order_by(alerts.c.id)
        .limit(MOST_TOLD)
    )
    born = [Born(*row) for row in rows]
    sent: list[Sent] = []
    for channel in channels:
        sent += _sent_since(tx, channel, horizon.sent_at.get(channel))
    latest = horizon.sent_at | {one.channel: one.at for one in sent}
    return News(born, sent, Horizon(born[-1].id if born else horizon.alert_id, latest))


def _sent_since(tx: Transaction, channel: str, after: datetime | None) -> list[Sent]:
    query = select(notifications.c.alert_id, notifications.c.channel, notifications.c.sent_at)
    query = query.where(notifications.c.channel == channel, notifications.c.sent_at.is_not(None))
    if after is not None:
        query = query.where(notifications.c.sent_at > after)
    rows = tx.execute(query.order_by(notifications.c.sent_at).limit(MOST_TOLD))
    return [Sent(*row) for row in rows]


def count_dead(tx: Transaction) -> int:
    """
    Return how many notifications were given up.
    """
    dead = select(func.count()).where(notifications.c.state == NotificationState.DEAD)
    count: int = tx.execute(dead).scalar_one()
    return count
