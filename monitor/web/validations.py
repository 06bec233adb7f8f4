"""Run the steps of `validate` for whoever asks, one run a connection at a time.

The check within is judged and stored like any other; a paused connection is
asked once, and nothing of that is stored. Who comes while a run is under way
watches that one: services are not asked twice because two people pressed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from monitor.alerting.suppression import find_mutings
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate, preview
from monitor.judge.connections import OWNER_FILE
from monitor.judge.shortage import OutOfResources, find_shortage
from monitor.report.advice import advise
from monitor.report.status import UNMUTED
from monitor.report.validation import CheckedConnection, validate
from monitor.store import connections
from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.live import Live
    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.outcome import Outcome
    from monitor.report.advice import Advice
    from monitor.report.validation import ValidationStep
    from monitor.store.engine import StoreWorker, Transaction

log = structlog.get_logger()

KEPT = 200
"""How many runs are remembered for those who come back to look."""


class NotPossible(Exception):  # noqa: N818 - it says what is so
    """Why a connection cannot be validated, in words for the person who asked."""


@dataclass(slots=True)
class ValidationRun:
    """One validation, as far as it has come.

    Args:
        failure: Why it ended early, in words for people.
    """

    name: str
    started_at: datetime
    steps: list[ValidationStep] = field(default_factory=list)
    answered: CheckedConnection | None = None
    advice: list[Advice] = field(default_factory=list)
    failure: str | None = None
    _task: asyncio.Task[None] | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_done(self) -> bool:
        """Tell whether no step will follow."""
        return self._task is not None and self._task.done()

    async def wait(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def wait_for_more(self, n_steps: int) -> None:
        """Wait until there are more than *n_steps*, or the end."""
        while len(self.steps) <= n_steps and not self.is_done:
            self._moved.clear()
            moved = asyncio.create_task(self._moved.wait())
            assert self._task is not None
            await asyncio.wait({moved, self._task}, return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()

    def add(self, step: ValidationStep) -> None:
        """Note a step that was taken."""
        self.steps.append(step)
        self._moved.set()

    def begin(self, task: asyncio.Task[None]) -> None:
        """Follow *task*, which takes the steps."""
        self._task = task
        task.add_done_callback(self._note_fault)

    def _note_fault(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.failure = "it was stopped"
        elif (fault := task.exception()) is None:
            pass
        elif (short := find_shortage(fault)) is not None:
            self.failure = str(OutOfResources(short))
        else:
            log.error("validation.fault", connection=self.name, exc_info=fault)
            self.failure = "this is a fault of connwatch; the daemon's log has the details"

    def end(self) -> None:
        """Stop where it is."""
        if self._task is not None:
            self._task.cancel()


class Validations:
    """The runs, by connection.

    A run under way asks by the settings of the moment in which it asks, and what it
    is told is judged by those in force then.

    Args:
        on_evaluated: Told of what was stored, as of every check.
    """

    def __init__(
        self,
        live: Live,
        store: StoreWorker,
        clock: Callable[[], datetime],
        on_evaluated: Callable[[list[Evaluated]], None],
    ) -> None:
        self._live = live
        self._store = store
        self._clock = clock
        self._on_evaluated = on_evaluated
        self._runs: dict[str, ValidationRun] = {}

    def find(self, name: str) -> ValidationRun | None:
        """Return the run under way, or the latest one."""
        return self._runs.get(name)

    async def start(self, name: str) -> ValidationRun:
        """Begin a run, or return the one under way.

        Raises:
            NotPossible: The connection is gone, or the file switches it off.
        """
        now = self._live.now
        record, connection, watched = await self._store.read(
            lambda tx: (
                connections.find_record(tx, name),
                now.plan.connection(tx, name),
                now.plan.find(tx, name),
            )
        )
        if connection is None or record is None or not record.is_configured:
            raise NotPossible(f'there is no connection called "{name}" any more')
        if not connection.enabled:
            raise NotPossible(f"{name} is switched off by the file: set enabled = true there")
        under_way = self._runs.get(name)
        if under_way is not None and not under_way.is_done:
            return under_way
        run = ValidationRun(name, self._clock())
        self._runs.pop(name, None)
        self._runs[name] = run
        while len(self._runs) > KEPT:
            self._runs.pop(next(iter(self._runs))).end()
        is_outside = watched is not None and watched.owner != OWNER_FILE
        config = now.config.with_connections((connection,), (name,) if is_outside else ())
        steps = self._take_steps(run, connection, config)
        run.begin(asyncio.create_task(steps, name=f"validate {name}"))
        return run

    async def stop(self) -> None:
        """End all that is under way."""
        for run in self._runs.values():
            run.end()
        await asyncio.gather(*(run.wait() for run in self._runs.values()))

    async def _take_steps(self, run: ValidationRun, connection: Connection, config: Config) -> None:
        async def ask() -> CheckedConnection:
            calls = self._live.now.calls
            checker = await self._store.read(lambda tx: calls.find(tx, connection.name))
            if checker is None:
                raise NotPossible(f'"{connection.name}" is no longer in the configuration file')
            outcome = await checker.check()
            record = await self._keep(connection.name, outcome)
            settings = self._live.now
            now = self._clock()
            watched, mutings = await self._store.read(
                lambda tx: (
                    _watched(tx, settings.plan, connection.name),
                    find_mutings(tx, settings.plan, [record], now),
                )
            )
            run.answered = CheckedConnection.of(
                outcome,
                record,
                watched,
                settings.config,
                now,
                mutings.get(record.name, UNMUTED),
            )
            return run.answered

        try:
            async for step in validate(connection, config, ask):
                run.add(step)
        except (NotPossible, ValueError) as error:
            run.failure = str(error)
            return
        except StoreError as error:
            log.warning("web.store_error", connection=run.name, error=str(error))
            run.failure = "the database could not be used; the daemon's log says why"
            return
        if run.answered is not None:
            run.advice = advise(run.answered, connection, config)

    async def _keep(self, name: str, outcome: Outcome) -> ConnectionRecord:
        """Store what the check came to; return what is known after it."""
        evaluated: list[Evaluated] = []

        def keep(tx: Transaction) -> ConnectionRecord | None:
            record = connections.find_record(tx, name)
            if record is None:
                return None
            plan, now = self._live.plan, self._clock()
            if record.is_switched_off:
                return preview(record, outcome, _watched(tx, plan, name), now)
            evaluated.extend(evaluate(tx, [FinishedCheck(record.id, None, now, outcome)], plan))
            return next(iter(connections.list_records(tx, [name])), None)

        record = await self._store.write(keep)
        if record is None:
            raise NotPossible(f'connection "{name}" has been deleted')
        self._on_evaluated(evaluated)
        return record


def _watched(tx: Transaction, plan: Plan, name: str) -> Watched:
    watched = plan.find(tx, name)
    if watched is None:
        raise NotPossible(f'"{name}" is no longer in the configuration file')
    return watched
