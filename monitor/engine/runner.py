"""Start the checks that are due and bring their results to the store.

Decides when a check starts and when a batch is written; nothing in here waits for a check. What a
result means is left to `evaluate`.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.engine.shortage import FEW, ShortageWatch
from monitor.judge.incidents import Connectivity, has_answered, is_unanswered
from monitor.judge.outcome import Outcome, Reason
from monitor.judge.shortage import find_shortage
from monitor.providers.limits import shares_of
from monitor.store.engine import RowRefused, StoreError
from monitor.store.schedule import claim_due, put_off

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from monitor.engine.checkers import CheckerSet
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.live import Live, Snapshot
    from monitor.providers.base import Checker
    from monitor.store.engine import StoreWorker, Transaction
    from monitor.store.schedule import Due

log = structlog.get_logger()

COLLECT_FOR_S = 1.0
"""How long finished checks wait for others before they are written together."""

RETRY_WRITE_AFTER_S = 1.0
"""How soon a batch is tried again after the database refused it."""

START_GRID_S = 0.2
"""
Checks start together on a grid of this width: requests that go out together
cost a third less than one by one, and nobody sees the difference.
"""

DROPPED_AGAIN_AFTER = timedelta(minutes=5)
"""Where nothing is known of a connection whose result was refused."""

CLAIM_AT_MOST = 5000
"""How many checks one tick starts; the next tick takes the rest."""


class CheckRunner:
    """The checks under way, and the results not yet written.

    Args:
        on_evaluated: Told of each batch after it was written.
    """

    def __init__(
        self,
        store: StoreWorker,
        live: Live,
        clock: Callable[[], datetime],
        on_evaluated: Callable[[list[Evaluated]], None],
    ) -> None:
        self._store = store
        self._live = live
        self._slots = asyncio.Semaphore(shares_of(live.config).checks)
        self.shortage = ShortageWatch()
        self._clock = clock
        self._on_evaluated = on_evaluated
        # What was said of our own link, and by whom: other pages have said nothing yet.
        self._uplink = live.now.connectivity, Connectivity.UNKNOWN
        self._in_doubt: list[FinishedCheck] = []
        self._asking: asyncio.Task[None] | None = None
        self._under_way: dict[int, asyncio.Task[Outcome]] = {}
        self._begun: set[int] = set()
        self._void: set[int] = set()
        self._unknown: set[int] = set()
        self._unwritten: list[FinishedCheck] = []
        self._has_unwritten = asyncio.Event()
        self._writing = asyncio.Lock()
        self._is_stopping = False

    def follow_reload(self, former: Snapshot, void: Collection[str]) -> None:
        """Go on after the settings were replaced: what is under way is judged by the new ones.

        Args:
            former: The settings that checks under way still ask by.
            void: Connections that are gone, or ask their service otherwise now:
                what they are being told no longer counts. Those that are still
                there are asked again at the next tick.
        """
        now = self._live.now
        self.void(void)
        concurrency = now.config.checks.concurrency
        if concurrency != former.config.checks.concurrency:
            self._slots = asyncio.Semaphore(shares_of(now.config).checks)

    def void(self, names: Collection[str]) -> None:
        """Have what these connections are being told count no longer; they are asked again."""
        for number, task in self._under_way.items():
            if task.get_name() not in names:
                continue
            if number in self._begun:
                self._void.add(number)
            else:
                task.cancel()

    async def start_due(self, ahead: timedelta) -> None:
        """Claim what falls due within *ahead* and let each check start at its instant.

        Raises:
            StoreError: The database cannot be read.
        """
        now = self._clock()
        limit = CLAIM_AT_MOST + len(self._under_way) + len(self._unknown)
        calls = self._live.now.calls

        def claim(tx: Transaction) -> tuple[list[Due], Mapping[str, Checker]]:
            due = claim_due(tx, now + ahead, limit)
            return due, calls.make(tx, [each.name for each in due])

        due, checkers = await self._store.read(claim)
        if self._is_stopping:
            return
        # A command that read a newer file may have put in what only the next start
        # can check: always due, and in nobody's way.
        self._unknown = {each.id for each in due if each.name not in checkers}
        startable = [
            each for each in due if each.id not in self._under_way and each.id not in self._unknown
        ]
        for each in startable[:FEW] if self.shortage.is_fresh else startable:
            checking = self._check(each, calls, checkers[each.name], ahead)
            task = asyncio.create_task(checking, name=each.name)
            task.add_done_callback(partial(self._collect, each))
            self._under_way[each.id] = task

    async def _check(
        self, due: Due, calls: CheckerSet, checker: Checker, longest: timedelta
    ) -> Outcome:
        # No more than was looked ahead, even if the clock was set back meanwhile.
        wait = min(due.at - self._clock(), longest).total_seconds()
        if wait > 0:
            loop = asyncio.get_running_loop()
            begin_at = math.ceil((loop.time() + wait) / START_GRID_S) * START_GRID_S
            await asyncio.sleep(begin_at - loop.time())
        if due.verdict is not None:
            return due.verdict
        async with self._slots:
            while calls is not (latest := self._live.now.calls):
                # Settings were replaced while this waited for its turn.
                found = await self._find(latest, due.name)
                if found is None:
                    raise asyncio.CancelledError
                calls, checker = latest, found
            self._begun.add(due.id)
            try:
                return await checker.check()
            finally:
                self._begun.discard(due.id)

    async def _find(self, calls: CheckerSet, name: str) -> Checker | None:
        try:
            return await self._store.read(lambda tx: calls.find(tx, name))
        except StoreError:
            return None  # it stays due

    def _collect(self, due: Due, task: asyncio.Task[Outcome]) -> None:
        is_void = due.id in self._void
        self._void.discard(due.id)
        fault = None if task.cancelled() else task.exception()
        if task.cancelled() or (is_void and fault is None):
            self._under_way.pop(due.id, None)
            return
        short = None if fault is None else find_shortage(fault)
        if short is not None:
            # Nobody was asked, so that there is nothing to judge: it stays due.
            self._under_way.pop(due.id, None)
            self.shortage.note_waiting(due.id, short)
            return
        self.shortage.note_done(due.id)
        if fault is None:
            outcome = task.result()
        else:
            log.error("check.fault", connection=due.name, exc_info=fault)
            outcome = _own_fault("finish the check", fault)
        finished = FinishedCheck(due.id, due.at, self._clock(), outcome)
        uplinks = self._live.now.connectivity
        if uplinks.has_any and is_unanswered(outcome) and not self._is_stopping:
            self._doubt(finished)
            return
        if has_answered(outcome):
            uplinks.note_answer()
        self._put_in(finished)

    def _put_in(self, *finished: FinishedCheck) -> None:
        self._unwritten.extend(finished)
        self._has_unwritten.set()

    def _doubt(self, finished: FinishedCheck) -> None:
        """Keep a result apart until it is known whether our own link is to blame."""
        self._in_doubt.append(finished)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._resolve(), name="ask for our own link")
            self._asking.add_done_callback(self._give_up_asking)

    async def _resolve(self) -> None:
        # An answer speaks for the checks only that had ended when it was asked for.
        while self._in_doubt:
            resolved, self._in_doubt = self._in_doubt, []
            try:
                asked = self._live.now.connectivity
                self._uplink = asked, await asked.check()
            finally:
                # Unresolved, they are let go at a stop: they are due again at the next start.
                if not self._is_stopping:
                    self._put_in(*resolved)

    def _give_up_asking(self, asking: asyncio.Task[None]) -> None:
        if not asking.cancelled() and (fault := asking.exception()) is not None:
            log.error("uplink.fault", exc_info=fault)
            left, self._in_doubt = self._in_doubt, []
            self._put_in(*left)

    async def write_results(self) -> None:
        """Write finished checks, a batch at a time, until cancelled."""
        while True:
            await self._has_unwritten.wait()
            await asyncio.sleep(COLLECT_FOR_S)
            if not await self.write_batch():
                await asyncio.sleep(RETRY_WRITE_AFTER_S)

    async def write_batch(self) -> bool:
        """Write what has finished; tell whether nothing had to be put back."""
        async with self._writing:
            now = self._clock()
            batch, self._unwritten = [_not_after(now, each) for each in self._unwritten], []
            self._has_unwritten.clear()
            return not batch or await self._write(batch)

    def _evaluate(self, tx: Transaction, batch: list[FinishedCheck]) -> list[Evaluated]:
        """Evaluate *batch* by the settings of now, and by what their own pages said of the link."""
        now, (asked, said) = self._live.now, self._uplink
        uplink = said if asked is now.connectivity else Connectivity.UNKNOWN
        return evaluate(tx, batch, now.plan, uplink)

    async def _write(self, batch: list[FinishedCheck]) -> bool:
        work = self._store.write(lambda tx: self._evaluate(tx, batch))
        [result] = await asyncio.gather(work, return_exceptions=True)
        if _is_to_be_tried_again(result):
            self._unwritten = batch + self._unwritten
            self._has_unwritten.set()
            log.warning("results.not_written", results=len(self._unwritten), error=str(result))
            return False
        if isinstance(result, BaseException):
            return await self._write_apart(batch, result)
        for each in batch:
            self._under_way.pop(each.connection_id, None)
        self._on_evaluated(result)
        return True

    async def _write_apart(self, batch: list[FinishedCheck], fault: BaseException) -> bool:
        """Write a batch in halves: a result that cannot be stored takes no other with it."""
        if len(batch) > 1:
            middle = len(batch) // 2
            are_written = [await self._write(half) for half in (batch[:middle], batch[middle:])]
            return all(are_written)
        [each] = batch
        if isinstance(fault, RowRefused):
            return await self._drop(each, fault)
        log.error("result.fault", connection_id=each.connection_id, exc_info=fault)
        instead = replace(each, outcome=_own_fault("store the result", fault))
        # Should even that fail, it stays under way: better not checked than asked
        # again every second.
        return each.outcome == instead.outcome or await self._write([instead])

    async def _drop(self, each: FinishedCheck, refusal: RowRefused) -> bool:
        """Leave out the one result that the database refuses, and check again in due time."""
        log.warning("result.refused", connection_id=each.connection_id, error=str(refusal))
        number, task = each.connection_id, self._under_way.get(each.connection_id)
        name, plan = "" if task is None else task.get_name(), self._live.plan

        def drop(tx: Transaction) -> None:
            watched = plan.find(tx, name)
            every = DROPPED_AGAIN_AFTER if watched is None else watched.rules.every
            put_off(tx, number, self._clock() + every)

        work = self._store.write(drop)
        [result] = await asyncio.gather(work, return_exceptions=True)
        if _is_to_be_tried_again(result):
            # The database refuses the result again then, and takes this.
            self._unwritten.append(each)
            self._has_unwritten.set()
            return False
        if not isinstance(result, BaseException):
            # Otherwise it stays under way: better not checked than asked again every second.
            self._under_way.pop(number, None)
        return True

    async def stop(self, within: timedelta) -> tuple[int, int]:
        """Let running checks finish and write them; return how many did and did not.

        Those still running after *within*, and those that only waited for their
        turn, are let go: they are due again at the next start.
        """
        self._is_stopping = True
        running = [task for number, task in self._under_way.items() if number in self._begun]
        waiting = [task for task in self._under_way.values() if task not in running]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        done: set[asyncio.Task[Outcome]] = set()
        if running:
            done, late = await asyncio.wait(running, timeout=within.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self.write_batch()
        return len(done), len(running) - len(done)


def _is_to_be_tried_again(result: object) -> bool:
    """Tell whether a batch was not written for a reason that lies in none of its results."""
    if isinstance(result, StoreError):
        return not isinstance(result, RowRefused)
    return isinstance(result, Exception) and find_shortage(result) is not None


def _own_fault(what: str, fault: BaseException) -> Outcome:
    return Outcome(
        Reason.UNEXPECTED_RESPONSE,
        f"connwatch could not {what} ({type(fault).__name__}): this is a fault of connwatch, "
        "the log has the details to report",
    )


def _not_after(now: datetime, finished: FinishedCheck) -> FinishedCheck:
    """Keep what the clock said before it was set back out of history and rhythm."""
    slot = finished.scheduled_at or finished.at
    if finished.at <= now and slot <= now:
        return finished
    return replace(finished, at=min(finished.at, now), scheduled_at=min(slot, now))
