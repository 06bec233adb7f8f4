"""Build every part of the daemon from the configuration; start, run, stop."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from monitor.alerting.digests import Resumption, note_absence
from monitor.alerting.outbox import StoredOutbox
from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.clock import utc_now
from monitor.config.plan import Describer, make_plan
from monitor.engine.audit import audit_file
from monitor.engine.channels import with_stored_channels
from monitor.engine.checkers import prepare_checkers
from monitor.engine.heartbeat import Heartbeat
from monitor.engine.integrity import IntegrityCheck
from monitor.engine.links import RenewalLinks
from monitor.engine.live import Live, ReloadStatus, Snapshot
from monitor.engine.parts import DaemonParts, terms_of
from monitor.engine.people import with_stored_people
from monitor.engine.reload import Reloader, give_back_memory
from monitor.engine.runner import CheckRunner
from monitor.engine.scheduler import Scheduler
from monitor.engine.settings import FileReading
from monitor.engine.sources import SourceReader
from monitor.engine.supervisor import Supervisor, Systemd
from monitor.engine.sweep import log_and_wake
from monitor.judge.connections import OWNER_FILE
from monitor.judge.shortage import Shortage
from monitor.notify.delivery import Delivery
from monitor.providers.limits import shares_of
from monitor.providers.transport import HttpClients
from monitor.store import applications, connections, credentials, migrate, outbox
from monitor.store.engine import Database, StoreWorker, lock_database
from monitor.store.entries import list_owned
from monitor.store.overview import count_watched
from monitor.store.schedule import spread_overdue
from monitor.store.schema import channels, entries
from monitor.store.watermarks import RELOAD_FAILED, drop_watermark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.alerting.digests import Absence
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.parts import Dashboard
    from monitor.engine.settings import RowSettings
    from monitor.store.damage import DamagedValue
    from monitor.store.engine import Transaction

    OpenDashboard = Callable[[Live, Database, StoreWorker, ReloadStatus], Dashboard]

log = structlog.get_logger()

FINISH_CHECKS_WITHIN = timedelta(seconds=5)
SEND_WITHIN = timedelta(seconds=2)
"""Together they keep a stop under ten seconds."""

COLLECT_GARBAGE_AFTER = (20_000, 20, 100)
"""A check leaves some hundred short-lived objects behind; Python's default is 700 objects."""

OWNER = "run"


class App:
    """The daemon.

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
        # With its connections, until they are rows.
        self._read: Config | None = config
        self._config = config.with_connections(())
        self._open_dashboard = open_dashboard
        self._systemd = systemd or Systemd(None)
        self._want_rows: Callable[[], object] = lambda: None
        self._load = load or (lambda: config)
        self._database = Database(config.monitor.database)
        self._reloads = ReloadStatus()
        self._reloads.note_success(utc_now())

    async def run(self, stop: asyncio.Event, reload: asyncio.Event | None = None) -> None:
        """Watch until *stop* is set, then stop cleanly; read the file again when *reload* is.

        Raises:
            DatabaseLost: The database was deleted or replaced; what was known
                is kept, and a daemon may begin anew.
            StoreError: The database cannot be opened, is newer than this
                program, belongs to a daemon that is running, or is damaged.
        """
        async with AsyncExitStack() as stack:
            needed = await self._start(stack, reload or asyncio.Event())
            self._systemd.notify_ready()
            stopped = asyncio.create_task(stop.wait(), name="wait for the stop")
            ends: set[asyncio.Future[Any]] = {stopped, *needed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            for each in needed:
                if each.done():
                    # A daemon that stores nothing must not look alive.
                    each.result()
            log.info("daemon.stopping")
            self._systemd.notify_stopping()

    async def _start(
        self, stack: AsyncExitStack, reload: asyncio.Event
    ) -> list[asyncio.Future[None]]:
        """Start part after part; *stack* stops them in the opposite order.

        Returns what nothing goes on without: who writes results, and the database.
        """
        self._database.create_file()
        stack.enter_context(lock_database(self._database))
        stack.callback(self._database.close)
        self._clear_leftovers()
        self._upgrade()
        integrity = IntegrityCheck(self._database)
        stack.callback(integrity.close)
        store = StoreWorker(self._database)
        stack.callback(store.close)
        plan, settings, absence = await self._take_in(store)
        running = await self._build(store, plan, settings, absence, stack)
        writer = asyncio.create_task(running.runner.write_results(), name="write results")
        stack.push_async_callback(_finish, running.runner, writer)
        jobs = Scheduler(running.follow_step)
        supervisor = Supervisor(self._systemd, store, jobs, running.delivery)
        reloader = Reloader(self._load, reload, running, self._reloads, self._systemd, supervisor)
        heartbeat = Heartbeat(running.live, store, supervisor)
        reader = SourceReader(running, self._database)
        own = [*running.jobs(), *supervisor.jobs(), reloader.job(), heartbeat.job(), reader.job()]
        jobs.start([*own, integrity.job(store)])
        stack.push_async_callback(reader.stop)
        stack.callback(jobs.stop)
        await running.start_due()
        stack.push_async_callback(running.dashboard.stop)
        delivery, dashboard = running.delivery, running.dashboard
        await dashboard.start(
            partial(_note, dashboard, delivery),
            delivery.wake,
            running.runner.void,
            running.follow_stored,
        )
        await supervisor.notify_status()
        # What was set aside of the file's settings, the file still has.
        self._want_rows = partial(asyncio.get_running_loop().call_soon_threadsafe, reload.set)
        stack.enter_context(_spared_collector())
        log.info(
            "daemon.started",
            connections=await store.read(count_watched),
            channels=len(plan.channels),
            database=str(self._database.path),
        )
        reloader.open()  # last: a reload comes after the word that the daemon serves
        return [writer, integrity.fault]

    async def _build(
        self,
        store: StoreWorker,
        plan: Plan,
        settings: RowSettings,
        absence: Absence | None,
        stack: AsyncExitStack,
    ) -> DaemonParts:
        """Build the parts that work by the settings."""
        shares = shares_of(self._config)
        if not shares.is_enough:
            log.warning(
                "daemon.few_descriptors",
                limit=shares.limit,
                wanted=shares.wanted,
                checks_at_once=shares.checks,
                remedy=Shortage.DESCRIPTORS.remedy,
            )
        clients = HttpClients(shares.checks, keeps_idle=shares.is_enough)
        stack.push_async_callback(clients.aclose)
        calls = await store.write(lambda tx: prepare_checkers(tx, self._config, settings, clients))
        live = Live(Snapshot.of(self._config, plan, calls))
        dashboard = self._open_dashboard(live, self._database, store, self._reloads)
        outbox = StoredOutbox(store, OWNER, lambda: live.plan)
        links = RenewalLinks(store, utc_now)
        delivery = Delivery(outbox, partial(terms_of, live, dashboard, links), clock=utc_now)
        stack.push_async_callback(_drain, delivery)
        runner = CheckRunner(store, live, utc_now, partial(_note, dashboard, delivery))
        resumption = Resumption(store, delivery, absence)
        return DaemonParts(live, store, delivery, runner, resumption, dashboard)

    def _clear_leftovers(self) -> None:
        """Remove what commands left that were killed; we have the lock, so none is at work."""
        try:
            for path in migrate.clear_leftovers(self._database):
                log.info("database.leftover_removed", path=str(path))
        except OSError as error:
            log.warning("database.leftover_stays", why=error.strerror, path=error.filename)

    def _upgrade(self) -> None:
        before, copy = migrate.upgrade(self._database)
        if before != migrate.HEAD:
            log.info("database.migrated", before=before, now=migrate.HEAD, copy=copy and str(copy))
        self._database.on_set_aside = self._note_set_aside
        self._database.set_aside_damage(is_thorough=False)

    def _note_set_aside(self, found: Sequence[DamagedValue]) -> None:
        for value in found:
            log.warning(
                "database.row_set_aside",
                table=value.table,
                key=value.key,
                column=value.column,
                kept_in=str(self._database.set_aside_path),
            )
        if any(value.table in {entries.name, channels.name} for value in found):
            self._want_rows()

    async def _take_in(self, store: StoreWorker) -> tuple[Plan, RowSettings, Absence | None]:
        """Bring the database in line with the file, of which only the rows are left then."""
        assert self._read is not None, "a daemon starts once"
        config, self._read = self._read, None
        key = await store.write(
            lambda tx: credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
        )
        own = self._config
        self._config = await store.read(
            lambda tx: with_stored_people(tx, with_stored_channels(tx, own))
        )
        reading = FileReading.of(config, key)
        plan = make_plan(self._config, reading.settings)
        say = Describer(self._config)
        listed = [say.entry(one) for one in config.connections]
        absence = await store.write(lambda tx: note_absence(tx, plan, utc_now()))
        jitter = random.SystemRandom().random

        def sync(tx: Transaction) -> set[str]:
            now = utc_now()
            applications.sync(tx, plan.applications, now)
            outbox.release_claims_of(tx, OWNER)
            drop_watermark(tx, RELOAD_FAILED)  # the file was just read
            before = list_owned(tx, OWNER_FILE)
            audit_file(tx, reading, before, now)
            taken_out = reading.store(tx, before)
            ignored = connections.sync(tx, listed, now, jitter, taken_out.names)
            connections.bring_in_line(tx, taken_out.taken_over, now)
            connections.end_invites(tx, taken_out.moved, now)
            spread_overdue(tx, plan.intervals.shortest, now)
            # The file may have other tags and other quiet hours by now.
            review_suppressed(tx, plan, now, all_of_it=True)
            suppress_unsent(tx, plan, now)
            return ignored

        ignored = await store.write(sync)
        for name in sorted(ignored):
            log.warning("connection.deleted", connection=name, remedy=f"connwatch resume {name}")
        return plan, reading.settings, absence


def _note(dashboard: Dashboard, delivery: Delivery, evaluated: list[Evaluated]) -> None:
    dashboard.note_checks(evaluated)
    log_and_wake(evaluated, delivery)


@contextmanager
def _spared_collector() -> Iterator[None]:
    """Keep the garbage collector from walking through what lives to the end.

    Thousands of settings and checkers are looked at again and again otherwise:
    a fifth of the processor time of a check.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    give_back_memory()
    gc.set_threshold(*COLLECT_GARBAGE_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


async def _finish(runner: CheckRunner, writer: asyncio.Task[None]) -> None:
    finished, let_go = await runner.stop(FINISH_CHECKS_WITHIN)
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    log.info("daemon.checks_finished", finished=finished, let_go=let_go)


async def _drain(delivery: Delivery) -> None:
    report = await delivery.drain(SEND_WITHIN)
    log.info("daemon.alerts_sent", sent=report.sent, to_be_retried=report.failed, dead=report.dead)
