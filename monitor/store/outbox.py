"""
Keep the notifications that are due, and who is sending them.

A notification is claimed by a conditional update and a lease: two processes
never send it at the same time, and one that died gives it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, exists, not_, or_, select, update

from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.tables import connections
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from monitor.store.engine import Transaction

LOOK_AHEAD = 500
"""How many waiting notifications of a channel are looked through for one that may go."""


class NotificationState(StrEnum):
    """
    Where a notification stands.
    """

    DUE = "due"
    SENT = "sent"
    DEAD = "dead"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """
    A notification with the alert it tells.
    """

    id: int
    alert_id: int
    channel: str
    kind: str
    severity: str
    facts: dict[str, Any]
    connections: tuple[str, ...]
    born_at: datetime
    due_since: datetime
    attempts: int


def _may_be_told() -> Any:
    """
    Select what is about nobody, or about a connection that is watched.

    What is about paused connections, or about such as were taken out of the
    file, waits for them to come back.
    """
    about = exists().where(alert_connections.c.alert_id == notifications.c.alert_id)
    watched = about.where(connections.c.id == alert_connections.c.connection_id, is_watched())
    return or_(watched, not_(about))


def _is_sendable(now: datetime) -> Any:
    return and_(
        notifications.c.state == NotificationState.DUE,
        notifications.c.next_attempt_at <= now,
        or_(notifications.c.claimed_until.is_(None), notifications.c.claimed_until <= now),
    )


def due_channels(tx: Transaction, now: datetime) -> list[str]:
    """
    Return the channels that have something to send now.
    """
    query = select(notifications.c.channel).where(_is_sendable(now), _may_be_told()).distinct()
    return list(tx.execute(query.order_by(notifications.c.channel)).scalars())


def claim_next(
    tx: Transaction,
    channel: str,
    now: datetime,
    lease: timedelta,
    owner: str,
    skip: Collection[int] = (),
) -> OutboxRow | None:
    """
    Claim the oldest notification of *channel* that may go now.

    One that an earlier, unsent one of the same connection is waiting before
    may not go: nobody hears of a recovery before the error. Nor may one whose
    connections are all paused: it waits for them to be resumed.
    """
    waiting = tx.execute(
        select(notifications)
        .where(
            notifications.c.state == NotificationState.DUE,
            notifications.c.channel == channel,
            _may_be_told(),
        )
        .order_by(notifications.c.id)
        .limit(LOOK_AHEAD)
    ).all()
    names = _names(tx, {row.alert_id for row in waiting})
    held_up: set[int] = set()
    for row in waiting:
        about = names.get(row.alert_id, {})
        may_go = row.next_attempt_at <= now and row.id not in skip
        if may_go and held_up.isdisjoint(about) and _claim(tx, row.id, now, lease, owner):
            return _read_outbox_row(tx, row, tuple(about.values()))
        held_up.update(about)
    return None


def _names(tx: Transaction, alert_ids: Iterable[int]) -> dict[int, dict[int, str]]:
    """
    Return for each alert the names of its connections, by their ids.
    """
    rows = tx.execute(
        select(alert_connections.c.alert_id, connections.c.id, connections.c.name)
        .join(connections, connections.c.id == alert_connections.c.connection_id)
        .where(alert_connections.c.alert_id.in_(alert_ids))
        .order_by(connections.c.id)
    )
    names: dict[int, dict[int, str]] = {}
    for alert_id, number, name in rows:
        names.setdefault(alert_id, {})[number] = name
    return names


def _claim(tx: Transaction, number: int, now: datetime, lease: timedelta, owner: str) -> bool:
    claimed = tx.execute(
        update(notifications)
        .where(notifications.c.id == number, _is_sendable(now))
        .values(claimed_by=owner, claimed_until=now + lease)
    )
    return claimed.rowcount == 1


def _read_outbox_row(tx: Transaction, row: Any, names: tuple[str, ...]) -> OutboxRow:
    alert = tx.execute(select(alerts).where(alerts.c.id == row.alert_id)).one()
    return OutboxRow(
        id=row.id,
        alert_id=row.alert_id,
        channel=row.channel,
        kind=alert.kind,
        severity=alert.severity,
        facts=alert.facts,
        connections=names,
        born_at=alert.born_at,
        due_since=row.due_since,
        attempts=row.attempts,
    )


def mark_sent(tx: Transaction, number: int, now: datetime) -> None:
    """
    Keep that the channel confirmed the notification, whatever was said of it before.
    """
    tx.execute(
        update(notifications)
        .where(notifications.c.id == number)
        .values(
            state=NotificationState.SENT,
            sent_at=now,
            error=None,
            attempts=notifications.c.attempts + 1,
            **_UNCLAIMED,
        )
    )


def mark_failed(tx: Transaction, number: int, error: str, next_attempt_at: datetime) -> None:
    """
    Keep that an attempt failed, and when the next is due.
    """
    _finish(
        tx,
        number,
        error=error,
        next_attempt_at=next_attempt_at,
        attempts=notifications.c.attempts + 1,
    )


def mark_dead(tx: Transaction, number: int, error: str) -> None:
    """
    Give up: shown as dead until someone asks for a retry.
    """
    _finish(
        tx,
        number,
        state=NotificationState.DEAD,
        error=error,
        attempts=notifications.c.attempts + 1,
    )


def release(tx: Transaction, number: int) -> None:
    """
    Give back a claim without an attempt.
    """
    _finish(tx, number)


def release_claims_of(tx: Transaction, owner: str) -> None:
    """
    Give back what an earlier run of *owner* had claimed when it died.
    """
    tx.execute(update(notifications).where(notifications.c.claimed_by == owner).values(_UNCLAIMED))


def follow_step(
    tx: Transaction, by: timedelta, now: datetime, lease: timedelta, longest_delay: timedelta
) -> None:
    """
    Have claims and waits last as long as they were meant to, on a clock that was stepped *by*.

    A claim is not given up: what it stands for may be on its way. What waits
    longer than *longest_delay* after a step backwards comes forward by as much.

    Args:
        lease: How long a claim holds at most.
    """
    claimed = tx.execute(
        select(notifications.c.id, notifications.c.claimed_until).where(
            notifications.c.claimed_until.is_not(None)
        )
    )
    forward, back = max(by, timedelta()), min(by, timedelta())
    claims = [
        {"of_id": number, "claimed_until": min(until + forward, now + lease)}
        for number, until in claimed
    ]
    is_due = notifications.c.state == NotificationState.DUE
    waiting = tx.execute(
        select(notifications.c.id, notifications.c.next_attempt_at).where(
            is_due, notifications.c.next_attempt_at > now + longest_delay
        )
    )
    waits = [{"of_id": number, "next_attempt_at": max(now, at + back)} for number, at in waiting]
    for column, moved in (("claimed_until", claims), ("next_attempt_at", waits)):
        if moved:
            one = update(notifications).where(notifications.c.id == bindparam("of_id"))
            tx.execute(one.values({column: bindparam(column)}), moved)
    # Else what was born on a clock far ahead would be retried until then.
    tx.execute(
        update(notifications).where(is_due, notifications.c.due_since > now).values(due_since=now)
    )


def retry_dead(tx: Transaction, now: datetime) -> int:
    """
    Make dead notifications due again, with a fresh time to live; return how many.
    """
    revived = tx.execute(
        update(notifications)
        .where(notifications.c.state == NotificationState.DEAD)
        .values(state=NotificationState.DUE, due_since=now, next_attempt_at=now, attempts=0)
    )
    return revived.rowcount


_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_until": None}


def _finish(tx: Transaction, number: int, **values: Any) -> None:
    """
    End an attempt that brought nothing.

    One that took longer than its lease may end after another one got through:
    what was sent stays sent.
    """
    tx.execute(
        update(notifications)
        .where(notifications.c.id == number, notifications.c.state == NotificationState.DUE)
        .values(_UNCLAIMED | values)
    )
