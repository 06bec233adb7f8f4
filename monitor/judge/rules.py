"""
Hold the settings that the rules of judgement depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The settings of `[checks]` and `[alerts]` that change a verdict.

    Args:
        every: The connection's regular rhythm.
        recheck_after: How soon an unconfirmed refusal is checked again.
        alert_after_refusals: Refusals in a row that make an alert due.
        error_after_failures: Inconclusive outcomes in a row that make an error.
        quota_low_percent: Steps, in percent of the limit, at which to warn.
        quota_min_window: Quotas with shorter periods are shown and decide nothing.
        expiring_soon_days: Days before an authorization's end at which to warn.
    """

    every: timedelta = timedelta(minutes=5)
    recheck_after: timedelta = timedelta(seconds=30)
    alert_after_refusals: int = 2
    error_after_failures: int = 3
    quota_low_percent: tuple[int, ...] = (20, 10, 5)
    quota_min_window: timedelta = timedelta(hours=12)
    expiring_soon_days: tuple[int, ...] = (30, 14, 7, 3, 1)
