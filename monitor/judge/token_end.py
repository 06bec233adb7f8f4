"""
Take in when a token itself ends, as its service says with each answer.

Counting down to it is left to `clocks`, reading it to `monitor.check`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.clocks import AuthorizationClock, last_passed
from monitor.judge.outcome import Outcome, OutcomeClass

if TYPE_CHECKING:
    from datetime import datetime

SAME_END_WITHIN = timedelta(minutes=1)
"""Ends told as seconds from now differ a little from answer to answer."""

DOUBTFUL_WITHIN = timedelta(minutes=5)
"""
So near its end a token proves nothing by being let in: clocks differ, services are lenient, and
an end that equals the time of day is not read (`check.token_end`).
"""


def observe(clock: AuthorizationClock, outcome: Outcome, now: datetime) -> AuthorizationClock:
    """
    Return the clock after an answer that may have said when the token ends.

    A later end means another token: what was told of the old one is over, and
    that is told. A success that speaks of no end means that there is none, and
    one that speaks of an end that has passed, that it is not the end. One that
    cannot be understood says nothing, least of all that the token is new.
    """
    if outcome.reason.outcome_class is not OutcomeClass.SUCCESS:
        return clock
    before, seen = clock.token_ends_at, outcome.token_ends_at
    is_same = before is not None and seen is not None and abs(seen - before) <= SAME_END_WITHIN
    if seen is not None and seen <= now:
        seen = None
    if before is None:
        return clock if seen is None else _with_end(clock, seen, now)
    if seen is not None:
        return clock if is_same else _with_end(clock, seen, now, is_renewed=seen > before)
    if abs(before - now) <= DOUBTFUL_WITHIN or (outcome.is_token_end_unclear and before > now):
        return clock
    return _with_end(clock, None, now, is_renewed=not is_same)


def _with_end(
    clock: AuthorizationClock, seen: datetime | None, now: datetime, *, is_renewed: bool = False
) -> AuthorizationClock:
    told = None
    if seen is not None and clock.told_step is not None:
        told = max(clock.told_step, last_passed(seen, now))
    return replace(
        clock,
        token_ends_at=seen,
        told_step=told,
        is_renewal_pending=clock.is_renewal_pending or is_renewed,
    )
