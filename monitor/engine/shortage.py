"""Keep account of checks that wait for resources of our own, and tell people when they must.

Decides how long a shortage must last before it is an alert, and when it is over. What counts as
one is decided in `judge.shortage`; that such a check stays due, in `engine.runner`.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.alerting.incidents import announce_past_shortage, begin_shortage, end_shortage
from monitor.clock import utc_now
from monitor.judge.shortage import Shortage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.notify.delivery import Delivery
    from monitor.store.engine import StoreWorker

log = structlog.get_logger()

TELL_AFTER_S = 10.0
"""Checks that wait for less are late by less than anybody minds."""

FORGET_AFTER_S = 30.0
"""Who waits is tried again each second: who was not seen for as long waits no more."""

SPARE_FOR_S = 3.0
"""How long after it only few checks are started."""

FEW = 10


class ShortageWatch:
    """The checks that wait, and what for."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._waiting: dict[int, float] = {}
        self._kind: Shortage | None = None
        self._began: tuple[float, datetime] | None = None
        self._last_at = float("-inf")
        self._is_told: bool | None = None
        self._started_at = monotonic()
        self._has_checked = False
        self._disk_began: tuple[float, datetime] | None = None

    @property
    def is_fresh(self) -> bool:
        """Tell whether a check could not be made just now: the next must be few."""
        return self._monotonic() - self._last_at < SPARE_FOR_S

    def note_waiting(self, connection_id: int, kind: Shortage) -> None:
        """Take in that a check could not be made."""
        now = self._last_at = self._monotonic()
        if self._began is None:
            self._began = now, utc_now()
            log.error("checks.wait", short_of=kind.value, why=kind.words, remedy=kind.remedy)
        self._kind = kind
        self._waiting[connection_id] = now

    def note_done(self, connection_id: int) -> None:
        """Take in that it was made."""
        self._has_checked = True
        self._waiting.pop(connection_id, None)

    async def look(self, store: StoreWorker, plan: Plan, delivery: Delivery) -> None:
        """Tell people of a shortage that lasts, and of its end.

        Raises:
            StoreError: The database cannot be used; the next look finds the same.
        """
        if await self._look_at_disk(store, plan):
            delivery.wake()
        now = self._monotonic()
        waiting = {one: at for one, at in self._waiting.items() if now - at < FORGET_AFTER_S}
        self._waiting = waiting
        if self._began is not None and self._kind is not None and waiting:
            began, since = self._began
            if self._is_told is not True and now - began >= TELL_AFTER_S:
                work = partial(
                    begin_shortage,
                    plan=plan,
                    kind=self._kind,
                    since=since,
                    n_waiting=len(waiting),
                    now=utc_now(),
                )
                await store.write(work)
                self._is_told = True
                delivery.wake()
            return
        if self._began is not None:
            self._began = None
            log.info("checks.wait_no_more")
        if self._is_told or (self._is_told is None and self._is_known(now)):
            # After a start, too: the daemon before may have told of one.
            if await store.write(lambda tx: end_shortage(tx, plan, utc_now())):
                delivery.wake()
            self._is_told = False

    def _is_known(self, now: float) -> bool:
        """Tell whether this daemon has found out by now that checks can be made."""
        return self._has_checked or now - self._started_at >= FORGET_AFTER_S

    async def _look_at_disk(self, store: StoreWorker, plan: Plan) -> bool:
        """Tell people of a disk that could not be written, as soon as it can be; True if so.

        While it lasts no alert can be stored, so that none is sent: the log, `/readyz` and the
        heartbeat say it.
        """
        if store.disk_problem is not None:
            if self._disk_began is None:
                self._disk_began = self._monotonic(), utc_now()
                log.error("database.not_writable", why=store.disk_problem)
            return False
        if self._disk_began is None:
            return False
        began, since = self._disk_began
        is_news = self._monotonic() - began >= TELL_AFTER_S
        if is_news:
            work = partial(
                announce_past_shortage, plan=plan, kind=Shortage.DISK, since=since, now=utc_now()
            )
            await store.write(work)
        self._disk_began = None
        log.info("database.writable_again")
        return is_news


LOOK_EVERY = timedelta(seconds=2)
