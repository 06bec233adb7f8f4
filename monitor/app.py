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
from typing import TYPE_CHECKING, Any

import structlog

from monitor.alert.delivery import Delivery
from monitor.alert.sender import AppriseSender
from monitor.calls import prepare_calls
from monitor.check.client import HttpClients
from monitor.clock import utc_now
from monitor.guarding import Guard
from monitor.heartbeat import Heartbeat
from monitor.holding import hold_unsent, review_held
from monitor.keeping import Keeper
from monitor.links import link_to
from monitor.news import announce
from monitor.plan import make_plan
from monitor.reloading import Reloader
from monitor.reloads import Reloads
from monitor.resuming import Resumption, note_absence
from monitor.running import Running, build_uplinks
from monitor.schedule.jobs import JobRunner
from monitor.store import applications, connections, migrate, outbox
from monitor.store.engine import Database
from monitor.store.lock import hold_lock
from monitor.store.worker import StoreWorker
from monitor.stored_outbox import StoredOutbox
from monitor.systemd import Systemd
from monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.config.model import Config
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.resuming import Absence
    from monitor.running import Dashboard
    from monitor.store.engine import Transaction

    OpenDashboard = Callable[[Config, Plan, Database, StoreWorker, Reloads], Dashboard]

log = structlog.get_logger()

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
        open_dashboard: Makes what shows people how things are.
        systemd: Who is told how the daemon is.
        load: Reads the file again, for a reload; without it nothing is new.
    """

    def __init__(
        self,
        config: Config,
        open_dashboard: OpenDashboard,
        systemd: Systemd | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        self._config = config
        self._open_dashboard = open_dashboard
        self._systemd = systemd or Systemd(None)
        self._load = load
        self._plan = make_plan(config)
        self._database = Database(config.monitor.database)
        self._reloads = Reloads()
        self._reloads.note_success(utc_now())

    async def run(self, stop: asyncio.Event, reload: asyncio.Event | None = None) -> None:
        """
        Watch until *stop* is set, then stop cleanly; read the file again when *reload* is.

        Raises:
            DatabaseLost: The database was deleted or replaced; what was known
                is kept, and a daemon may begin anew.
            StoreError: The database cannot be opened, is newer than this
                program, belongs to a daemon that is running, or is damaged.
        """
        async with AsyncExitStack() as stack:
            needed = await self._start(stack, reload or asyncio.Event())
            self._systemd.tell_ready()
            stopped = asyncio.create_task(stop.wait(), name="wait for the stop")
            ends: set[asyncio.Future[Any]] = {stopped, *needed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            for each in needed:
                if each.done():
                    # A daemon that stores nothing must not look alive.
                    each.result()
            log.info("daemon.stopping")
            self._systemd.tell_stopping()

    async def _start(
        self, stack: AsyncExitStack, reload: asyncio.Event
    ) -> list[asyncio.Future[None]]:
        """
        Start part after part; *stack* stops them in the opposite order.

        Returns what nothing goes on without: who writes results, and the database.
        """
        self._database.create_file()
        stack.enter_context(hold_lock(self._database))
        stack.callback(self._database.close)
        self._upgrade()
        keeper = Keeper(self._database)
        stack.callback(keeper.close)
        store = StoreWorker(self._database)
        stack.callback(store.close)
        absence = await store.write(lambda tx: note_absence(tx, self._plan, utc_now()))
        n_connections = await self._sync(store)
        running = await self._build(store, absence, stack)
        writer = asyncio.create_task(running.watch.write_results(), name="write results")
        stack.push_async_callback(_finish, running.watch, writer)
        jobs = JobRunner(running.follow_step)
        guard = Guard(self._systemd, store, jobs, running.delivery)
        load = self._load or (lambda: self._config)
        reloader = Reloader(load, reload, running, self._reloads, self._systemd, guard)
        heartbeat = Heartbeat(running, guard)
        own = [*running.jobs(), *guard.jobs(), reloader.job(), heartbeat.job()]
        jobs.start([*own, keeper.job(store)])
        stack.callback(jobs.stop)
        await running.start_due()
        stack.push_async_callback(running.dashboard.stop)
        await self._serve(running)
        await guard.tell_status()
        reloader.open()
        stack.enter_context(_spared_collector())
        log.info(
            "daemon.started",
            connections=n_connections,
            channels=len(self._plan.channels),
            database=str(self._database.path),
        )
        return [writer, keeper.fault]

    async def _build(
        self, store: StoreWorker, absence: Absence | None, stack: AsyncExitStack
    ) -> Running:
        """
        Build the parts that work by the settings.
        """
        config, plan = self._config, self._plan
        clients = HttpClients(config.checks.concurrency)
        stack.push_async_callback(clients.aclose)
        dashboard = self._open_dashboard(config, plan, self._database, store, self._reloads)
        outbox = StoredOutbox(store, OWNER, plan)
        sender = AppriseSender.for_channels(config.channels)
        delivery = Delivery(
            outbox,
            dashboard.counted(sender),
            retry_for=config.alerts.retry_for,
            clock=utc_now,
            link=partial(link_to, config),
        )
        stack.push_async_callback(_drain, delivery)
        calls = await store.write(lambda tx: prepare_calls(tx, config, clients))
        uplinks = build_uplinks(plan, clients)
        on_settled = partial(_note, dashboard, delivery)
        limit = config.checks.concurrency
        watch = Watch(store, plan, calls.checkers, limit, utc_now, on_settled, uplinks)
        resumption = Resumption(store, plan, delivery, absence)
        return Running(
            config,
            plan,
            store,
            clients,
            calls,
            sender,
            outbox,
            delivery,
            uplinks,
            watch,
            resumption,
            dashboard,
        )

    async def _serve(self, running: Running) -> None:
        delivery, dashboard = running.delivery, running.dashboard
        on_settled = partial(_note, dashboard, delivery)
        await dashboard.start(running.calls, on_settled, delivery.wake)

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


def _note(dashboard: Dashboard, delivery: Delivery, settled: list[Settled]) -> None:
    dashboard.note_checks(settled)
    announce(settled, delivery)


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
