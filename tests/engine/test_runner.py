from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from monitor.clock import utc_now
from monitor.config.model import CheckSettings, Config
from monitor.engine import runner as watching
from monitor.engine.connectivity import ConnectivityCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.live import Live
from monitor.engine.runner import CheckRunner
from monitor.engine.shortage import FEW
from monitor.judge.outcome import Outcome, Reason, State
from monitor.judge.shortage import Shortage
from monitor.store import connections, engine, schema
from monitor.store.engine import StoreWorker
from monitor.store.schedule import claim_due, put_off
from tests.builders import EVERY, OK, REFUSED, UNREACHED, Story, entry, plan_of, snapshot_of
from tests.fakes import FakeChecker
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from monitor.engine.evaluate import Evaluated
    from monitor.engine.live import Snapshot
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
AHEAD = 2 * SECOND
OFTEN = timedelta(milliseconds=250)


class Bench:
    """
    A watch over connections that are due now, with everything that it works with.
    """

    def __init__(
        self,
        database: Database,
        *names: str,
        every: timedelta = EVERY,
        concurrency: int = 200,
    ) -> None:
        self.begun_at = utc_now()
        self.story = Story.begin(
            database, plan_of(*(entry(name, every=every) for name in names)), self.begun_at
        )
        self.put_off(self.begun_at, *names)
        self.checkers = {name: FakeChecker() for name in names}
        self.store = StoreWorker(database)
        self.settled: list[Evaluated] = []
        self.live = Live(self.snapshot(concurrency))
        self.runner = CheckRunner(self.store, self.live, utc_now, self.settled.extend)

    def snapshot(
        self, concurrency: int = 200, connectivity: ConnectivityCheck | None = None
    ) -> Snapshot:
        """
        What `checkers` and the plan are by now.
        """
        config = Config(checks=CheckSettings(concurrency=concurrency))
        return snapshot_of(self.story.plan, self.checkers, config, connectivity)

    def put_off(self, until_instant: datetime, *names: str) -> None:
        table = schema.connections
        with self.story.database.write() as tx:
            tx.execute(
                update(table).where(table.c.name.in_(names)).values(next_check_at=until_instant)
            )

    async def start_due(self) -> None:
        await self.runner.start_due(AHEAD)

    def reload(self, *void: str, concurrency: int = 200) -> None:
        """
        Go on with what `checkers` and the plan are by now.
        """
        former, self.live.now = self.live.now, self.snapshot(concurrency)
        self.runner.follow_reload(former, void)

    async def tick(self) -> None:
        while True:
            await self.start_due()
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """
        Tick and write as the daemon does.
        """
        tasks = [
            asyncio.create_task(self.tick()),
            asyncio.create_task(self.runner.write_results()),
        ]
        try:
            yield
        finally:
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert ended == [], "the daemon's loops never end by themselves"

    def n_checks(self) -> int:
        """
        How many checks are in the database.
        """
        with self.story.database.read() as tx:
            count: int = tx.execute(select(func.count()).select_from(schema.checks)).scalar_one()
            return count

    def state_of(self, name: str) -> State:
        return self.story.record(name).standing.state

    def n_started(self, name: str) -> int:
        return len(self.checkers[name].started_at)


@pytest.fixture
async def make_bench(open_database, monkeypatch):
    monkeypatch.setattr(watching, "COLLECT_FOR_S", 0.02)
    monkeypatch.setattr(watching, "RETRY_WRITE_AFTER_S", 0.02)
    benches: list[Bench] = []

    def make(*names: str, every: timedelta = EVERY, concurrency: int = 200) -> Bench:
        benches.append(Bench(open_database(), *names, every=every, concurrency=concurrency))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.runner.stop(timedelta())
        bench.store.close()


async def test_a_check_starts_at_its_instant(make_bench):
    bench = make_bench("a", "b", "c")
    slots = {
        name: bench.begun_at + number * timedelta(milliseconds=250)
        for number, name in enumerate("abc", 1)
    }
    for name, slot in slots.items():
        bench.put_off(slot, name)
    await bench.start_due()
    assert [bench.n_started(name) for name in "abc"] == [0, 0, 0]
    await until(lambda: all(bench.n_started(name) for name in "abc"))
    late = {name: bench.checkers[name].started_at[0] - slot for name, slot in slots.items()}
    assert min(late.values()) >= timedelta()
    assert max(late.values()) < SECOND / 2


async def test_what_is_not_due_yet_is_left_alone(make_bench):
    bench = make_bench("a", "b")
    bench.put_off(utc_now() + 10 * SECOND, "b")
    await bench.start_due()
    await until(lambda: bench.n_started("a"))
    assert bench.n_started("b") == 0


async def test_a_result_is_stored_and_told(make_bench):
    bench = make_bench("a", "b")
    bench.checkers["b"].results = [REFUSED]
    await bench.start_due()
    await until(lambda: len(bench.runner._unwritten) == 2)
    assert await bench.runner.write_batch()
    assert (bench.state_of("a"), bench.state_of("b")) == (State.ACTIVE, State.ERROR)
    assert sorted(one.record.name for one in bench.settled) == ["a", "b"]
    assert bench.n_checks() == 2


async def test_writing_nothing_is_fine(make_bench):
    bench = make_bench("a")
    assert await bench.runner.write_batch()
    assert bench.settled == []


async def test_no_tick_waits_for_a_check(make_bench):
    bench = make_bench("stuck")
    bench.checkers["stuck"] = FakeChecker(is_hanging=True)
    bench.runner._checkers = bench.checkers
    async with asyncio.timeout(PATIENCE_S):
        await bench.start_due()
        await until(lambda: bench.n_started("stuck"))
        for _ in range(5):
            await bench.start_due()
    assert bench.n_started("stuck") == 1


async def test_a_check_that_hangs_costs_nobody_else_a_turn(make_bench):
    bench = make_bench("stuck", "busy", every=OFTEN)
    bench.checkers["stuck"].let_go.clear()
    async with bench.running():
        await until(lambda: bench.n_started("busy") >= 5)
    late = [(at - bench.begun_at) % OFTEN for at in bench.checkers["busy"].started_at]
    assert max(late) < OFTEN
    # Under way all the time, and never claimed again.
    assert bench.n_started("stuck") == 1


async def test_a_check_is_not_claimed_again_before_its_result_is_written(make_bench):
    bench = make_bench("a")
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    await bench.start_due()
    assert bench.n_started("a") == 1
    await bench.runner.write_batch()
    bench.put_off(utc_now(), "a")
    await bench.start_due()
    await until(lambda: bench.n_started("a") == 2)


async def test_the_rhythm_does_not_drift_when_answers_are_slow(make_bench):
    every = 3 * OFTEN  # longer than the grid on which checks start, and an answer
    bench = make_bench("slow", every=every)
    first = bench.begun_at

    async def take_a_while() -> Outcome:
        bench.checkers["slow"].started_at.append(utc_now())
        await asyncio.sleep(0.1)
        return OK

    bench.checkers["slow"].check = take_a_while
    async with bench.running():
        await until(lambda: bench.n_checks() >= 5)
    due = bench.story.record("slow").next_check_at
    assert (due - first) % every == timedelta()
    starts = bench.checkers["slow"].started_at
    # Each in a slot of its own, and no slot left out.
    slots = [(at - first) // every for at in starts]
    assert slots[:5] == [0, 1, 2, 3, 4]


async def test_only_so_many_talk_at_the_same_time(make_bench):
    names = [f"c{number}" for number in range(6)]
    bench = make_bench(*names, concurrency=2)
    shared = FakeChecker(is_hanging=True)
    for name in names:
        bench.checkers[name] = shared
    await bench.start_due()
    await until(lambda: len(shared.started_at) == 2)
    await bench.start_due()
    shared.let_go.set()
    await until(lambda: len(bench.runner._unwritten) == 6)
    assert shared.most_running == 2


async def test_a_tick_starts_only_so_many_and_the_next_goes_on(make_bench, monkeypatch):
    monkeypatch.setattr(watching, "CLAIM_AT_MOST", 2)
    names = [f"c{number}" for number in range(5)]
    bench = make_bench(*names)
    n_started = []
    for _ in range(3):
        await bench.start_due()
        await until(lambda: sum(map(bench.n_started, names)) == len(bench.runner._under_way))
        n_started.append(sum(map(bench.n_started, names)))
    assert n_started == [2, 4, 5]


async def test_what_this_daemon_cannot_check_holds_up_nobody(make_bench, monkeypatch):
    """
    A command that ran with a newer file put connections in that are always due.
    """
    monkeypatch.setattr(watching, "CLAIM_AT_MOST", 2)
    bench = make_bench("known")
    newer = [entry("known"), *(entry(f"new{number}") for number in range(9))]
    with bench.story.database.write() as tx:
        connections.sync(tx, newer, bench.begun_at - SECOND)
    for _ in range(9):
        await bench.start_due()
    await until(lambda: bench.n_started("known"))


async def test_a_checker_that_raises_is_an_inconclusive_result(make_bench):
    bench = make_bench("broken", "fine")
    bench.checkers["broken"].results = [ZeroDivisionError("hunter2")]
    with capture_logs() as logs:
        async with bench.running():
            await until(lambda: bench.n_checks() == 2)
    one = bench.story.record("broken").standing
    assert (one.state, one.last_reason, one.failures) == (
        State.PENDING,
        Reason.UNEXPECTED_RESPONSE,
        1,
    )
    assert bench.state_of("fine") is State.ACTIVE
    [fault] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (fault["event"], fault["connection"]) == ("check.fault", "broken")
    assert isinstance(fault["exc_info"], ZeroDivisionError)
    with bench.story.database.read() as tx:
        details = list(tx.execute(select(schema.checks.c.detail)).scalars())
    assert any(detail and "ZeroDivisionError" in detail for detail in details)
    assert "hunter2" not in str(details)


async def test_a_checker_that_raises_again_and_again_becomes_an_error(make_bench):
    bench = make_bench("broken", every=OFTEN)
    bench.checkers["broken"].results = [ZeroDivisionError()]
    async with bench.running():
        await until(lambda: bench.state_of("broken") is State.ERROR)
    assert bench.story.kinds()[0] == ("error", ("broken",))


HOSTILE = {
    "half a letter": (Outcome(Reason.OK, account="half \ud800 a letter"), "half a letter"),
    "NUL": (Outcome(Reason.OK, account="A\0cme"), "A cme"),
    "turned around": (Outcome(Reason.OK, account="\u202eAcme\u2066"), "Acme"),
    "lines": (Outcome(Reason.OK, account="Acme\r\nLtd\x1b[31m"), "Acme Ltd [31m"),
    "too long": (Outcome(Reason.OK, account="x" * 10_000), "x" * 499 + "…"),
    "no time": (Outcome(Reason.OK, latency_ms=float("nan"), account="Acme"), "Acme"),
    "more than any time": (Outcome(Reason.OK, latency_ms=1e300, account="Acme"), "Acme"),
}


@pytest.mark.parametrize(("outcome", "account"), HOSTILE.values(), ids=HOSTILE)
async def test_what_a_database_would_refuse_is_cleaned_where_it_comes_in(
    make_bench, outcome, account
):
    bench = make_bench("a")
    bench.checkers["a"].results = [outcome]
    with capture_logs() as logs:
        async with bench.running():
            await until(lambda: bench.state_of("a") is State.ACTIVE)
    assert bench.story.record("a").account == account
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []


async def test_a_result_that_breaks_a_fault_of_ours_takes_no_other_with_it(make_bench, monkeypatch):
    bench = make_bench("a", "b")

    def evaluate_with_a_fault(tx, batch, plan, uplink):
        for one in batch:
            if one.connection_id == bench.story.record("b").id and one.outcome.reason is Reason.OK:
                raise RuntimeError("nobody expected this")
        return evaluate(tx, batch, plan, uplink)

    monkeypatch.setattr(watching, "evaluate", evaluate_with_a_fault)
    with capture_logs() as logs:
        async with bench.running():
            await until(lambda: bench.n_checks() == 2)
    assert bench.state_of("a") is State.ACTIVE
    assert bench.story.record("b").standing.last_reason is Reason.UNEXPECTED_RESPONSE
    assert "result.fault" in {entry["event"] for entry in logs}


RULES = {
    "checks": "BEFORE INSERT ON checks WHEN NEW.connection_id = {id}",
    "connections": "BEFORE UPDATE OF checked_at ON connections WHEN NEW.id = {id}",
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
async def test_a_result_that_the_database_refuses_is_dropped_alone(make_bench, rule):
    names = [f"c{number}" for number in range(7)]
    bench = make_bench(*names)
    number = bench.story.record("c4").id
    with bench.story.database.write() as tx:
        tx.exec_driver_sql(
            f"CREATE TRIGGER refuse {rule.format(id=number)}"
            " BEGIN SELECT RAISE(ABORT, 'this row is refused'); END"
        )
    with capture_logs() as logs:
        async with bench.running():
            await until(lambda: bench.n_checks() == 6)
            await until(lambda: bench.story.record("c4").next_check_at > utc_now() + EVERY / 2)
    assert {bench.state_of(name) for name in names if name != "c4"} == {State.ACTIVE}
    assert bench.state_of("c4") is State.PENDING
    told = [entry for entry in logs if entry["log_level"] in {"warning", "error"}]
    assert [(entry["event"], entry["connection_id"]) for entry in told] == [
        ("result.refused", number)
    ]
    assert "this row is refused" in told[0]["error"]


async def test_a_refused_result_is_not_checked_less_because_the_database_was_locked(
    make_bench, monkeypatch
):
    bench = make_bench("a")
    with bench.story.database.write() as tx:
        tx.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON checks BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    n_tried = 0

    def put_off_once_unlocked(*arguments):
        nonlocal n_tried
        n_tried += 1
        if n_tried == 1:
            raise engine.StoreError("database is locked")
        put_off(*arguments)

    monkeypatch.setattr(watching, "put_off", put_off_once_unlocked)
    async with bench.running():
        await until(lambda: bench.story.record("a").next_check_at > utc_now() + EVERY / 2)
        await until(lambda: not bench.runner._under_way)
    assert n_tried == 2


# The database stays locked for a while.


async def lose_nothing_while_locked(bench: Bench, other: Database, n_refusals: int) -> None:
    names = list(bench.checkers)
    with capture_logs() as logs:
        async with bench.running():
            with other.write():
                await until(
                    lambda: (
                        len([e for e in logs if e["event"] == "results.not_written"]) >= n_refusals
                    ),
                )
                assert bench.n_checks() == 0
            await until(lambda: len(bench.settled) == len(names))
    assert bench.n_checks() == len(names)
    assert [bench.n_started(name) for name in names] == [1] * len(names)
    assert {bench.state_of(name) for name in names} == {State.ACTIVE}
    warnings = {e["error"] for e in logs if e["event"] == "results.not_written"}
    assert len(warnings) == 1
    assert "database is locked" in warnings.pop()


async def test_a_locked_database_loses_no_result(make_bench, open_database, monkeypatch):
    bench = make_bench("a", "b", "c")
    bench.story.database.close()
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    await lose_nothing_while_locked(bench, open_database(), n_refusals=3)


@pytest.mark.slow
async def test_a_database_locked_for_longer_than_we_wait_loses_no_result(make_bench, open_database):
    bench = make_bench("a", "b", "c")
    await lose_nothing_while_locked(bench, open_database(), n_refusals=1)


async def test_results_that_come_while_others_wait_are_written_with_them(
    make_bench, open_database, monkeypatch
):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0)
    bench = make_bench("early", "late")
    bench.checkers["late"].let_go.clear()
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    with open_database().write():
        assert not await bench.runner.write_batch()
        bench.checkers["late"].let_go.set()
        await until(lambda: len(bench.runner._unwritten) == 2)
    assert await bench.runner.write_batch()
    assert [one.record.name for one in bench.settled] == ["early", "late"]


async def test_a_connection_paused_meanwhile_is_checked_again_after_resuming(make_bench):
    bench = make_bench("a")
    bench.checkers["a"].let_go.clear()
    async with bench.running():
        await until(lambda: bench.n_started("a"))
        record = bench.story.record("a")
        with bench.story.database.write() as tx:
            connections.pause(tx, record.id)
        bench.checkers["a"].let_go.set()
        await until(lambda: not bench.runner._under_way)
        assert bench.n_checks() == 0
        with bench.story.database.write() as tx:
            connections.resume(tx, record, utc_now())
        await until(lambda: bench.n_checks() == 1)
    assert bench.n_started("a") == 2


# Resources of our own are short.


async def test_after_a_shortage_few_checks_start_whatever_is_under_way(make_bench):
    names = [f"c{number:02}" for number in range(3 * FEW)]
    bench = make_bench(*names)
    busy = names[:FEW]
    for name in busy:
        bench.checkers[name].let_go.clear()
        bench.put_off(bench.begun_at - SECOND, name)
    for name in names[FEW:]:
        bench.put_off(bench.begun_at + timedelta(hours=1), name)
    await bench.start_due()
    await until(lambda: all(bench.n_started(name) for name in busy))
    bench.put_off(bench.begun_at, *names[FEW:])
    bench.runner.shortage.note_waiting(0, Shortage.DESCRIPTORS)
    await bench.start_due()
    await until(lambda: sum(bench.n_started(name) for name in names) == 2 * FEW)
    for name in busy:
        bench.checkers[name].let_go.set()


# Other settings.


async def test_a_check_under_way_counts_after_a_reload(make_bench):
    bench = make_bench("a")
    former = bench.checkers["a"]
    former.let_go.clear()
    await bench.start_due()
    await until(lambda: former.started_at)
    bench.checkers = {"a": FakeChecker()}
    bench.reload()
    former.let_go.set()
    await until(lambda: bench.runner._unwritten)
    await bench.runner.write_batch()
    assert bench.state_of("a") is State.ACTIVE
    assert bench.n_started("a") == 0


async def test_a_check_that_asked_by_settings_of_the_past_is_made_anew(make_bench):
    bench = make_bench("a")
    former = bench.checkers["a"] = FakeChecker(REFUSED, is_hanging=True)
    bench.reload()
    await bench.start_due()
    await until(lambda: former.started_at)
    bench.checkers = {"a": FakeChecker()}
    bench.reload("a")
    former.let_go.set()
    await until(lambda: not bench.runner._under_way)
    assert bench.runner._unwritten == []
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    await bench.runner.write_batch()
    assert (bench.n_started("a"), bench.state_of("a")) == (1, State.ACTIVE)
    assert bench.n_checks() == 1


async def test_a_result_that_was_there_before_the_reload_is_kept(make_bench):
    bench = make_bench("a")
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    bench.checkers = {"a": FakeChecker(REFUSED)}
    bench.reload("a")
    await bench.runner.write_batch()
    assert (bench.n_checks(), bench.state_of("a")) == (1, State.ACTIVE)


async def test_what_waits_for_its_turn_is_made_by_the_new_settings(make_bench):
    bench = make_bench("a", "b", concurrency=1)
    former = dict(bench.checkers)
    for checker in former.values():
        checker.let_go.clear()
    await bench.start_due()
    await until(lambda: any(checker.started_at for checker in former.values()))
    [waiting] = [name for name, checker in former.items() if not checker.started_at]
    bench.checkers = {name: FakeChecker() for name in "ab"}
    bench.reload(waiting, concurrency=2)
    await asyncio.sleep(0)
    await bench.start_due()
    await until(lambda: bench.n_started(waiting) == 1)
    for checker in former.values():
        checker.let_go.set()
    await until(lambda: len(bench.runner._unwritten) == 2)
    assert former[waiting].started_at == []


async def test_a_check_of_what_is_gone_ends_without_a_word(make_bench):
    bench = make_bench("gone", "here")
    checkers = bench.checkers
    checkers["gone"].let_go.clear()
    bench.put_off(utc_now() + SECOND, "here")
    await bench.start_due()
    await until(lambda: checkers["gone"].started_at)
    bench.checkers = {"here": FakeChecker()}
    bench.reload("gone")
    checkers["gone"].let_go.set()
    await until(lambda: bench.n_started("here"))
    await bench.runner.write_batch()
    with capture_logs() as logs:
        await until(lambda: set(bench.runner._under_way) <= {bench.story.record("here").id})
    assert logs == []
    assert bench.state_of("gone") is State.PENDING


async def test_a_fault_of_a_check_by_settings_of_the_past_is_still_told(make_bench):
    bench = make_bench("a")
    former = bench.checkers["a"] = FakeChecker(RuntimeError("nobody expected this"))
    former.let_go.clear()
    bench.reload()
    await bench.start_due()
    await until(lambda: former.started_at)
    bench.reload("a")
    with capture_logs() as logs:
        former.let_go.set()
        await until(lambda: logs)
    assert [each["event"] for each in logs] == ["check.fault"]


# The end.


async def test_stopping_waits_for_running_checks_and_writes_them(make_bench):
    bench = make_bench("a", "b")
    for checker in bench.checkers.values():
        checker.let_go.clear()
    await bench.start_due()
    await until(lambda: all(map(bench.n_started, "ab")))
    stopping = asyncio.create_task(bench.runner.stop(10 * SECOND))
    await asyncio.sleep(0)
    assert not stopping.done()
    for checker in bench.checkers.values():
        checker.let_go.set()
    assert await stopping == (2, 0)
    assert bench.n_checks() == 2


async def test_stopping_lets_go_of_what_takes_too_long(make_bench):
    bench = make_bench("stuck", "fine")
    bench.checkers["stuck"].let_go.clear()
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    async with asyncio.timeout(PATIENCE_S):
        assert await bench.runner.stop(SECOND / 10) == (0, 1)
    assert bench.checkers["stuck"].n_running == 0
    assert (bench.state_of("stuck"), bench.state_of("fine")) == (State.PENDING, State.ACTIVE)
    # It is due again at the next start.
    assert bench.story.record("stuck").next_check_at == bench.begun_at


async def test_stopping_twice_is_fine(make_bench):
    bench = make_bench("a")
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    for _ in range(2):
        assert await bench.runner.stop(SECOND) == (0, 0)
        assert bench.n_checks() == 1


async def test_a_stop_keeps_to_its_time_while_the_database_is_locked(
    make_bench, open_database, monkeypatch
):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0)
    bench = make_bench("a")
    await bench.start_due()
    await until(lambda: bench.runner._unwritten)
    with open_database().write():
        async with asyncio.timeout(5):
            assert await bench.runner.stop(SECOND) == (0, 0)
    assert bench.story.record("a").next_check_at == bench.begun_at


async def test_nothing_starts_after_the_stop(make_bench):
    bench = make_bench("a")
    await bench.runner.stop(timedelta())
    await bench.start_due()
    assert bench.runner._under_way == {}


async def test_a_tick_that_was_reading_when_it_stopped_starts_nothing(make_bench):
    bench = make_bench("a")
    may_go_on = threading.Event()
    blocking = asyncio.create_task(bench.store.read(lambda _: may_go_on.wait(timeout=PATIENCE_S)))
    await asyncio.sleep(0)
    tick = asyncio.create_task(bench.start_due())
    await asyncio.sleep(0)
    await bench.runner.stop(timedelta())
    may_go_on.set()
    await asyncio.gather(blocking, tick)
    assert bench.runner._under_way == {}
    assert bench.n_started("a") == 0


async def test_what_waits_for_its_instant_is_not_begun_after_the_stop(make_bench):
    bench = make_bench("running", "waiting")
    bench.checkers["running"].let_go.clear()
    bench.put_off(utc_now() + SECOND / 2, "waiting")
    await bench.start_due()
    await until(lambda: bench.n_started("running"))
    stopping = asyncio.create_task(bench.runner.stop(10 * SECOND))
    await asyncio.sleep(0)
    bench.checkers["running"].let_go.set()
    assert await stopping == (1, 0)
    assert bench.n_started("waiting") == 0


# Our own link is in doubt.


class Pages:
    """
    The pages of `checks.uplink`; they answer when they are let.
    """

    def __init__(self, *, is_up: bool) -> None:
        self.is_up = is_up
        self.n_asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self) -> bool:
        self.n_asked += 1
        await self.may_answer.wait()
        return self.is_up


def doubting(bench: Bench, pages: Pages) -> None:
    """
    Let the bench's watch ask *pages* when a check is not answered.
    """
    plan = replace(bench.story.plan, uplink=("https://up.example.com",))
    bench.live.now = replace(bench.snapshot(connectivity=ConnectivityCheck(pages)), plan=plan)


async def test_an_unanswered_check_waits_for_the_uplink_and_delays_no_other(make_bench):
    bench, pages = make_bench("a", "b"), Pages(is_up=False)
    bench.checkers["a"] = FakeChecker(UNREACHED)
    doubting(bench, pages)
    async with bench.running():
        await until(lambda: bench.n_checks() == 1)
        assert bench.state_of("b") is State.ACTIVE
        assert pages.n_asked == 1
        pages.may_answer.set()
        await until(lambda: bench.n_checks() == 2)
    one = bench.story.record("a").standing
    assert (one.failures, one.last_reason) == (0, Reason.TIMEOUT)


async def test_an_unanswered_check_counts_while_the_uplink_answers(make_bench):
    bench, pages = make_bench("a"), Pages(is_up=True)
    bench.checkers["a"] = FakeChecker(UNREACHED)
    doubting(bench, pages)
    pages.may_answer.set()
    async with bench.running():
        await until(lambda: bench.n_checks() == 1)
    assert bench.story.record("a").standing.failures == 1


async def test_what_former_pages_said_of_the_link_counts_for_nothing_after_a_reload(make_bench):
    bench, pages = make_bench("a"), Pages(is_up=False)
    bench.checkers["a"] = FakeChecker(UNREACHED)
    doubting(bench, pages)
    async with bench.running():
        await until(lambda: pages.n_asked == 1)
        bench.reload()
        pages.may_answer.set()
        await until(lambda: bench.n_checks() == 1)
    assert bench.story.record("a").standing.failures == 1


async def test_answered_checks_ask_nobody(make_bench):
    bench, pages = make_bench("a", "b"), Pages(is_up=True)
    bench.checkers["b"] = FakeChecker(REFUSED)
    doubting(bench, pages)
    async with bench.running():
        await until(lambda: bench.n_checks() == 2)
    assert pages.n_asked == 0


async def test_many_unanswered_checks_ask_once(make_bench):
    names = [f"c{number}" for number in range(20)]
    bench, pages = make_bench(*names), Pages(is_up=False)
    bench.checkers |= {name: FakeChecker(UNREACHED) for name in names}
    doubting(bench, pages)
    async with bench.running():
        await until(lambda: pages.n_asked == 1 and all(bench.n_started(name) for name in names))
        pages.may_answer.set()
        await until(lambda: bench.n_checks() == 20)
    assert pages.n_asked <= 2, "once for the first, and once for those that ended meanwhile"


async def test_results_in_doubt_are_let_go_at_a_stop_and_due_at_the_next_start(make_bench):
    bench, pages = make_bench("a"), Pages(is_up=False)
    bench.checkers["a"] = FakeChecker(UNREACHED)
    doubting(bench, pages)
    await bench.start_due()
    await until(lambda: pages.n_asked == 1)
    async with asyncio.timeout(PATIENCE_S):
        await bench.runner.stop(SECOND)
    assert bench.n_checks() == 0
    with bench.story.database.read() as tx:
        assert [one.name for one in claim_due(tx, utc_now(), 10)] == ["a"]


async def test_an_uplink_question_that_fails_loses_no_result(make_bench):
    async def fail() -> bool:
        raise RuntimeError("nobody expected this")

    bench = make_bench("a")
    bench.checkers["a"] = FakeChecker(UNREACHED)
    plan = replace(bench.story.plan, uplink=("https://up.example.com",))
    bench.live.now = replace(bench.snapshot(connectivity=ConnectivityCheck(fail)), plan=plan)
    with capture_logs() as logs:
        async with bench.running():
            await until(lambda: bench.n_checks() == 1)
    assert "uplink.fault" in {entry["event"] for entry in logs}
