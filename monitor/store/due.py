"""
Say what is due, and bring forward what must be asked sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, literal, select, type_coerce, update

from monitor.judge.outcome import Outcome
from monitor.judge.rhythm import spread_over
from monitor.store.applications import list_refusals
from monitor.store.columns import EPOCH, MICROSECOND
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.store.engine import Transaction

_PLACES = 1000
"""Into so many places a spread is cut, whatever the number of connections."""


@dataclass(frozen=True, slots=True)
class Due:
    """
    A connection whose check should start at *at*.

    Args:
        verdict: What was found against its application, so that nobody need be asked.
    """

    id: int
    name: str
    at: datetime
    verdict: Outcome | None = None


def claim_due(tx: Transaction, until: datetime, limit: int) -> list[Due]:
    """
    Return what is due before *until*, the most overdue first.
    """
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
    """
    Return which check of *names* has been due the longest, and for how long; None if none is.

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
    """
    Return for how long the most overdue check of *names* has been due.
    """
    found = find_most_overdue(tx, names, now)
    return timedelta() if found is None else found[1]


_MAKE_DUE = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"), connections.c.next_check_at > bindparam("at"))
    .values(next_check_at=bindparam("at"))
)


def make_due(tx: Transaction, connection_id: int, at: datetime) -> None:
    """
    Bring the next check forward to *at*; what is switched off stays off.
    """
    tx.execute(_MAKE_DUE, {"of_id": connection_id, "at": at})


def make_all_due(
    tx: Transaction, application: str, count: int, every: timedelta, now: datetime
) -> None:
    """
    Bring the checks of an application's connections forward, spread out as after a start.

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
