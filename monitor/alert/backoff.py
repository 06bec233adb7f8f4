"""
Decide when a failed notification is tried again, and when no more.

Pure: chance comes in as a number, time as an argument.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=10)

_STEPS_TO_LONGEST = 7
"""Doublings after which the delay is the longest for certain."""


def next_attempt(
    attempts: int,
    first_at: datetime,
    retry_for: timedelta,
    retry_after: timedelta | None,
    jitter: float,
    now: datetime,
) -> datetime | None:
    """
    Return the instant of the next attempt, or None when there is none.

    The delay doubles from `FIRST_DELAY` to `LONGEST_DELAY`; a random part of
    its second half is left out, so that many channels do not knock at once.
    What would fall behind the end of *retry_for* is tried at its very end, and
    the first failure is always followed by a second try: a send may take
    longer than a short *retry_for*.

    Args:
        attempts: Attempts made so far, at least 1.
        first_at: When the first of them was made.
        retry_after: How long the service wants to be left alone.
        jitter: Chance, from 0 to below 1.
    """
    delay = min(FIRST_DELAY * (1 << min(attempts - 1, _STEPS_TO_LONGEST)), LONGEST_DELAY)
    delay *= 1 - jitter / 2
    if retry_after is not None:
        delay = max(delay, min(retry_after, retry_for))
    deadline = first_at + retry_for
    if now < deadline:
        return min(now + delay, deadline)
    return now + delay if attempts <= 1 else None
