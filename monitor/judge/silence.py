"""
Decide what a silence covers, and how long it keeps an alert back.

Pure. What becomes of an alert when its silence ends is decided in `held`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.judge.route import Subject


class Scope(StrEnum):
    """
    What a silence is about.
    """

    CONNECTION = "connection"
    TAG = "tag"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Silence:
    """
    A span in which nobody is told of something, and why.

    Args:
        target: The name of the connection or the tag; None for all.
    """

    id: int
    scope: Scope
    target: str | None
    reason: str
    starts_at: datetime
    ends_at: datetime

    def is_on(self, now: datetime) -> bool:
        """
        Tell whether it lasts.
        """
        return self.starts_at <= now < self.ends_at

    def covers(self, subject: Subject) -> bool:
        """
        Tell whether it is about *subject*.
        """
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.TAG:
                return self.target in subject.tags
            case Scope.CONNECTION:
                return self.target == subject.name


def silenced_until(
    subjects: Sequence[Subject], silences: Iterable[Silence], now: datetime
) -> datetime | None:
    """
    Return when the first of *subjects* may be spoken of again; None if one may now.

    What is about nobody is kept back by a silence of all, and by no other.
    """
    lasting = [silence for silence in silences if silence.is_on(now)]
    if not lasting:
        return None
    if not subjects:
        ends = [silence.ends_at for silence in lasting if silence.scope is Scope.ALL]
        return max(ends, default=None)
    firsts = []
    for subject in subjects:
        ends = [silence.ends_at for silence in lasting if silence.covers(subject)]
        if not ends:
            return None
        firsts.append(max(ends))
    return min(firsts)
