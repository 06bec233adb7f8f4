"""
Count calls with a token bucket.

Decides whether one more call fits. What an empty bucket answers is left to
whoever asks. The clock may be set back: that refills nothing.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import datetime  # noqa: TC003 - the dataclass looks at it to know an InitVar


@dataclass(slots=True)
class Bucket:
    """
    A bucket that is full at first and fills up again at an even rate.

    Args:
        burst: What it holds.
        rate: Calls that come back per second.
    """

    burst: int
    rate: float
    made_at: InitVar[datetime]
    _level: float = field(init=False)
    _filled_at: datetime = field(init=False)

    def __post_init__(self, made_at: datetime) -> None:
        self._level, self._filled_at = float(self.burst), made_at

    def left(self, now: datetime) -> int:
        """
        Return how many calls fit in now.
        """
        # A grain more than was counted, so that 62.5 s at 0.016/s make one call and not 0.99…
        return int(self._level_at(now) + 1e-9)

    def take(self, now: datetime) -> bool:
        """
        Take one call out, if there is one.
        """
        if not self.left(now):
            return False
        self._level, self._filled_at = max(0.0, self._level_at(now) - 1), now
        return True

    def _level_at(self, now: datetime) -> float:
        self._filled_at = min(now, self._filled_at)
        passed = (now - self._filled_at).total_seconds()
        return min(float(self.burst), self._level + passed * self.rate)
