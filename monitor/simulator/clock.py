"""
Tell the simulator's time, which can be moved forward.

Decides what time it is inside the simulator. Waiting (slow answers, latency)
stays in real seconds.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.clock import utc_now
from monitor.simulator.errors import SimulatorError

if TYPE_CHECKING:
    from datetime import datetime

MAX_OFFSET = timedelta(days=36_525)
"""A century: far enough for any test, near enough for every calendar."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?P<count>[0-9]{1,8})(?P<unit>[smhdw])")


def parse_duration(text: str) -> timedelta:
    """
    Read a length such as `90s`, `5m`, `36h`, `3d` or `2w`.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise SimulatorError(f"a length looks like 90s, 5m, 36h, 3d or 2w, got {text[:40]!r}")
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


class MovableClock:
    """
    The present instant plus an offset.
    """

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """
        Return the simulator's present instant, aware, in UTC.
        """
        return utc_now() + self.offset

    def advance(self, by: timedelta) -> None:
        """
        Move the clock forward; it goes on running from there.
        """
        if by <= timedelta():
            raise SimulatorError("the clock moves forward only; reset it to come back")
        if self.offset + by > MAX_OFFSET:
            raise SimulatorError("the clock cannot be more than 100 years ahead; reset it first")
        self.offset += by

    def reset(self) -> None:
        """
        Return to the real time.
        """
        self.offset = timedelta()
