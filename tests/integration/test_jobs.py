from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from monitor.schedule.jobs import Job, JobRunner
from tests.waiting import until

pytestmark = pytest.mark.anyio

OFTEN = timedelta(milliseconds=20)


class Work:
    """
    A job's work that counts how often it began and ended.

    Args:
        faults: What it raises, one run after the other; afterwards it does well.
        is_hanging: It ends only after `let_go` is set.
    """

    def __init__(self, *faults: Exception, is_hanging: bool = False) -> None:
        self.faults = list(faults)
        self.n_begun = 0
        self.n_ended = 0
        self.is_cancelled = False
        self.let_go = asyncio.Event()
        if not is_hanging:
            self.let_go.set()

    async def __call__(self) -> None:
        self.n_begun += 1
        if self.faults:
            raise self.faults.pop(0)
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        self.n_ended += 1


@pytest.fixture
async def runner():
    runner = JobRunner()
    yield runner
    runner.stop()


async def test_jobs_run_again_and_again(runner):
    one, other = Work(), Work()
    runner.start([Job("one", OFTEN, one), Job("other", OFTEN, other)])
    await until(lambda: one.n_ended >= 3 and other.n_ended >= 3)


async def test_a_job_that_fails_is_logged_and_runs_again(runner):
    failing, fine = Work(ZeroDivisionError("first"), LookupError("second")), Work()
    with capture_logs() as logs:
        runner.start([Job("failing", OFTEN, failing), Job("fine", OFTEN, fine)])
        await until(lambda: failing.n_ended >= 2 and fine.n_ended >= 2)
    assert [(entry["event"], entry["job"], entry["exc_info"]) for entry in logs] == [
        ("job.failed", "failing", True),
        ("job.failed", "failing", True),
    ]


async def test_a_slow_job_is_not_started_twice_and_holds_up_no_other(runner):
    slow, fine = Work(is_hanging=True), Work()
    runner.start([Job("slow", OFTEN, slow), Job("fine", OFTEN, fine)])
    await until(lambda: fine.n_ended >= 5)
    assert (slow.n_begun, slow.n_ended) == (1, 0)
    slow.let_go.set()
    await until(lambda: slow.n_ended >= 3)


async def test_what_was_missed_is_not_made_up_for(runner):
    """
    A loop that stood still for ten rounds goes on with one.
    """
    work = Work()
    runner.start([Job("work", timedelta(milliseconds=40), work)])
    await until(lambda: work.n_ended == 1)
    time.sleep(0.4)  # noqa: ASYNC251 - it is the loop that stands still
    for _ in range(10):
        await asyncio.sleep(0)
    assert work.n_ended <= 2
    await until(lambda: work.n_ended >= 3)


async def test_after_the_stop_no_job_starts_and_the_running_one_is_cancelled(runner):
    hanging, fine = Work(is_hanging=True), Work()
    runner.start([Job("hanging", OFTEN, hanging), Job("fine", OFTEN, fine)])
    await until(lambda: hanging.n_begun and fine.n_ended)
    runner.stop()
    await until(lambda: hanging.is_cancelled)
    n_ended = fine.n_ended
    with pytest.raises(TimeoutError):
        await until(lambda: fine.n_ended > n_ended, within_s=0.2)


async def test_stopping_twice_or_unstarted_is_fine(runner):
    runner.stop()
    work = Work()
    runner.start([Job("work", OFTEN, work)])
    await until(lambda: work.n_ended)
    runner.stop()
    await asyncio.sleep(0)
    runner.stop()


async def test_a_job_may_be_done_first_before_its_rhythm_begins(runner):
    seldom = Work()
    runner.start([Job("seldom", timedelta(hours=1), seldom, first_after=OFTEN)])

    await until(lambda: seldom.n_ended == 1)
