from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from monitor.engine import supervisor
from monitor.engine.scheduler import Job, Scheduler
from monitor.engine.supervisor import CHECK_DUE, DELIVER, Supervisor, Systemd, describe_counts
from monitor.judge.health import LONGEST_STANDSTILL, LONGEST_WITHOUT_WRITE
from monitor.judge.outcome import State
from monitor.notify.delivery import AlertError, Delivery, DeliveryTerms
from monitor.store import watermarks
from monitor.store.engine import StoreWorker
from monitor.store.watermarks import ALIVE
from tests.builders import OK, REFUSED, Story, entry, plan_of
from tests.fakes import NOON, FakeOutbox, FakeSender, FixedClock
from tests.notify_socket import NotifySocket, listen
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
OFTEN = timedelta(milliseconds=20)


class Bench:
    """
    A guard over jobs that are said to have run just now, and who it reports to.
    """

    def __init__(self, database: Database, systemd: NotifySocket) -> None:
        self.database = database
        self.systemd = systemd
        self.store = StoreWorker(database)
        self.outbox, self.sender = FakeOutbox(), FakeSender()
        self.runner = Scheduler(self._ignore_step)
        self.terms = DeliveryTerms(self.sender, 60 * SECOND, lambda _: None)
        self.delivery = Delivery(self.outbox, lambda: self.terms, clock=FixedClock())
        self.supervisor = Supervisor(
            Systemd(systemd.address, 3 * SECOND), self.store, self.runner, self.delivery
        )
        self.set_back({CHECK_DUE: 0.0, DELIVER: 0.0}, written=0.0)

    async def _ignore_step(self, by: timedelta) -> None: ...

    def set_back(self, jobs: dict[str, float], *, written: float | None = None) -> None:
        """
        Let signs of life have been given so many seconds ago.
        """
        now = time.monotonic()
        self.runner.ended_at |= {name: now - ago for name, ago in jobs.items()}
        if written is not None:
            self.store.written_at = now - written

    async def job(self, name: str) -> None:
        [work] = [job.work for job in self.supervisor.jobs() if job.name == name]
        await work()

    def is_fed(self) -> bool:
        return self.systemd.has("WATCHDOG")


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Iterator[Bench]:
    with listen(tmp_path / "notify") as systemd:
        bench = Bench(database, systemd)
        yield bench
        bench.sender.let_go.set()
        bench.store.close()


STANDSTILL = LONGEST_STANDSTILL.total_seconds() + 1
NO_WRITE = LONGEST_WITHOUT_WRITE.total_seconds() + 1


async def test_the_watchdog_is_fed_while_all_goes_on(bench: Bench):
    await bench.supervisor.feed()
    assert bench.is_fed()


@pytest.mark.parametrize(
    ("jobs", "written", "why"),
    [
        ({CHECK_DUE: STANDSTILL}, 0, "no due check was looked for"),
        ({DELIVER: STANDSTILL}, 0, "the outbox was not looked through"),
        ({}, NO_WRITE, "the database accepted no write"),
    ],
    ids=["the scheduler", "the outbox", "the database"],
)
async def test_the_watchdog_is_not_fed_when_something_stands_still(
    bench: Bench, jobs: dict[str, float], written: float, why: str
):
    bench.set_back(jobs, written=written)
    with capture_logs() as logs:
        await bench.supervisor.feed()
        await bench.supervisor.feed()
    assert not bench.is_fed()
    [told] = bench.systemd.said("STATUS")
    assert told.startswith(f"stuck: {why}")
    assert [each["event"] for each in logs] == ["watchdog.withheld"]


async def test_the_watchdog_is_fed_again_when_it_goes_on(bench: Bench):
    bench.set_back({CHECK_DUE: STANDSTILL})
    await bench.supervisor.feed()
    bench.set_back({CHECK_DUE: 0.0})
    await bench.supervisor.feed()
    await bench.supervisor.notify_status()
    assert bench.is_fed()
    assert bench.systemd.said("STATUS")[-1] == "watching 0 connections"


async def test_a_write_is_a_sign_of_life(bench: Bench):
    bench.set_back({}, written=NO_WRITE)
    await bench.job("note_alive")
    await bench.supervisor.feed()
    assert bench.is_fed()
    assert await bench.store.read(lambda tx: watermarks.find_watermark(tx, ALIVE)) is not None


async def test_a_job_that_fails_has_moved_all_the_same(bench: Bench):
    async def fail() -> None:
        raise RuntimeError("nobody expected this")

    bench.runner.ended_at.clear()
    bench.runner.start([Job(CHECK_DUE, OFTEN, fail)])
    try:
        await until(lambda: CHECK_DUE in bench.runner.ended_at)
    finally:
        bench.runner.stop()
    # That is for people to mend, who hear of it by the heartbeat.
    assert list(bench.supervisor.failing_for()) == [CHECK_DUE]


async def test_a_channel_that_hangs_is_no_stuck_outbox(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "LONGEST_STANDSTILL", 0.05 * SECOND)
    bench.delivery = bench.supervisor._delivery = Delivery(
        bench.outbox,
        lambda: bench.terms,
        clock=FixedClock(),
        send_timeout=0.02 * SECOND,
    )
    bench.sender.hanging.add("ops")
    bench.outbox.add("ops", born_at=NOON)
    with capture_logs() as logs:
        await bench.delivery.run_once()
        await until(lambda: [one for one in logs if one["event"] == "notification.failed"])
        await until(lambda: not bench.delivery.find_stuck(timedelta()))
    await bench.supervisor.feed()
    assert bench.is_fed()


async def test_a_dead_channel_is_no_stuck_outbox(bench: Bench):
    bench.sender.failures["ops"] = AlertError("gone for good", permanent=True)
    row = bench.outbox.add("ops", born_at=NOON)
    await bench.delivery.deliver_due()
    await bench.supervisor.feed()
    assert (row.state, bench.is_fed()) == ("dead", True)


async def test_a_round_that_stands_still_is_a_stuck_outbox(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "LONGEST_STANDSTILL", 0.05 * SECOND)
    never = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        await never.wait()

    monkeypatch.setattr(bench.outbox, "claim_next", hang)
    bench.outbox.add("ops", born_at=NOON)
    await bench.delivery.run_once()
    await until(lambda: bench.supervisor.signs().stuck == ("ops",))
    await bench.supervisor.feed()
    assert not bench.is_fed()
    assert bench.systemd.said("STATUS") == ["stuck: the delivery stands still on ops"]
    never.set()


async def test_the_status_counts_what_is_watched(bench: Bench):
    story = Story.begin(bench.database, plan_of(entry("one"), entry("two")))
    story.evaluate(NOON, one=OK, two=REFUSED)
    await bench.supervisor.notify_status()
    assert bench.systemd.said("STATUS") == ["watching 2 connections; 1 in error"]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "watching 0 connections"),
        ({State.ACTIVE: 1}, "watching 1 connection"),
        ({State.ACTIVE: 38, State.ERROR: 2}, "watching 40 connections; 2 in error"),
        (
            {State.PENDING: 1, State.ERROR: 2, State.EXPIRED: 3, State.PAUSED: 4},
            "watching 6 connections; 2 in error, 3 expired, 4 paused",
        ),
        ({State.PAUSED: 4}, "watching 0 connections; 4 paused"),
    ],
    ids=["none", "one", "some in error", "all kinds", "all paused"],
)
def test_the_status_is_one_line(counts: dict[State, int], expected: str):
    assert describe_counts(counts) == expected


@pytest.mark.parametrize(
    ("systemd", "names"),
    [
        (Systemd(None), ["note_alive"]),
        (Systemd("/nowhere"), ["note_alive", "tell_status"]),
        (Systemd("/nowhere", 3 * SECOND), ["note_alive", "tell_status", "feed_watchdog"]),
    ],
    ids=["nobody", "a listener", "a listener with a watchdog"],
)
async def test_systemd_is_told_only_what_it_wants_to_hear(
    bench: Bench, systemd: Systemd, names: list[str]
):
    guard = Supervisor(systemd, bench.store, bench.runner, bench.delivery)
    assert [job.name for job in guard.jobs()] == names


async def test_the_watchdog_is_fed_three_times_in_the_silence_allowed(bench: Bench):
    assert bench.supervisor.jobs()[-1].every == SECOND


async def test_a_watchdog_without_any_patience_is_fed_in_a_rhythm_all_the_same(bench):
    hasty = Systemd("@nobody", timedelta(microseconds=1))
    guard = Supervisor(hasty, bench.store, bench.runner, bench.delivery)
    every = {job.name: job.every for job in guard.jobs()}["feed_watchdog"]
    assert every > timedelta()
