"""Say which checks are due, and give connections their place in the schedule.

Decides which instants of a next check still count, after a start or a step of the clock. The
interval itself is decided in `monitor.judge.verdict`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, literal, or_, select, type_coerce, update

from monitor.judge.outcome import Outcome, Reason
from monitor.judge.verdict import LONGEST_WAIT, spread, spread_over
from monitor.store.applications import list_refusals
from monitor.store.schema import EPOCH, MICROSECOND, connections
from monitor.store.statements import execute_many, in_groups, update_one

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.connections import Entry
    from monitor.store.engine import Transaction


_PLACES = 1000
"""Into so many places a spread is cut, whatever the number of connections."""


@dataclass(frozen=True, slots=True)
class Due:
    """A connection whose check should start at *at*.

    Args:
        verdict: What was found against its application, so that nobody need be asked.
    """

    id: int
    name: str
    at: datetime
    verdict: Outcome | None = None


def claim_due(tx: Transaction, until: datetime, limit: int) -> list[Due]:
    """Return what is due before *until*, the most overdue first."""
    rows = tx.execute(
        select(
            connections.c.id,
            connections.c.name,
            connections.c.next_check_at,
            connections.c.application,
        )
        .where(connections.c.next_check_at <= until)
        .order_by(connections.c.next_check_at)
        .limit(limit)
    ).all()
    refusals = list_refusals(tx) if any(row.application for row in rows) else {}
    found = []
    for number, name, at, application in rows:
        refusal = refusals.get(application)
        verdict = None
        if refusal is not None and refusal.asker_id not in {None, number}:
            verdict = Outcome(refusal.reason, refusal.detail, is_taken_over=True)
        found.append(Due(number, name, at, verdict))
    return found


def find_most_overdue(
    tx: Transaction, names: Collection[str], now: datetime
) -> tuple[str, timedelta] | None:
    """Return which check of *names* has been due the longest, and for how long; None if none is.

    Those of others, which a newer file has put in, are passed over however many they are.
    """
    rows = tx.execute(
        select(connections.c.name, connections.c.next_check_at)
        .where(connections.c.next_check_at <= now)
        .order_by(connections.c.next_check_at)
    )
    with rows:
        return next(((name, now - at) for name, at in rows if name in names), None)


def lateness(tx: Transaction, names: Collection[str], now: datetime) -> timedelta:
    """Return for how long the most overdue check of *names* has been due."""
    found = find_most_overdue(tx, names, now)
    return timedelta() if found is None else found[1]


_MAKE_DUE = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"), connections.c.next_check_at > bindparam("at"))
    .values(next_check_at=bindparam("at"))
)


def make_due(tx: Transaction, connection_id: int, at: datetime) -> None:
    """Bring the next check forward to *at*; what is switched off stays off."""
    tx.execute(_MAKE_DUE, {"of_id": connection_id, "at": at})


def put_off(tx: Transaction, connection_id: int, at: datetime) -> None:
    """Check a connection at *at*, and no earlier; what is switched off stays off."""
    tx.execute(
        update(connections)
        .where(connections.c.id == connection_id, connections.c.next_check_at.is_not(None))
        .values(next_check_at=at)
    )


def make_all_due(
    tx: Transaction, application: str, count: int, every: timedelta, now: datetime
) -> None:
    """Bring the checks of an application's connections forward, spread out as after a start.

    In one statement, for a vendor may have a hundred thousand.

    Args:
        count: How many connections it has.
    """
    step = spread_over(count, every) // _PLACES // MICROSECOND
    at = literal((now - EPOCH) // MICROSECOND, BigInteger) + connections.c.id % _PLACES * step
    due_at = type_coerce(connections.c.next_check_at, BigInteger)
    tx.execute(
        update(connections)
        .where(connections.c.application == application, due_at > at)
        .values(next_check_at=at)
    )


def spread_overdue(tx: Transaction, every: timedelta, now: datetime) -> None:
    """Spread out what fell due while nobody checked, in one statement.

    Args:
        every: How often the connections are checked that are checked most often.
    """
    step = every // _PLACES // MICROSECOND
    at = literal((now - EPOCH) // MICROSECOND, BigInteger) + connections.c.id % _PLACES * step
    overdue = connections.c.next_check_at <= now
    tx.execute(update(connections).where(overdue).values(next_check_at=at))


def is_too_far(
    next_check_at: datetime, every: timedelta, last_reason: Reason | None, now: datetime
) -> bool:
    """Tell whether a check lies further ahead than any that was meant.

    Then `every` was shortened, or the clock was set back.
    """
    longest = every + LONGEST_WAIT if last_reason is Reason.THROTTLED else every
    return next_check_at > now + longest


def bring_forward(tx: Transaction, entries: Sequence[Entry], now: datetime) -> None:
    """Have *entries* checked soon, spread out as at a start; nobody later than it was to be."""
    rows = [
        {"of_name": entry.name, "at": now + spread(position, len(entries), entry.every)}
        for position, entry in enumerate(entries)
    ]
    execute_many(tx, _BRING_FORWARD, rows)


def reslot(
    tx: Transaction,
    rhythms_of: Callable[[list[str]], Mapping[str, timedelta]],
    shortest: timedelta,
    now: datetime,
) -> int:
    """Bring back what lies too far ahead and spread out what is overdue; return how many moved.

    Args:
        rhythms_of: Returns how often those of some connections that are watched are checked.
        shortest: The shortest of all rhythms.
    """
    rows = tx.execute(
        select(
            connections.c.id,
            connections.c.name,
            connections.c.next_check_at,
            connections.c.last_reason,
        )
        .where(
            or_(connections.c.next_check_at <= now, connections.c.next_check_at > now + shortest)
        )
        .order_by(connections.c.id)
    )
    moved = []
    for group in in_groups(rows.all()):
        rhythms = rhythms_of([row.name for row in group])
        moved += [
            (number, rhythms[name])
            for number, name, at, last_reason in group
            if name in rhythms and (at <= now or is_too_far(at, rhythms[name], last_reason, now))
        ]
    values = [
        {"of_id": number, "next_check_at": now + spread(position, len(moved), every)}
        for position, (number, every) in enumerate(moved)
    ]
    execute_many(tx, update_one(connections.c.id, ["next_check_at"]), values)
    return len(moved)


# What is not to be checked at all has no next check, which is no later one.
_BRING_FORWARD = (
    update(connections)
    .where(
        connections.c.name == bindparam("of_name"), connections.c.next_check_at > bindparam("at")
    )
    .values(next_check_at=bindparam("at"))
)
