"""
Count the time that is left of an authorization.

Decides at which instant a date begins, and whether an end is soon. When a grant
ends is decided in `renewal`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_VALID_DAYS = 365
"""Amazon ends an authorization after a year (reference 4.1)."""


class ClockSource(StrEnum):
    """
    Who says when a clock ends.
    """

    DECLARED = "declared"
    OBSERVED = "observed"


def start_of(day: date) -> datetime:
    """
    Return the instant that *day* means in UTC: its own if it has a time, else the day's start.
    """
    if isinstance(day, datetime):
        return day.astimezone(UTC)
    return datetime.combine(day, time(), UTC)


def days_left(ends_at: datetime, now: datetime) -> int:
    """
    Return the whole days left, rounded down; 0 on the last day and negative after it.
    """
    return (ends_at - now) // timedelta(days=1)


def is_expiring_soon(ends_at: datetime, steps: Iterable[int], now: datetime) -> bool:
    """
    Tell whether *now* lies between the largest step before the end and the end.
    """
    largest = max(steps, default=0)
    return ends_at - timedelta(days=largest) <= now < ends_at
