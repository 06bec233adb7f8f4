"""
Step the wall clock of the whole process: ours and APScheduler's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import apscheduler.schedulers.base

from monitor import clock
from monitor.engine import scheduler

if TYPE_CHECKING:
    from datetime import tzinfo

    import pytest


class SteppedClock:
    """
    A wall clock that tests may step; clocks that nobody sets go on as they did.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = timedelta()
        stepped = SimpleNamespace(now=self._now)
        monkeypatch.setattr(clock, "datetime", stepped)
        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", stepped)
        monkeypatch.setattr(scheduler, "LOOK_FOR_STEPS_EVERY_S", 0.02)

    def step(self, by: timedelta) -> None:
        self._ahead += by

    def utc_now(self) -> datetime:
        return self._now(UTC)

    def _now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.now(zone) + self._ahead
