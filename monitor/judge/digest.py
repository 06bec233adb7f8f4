"""
Decide when a channel is due a summary.

Pure. What a summary says is put together in `monitor.digests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from enum import StrEnum

from monitor.judge.quiet_hours import instant_of

AT = time(9)
MONDAY = 0


class Digest(StrEnum):
    """
    How often a channel receives a summary.
    """

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class DigestTime:
    """
    The rhythm of a channel's summaries, at nine in the morning of *zone*.
    """

    rhythm: Digest
    zone: tzinfo

    def is_due(self, last_at: datetime, now: datetime) -> bool:
        """
        Tell whether today has a summary that was not made yet.

        Those of days that nobody was awake on are not made up for.

        Args:
            last_at: When the last one was made, or when the channel was first seen.
        """
        today = now.astimezone(self.zone).date()
        if self.rhythm is Digest.WEEKLY and today.weekday() != MONDAY:
            return False
        return last_at < instant_of(today, AT, self.zone) <= now
