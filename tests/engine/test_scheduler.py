from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from monitor import clock
from monitor.engine.scheduler import Job, Scheduler
from monitor.judge.shortage import Shortage
from tests.shortage import no_descriptors
from tests.stepped_clock import SteppedClock
from tests.waiting import until

pytestmark = pytest.mark.anyio

OFTEN = timedelta(milliseconds=20)

NO_TIME = timedelta()


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


class StepFollower:
    """
    Follows steps of the clock, and keeps by how much it was stepped.

    Args:
        faults: What it raises, one step after the other; afterwards it does well.
    """

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.told: list[timedelta] = []
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, by: timedelta) -> None:
        self.told.append(by)
        await self.let_go.wait()
        if self.faults:
            raise self.faults.pop(0)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """
    Return what was logged and is shown: less than errors of APScheduler's are not.
    """
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.fixture
def follower():
    return StepFollower()


@pytest.fixture
async def runner(follower):
    runner = Scheduler(follower)
    yield runner
    runner.stop()
    await asyncio.sleep(0)


@pytest.fixture
def wall_clock(monkeypatch):
    """
    The wall clock, for us and for APScheduler, until the end of the test.
    """
    return SteppedClock(monkeypatch)


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


async def test_a_job_without_descriptors_for_its_database_is_short_of_them(runner, tmp_path):
    async def open_database() -> None:
        sqlite3.connect(tmp_path / "any.db").close()

    with capture_logs() as logs, no_descriptors():
        runner.start([Job("database", OFTEN, open_database)])
        await until(lambda: logs)
    first = logs[0]
    assert (first["event"], first["log_level"], first["why"]) == (
        "job.failed",
        "warning",
        Shortage.DESCRIPTORS.words,
    )


async def test_it_is_known_for_how_long_a_job_does_nothing_but_fail(runner):
    failing, fine = Work(*(LookupError("again") for _ in range(10_000))), Work()
    runner.start([Job("failing", OFTEN, failing), Job("fine", OFTEN, fine)])
    await until(lambda: runner.failing_for().get("failing", NO_TIME) > 2 * OFTEN)
    assert list(runner.failing_for()) == ["failing"]

    failing.faults.clear()

    await until(lambda: runner.failing_for() == {})


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


async def test_after_the_stop_no_job_starts_and_the_running_one_is_cancelled(runner, caplog):
    hanging, fine = Work(is_hanging=True), Work()
    runner.start([Job("hanging", OFTEN, hanging), Job("fine", OFTEN, fine)])
    await until(lambda: hanging.n_begun and fine.n_ended)
    runner.stop()
    await until(lambda: hanging.is_cancelled)
    n_ended = fine.n_ended
    with pytest.raises(TimeoutError):
        await until(lambda: fine.n_ended > n_ended, within_s=0.2)
    assert errors_in(caplog) == []  # it is meant to be: no traceback of APScheduler's


@pytest.mark.parametrize("n_turns", range(6))
async def test_a_stop_at_the_instant_at_which_a_job_is_due_is_no_error(runner, caplog, n_turns):
    """The loop was held up: the job is due, and so is the stop."""
    work = Work()
    runner.start([Job("work", OFTEN, work)])
    time.sleep(2 * OFTEN.total_seconds())  # noqa: ASYNC251 - it is the loop that stands still
    for _ in range(n_turns):
        await asyncio.sleep(0)
    runner.stop()
    n_begun = work.n_begun
    for _ in range(10):
        await asyncio.sleep(0)
    assert work.n_begun == n_begun
    assert errors_in(caplog) == []


async def test_a_stop_asked_for_twice_in_one_turn_of_the_loop_is_fine(runner, caplog):
    runner.start([Job("work", OFTEN, Work())])
    runner.stop()
    runner.stop()
    for _ in range(10):
        await asyncio.sleep(0)
    assert errors_in(caplog) == []


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


# The wall clock is stepped.

HOUR = timedelta(hours=1)
STEPS = {"back": -3 * HOUR, "forward": 3 * HOUR, "a clock from 1970 is set": 500_000 * HOUR}


def is_close(told: timedelta, expected: timedelta) -> bool:
    return abs(told - expected) < timedelta(seconds=1)


@pytest.mark.parametrize("by", STEPS.values(), ids=STEPS)
async def test_after_a_step_every_job_runs_at_once_and_goes_on(runner, follower, wall_clock, by):
    often, seldom = Work(), Work()
    with capture_logs() as logs:
        runner.start([Job("often", OFTEN, often), Job("seldom", HOUR, seldom)])
        await until(lambda: often.n_ended)
        wall_clock.step(by)
        await until(lambda: seldom.n_ended)
        n_ended = often.n_ended
        await until(lambda: often.n_ended > n_ended + 3)
    assert seldom.n_ended == 1
    assert [is_close(told, by) for told in follower.told] == [True]
    [said] = logs
    assert (said["event"], said["log_level"]) == ("clock.stepped", "warning")
    assert said["seconds"] == pytest.approx(by.total_seconds(), abs=1)


async def test_what_is_done_some_time_after_a_start_waits_after_a_step_too(runner, wall_clock):
    often, later = Work(), Work()
    runner.start([Job("often", OFTEN, often), Job("later", HOUR, later, first_after=HOUR / 2)])
    wall_clock.step(-3 * HOUR)
    await until(lambda: often.n_ended)
    ahead = runner._scheduler.get_job("later").next_run_time - clock.utc_now()
    assert is_close(ahead, HOUR / 2)
    assert later.n_begun == 0


@pytest.mark.parametrize("by", [-3 * HOUR, 3 * HOUR], ids=["back", "forward"])
async def test_no_job_works_on_a_new_time_before_the_step_was_followed(
    runner, follower, wall_clock, by
):
    work = Work()
    follower.let_go.clear()
    runner.start([Job("work", OFTEN, work)])
    await until(lambda: work.n_ended)
    wall_clock.step(by)
    n_ended = work.n_ended
    await until(lambda: follower.told)
    with pytest.raises(TimeoutError):
        await until(lambda: work.n_ended > n_ended, within_s=0.2)
    follower.let_go.set()
    await until(lambda: work.n_ended > n_ended)


async def test_a_step_that_could_not_be_followed_is_tried_again_and_holds_up_no_job(
    runner, follower, wall_clock
):
    work = Work()
    follower.faults = [ZeroDivisionError("first"), LookupError("second")]
    with capture_logs() as logs:
        runner.start([Job("work", OFTEN, work)])
        await until(lambda: work.n_ended)
        wall_clock.step(-3 * HOUR)
        n_ended = work.n_ended
        await until(lambda: len(follower.told) == 3 and work.n_ended > n_ended + 3)
    assert all(is_close(told, -3 * HOUR) for told in follower.told)
    assert [entry["event"] for entry in logs] == [
        "clock.stepped",
        "clock.step_not_settled",
        "clock.step_not_settled",
    ]


async def test_a_second_step_before_the_first_was_followed_adds_to_it(runner, follower, wall_clock):
    follower.faults = [ZeroDivisionError()]
    with capture_logs() as logs:
        runner.start([])
        wall_clock.step(3 * HOUR)
        await until(lambda: follower.told)
        wall_clock.step(-HOUR)
        await until(lambda: any(is_close(told, 2 * HOUR) for told in follower.told))
    assert len([entry for entry in logs if entry["event"] == "clock.stepped"]) == 2


async def test_after_the_stop_nobody_looks_for_steps(runner, follower, wall_clock):
    runner.start([])
    runner.stop()
    wall_clock.step(HOUR)
    with pytest.raises(TimeoutError):
        await until(lambda: follower.told, within_s=0.2)
