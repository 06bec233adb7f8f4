"""Run the daemon's few jobs on time: the only module that knows APScheduler.

One job looks for due checks; there is none for each connection. A job that fails is logged with its
traceback and runs again at its next time. When the wall clock is stepped, or the machine was
suspended, the jobs begin anew; what else follows is left to the caller.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.clock import utc_now
from monitor.config.descriptors import find_machine_shortage
from monitor.judge.verdict import next_slot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime


SMALLEST_STEP = timedelta(seconds=5)
"""Less than this between two looks is drift, or a clock being corrected gently."""

READ_WITHIN_S = 0.5
"""Two clocks that are read further apart than this cannot be compared."""


class StepDetector:
    """Compares the wall clock with a clock that nobody sets.

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
        """Return by how much the wall clock was stepped since the last look; 0 if it was not."""
        before = self._monotonic()
        gap_s = self._wall().timestamp() - before
        if self._monotonic() - before > READ_WITHIN_S:
            # The process was held up in between: the next look sees what there is to see.
            return timedelta()
        # Compared with the last look and not with the first: drift does not add up.
        step = timedelta(seconds=0 if self._gap_s is None else gap_s - self._gap_s)
        self._gap_s = gap_s
        return step if abs(step) > SMALLEST_STEP else timedelta()


log = structlog.get_logger()

LOOK_FOR_STEPS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again.

    Args:
        first_after: How long after the start it is done first; default: *every*.
    """

    name: str
    every: timedelta
    work: Callable[[], Awaitable[None]]
    first_after: timedelta | None = None


class Scheduler:
    """Runs jobs, each at most once at a time, until it is stopped.

    Args:
        on_step: Told by how much the wall clock was stepped, before any job
            works on its new time; told again until it does not fail.
    """

    def __init__(
        self,
        on_step: Callable[[timedelta], Awaitable[None]],
        detector: StepDetector | None = None,
    ) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._on_step = on_step
        self._detector = detector or StepDetector()
        self._settling = asyncio.Lock()
        self._unsettled: timedelta | None = None
        self._looking: asyncio.Task[None] | None = None
        self._jobs: list[Job] = []
        self._stopping = asyncio.Event()
        self.ended_at: dict[str, float] = {}
        """When each job last came to its end, well or badly, by the monotonic clock."""
        self._failures: dict[str, tuple[float, float]] = {}

    def start(self, jobs: list[Job]) -> None:
        """Run *jobs* from now on, in the running event loop."""
        self._jobs = jobs
        self._stopping.clear()
        self._detector.look()
        for job in jobs:
            self._scheduler.add_job(
                self._run,
                _Rhythm(job.every),
                [job],
                id=job.name,
                next_run_time=utc_now() + (job.first_after or job.every),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        self._scheduler.start()
        # No job: after a step backwards the scheduler sleeps as long as that was.
        self._looking = asyncio.create_task(self._look_for_steps(), name="look for clock steps")

    def stop(self) -> None:
        """Start no job any more; one that is running is cancelled."""
        if self._looking is not None:
            self._looking.cancel()
        if self._scheduler.running and not self._stopping.is_set():
            # Its shutdown comes a turn of the loop later. A job submitted in between would be
            # cancelled before it begins, which it logs as an error with a traceback.
            self._scheduler.pause()
            self._scheduler.shutdown(wait=False)
        self._stopping.set()

    def failing_for(self) -> dict[str, timedelta]:
        """Return for how long each job that failed last has done nothing but fail."""
        return {
            name: timedelta(seconds=last - first) for name, (first, last) in self._failures.items()
        }

    async def _look_for_steps(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_STEPS_EVERY_S)
            await self._settle_step(is_retry=True)

    async def _settle_step(self, *, is_retry: bool = False) -> None:
        """Have done what a step asks for; whoever comes meanwhile waits for it."""
        async with self._settling:
            stepped = self._detector.look()
            if stepped:
                log.warning("clock.stepped", seconds=round(stepped.total_seconds(), 1))
                self._begin_anew()
                self._unsettled = (self._unsettled or timedelta()) + stepped
            if self._unsettled is None or not (stepped or is_retry):
                return
            if await _attempt(partial(self._on_step, self._unsettled), "clock.step_not_settled"):
                self._unsettled = None

    def _begin_anew(self) -> None:
        now = utc_now()
        for job in self._jobs:
            at = now + (job.first_after or timedelta())
            self._scheduler.modify_job(job.name, next_run_time=at)

    async def _run(self, job: Job) -> None:
        if self._stopping.is_set():
            return  # submitted just before the stop
        try:
            await self._settle_step()
            went_well = await _attempt(job.work, "job.failed", job=job.name)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            # APScheduler would log a traceback for what is meant to be.
            log.info("job.cut_short", job=job.name)
            return
        now = self.ended_at[job.name] = time.monotonic()
        if went_well:
            self._failures.pop(job.name, None)
        else:
            first, _ = self._failures.get(job.name, (now, now))
            self._failures[job.name] = first, now


async def _attempt(work: Callable[[], Awaitable[None]], event: str, **facts: str) -> bool:
    """Do some work; tell whether it did not fail.

    The boundary of last resort: a fault that nobody foresaw is logged as *event*
    with its traceback, and keeps neither the other jobs nor the next attempt.
    """
    try:
        await work()
    except Exception as fault:  # nothing is known of what any job may raise; all of it is logged
        short = find_machine_shortage(fault)
        if short is None:
            log.exception(event, **facts)
        else:
            # It comes back every second, and its traceback says nothing more.
            log.warning(event, **facts, why=short.words, remedy=short.remedy)
        return False
    return True


class _Rhythm(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Again and again, leaving out what was missed.

    APScheduler's own interval walks through all that was missed: minutes of
    standing still, when a clock that had started in 1970 is set.
    """

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + self._every if previous is None else next_slot(previous, self._every, now)
