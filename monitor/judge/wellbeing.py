"""
Decide whether all is well enough to say so to an outside watcher.

Pure. Stricter than `vitals`, which decides whether to start anew: here people
are told, so that what a restart would not mend counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LATE_AFTER = timedelta(minutes=1)
"""What is due starts within seconds; its result is written when its answer is there."""

OUTBOX_LATE_AFTER = timedelta(minutes=15)
"""What is collected for five minutes, or tried again soon, is no trouble yet."""


@dataclass(frozen=True, slots=True)
class Arrears:
    """
    What has not been done in time.

    Args:
        lateness: How long the most overdue check has been due.
        longest_check: How long a check may take.
        outbox_age: How long the oldest notification has waited for its channel.
    """

    lateness: timedelta
    longest_check: timedelta
    outbox_age: timedelta


def is_late(lateness: timedelta, longest_check: timedelta) -> bool:
    """
    Tell whether a check that has been due for *lateness* should have been done by now.
    """
    return lateness > LATE_AFTER + longest_check


def find_troubles(arrears: Arrears) -> list[str]:
    """
    Return what is not well, in words for people; nothing while every due check ran.
    """
    troubles = []
    if is_late(arrears.lateness, arrears.longest_check):
        troubles.append(f"a check has been due for {_minutes(arrears.lateness)}")
    if arrears.outbox_age > OUTBOX_LATE_AFTER:
        troubles.append(f"an alert has waited for its channel for {_minutes(arrears.outbox_age)}")
    return troubles


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"
