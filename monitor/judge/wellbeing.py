"""
Decide whether all is well enough to say so to an outside watcher.

Pure. Stricter than `vitals`, which decides whether to start anew: here people
are told, so that what a restart would not mend counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LATE_AFTER = timedelta(minutes=1)
"""What is due starts within seconds; its result is written when its answer is there."""

OUTBOX_LATE_AFTER = timedelta(minutes=15)
"""What is collected for five minutes, or tried again soon, is no trouble yet."""


FAILING_AFTER = timedelta(minutes=5)
"""As long as a database may refuse all writes before the daemon is started anew."""


@dataclass(frozen=True, slots=True)
class Arrears:
    """
    What has not been done in time.

    Args:
        lateness: How long the most overdue check has been due.
        longest_check: How long a check may take.
        outbox_age: How long the oldest notification has waited for its channel.
        failing: For how long each job that fails has done nothing else.
    """

    lateness: timedelta
    longest_check: timedelta
    outbox_age: timedelta
    failing: Mapping[str, timedelta] = field(default_factory=dict)


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
    troubles += [
        f"the job {name} has failed for {_minutes(length)}"
        for name, length in sorted(arrears.failing.items())
        if length > FAILING_AFTER
    ]
    return troubles


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"
