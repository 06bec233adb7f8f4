"""
Build every part of the daemon from the configuration; start, run, stop.
"""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.alert.delivery import Delivery
from monitor.alert.sender import AppriseSender
from monitor.calls import prepare_calls
from monitor.check.client import HttpClients
from monitor.check.uplink import is_link_up
from monitor.clock import utc_now
from monitor.consent import consent_page_of
from monitor.dashboard import Dashboard
from monitor.guarding import CHECK_DUE, DELIVER, Guard
from monitor.holding import hold_unsent, review_held
from monitor.links import link_to
from monitor.news import announce, look_for_link, sweep_and_announce
from monitor.plan import make_plan
from monitor.resuming import Resumption, note_absence
from monitor.schedule.jobs import Job, JobRunner
from monitor.stepping import follow_step
from monitor.store import applications, connections, migrate, outbox, retention
from monitor.store.engine import Database
from monitor.store.lock import hold_lock
from monitor.store.worker import StoreWorker
from monitor.stored_outbox import StoredOutbox
from monitor.systemd import Systemd
from monitor.uplinks import Uplinks
from monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.config.amazon import AmazonConnection
    from monitor.config.model import Config
    from monitor.cycle import Settled
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

    Args:
        consent_page: Where sellers authorize an application again; another
            than Amazon's own only where there is no Amazon.
        systemd: Who is told how the daemon is.
    """

    def __init__(
        self,
        config: Config,
        consent_page: Callable[[AmazonConnection], str] = consent_page_of,
        systemd: Systemd | None = None,
    ) -> None:
        self._systemd = systemd or Systemd(None)
        self._config = config
        self._consent_page = consent_page
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
            self._systemd.tell_ready()
            stopped = asyncio.create_task(stop.wait(), name="wait for the stop")
            await asyncio.wait({stopped, writer}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if writer.done():
                # A daemon that stores nothing must not look alive.
                writer.result()
            log.info("daemon.stopping")
            self._systemd.tell_stopping()

    async def _start(self, stack: AsyncExitStack) -> asyncio.Task[None]:
        """
        Start part after part; *stack* stops them in the opposite order.

        Returns the task that writes results, without which nothing goes on.
        """
        self._database.create_file()
        stack.enter_context(hold_lock(self._database))
        stack.callback(self._database.close)
        self._upgrade()
        store = StoreWorker(self._database)
        stack.callback(store.close)
        absence = await store.write(lambda tx: note_absence(tx, self._plan, utc_now()))
        n_connections = await self._sync(store)
        clients = HttpClients(self._config.checks.concurrency)
        stack.push_async_callback(clients.aclose)
        dashboard = Dashboard(self._config, self._plan, self._database, store)
        delivery = self._build_delivery(store, dashboard)
        stack.push_async_callback(_drain, delivery)
        calls = await prepare_calls(self._config, store, clients)

        def on_settled(settled: list[Settled]) -> None:
            dashboard.note_checks(settled)
            announce(settled, delivery)

        uplinks = self._build_uplinks(clients)
        limit = self._config.checks.concurrency
        watch = Watch(store, self._plan, calls.checkers, limit, utc_now, on_settled, uplinks)
        writer = asyncio.create_task(watch.write_results(), name="write results")
        stack.push_async_callback(_finish, watch, writer)
        resumption = Resumption(store, self._plan, delivery, absence)
        jobs = JobRunner(partial(follow_step, store, self._plan, delivery))
        guard = Guard(self._systemd, store, jobs, delivery)
        own = self._jobs(store, watch, delivery, uplinks, resumption)
        jobs.start([*own, *guard.jobs()])
        stack.callback(jobs.stop)
        await watch.start_due(LOOK_AHEAD)
        stack.push_async_callback(dashboard.stop)
        await dashboard.start(calls, on_settled, delivery.wake, self._consent_page)
        await guard.tell_status()
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
            Job(CHECK_DUE, TICK, lambda: watch.start_due(LOOK_AHEAD)),
            Job("sweep_clocks", SWEEP_EVERY, sweep_clocks),
            Job(DELIVER, DELIVER_EVERY, delivery.run_once),
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

    def _build_delivery(self, store: StoreWorker, dashboard: Dashboard) -> Delivery:
        return Delivery(
            StoredOutbox(store, OWNER, self._plan),
            dashboard.counted(AppriseSender.for_channels(self._config.channels)),
            retry_for=self._config.alerts.retry_for,
            clock=utc_now,
            link=partial(link_to, self._config),
        )


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
