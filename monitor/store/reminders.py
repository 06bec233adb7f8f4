"""
Keep of which alerts people are reminded, and when next.

Which they are is decided in `monitor.judge.alerts`, whether what they say is
still true in `monitor.reminding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, select, update

from monitor.judge.alerts import COUNT, AlertKind, Severity
from monitor.store.alert_tables import (
    alert_connections,
    alerts,
    channel_states,
    notifications,
    offline_times,
    reminders,
)
from monitor.store.outbox import NotificationState
from monitor.store.pieces import in_pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta

    from monitor.store.engine import Transaction

REMIND_AT_MOST = 1000
"""How many alerts one sweep looks at; the next one takes the rest."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """
    An alert of which people are to be reminded.

    Args:
        n_sent: How often they were.
        about: The connections that the alert spoke of.
    """

    alert_id: int
    kind: AlertKind
    severity: Severity
    facts: dict[str, Any]
    born_at: datetime
    n_sent: int
    about: tuple[int, ...]


_ADD = insert(reminders)


def add(tx: Transaction, due: Sequence[tuple[int, datetime]]) -> None:
    """Remind people of alerts, each at an instant, if they are still true then."""
    if due:
        tx.execute(_ADD, [{"alert_id": number, "due_at": at, "n_sent": 0} for number, at in due])


def is_any_due(tx: Transaction, now: datetime) -> bool:
    """
    Tell whether there is anything to look at.
    """
    query = select(reminders.c.alert_id).where(reminders.c.due_at <= now).limit(1)
    return tx.execute(query).first() is not None


def list_due(tx: Transaction, now: datetime) -> list[Reminder]:
    """
    Return what people may have to be reminded of now, the oldest first.
    """
    rows = tx.execute(
        select(alerts, reminders.c.n_sent)
        .join(reminders, reminders.c.alert_id == alerts.c.id)
        .where(reminders.c.due_at <= now)
        .order_by(alerts.c.id)
        .limit(REMIND_AT_MOST)
    ).all()
    about: dict[int, list[int]] = {}
    for piece in in_pieces([row.id for row in rows]):
        of_alerts = select(alert_connections).where(alert_connections.c.alert_id.in_(piece))
        for alert_id, number in tx.execute(of_alerts.order_by(alert_connections.c.connection_id)):
            about.setdefault(alert_id, []).append(number)
    return [
        Reminder(
            row.id,
            AlertKind(row.kind),
            Severity(row.severity),
            row.facts,
            row.born_at,
            row.n_sent,
            tuple(about.get(row.id, ())),
        )
        for row in rows
    ]


def was_told(tx: Transaction, one: Reminder) -> bool:
    """
    Tell whether an alert reached a channel, or was given up on by one.
    """
    told = exists().where(
        notifications.c.alert_id == one.alert_id,
        notifications.c.state.in_([NotificationState.SENT, NotificationState.DEAD]),
    )
    return bool(tx.execute(select(told)).scalar_one())


def postpone(tx: Transaction, one: Reminder, due_at: datetime, *, is_sent: bool) -> None:
    """
    Look at an alert again at *due_at*.
    """
    tx.execute(
        update(reminders)
        .where(reminders.c.alert_id == one.alert_id)
        .values(due_at=due_at, n_sent=one.n_sent + is_sent)
    )


def drop(tx: Transaction, one: Reminder) -> None:
    """
    Remind nobody of an alert any more.
    """
    tx.execute(delete(reminders).where(reminders.c.alert_id == one.alert_id))


def follow_step(tx: Transaction, now: datetime, longest: timedelta) -> None:
    """
    Let no reminder wait for a clock that was set back to come so far again.
    """
    latest = now + longest
    tx.execute(update(reminders).where(reminders.c.due_at > latest).values(due_at=latest))


def told_anew(
    tx: Transaction, alert_id: int, kinds: Collection[AlertKind], about: Sequence[int]
) -> set[int]:
    """
    Return which of *about* something of *kinds* was told after *alert_id*, reminders aside.
    """
    found: set[int] = set()
    for piece in in_pieces(about):
        later = (
            select(alert_connections.c.connection_id)
            .join(alerts, alerts.c.id == alert_connections.c.alert_id)
            .where(
                alert_connections.c.connection_id.in_(piece),
                alerts.c.id > alert_id,
                alerts.c.kind.in_(kind.value for kind in kinds),
                alerts.c.facts[COUNT].as_string().is_(None),
            )
        )
        found.update(tx.execute(later).scalars())
    return found


def is_offline(tx: Transaction, alert_id: int) -> bool:
    """
    Tell whether the time without a link that *alert_id* told of still lasts.
    """
    lasting = exists().where(
        offline_times.c.alert_id == alert_id, offline_times.c.ended_at.is_(None)
    )
    return bool(tx.execute(select(lasting)).scalar_one())


def is_failing(tx: Transaction, channel: str) -> bool:
    """
    Tell whether a channel does not take what it is sent.
    """
    failing = exists().where(
        channel_states.c.name == channel, channel_states.c.failed_since.is_not(None)
    )
    return bool(tx.execute(select(failing)).scalar_one())
