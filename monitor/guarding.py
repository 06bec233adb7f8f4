"""
Let whoever started the daemon know how it is: ready, at work, or stuck.

Decides when systemd is told what. Whether the daemon still does its work is
decided in `judge.vitals`, how a message travels in `systemd`.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.clock import utc_now
from monitor.config.wording import say_count
from monitor.judge.outcome import State
from monitor.judge.vitals import LONGEST_STANDSTILL, Signs, find_stalls
from monitor.schedule.jobs import Job
from monitor.store.glances import count_states
from monitor.store.lifesigns import note_alive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.alert.delivery import Delivery
    from monitor.schedule.jobs import JobRunner
    from monitor.store.worker import StoreWorker
    from monitor.systemd import Systemd

log = structlog.get_logger()

NOTE_ALIVE_EVERY = timedelta(seconds=10)
TELL_STATUS_EVERY = timedelta(seconds=5)

FEEDS_PER_SILENCE = 3
"""Two feeds may be late before systemd takes the daemon for dead."""

SHORTEST_REST = timedelta(milliseconds=100)
"""No watchdog is so impatient in earnest, and a rhythm of nothing is none."""

CHECK_DUE = "check_due"
DELIVER = "deliver"
"""The jobs without which nothing is watched, and nobody told."""


class Guard:
    """
    Watches over the jobs of the daemon for systemd.
    """

    def __init__(
        self, systemd: Systemd, store: StoreWorker, jobs: JobRunner, delivery: Delivery
    ) -> None:
        self._systemd = systemd
        self._store = store
        self._jobs = jobs
        self._delivery = delivery
        self._began_at = time.monotonic()
        self._is_withheld = False
        self.remark = ""
        """What else people should read in the status."""

    def jobs(self) -> list[Job]:
        """
        Return what is to be done again and again; for systemd, only if it listens.
        """
        jobs = [Job("note_alive", NOTE_ALIVE_EVERY, self._note_alive)]
        if self._systemd.is_listening:
            jobs.append(Job("tell_status", TELL_STATUS_EVERY, self.tell_status))
        if self._systemd.watchdog is not None:
            every = max(self._systemd.watchdog / FEEDS_PER_SILENCE, SHORTEST_REST)
            jobs.append(Job("feed_watchdog", every, self.feed))
        return jobs

    async def feed(self) -> None:
        """
        Feed the watchdog, unless something has come to a halt.
        """
        stalls = find_stalls(self.signs())
        if not stalls:
            self._is_withheld = False
            self._systemd.feed_watchdog()
            return
        self._systemd.tell_status(f"stuck: {'; '.join(stalls)}")
        if not self._is_withheld:
            self._is_withheld = True
            log.error("watchdog.withheld", why=stalls)

    async def tell_status(self) -> None:
        """
        Say in one line what is watched, and how much of it is broken.

        Raises:
            StoreError: The database cannot be read; what was said last stands.
        """
        if self._systemd.is_listening and not self._is_withheld:
            watched = describe(await self._store.read(count_states))
            self._systemd.tell_status(f"{watched}; {self.remark}" if self.remark else watched)

    def signs(self) -> Signs:
        """
        Return the signs of life that there are.
        """
        now = time.monotonic()

        def since(at: float | None) -> timedelta:
            return timedelta(seconds=now - (self._began_at if at is None else at))

        return Signs(
            since(self._jobs.ended_at.get(CHECK_DUE)),
            since(self._jobs.ended_at.get(DELIVER)),
            since(self._store.written_at),
            tuple(self._delivery.find_stuck(LONGEST_STANDSTILL)),
        )

    def failing_for(self) -> dict[str, timedelta]:
        """
        Return how long each job that failed last has done nothing else.
        """
        return self._jobs.failing_for()

    async def _note_alive(self) -> None:
        await self._store.write(lambda tx: note_alive(tx, utc_now()))


def describe(counts: Mapping[State, int]) -> str:
    """
    Return in one line what is watched: "watching 40 connections; 2 in error".
    """
    n_watched = sum(counts.values()) - counts.get(State.PAUSED, 0)
    text = f"watching {say_count(n_watched, 'connection')}"
    told = {State.ERROR: "in error", State.EXPIRED: "expired", State.PAUSED: "paused"}
    parts = [f"{counts[state]} {words}" for state, words in told.items() if counts.get(state)]
    return f"{text}; {', '.join(parts)}" if parts else text
