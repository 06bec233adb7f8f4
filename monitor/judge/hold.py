"""
Decide whether an alert must wait before a channel is told of it, why, and until when.

Pure. What is still worth telling afterwards is decided in `held`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import Severity
from monitor.judge.silence import silenced_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.judge.quiet_hours import QuietHours
    from monitor.judge.route import Subject
    from monitor.judge.silence import Silence


class HeldBy(StrEnum):
    """
    What holds a notification back.
    """

    SILENCE = "silence"
    QUIET_HOURS = "quiet_hours"


@dataclass(frozen=True, slots=True)
class Hold:
    """
    Why a notification waits, and until when at least.
    """

    by: HeldBy
    until: datetime


def find_hold(
    severity: Severity,
    subjects: Sequence[Subject],
    quiet_hours: QuietHours | None,
    silences: Iterable[Silence],
    now: datetime,
) -> Hold | None:
    """
    Return what holds an alert about *subjects* back from a channel; None if it may go.

    A silence holds everything, quiet hours hold what is not critical.
    """
    until = silenced_until(subjects, silences, now)
    if until is not None:
        return Hold(HeldBy.SILENCE, until)
    if severity is Severity.CRITICAL or quiet_hours is None:
        return None
    until = quiet_hours.until(now)
    return None if until is None else Hold(HeldBy.QUIET_HOURS, until)
