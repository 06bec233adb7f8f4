"""
Decide when a connection is looked at next.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.decide import Verdict

STARTS_PER_SECOND = 50
"""How many first checks a start lets go in one second, if the rhythm allows."""


def next_slot(scheduled_at: datetime, every: timedelta, now: datetime) -> datetime:
    """
    Return the first instant after *now* that is a whole number of *every* from *scheduled_at*.

    A slow answer, or a pause of the whole program, does not shift the rhythm.
    """
    if scheduled_at > now:
        return scheduled_at
    return scheduled_at + ((now - scheduled_at) // every + 1) * every


def next_check(
    verdict: Verdict, scheduled_at: datetime, every: timedelta, now: datetime
) -> datetime:
    """
    Return when to look again after *verdict*.

    Args:
        scheduled_at: The slot of the check that was judged, or the next one
            for a check made outside the rhythm.
    """
    at = next_slot(scheduled_at, every, now)
    if verdict.recheck_after is not None:
        at = min(at, now + verdict.recheck_after)
    if verdict.not_before is not None and at < verdict.not_before:
        at = next_slot(at, every, verdict.not_before)
    return at


def spread(position: int, count: int, every: timedelta) -> timedelta:
    """
    Return how long after a start the first check of one of *count* connections waits.

    In order of *position*, so that neighbours in the database are due, and
    written, together for ever after.
    """
    return spread_over(count, every) * position / count


def spread_over(count: int, every: timedelta) -> timedelta:
    """
    Return the time within which *count* connections are checked once each.
    """
    return min(every, timedelta(seconds=count / STARTS_PER_SECOND))
