"""Tell an outside watcher that the daemon does its work, or why it does not.

Decides when; what counts as well is decided in `judge.health`, how it is sent in
`providers.probes`. Nothing waits for the watcher: this is a job of its own.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.clock import utc_now
from monitor.engine.scheduler import Job
from monitor.judge.health import Readiness, find_problems, find_stalls
from monitor.judge.shortage import OutOfResources
from monitor.providers.probes import Signal, send_signal
from monitor.store.engine import StoreError
from monitor.store.outbox import oldest_wait
from monitor.store.schedule import lateness

if TYPE_CHECKING:
    from monitor.engine.live import Live, Snapshot
    from monitor.engine.supervisor import Supervisor
    from monitor.store.engine import StoreWorker, Transaction

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=1)
"""The rhythm itself is a setting, which a reload may change."""

FIRST_AFTER = timedelta(seconds=30)
"""Sooner nothing is known that the signal of the start has not said."""

ANSWER_WITHIN_S = 20.0
"""A database that takes longer to say how things stand is not well."""


class Heartbeat:
    """The signals to `heartbeat.url`, while it is set."""

    def __init__(self, live: Live, store: StoreWorker, supervisor: Supervisor) -> None:
        self._live = live
        self._store = store
        self._supervisor = supervisor
        self._last_at: float | None = None
        self._is_begun = False
        self._is_unreached = False
        self._is_failing = False
        self._is_short = False

    def job(self) -> Job:
        """Return the job of sending what is due."""
        return Job("heartbeat", LOOK_EVERY, self._look)

    async def _look(self) -> None:
        settings = self._live.config.heartbeat
        if settings.url is None:
            return
        now = asyncio.get_running_loop().time()
        if not self._is_begun:
            self._is_begun = True
            self._last_at = (
                now - (settings.every - min(settings.every, FIRST_AFTER)).total_seconds()
            )
            await self._send(self._live.now, Signal.START)
        elif self._last_at is None or now - self._last_at >= settings.every.total_seconds():
            self._last_at = now
            await self.beat()

    async def beat(self) -> None:
        """Say that all is well, or what is not."""
        settings = self._live.now
        troubles = await self._find_problems(settings)
        if troubles and not self._is_failing:
            log.error("heartbeat.failing", why=troubles)
        elif self._is_failing and not troubles:
            log.info("heartbeat.well_again")
        self._is_failing = bool(troubles)
        if troubles:
            await self._send(settings, Signal.FAIL, "\n".join(troubles))
        else:
            await self._send(settings, Signal.SUCCESS)

    async def _find_problems(self, settings: Snapshot) -> list[str]:
        longest = settings.plan.intervals.timeout

        def read(tx: Transaction) -> Readiness:
            now = utc_now()
            late, waits = lateness(tx, settings.plan.names(tx), now), oldest_wait(tx, now)
            return Readiness(late, longest, waits, self._supervisor.failing_for())

        stalls = find_stalls(self._supervisor.signs())
        if self._store.disk_problem is not None:
            stalls.append(self._store.disk_problem)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                arrears = await self._store.read(read)
        except StoreError:
            # Its words name files of this machine, which are nobody's business out there.
            return [*stalls, "the database cannot be read"]
        except TimeoutError:
            return [*stalls, f"the database gave no answer in {ANSWER_WITHIN_S:g} s"]
        return [*stalls, *find_problems(arrears)]

    async def _send(self, settings: Snapshot, signal: Signal, body: str = "") -> None:
        url = settings.config.heartbeat.url
        assert url is not None, "only a URL can be called"
        try:
            client = settings.calls.clients.own(settings.config.own_proxy)
            why = await send_signal(client, url, signal, body)
        except OutOfResources as short:
            self._note_shortage(short)
            return
        self._is_short = False
        if why is not None and not self._is_unreached:
            log.warning("heartbeat.unreached", why=why)
        elif why is None and self._is_unreached:
            log.info("heartbeat.reached_again")
        self._is_unreached = why is not None

    def _note_shortage(self, short: OutOfResources) -> None:
        """Try again at the next look: the signal is waited for."""
        self._last_at = None
        if not self._is_short:
            self._is_short = True
            log.error("heartbeat.waits", why=short.kind.words, remedy=short.kind.remedy)
