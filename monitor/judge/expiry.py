"""
Count the time that is left of an authorization.

Decides when a grant ends and whether that is soon. Where the dates come from
is left to the configuration and the store.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    A grant with a start and, unless it has no known limit, an end.
    """

    authorized_at: datetime
    ends_at: datetime | None
    source: ClockSource = ClockSource.DECLARED


def declare_authorization(
    authorized_on: date, valid_days: int = DEFAULT_VALID_DAYS
) -> Authorization:
    """
    Return the authorization that someone declared by its date.

    A date without a time is that day's start in UTC; *valid_days* 0 means that
    no limit is known.
    """
    if isinstance(authorized_on, datetime):
        authorized_at = authorized_on.astimezone(UTC)
    else:
        authorized_at = datetime.combine(authorized_on, time(), UTC)
    ends_at = authorized_at + timedelta(days=valid_days) if valid_days else None
    return Authorization(authorized_at, ends_at)


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
