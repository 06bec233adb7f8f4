"""
Run the daemon's few jobs on time: the only import of APScheduler.

One job looks for due checks; there is no job for each connection. A job that
fails is logged with its traceback and runs again at its next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """
    Something to do again and again.

    Args:
        first_after: How long after the start it is done first; default: *every*.
    """

    name: str
    every: timedelta
    work: Callable[[], Awaitable[None]]
    first_after: timedelta | None = None


class JobRunner:
    """
    Runs jobs, each at most once at a time, until it is stopped.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self, jobs: list[Job]) -> None:
        """
        Run *jobs* from now on, in the running event loop.
        """
        for job in jobs:
            self._scheduler.add_job(
                _guarded,
                "interval",
                [job],
                id=job.name,
                seconds=job.every.total_seconds(),
                start_date=utc_now() + (job.first_after or job.every),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        self._scheduler.start()

    def stop(self) -> None:
        """
        Start no job any more; one that is running is cancelled.
        """
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


async def _guarded(job: Job) -> None:
    """
    Keep one job's failure from every other: the boundary of last resort.
    """
    try:
        await job.work()
    except Exception:  # whatever it is: the other jobs must go on, and this one at its next time
        log.exception("job.failed", job=job.name)
