"""
Give connections their place in the rhythm: at a start, and after a step of the clock.

Decides which instants of a next check still hold. The rhythm itself is decided
in `monitor.judge.rhythm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, or_, select, update

from monitor.judge.decide import LONGEST_WAIT
from monitor.judge.outcome import Reason
from monitor.judge.rhythm import spread
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from monitor.judge.connection import Entry
    from monitor.store.engine import Transaction


def is_too_far(
    next_check_at: datetime, every: timedelta, last_reason: Reason | None, now: datetime
) -> bool:
    """
    Tell whether a check lies further ahead than any that was meant.

    Then `every` was shortened, or the clock was set back.
    """
    longest = every + LONGEST_WAIT if last_reason is Reason.THROTTLED else every
    return next_check_at > now + longest


def bring_forward(tx: Transaction, entries: Sequence[Entry], now: datetime) -> None:
    """
    Have *entries* checked soon, spread out as at a start; nobody later than it was to be.
    """
    rows = [
        {"of_name": entry.name, "at": now + spread(position, len(entries), entry.every)}
        for position, entry in enumerate(entries)
    ]
    if rows:
        tx.execute(_BRING_FORWARD, rows)


def reslot(tx: Transaction, entries: Sequence[Entry], now: datetime) -> int:
    """
    Bring back what lies too far ahead and spread out what is overdue; return how many moved.
    """
    rhythms = {entry.name: entry.every for entry in entries}
    shortest = min(rhythms.values(), default=LONGEST_WAIT)
    rows = tx.execute(
        select(
            connections.c.id,
            connections.c.name,
            connections.c.next_check_at,
            connections.c.last_reason,
        )
        .where(
            or_(
                connections.c.next_check_at <= now,
                connections.c.next_check_at > now + shortest,
            )
        )
        .order_by(connections.c.id)
    )
    moved = [
        (number, rhythms[name])
        for number, name, at, last_reason in rows
        if name in rhythms
        and (at <= now or is_too_far(at, rhythms[name], last_reason and Reason(last_reason), now))
    ]
    if moved:
        tx.execute(
            _MOVE,
            [
                {"of_id": number, "at": now + spread(position, len(moved), every)}
                for position, (number, every) in enumerate(moved)
            ],
        )
    return len(moved)


_MOVE = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"))
    .values(next_check_at=bindparam("at"))
)

# What is not to be checked at all has no next check, which is no later one.
_BRING_FORWARD = (
    update(connections)
    .where(
        connections.c.name == bindparam("of_name"), connections.c.next_check_at > bindparam("at")
    )
    .values(next_check_at=bindparam("at"))
)
