"""
The wall clock is stepped while the daemon runs.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from monitor.alerting.suppression import suppress_unsent
from monitor.config.load import load_config
from monitor.engine import runner as runner_engine
from monitor.engine import sweep
from monitor.engine.app import App
from monitor.engine.live import Live
from monitor.engine.runner import CheckRunner
from monitor.engine.scheduler import Job, Scheduler
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.suppression import Scope
from monitor.notify.delivery import LEASE, LONGEST_DELAY, AlertError, Delivery
from monitor.simulator.server import start_simulator
from monitor.store import alerts, outbox, reminders, schema, suppression
from monitor.store.engine import Database, StoreError, StoreWorker
from monitor.store.schema import notifications
from monitor.web.dashboard import WebDashboard
from tests.builders import (
    DAY,
    EVERY,
    HOUR,
    MINUTE,
    Story,
    delivery_of,
    entries_of,
    entry,
    plan_of,
    snapshot_of,
)
from tests.fakes import NOON, FakeChecker, FakeSender, FixedClock
from tests.stepped_clock import SteppedClock
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.config.model import Config
    from monitor.engine.evaluate import Evaluated

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
BACK, FORWARD = -3 * HOUR, 3 * HOUR
BOTH_WAYS = pytest.mark.parametrize("by", [BACK, FORWARD], ids=["back", "forward"])


@dataclass
class Bench:
    """
    What a step acts on, over a clock that tests move.
    """

    story: Story
    store: StoreWorker
    clock: FixedClock
    sender: FakeSender = field(default_factory=FakeSender)
    settled: list[Evaluated] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [each.name for each in entries_of(self.story.plan)]
        self.checkers = {name: FakeChecker() for name in names}
        live = Live(snapshot_of(self.story.plan, self.checkers))
        self.runner = CheckRunner(self.store, live, self.clock, self.settled.extend)
        self.delivery = self.make_delivery("run")

    def make_delivery(self, owner: str, retry_for: timedelta = DAY) -> Delivery:
        return delivery_of(
            self.store,
            self.story.plan,
            self.sender,
            self.clock,
            owner=owner,
            retry_for=retry_for,
        )

    async def step(self, by: timedelta) -> None:
        """
        Step the clock, and do what the daemon does then.
        """
        self.clock.advance(by)
        await sweep.follow_step(self.store, self.story.plan, self.delivery, by)

    def bear(self, name: str = "one") -> int:
        alert = AlertDue.of(AlertKind.ERROR, reason="timeout")
        number = self.story.record(name).id
        with self.story.database.write() as tx:
            return alerts.add_alert(tx, alert, [number], ["ops"], self.clock())

    def notification(self):
        """
        State, next attempt, end of the claim, and since when the only one is due.
        """
        names = ("state", "next_attempt_at", "claimed_until", "due_since")
        with self.story.database.read() as tx:
            return tx.execute(select(*(notifications.c[name] for name in names))).one()

    def next_check_at(self, name: str = "one") -> datetime | None:
        return self.story.record(name).next_check_at


@pytest.fixture
async def bench(database, monkeypatch):
    clock = FixedClock(NOON)
    monkeypatch.setattr(sweep, "utc_now", clock)
    store = StoreWorker(database)
    bench = Bench(Story.begin(database, plan_of(entry("one"), entry("two"))), store, clock)
    yield bench
    bench.sender.let_go.set()
    await bench.runner.stop(timedelta())
    await bench.delivery.drain(SECOND)
    store.close()


# Checks.


@BOTH_WAYS
async def test_checks_go_on_after_a_step(bench, by):
    await bench.runner.start_due(2 * SECOND)
    await until(lambda: len(bench.runner._unwritten) == 2)
    await bench.runner.write_batch()
    assert bench.next_check_at() == NOON + EVERY
    await bench.step(by)
    assert NOON + by <= bench.next_check_at() <= NOON + by + SECOND
    await bench.runner.start_due(2 * SECOND)
    await until(lambda: len(bench.runner._unwritten) == 2)
    await bench.runner.write_batch()
    assert bench.next_check_at() > bench.clock()
    assert bench.next_check_at() <= bench.clock() + EVERY
    assert [len(checker.started_at) for checker in bench.checkers.values()] == [2, 2]


async def test_a_check_that_was_under_way_takes_its_rhythm_from_the_new_time(bench):
    bench.checkers["one"].let_go.clear()
    await bench.runner.start_due(2 * SECOND)
    await until(lambda: bench.checkers["one"].n_running)
    await bench.step(BACK)
    bench.checkers["one"].let_go.set()
    await until(lambda: len(bench.runner._unwritten) == 2)
    await bench.runner.write_batch()
    one = bench.story.record("one")
    assert one.standing.checked_at == bench.clock()
    assert bench.clock() < one.next_check_at <= bench.clock() + EVERY


async def test_a_result_not_yet_written_is_not_kept_as_of_the_future(bench):
    await bench.runner.start_due(2 * SECOND)
    await until(lambda: len(bench.runner._unwritten) == 2)
    await bench.step(BACK)
    await bench.runner.write_batch()
    one = bench.story.record("one")
    assert one.standing.checked_at == bench.clock()
    assert bench.clock() < one.next_check_at <= bench.clock() + EVERY


async def test_a_check_about_to_start_is_not_put_off_by_the_length_of_the_step(bench):
    """
    The clock is set back between the claim and the start.
    """
    read = bench.store.read

    async def read_and_step(work):
        found = await read(work)
        bench.clock.advance(BACK)
        return found

    bench.store.read = read_and_step
    await bench.runner.start_due(SECOND / 10)
    await until(lambda: bench.checkers["one"].started_at)


# Notifications.


@BOTH_WAYS
@pytest.mark.parametrize("owner", ["check", "run"])
async def test_what_is_being_sent_is_not_sent_again(bench, by, owner):
    """
    Neither by the daemon nor by a command that sends as well.
    """
    bench.bear()
    bench.sender.hanging.add("ops")
    await bench.delivery.run_once()
    await until(lambda: bench.sender.keys_begun)
    await bench.step(by)
    other = bench.delivery if owner == "run" else bench.make_delivery(owner)
    await other.run_once()
    if owner == "check":
        assert (await other.deliver_due()).sent == 0
    bench.sender.let_go.set()
    await until(lambda: bench.notification()[0] == "sent")
    await bench.delivery.deliver_due()
    assert bench.sender.keys_begun == ["1"]


@BOTH_WAYS
async def test_what_a_dead_process_had_claimed_is_free_when_its_lease_is_over(bench, by):
    bench.bear()
    with bench.story.database.write() as tx:
        outbox.claim_next(tx, "ops", bench.clock(), LEASE, "dead")
    await bench.step(by)
    assert (await bench.delivery.deliver_due()).sent == 0
    bench.clock.advance(LEASE)
    assert (await bench.delivery.deliver_due()).sent == 1


async def test_a_claim_that_was_over_before_the_step_stays_so(bench):
    bench.bear()
    with bench.story.database.write() as tx:
        outbox.claim_next(tx, "ops", bench.clock(), LEASE, "dead")
    bench.clock.advance(DAY)
    await bench.step(FORWARD)
    assert (await bench.delivery.deliver_due()).sent == 1


WAITS = {
    "a usual wait": (MINUTE, -30 * SECOND, MINUTE + 30 * SECOND),
    "the clock is set back": (MINUTE, BACK, MINUTE),
    "the clock is set forward": (MINUTE, FORWARD, MINUTE - FORWARD),
    "asked to wait, then back": (2 * HOUR, BACK, 2 * HOUR),
    "asked to wait, then a bit forward": (2 * HOUR, MINUTE, 2 * HOUR - MINUTE),
}


@pytest.mark.parametrize(("wait", "by", "expected"), WAITS.values(), ids=WAITS)
async def test_a_failed_one_waits_as_long_as_was_meant(bench, wait, by, expected):
    bench.bear()
    bench.sender.failures["ops"] = AlertError("busy", retry_after=wait)
    assert (await bench.delivery.deliver_due()).failed == 1
    assert bench.notification()[1] == NOON + wait
    await bench.step(by)
    state, next_attempt_at, claimed_until, _ = bench.notification()
    assert (state, next_attempt_at, claimed_until) == ("due", bench.clock() + expected, None)


async def test_nothing_waits_longer_than_the_longest_delay_because_of_a_step(bench):
    bench.bear()
    bench.sender.failures["ops"] = AlertError("unreachable")
    await bench.delivery.deliver_due()
    await bench.step(-365 * DAY)
    assert bench.notification()[1] <= bench.clock() + LONGEST_DELAY
    bench.sender.failures.clear()
    bench.clock.advance(LONGEST_DELAY)
    assert (await bench.delivery.deliver_due()).sent == 1


async def test_the_time_of_a_suspended_machine_does_not_use_up_the_retries(bench):
    bench.bear()
    bench.sender.failures["ops"] = AlertError("unreachable")
    await bench.delivery.deliver_due()
    await bench.step(3 * DAY)
    report = await bench.delivery.deliver_due()
    assert (report.failed, report.dead) == (1, 0)


async def test_what_was_born_on_a_clock_far_ahead_is_not_retried_until_then(bench):
    bench.bear()
    await bench.step(-365 * DAY)
    assert bench.notification()[3] == bench.clock()
    bench.sender.failures["ops"] = AlertError("unreachable")
    await bench.delivery.deliver_due()
    bench.clock.advance(2 * DAY)
    assert (await bench.delivery.deliver_due()).dead == 1


async def test_no_reminder_waits_for_a_clock_that_was_set_back(bench):
    alert_id = bench.bear()
    with bench.story.database.write() as tx:
        reminders.add_reminder(tx, [(alert_id, NOON + DAY)])
    await bench.step(-100 * DAY)
    with bench.story.database.read() as tx:
        assert reminders.is_any_reminder_due(tx, bench.clock() + DAY)


async def test_no_summary_counts_as_made_on_a_day_that_is_yet_to_come(bench):
    with bench.story.database.write() as tx:
        reminders.note_digest(tx, "news", NOON)
    await bench.step(BACK)
    with bench.story.database.read() as tx:
        assert reminders.list_digest_times(tx) == {"news": bench.clock()}


async def test_what_a_silence_held_goes_when_the_clock_is_set_back_before_it(bench):
    bench.bear()
    with bench.story.database.write() as tx:
        suppression.add_silence(tx, Scope.ALL, None, "", NOON, NOON + HOUR)
        suppress_unsent(tx, bench.story.plan, NOON)
    assert bench.notification().state == "held"
    await bench.step(BACK)
    assert bench.notification().state == "due"


async def test_a_locked_database_is_reported_and_changes_nothing(bench, monkeypatch):
    async def fail(_work):
        raise StoreError("database is locked")

    before = bench.next_check_at()
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "write", fail)
        with pytest.raises(StoreError):
            await bench.step(BACK)
    assert bench.next_check_at() == before
    await bench.step(timedelta())
    assert bench.next_check_at() == bench.clock()


# Clocks of authorizations.

BEGAN_AT = datetime(2025, 12, 3, tzinfo=UTC)
END = BEGAN_AT + 365 * DAY


JUMPS = {
    "back, an hour after each step": (BACK, -HOUR),
    "forward over each step": (FORWARD, HOUR),
}


@pytest.mark.parametrize(("by", "before"), JUMPS.values(), ids=JUMPS)
def test_each_step_is_told_once_whichever_way_the_clock_jumps(database, by, before):
    story = Story.begin(database, plan_of(entry("one"), authorized_at=BEGAN_AT), BEGAN_AT)
    steps = (30, 14, 7, 3, 1)
    jumps_at = {END - step * DAY - before for step in steps}
    now = END - 31 * DAY
    while now < END:
        story.sweep(now)
        if now in jumps_at:
            jumps_at.remove(now)
            now += by
        else:
            now += HOUR
    assert jumps_at == set()
    assert tuple(alert.facts["step"] for alert in story.alerts()) == steps


# The parts together, and the whole daemon, on a clock of the process that is stepped.


@BOTH_WAYS
async def test_a_running_watch_goes_on_at_once(bench, monkeypatch, by):
    monkeypatch.setattr(runner_engine, "COLLECT_FOR_S", 0.02)
    stepped = SteppedClock(monkeypatch)
    monkeypatch.setattr(sweep, "utc_now", stepped.utc_now)
    bench.runner._clock = stepped.utc_now
    started = bench.checkers["one"].started_at
    with bench.story.database.write() as tx:
        tx.execute(update(schema.connections).values(next_check_at=stepped.utc_now()))

    async def follow(step: timedelta) -> None:
        await sweep.follow_step(bench.store, bench.story.plan, bench.delivery, step)

    runner = Scheduler(follow)
    writer = asyncio.create_task(bench.runner.write_results())
    runner.start([Job("check_due", SECOND / 10, lambda: bench.runner.start_due(SECOND / 5))])
    await until(lambda: len(bench.settled) == 2)
    stepped.step(by)
    await until(lambda: len(bench.settled) == 4)
    runner.stop()
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    assert len(started) == 2
    ahead = bench.next_check_at() - stepped.utc_now()
    assert EVERY - 10 * SECOND < ahead <= EVERY


CONFIG = """
[monitor]
database = "sqlite:///{database}"

[web]
listen = ""

[[connections]]
name = "one"
provider = "soldscope"
base_url = "{url}"
token = "any"
every = "1h"
"""


@pytest.fixture
async def config(tmp_path):
    """
    The file of a daemon that watches one connection of a simulator.
    """
    simulator = await start_simulator()
    path = tmp_path / "config.toml"
    database = tmp_path / "connwatch.db"
    path.write_text(CONFIG.format(url=simulator.soldscope_url, database=database))
    path.chmod(0o600)
    yield load_config(path)
    await simulator.stop()


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Database]:
    stop = asyncio.Event()
    daemon = asyncio.create_task(App(config, WebDashboard).run(stop))
    database = Database(config.monitor.database)
    try:
        yield database
    finally:
        stop.set()
        await daemon
        database.close()


@BOTH_WAYS
async def test_the_daemon_checks_on_whichever_way_the_clock_jumps(config, monkeypatch, by):
    clock = SteppedClock(monkeypatch)
    with capture_logs() as logs:
        async with running(config) as database:
            await until(lambda: any(each["event"] == "daemon.started" for each in logs))
            await until(lambda: count_checks(database) == 1)
            clock.step(by)
            await until(lambda: count_checks(database) == 2)
            clock.step(-by)
            await until(lambda: count_checks(database) == 3)
    stepped = [round(each["seconds"]) for each in logs if each["event"] == "clock.stepped"]
    assert stepped == [by.total_seconds(), -by.total_seconds()]
    assert [each for each in logs if each["log_level"] == "error"] == []


def count_checks(database: Database) -> int:
    with database.read() as tx:
        return len(tx.execute(select(schema.checks.c.connection_id)).all())
