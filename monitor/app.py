"""
Build every part of the daemon from the configuration; start, run, stop.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import random
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.alert.delivery import Delivery
from monitor.alert.sender import AppriseSender
from monitor.check.client import HttpClients
from monitor.check.grants import Grants
from monitor.check.registry import build_checker
from monitor.clock import utc_now
from monitor.plan import make_plan
from monitor.schedule.jobs import Job, JobRunner
from monitor.stepping import follow_step
from monitor.store import applications, connections, keys, migrate, outbox, retention
from monitor.store.engine import Database, StoreError
from monitor.store.worker import StoreWorker
from monitor.stored_outbox import StoredOutbox
from monitor.sweep import is_anything_passed, sweep
from monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.check.base import Checker
    from monitor.config.model import Config
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

log = structlog.get_logger()

TICK = timedelta(seconds=1)
LOOK_AHEAD = 2 * TICK
"""A tick starts what falls due before the next one, even if that comes late."""

SWEEP_EVERY = TICK
"""An indexed question costs less than being late for the end of an authorization."""

DELIVER_EVERY = timedelta(seconds=2)
PRUNE_EVERY = timedelta(minutes=30)
PRUNE_FIRST_AFTER = timedelta(minutes=1)
"""A daemon that is restarted often must prune as well."""

FINISH_CHECKS_WITHIN = timedelta(seconds=5)
SEND_WITHIN = timedelta(seconds=2)
"""Together they keep a stop under ten seconds."""

COLLECT_GARBAGE_AFTER = (20_000, 20, 100)
"""A check leaves some hundred short-lived objects behind; Python's default is 700 objects."""

OWNER = "run"


class App:
    """
    The daemon.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._plan = make_plan(config)
        self._database = Database(config.monitor.database)

    async def run(self, stop: asyncio.Event) -> None:
        """
        Watch until *stop* is set, then stop cleanly.

        Raises:
            StoreError: The database cannot be opened, is newer than this
                program, or belongs to a daemon that is running.
        """
        async with AsyncExitStack() as stack:
            writer = await self._start(stack)
            stopped = asyncio.create_task(stop.wait(), name="wait for the stop")
            await asyncio.wait({stopped, writer}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if writer.done():
                # A daemon that stores nothing must not look alive.
                writer.result()
            log.info("daemon.stopping")

    async def _start(self, stack: AsyncExitStack) -> asyncio.Task[None]:
        """
        Start part after part; *stack* stops them in the opposite order.

        Returns the task that writes results, without which nothing goes on.
        """
        self._database.create_file()
        stack.enter_context(_lock(self._database))
        stack.callback(self._database.close)
        self._upgrade()
        store = StoreWorker(self._database)
        stack.callback(store.close)
        n_connections = await self._sync(store)
        clients = HttpClients(self._config.checks.concurrency)
        stack.push_async_callback(clients.aclose)
        delivery = self._build_delivery(store)
        stack.push_async_callback(_drain, delivery)
        key = await store.write(lambda tx: keys.find_or_make(tx, keys.FINGERPRINT))
        watch = Watch(
            store,
            self._plan,
            build_checkers(self._config, clients, partial(keys.fingerprint, key)),
            self._config.checks.concurrency,
            utc_now,
            lambda settled: _announce(settled, delivery),
        )
        writer = asyncio.create_task(watch.write_results(), name="write results")
        stack.push_async_callback(_finish, watch, writer)
        jobs = JobRunner(partial(follow_step, store, self._plan, delivery))
        jobs.start(self._jobs(store, watch, delivery))
        stack.callback(jobs.stop)
        await watch.start_due(LOOK_AHEAD)
        stack.enter_context(_spared_collector())
        log.info(
            "daemon.started",
            connections=n_connections,
            channels=len(self._plan.channels),
            database=str(self._database.path),
        )
        return writer

    def _jobs(self, store: StoreWorker, watch: Watch, delivery: Delivery) -> list[Job]:
        async def sweep_clocks() -> None:
            await _sweep(store, self._plan, delivery)

        async def prune() -> None:
            await store.write(lambda tx: retention.roll_up(tx, utc_now()))

        return [
            Job("check_due", TICK, lambda: watch.start_due(LOOK_AHEAD)),
            Job("sweep_clocks", SWEEP_EVERY, sweep_clocks),
            Job("deliver", DELIVER_EVERY, delivery.run_once),
            Job("prune", PRUNE_EVERY, prune, PRUNE_FIRST_AFTER),
        ]

    def _upgrade(self) -> None:
        before, copy = migrate.upgrade(self._database)
        if before != migrate.HEAD:
            log.info("database.migrated", before=before, now=migrate.HEAD, copy=copy and str(copy))

    async def _sync(self, store: StoreWorker) -> int:
        """
        Bring the database in line with the file; return how many are watched.
        """
        jitter = random.SystemRandom().random

        def sync(tx: Transaction) -> set[str]:
            now = utc_now()
            applications.sync(tx, self._plan.applications, now)
            outbox.release_claims_of(tx, OWNER)
            return connections.sync(tx, self._plan.entries, now, jitter)

        ignored = await store.write(sync)
        for name in sorted(ignored):
            log.warning("connection.deleted", connection=name, remedy=f"connwatch resume {name}")
        return len(self._plan.entries) - len(ignored)

    def _build_delivery(self, store: StoreWorker) -> Delivery:
        return Delivery(
            StoredOutbox(store, OWNER),
            AppriseSender.for_channels(self._config.channels),
            retry_for=self._config.alerts.retry_for,
            clock=utc_now,
            link=lambda _connections: None,
        )


def build_checkers(
    config: Config, clients: HttpClients, fingerprint: Callable[[str], str]
) -> dict[str, Checker]:
    """
    Return the checker of each connection that is switched on.

    Args:
        fingerprint: Tells refresh tokens apart without keeping them.
    """
    grants = Grants()
    return {
        connection.name: build_checker(connection, config, clients, grants, fingerprint)
        for connection in config.connections
        if connection.enabled
    }


async def _sweep(store: StoreWorker, plan: Plan, delivery: Delivery) -> None:
    """
    Tell what time has changed; the database is written to only if there is anything.
    """
    now = utc_now()
    if not await store.read(lambda tx: is_anything_passed(tx, plan, now)):
        return
    swept = await store.write(lambda tx: sweep(tx, plan, now))
    for one in swept:
        if one.passed.is_check_due:
            log.info("authorization.ended", connection=one.name)
        for alert in one.passed.alerts:
            log.info("alert.due", connection=one.name, kind=alert.kind.value)
    if any(one.passed.alerts for one in swept):
        delivery.wake()


def _announce(settled: list[Settled], delivery: Delivery) -> None:
    """
    Log what was stored, and have due alerts sent at once.
    """
    for one in settled:
        outcome, standing = one.finished.outcome, one.verdict.standing
        log.debug(
            "check.finished",
            connection=one.record.name,
            state=standing.state.value,
            reason=outcome.reason.value,
            took_ms=outcome.latency_ms and round(outcome.latency_ms, 1),
        )
        if one.verdict.transition is not None:
            log.info(
                "connection.changed",
                connection=one.record.name,
                before=one.verdict.transition.from_state.value,
                state=standing.state.value,
                reason=standing.reason.value,
                detail=standing.detail,
            )
        for alert in one.alerts:
            log.info("alert.due", connection=one.record.name, kind=alert.kind.value)
    if any(one.alerts for one in settled):
        delivery.wake()


@contextmanager
def _spared_collector() -> Iterator[None]:
    """
    Keep the garbage collector from walking through what lives to the end.

    Thousands of settings and checkers are looked at again and again otherwise:
    a fifth of the processor time of a check.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_GARBAGE_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


async def _finish(watch: Watch, writer: asyncio.Task[None]) -> None:
    finished, let_go = await watch.stop(FINISH_CHECKS_WITHIN)
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    log.info("daemon.checks_finished", finished=finished, let_go=let_go)


async def _drain(delivery: Delivery) -> None:
    report = await delivery.drain(SEND_WITHIN)
    log.info("daemon.alerts_sent", sent=report.sent, to_be_retried=report.failed, dead=report.dead)


@contextmanager
def _lock(database: Database) -> Iterator[None]:
    """
    Keep a second daemon from the same database.

    The kernel lets the lock go with the process, however it ends.
    """
    path = database.path.with_name(f"{database.path.name}.lock")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open {path}: {error.strerror}; let this user write in that folder, or set "
            "monitor.database"
        ) from error
    with os.fdopen(descriptor) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"the database {database.path} is in use by another `connwatch run`: stop that "
                "one first, or set monitor.database to another file"
            ) from error
        yield
