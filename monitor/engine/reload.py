"""Read the file again and put it in force, while checks go on.

Whatever of the file can be wrong is found first or undoes the one transaction: a file that cannot
be used changes nothing. The swap awaits nothing. What is different is found in `config.diff`.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.alerting.suppression import review_suppressed, suppress_unsent
from monitor.clock import utc_now
from monitor.config.diff import compare, defer_until_restart
from monitor.config.errors import ConfigError, Problem
from monitor.config.plan import Describer, make_plan
from monitor.config.remarks import notices
from monitor.engine.audit import audit_file
from monitor.engine.channels import with_stored_channels
from monitor.engine.checkers import prepare_checkers
from monitor.engine.live import Snapshot
from monitor.engine.people import with_stored_people
from monitor.engine.scheduler import Job
from monitor.engine.settings import FileReading, RowSettings, TakenOut
from monitor.judge.connections import OWNER_FILE
from monitor.store import applications, connections, credentials
from monitor.store.engine import StoreError
from monitor.store.entries import list_owned
from monitor.store.schedule import bring_forward
from monitor.store.watermarks import RELOAD_FAILED, drop_watermark, save_watermark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.config.diff import Changes
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.engine.checkers import CheckerSet
    from monitor.engine.live import ReloadStatus
    from monitor.engine.parts import DaemonParts
    from monitor.engine.supervisor import Supervisor, Systemd
    from monitor.judge.connections import Entry
    from monitor.store.engine import Transaction

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=0.5)

SPARE = timedelta(minutes=1)
"""Longer than the longest check, its connections stay open for what is under way."""

FAULT = "a fault of connwatch kept it from being read: the log has the details to report"

FEW = 20
"""So many names stand in a line of the log; of more, the number does."""


class Reloader:
    """Reads the file again whenever that is wanted, one reading after the other.

    Args:
        load: Returns what the file says, ready to be used; raises ConfigError.
        wanted: Set by whoever wants a reload.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        wanted: asyncio.Event,
        running: DaemonParts,
        reloads: ReloadStatus,
        systemd: Systemd,
        supervisor: Supervisor,
    ) -> None:
        self._load = load
        self._wanted = wanted
        self._running = running
        self._reloads = reloads
        self._systemd = systemd
        self._supervisor = supervisor
        self._is_open = False

    def open(self) -> None:
        """Do what is wanted from now on: the daemon has started."""
        self._is_open = True

    def job(self) -> Job:
        """Return the job of looking whether a reload is wanted."""
        return Job("reload", LOOK_EVERY, self._look)

    async def _look(self) -> None:
        """Reload if that is wanted; what is wanted meanwhile is one more, begun after."""
        if not (self._is_open and self._wanted.is_set()):
            return
        self._wanted.clear()
        self._systemd.notify_reloading()
        try:
            await self.reload()
        except asyncio.CancelledError:
            raise  # the daemon stops, and must not say that it serves again
        except BaseException:
            await self._log_end()
            raise
        await self._log_end()

    async def reload(self) -> bool:
        """Read the file and put it in force; tell whether that could be done."""
        former = self._running.live.config
        try:
            read = await asyncio.to_thread(self._load)
            config = defer_until_restart(former, read)
            changes = await self._put_in_force(config, read)
        except ConfigError as error:
            self._note_failure(error.problems)
            return False
        except (StoreError, ValueError) as error:
            self._note_failure((Problem(str(former.path), str(error)),))
            return False
        except asyncio.CancelledError:
            raise  # no fault: the daemon stops
        except BaseException:
            self._note_failure((Problem(str(former.path), FAULT),))
            raise
        self._note_success(config, changes)
        return True

    async def _put_in_force(self, config: Config, read: Config) -> Changes:
        """Put *config* in force, and return what is different.

        Args:
            read: The same before what needs a restart was left as it was.
        """
        running = self._running
        former = running.live.now
        rows = former.plan.settings
        assert isinstance(rows, RowSettings), "a daemon goes by rows"
        key = await running.store.write(
            lambda tx: credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
        )
        reading = await asyncio.to_thread(FileReading.of, config, key, rows)
        digests = {one.name: one.digest for one in reading.written}
        after = {one.name: one for one in config.connections}
        before = await running.store.read(lambda tx: list(rows.list_before(tx, digests, after)))
        of_file = former.config.with_channels(()).with_people(()).with_connections(before)
        changes = await asyncio.to_thread(compare, of_file, read)
        of_all = config.with_connections(())
        clients = former.calls.clients.successor(config.checks.concurrency)
        say = Describer(of_all)
        entries = [say.entry(one) for one in config.connections]

        def bring_in_line(tx: Transaction) -> tuple[Config, Plan, CheckerSet]:
            common = with_stored_people(tx, with_stored_channels(tx, of_all))
            plan = make_plan(common, reading.settings)
            had = list_owned(tx, OWNER_FILE)
            audit_file(tx, reading, had, utc_now(), changes.tables, rows)
            taken_out = reading.store(tx, had)
            _bring_in_line(tx, plan, entries, changes, taken_out)
            calls = prepare_checkers(tx, common, reading.settings, clients, former.calls)
            return common, plan, calls

        common, plan, calls = await running.store.write(bring_in_line)
        running.put_in_force(Snapshot.of(common, plan, calls, former), changes.void)
        # Another channel or person may have come since they were read.
        await running.follow_stored()
        await calls.clients.adopt(clients, former.plan.intervals.timeout + SPARE)
        await asyncio.to_thread(_spare_collector)
        return changes

    def _note_failure(self, problems: tuple[Problem, ...]) -> None:
        self._reloads.note_failure(utc_now(), problems)
        self._running.dashboard.note_reading(self._reloads)
        for problem in problems:
            log.error("config.mistake", place=problem.place, why=problem.message)
        log.error(
            "config.not_reloaded",
            mistakes=len(problems),
            why="the file cannot be used; the former settings are in force",
            remedy="connwatch config check, then reload again",
        )

    def _note_success(self, config: Config, changes: Changes) -> None:
        self._reloads.note_success(utc_now(), changes.need_restart)
        self._running.dashboard.note_reading(self._reloads)
        log_notices(config)
        for place in changes.need_restart:
            log.warning(
                "config.needs_restart",
                place=place,
                why="it cannot change while the daemon runs: the former value is in force",
                remedy="restart the daemon",
            )
        log.info(
            "config.reloaded",
            added=_few(changes.added),
            changed=_few(changes.changed),
            renamed=_few(changes.renamed),
            removed=_few(changes.removed),
            kept=changes.n_kept,
            tables=list(changes.tables),
        )

    async def _log_end(self) -> None:
        """Say that the daemon serves again, whether by new settings or by the former ones."""
        await self._keep_result()
        self._supervisor.remark = self._reloads.describe()
        self._systemd.notify_ready()
        try:
            await self._supervisor.notify_status()
        except StoreError as error:
            log.warning("systemd.status_unknown", error=str(error))

    async def _keep_result(self) -> None:
        """Keep whether the latest reading failed, for commands, which cannot ask the daemon."""
        failed_at = self._reloads.failed_at

        def keep(tx: Transaction) -> None:
            if failed_at is None:
                drop_watermark(tx, RELOAD_FAILED)
            else:
                save_watermark(tx, RELOAD_FAILED, failed_at)

        try:
            await self._running.store.write(keep)
        except StoreError as error:
            log.warning("config.result_not_kept", error=str(error))


def log_notices(config: Config) -> None:
    """Log what the owner of *config* should know, and what stops nothing."""
    for notice in notices(config):
        log.warning("config.no_effect", place=notice.place, why=notice.message)
    if not config.connections and not config.sources:
        log.warning("config.no_connection", file=str(config.path), remedy="add [[connections]]")


def _bring_in_line(
    tx: Transaction, plan: Plan, entries: Sequence[Entry], changes: Changes, taken_out: TakenOut
) -> None:
    """Bring the database in line with the settings; if any of it fails, nothing of it is kept."""
    now = utc_now()
    applications.sync(tx, plan.applications, now)
    ignored = connections.sync(tx, entries, now, taken_out=taken_out.names)
    connections.bring_in_line(tx, taken_out.taken_over, now)
    connections.end_invites(tx, taken_out.moved, now)
    anew = set(changes.checked_anew)
    bring_forward(tx, [entry for entry in entries if entry.name in anew], now)
    review_suppressed(tx, plan, now, all_of_it=True)
    suppress_unsent(tx, plan, now)
    for name in sorted(ignored):
        log.warning("connection.deleted", connection=name, remedy=f"connwatch resume {name}")


def _few(names: tuple[str, ...]) -> list[str] | int:
    return list(names) if len(names) <= FEW else len(names)


def _spare_collector() -> None:
    """Let the garbage collector take the former settings, and pass over the new ones."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    give_back_memory()


def give_back_memory() -> None:
    """Give back to the machine what reading the file took, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
