"""
Count billing cycles.

Decides when a monthly cycle starts and ends. What is counted within it is left
to `soldscope`.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime

MONTHS = 12
LAST_CYCLE_DAY = 31


@dataclass(frozen=True, slots=True)
class BillingCycle:
    """
    One month of an account, from its own day to the same day of the next month.

    Args:
        ends_at: The start of the next cycle, which is when quotas reset.
    """

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


def billing_cycle(cycle_day: int, now: datetime) -> BillingCycle:
    """
    Return the cycle around *now* of an account whose cycles start on *cycle_day*.

    In a month that is too short the cycle starts on its last day; the day comes
    back in the next month that has it.
    """
    month = now.year * MONTHS + now.month - 1
    starts_at = _cycle_start(month, cycle_day)
    if now < starts_at:
        return BillingCycle(_cycle_start(month - 1, cycle_day), starts_at)
    return BillingCycle(starts_at, _cycle_start(month + 1, cycle_day))


def _cycle_start(month: int, cycle_day: int) -> datetime:
    """
    Return the cycle's start in *month*, counted in months since the year 0.
    """
    year, month_index = divmod(month, MONTHS)
    days_in_month = calendar.monthrange(year, month_index + 1)[1]
    return datetime(year, month_index + 1, min(cycle_day, days_in_month), tzinfo=UTC)
