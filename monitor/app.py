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
from monitor.check.uplink import is_link_up
from monitor.clock import utc_now
from monitor.holding import hold_unsent, review_held
from monitor.news import announce, look_for_link, sweep_and_announce
from monitor.plan import make_plan
from monitor.resuming import Resumption, find_absence
from monitor.schedule.jobs import Job, JobRunner
from monitor.stepping import follow_step
from monitor.store import (
    applications,
    connections,
    keys,
    migrate,
    outbox,
    participations,
    retention,
)
from monitor.store.engine import Database, StoreError
from monitor.store.worker import StoreWorker
from monitor.stored_outbox import StoredOutbox
from monitor.uplinks import Uplinks
from monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from monitor.check.base import Checker
    from monitor.config.model import Config
    from monitor.store.engine import Transaction

log = structlog.get_logger()

TICK = timedelta(seconds=1)
LOOK_AHEAD = 2 * TICK
"""A tick starts what falls due before the next one, even if that comes late."""

SWEEP_EVERY = TICK
"""An indexed question costs less than being late for the end of an authorization."""

LINK_EVERY = timedelta(seconds=5)
RESUMED_EVERY = timedelta(seconds=5)
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
        absence = await store.read(lambda tx: find_absence(tx, self._plan, utc_now()))
        n_connections = await self._sync(store)
        clients = HttpClients(self._config.checks.concurrency)
        stack.push_async_callback(clients.aclose)
        delivery = self._build_delivery(store)
        stack.push_async_callback(_drain, delivery)
        uplinks = self._build_uplinks(clients)
        key = await store.write(lambda tx: keys.find_or_make(tx, keys.FINGERPRINT))
        worked = await store.read(participations.list_let_in)
        watch = Watch(
            store,
            self._plan,
            build_checkers(self._config, clients, partial(keys.fingerprint, key), worked),
            self._config.checks.concurrency,
            utc_now,
            lambda settled: announce(settled, delivery),
            uplinks,
        )
        writer = asyncio.create_task(watch.write_results(), name="write results")
        stack.push_async_callback(_finish, watch, writer)
        resumption = Resumption(store, self._plan, delivery, absence)
        jobs = JobRunner(partial(follow_step, store, self._plan, delivery))
        jobs.start(self._jobs(store, watch, delivery, uplinks, resumption))
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

    def _jobs(
        self,
        store: StoreWorker,
        watch: Watch,
        delivery: Delivery,
        uplinks: Uplinks,
        resumption: Resumption,
    ) -> list[Job]:
        async def sweep_clocks() -> None:
            await sweep_and_announce(store, self._plan, delivery)

        async def prune() -> None:
            await store.write(lambda tx: retention.roll_up(tx, utc_now()))

        look = partial(look_for_link, store, self._plan, uplinks, delivery)
        return [
            Job("check_due", TICK, lambda: watch.start_due(LOOK_AHEAD)),
            Job("sweep_clocks", SWEEP_EVERY, sweep_clocks),
            Job("deliver", DELIVER_EVERY, delivery.run_once),
            Job("watch_link", LINK_EVERY, look),
            Job("tell_resumed", RESUMED_EVERY, resumption.look),
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
            ignored = connections.sync(tx, self._plan.entries, now, jitter)
            # The file may have other tags and other quiet hours by now.
            review_held(tx, self._plan, now, all_of_it=True)
            hold_unsent(tx, self._plan, now)
            return ignored

        ignored = await store.write(sync)
        for name in sorted(ignored):
            log.warning("connection.deleted", connection=name, remedy=f"connwatch resume {name}")
        return len(self._plan.entries) - len(ignored)

    def _build_uplinks(self, clients: HttpClients) -> Uplinks:
        urls = self._plan.uplink
        return Uplinks((lambda: is_link_up(clients.get(), urls)) if urls else None)

    def _build_delivery(self, store: StoreWorker) -> Delivery:
        return Delivery(
            StoredOutbox(store, OWNER, self._plan),
            AppriseSender.for_channels(self._config.channels),
            retry_for=self._config.alerts.retry_for,
            clock=utc_now,
            link=lambda _connections: None,
        )


def build_checkers(
    config: Config,
    clients: HttpClients,
    fingerprint: Callable[[str], str],
    worked: Mapping[str, str | None],
) -> dict[str, Checker]:
    """
    Return the checker of each connection that is switched on.

    Args:
        fingerprint: Tells refresh tokens apart without keeping them.
        worked: The Amazon stores that were let in before, as `build_checker` takes them.
    """
    grants = Grants()
    return {
        connection.name: build_checker(
            connection, config, clients, grants, fingerprint, worked=worked
        )
        for connection in config.connections
        if connection.enabled
    }


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
