"""
Notice that the wall clock was stepped, or that the machine was suspended.

Decides what counts as a step. What follows from one is left to the caller.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

SMALLEST_STEP = timedelta(seconds=5)
"""Less than this between two looks is drift, or a clock being corrected gently."""

READ_WITHIN_S = 0.5
"""Two clocks that are read further apart than this cannot be compared."""


class StepDetector:
    """
    Compares the wall clock with a clock that nobody sets.

    On Linux that one stands still while the machine is suspended: waking up
    is a step forward.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._gap_s: float | None = None

    def look(self) -> timedelta:
        """
        Return by how much the wall clock was stepped since the last look; 0 if it was not.
        """
        before = self._monotonic()
        gap_s = self._wall().timestamp() - before
        if self._monotonic() - before > READ_WITHIN_S:
            # The process was held up in between: the next look sees what there is to see.
            return timedelta()
        # Compared with the last look and not with the first: drift does not add up.
        step = timedelta(seconds=0 if self._gap_s is None else gap_s - self._gap_s)
        self._gap_s = gap_s
        return step if abs(step) > SMALLEST_STEP else timedelta()
