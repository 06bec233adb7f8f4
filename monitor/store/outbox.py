"""
Keep the notifications that are due, and what became of them.

Which of them go out next, and who is sending them, is decided in `claims`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, or_, select, update

from monitor.store.alert_tables import notifications
from monitor.store.pieces import in_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction


class NotificationState(StrEnum):
    """
    Where a notification stands.
    """

    DUE = "due"
    SENT = "sent"
    DEAD = "dead"
    HELD = "held"


def is_unclaimed(now: datetime) -> Any:
    """
    Select what nobody is sending.
    """
    return or_(notifications.c.claimed_until.is_(None), notifications.c.claimed_until <= now)


def mark_sent(tx: Transaction, ids: Sequence[int], now: datetime) -> None:
    """
    Keep that the channel confirmed the notifications, whatever was said of them before.
    """
    for piece in in_pieces(ids):
        tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece))
            .values(
                state=NotificationState.SENT,
                sent_at=now,
                error=None,
                held_by=None,
                held_until=None,
                attempts=notifications.c.attempts + 1,
                **_UNCLAIMED,
            )
        )


def mark_failed(tx: Transaction, ids: Sequence[int], error: str, next_attempt_at: datetime) -> None:
    """
    Keep that an attempt failed, and when the next is due.
    """
    _finish(
        tx,
        ids,
        error=error,
        next_attempt_at=next_attempt_at,
        attempts=notifications.c.attempts + 1,
    )


def mark_dead(tx: Transaction, ids: Sequence[int], error: str) -> bool:
    """
    Give up: shown as dead until someone asks for a retry.

    Returns whether there was anything left to give up.
    """
    return _finish(
        tx,
        ids,
        state=NotificationState.DEAD,
        error=error,
        attempts=notifications.c.attempts + 1,
    )


def release(tx: Transaction, ids: Sequence[int]) -> None:
    """
    Give back a claim without an attempt.
    """
    is_new = notifications.c.attempts == 0
    _finish(tx, ids, message_id=case((is_new, None), else_=notifications.c.message_id))


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
        .values(
            state=NotificationState.DUE,
            due_since=now,
            next_attempt_at=now,
            attempts=0,
            message_id=None,
        )
    )
    return revived.rowcount


_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_until": None}


def _finish(tx: Transaction, ids: Sequence[int], **values: Any) -> bool:
    """
    End an attempt that brought nothing; return whether anything was waiting for that.

    One that took longer than its lease may end after another one got through:
    what was sent stays sent.
    """
    n_ended = 0
    for piece in in_pieces(ids):
        ended = tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece), notifications.c.state == NotificationState.DUE)
            .values(_UNCLAIMED | values)
        )
        n_ended += ended.rowcount
    return n_ended > 0
