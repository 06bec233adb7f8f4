"""Let whoever started the daemon know how it is: ready, at work, or stuck.

Whether it still does its work is decided in `judge.health`. A message is one datagram to
`$NOTIFY_SOCKET`, written by hand: the packages that do it were last released in 2017 and 2020, or
bring a C library along.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.clock import monotonic_usec, utc_now
from monitor.config.errors import format_count
from monitor.engine.scheduler import Job
from monitor.judge.health import LONGEST_STANDSTILL, Liveness, find_stalls
from monitor.judge.outcome import State
from monitor.store.overview import count_states
from monitor.store.watermarks import note_alive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.engine.scheduler import Scheduler
    from monitor.notify.delivery import Delivery
    from monitor.store.engine import StoreWorker


log = structlog.get_logger()

NOTE_ALIVE_EVERY = timedelta(seconds=10)
REPORT_STATUS_EVERY = timedelta(seconds=5)

FEEDS_PER_SILENCE = 3
"""Two feeds may be late before systemd takes the daemon for dead."""

SHORTEST_REST = timedelta(milliseconds=100)
"""No watchdog is so impatient in earnest, and a rhythm of nothing is none."""

CHECK_DUE = "check_due"
DELIVER = "deliver"
"""The jobs without which nothing is watched, and nobody told."""


class Supervisor:
    """Watches over the jobs of the daemon for systemd."""

    def __init__(
        self, systemd: Systemd, store: StoreWorker, jobs: Scheduler, delivery: Delivery
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
        """Return what is to be done again and again; for systemd, only if it listens."""
        jobs = [Job("note_alive", NOTE_ALIVE_EVERY, self._note_alive)]
        if self._systemd.is_listening:
            jobs.append(Job("tell_status", REPORT_STATUS_EVERY, self.notify_status))
        if self._systemd.watchdog is not None:
            every = max(self._systemd.watchdog / FEEDS_PER_SILENCE, SHORTEST_REST)
            jobs.append(Job("feed_watchdog", every, self.feed))
        return jobs

    async def feed(self) -> None:
        """Feed the watchdog, unless something has come to a halt."""
        stalls = find_stalls(self.signs())
        if not stalls:
            self._is_withheld = False
            self._systemd.feed_watchdog()
            return
        self._systemd.notify_status(f"stuck: {'; '.join(stalls)}")
        if not self._is_withheld:
            self._is_withheld = True
            log.error("watchdog.withheld", why=stalls)

    async def notify_status(self) -> None:
        """Say in one line what is watched, and how much of it is broken.

        Raises:
            StoreError: The database cannot be read; what was said last stands.
        """
        if self._systemd.is_listening and not self._is_withheld:
            watched = describe_counts(await self._store.read(count_states))
            self._systemd.notify_status(f"{watched}; {self.remark}" if self.remark else watched)

    def signs(self) -> Liveness:
        """Return the signs of life that there are."""
        now = time.monotonic()

        def since(at: float | None) -> timedelta:
            return timedelta(seconds=now - (self._began_at if at is None else at))

        return Liveness(
            since(self._jobs.ended_at.get(CHECK_DUE)),
            since(self._jobs.ended_at.get(DELIVER)),
            since(self._store.written_at),
            tuple(self._delivery.find_stuck(LONGEST_STANDSTILL)),
        )

    def failing_for(self) -> dict[str, timedelta]:
        """Return how long each job that failed last has done nothing else."""
        return self._jobs.failing_for()

    async def _note_alive(self) -> None:
        await self._store.write(lambda tx: note_alive(tx, utc_now()))


def describe_counts(counts: Mapping[State, int]) -> str:
    """Return in one line what is watched: "watching 40 connections; 2 in error"."""
    n_watched = sum(counts.values()) - counts.get(State.PAUSED, 0)
    text = f"watching {format_count(n_watched, 'connection')}"
    told = {State.ERROR: "in error", State.EXPIRED: "expired", State.PAUSED: "paused"}
    parts = [f"{counts[state]} {words}" for state, words in told.items() if counts.get(state)]
    return f"{text}; {', '.join(parts)}" if parts else text


LONGEST_STATUS = 300
"""More would not be read in a line of `systemctl status`."""


class Systemd:
    """Who started the daemon, if it wants to hear of it; else nobody.

    A supervisor that cannot be reached is logged once, and tried again with the
    next message.

    Args:
        address: A path, or a name in the abstract namespace that begins with `@`.
        watchdog: After which silence the daemon is taken for dead; None for never.
    """

    def __init__(self, address: str | None, watchdog: timedelta | None = None) -> None:
        self._address = address
        self.watchdog = watchdog if address else None
        self._is_unreached = False
        self._status: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Systemd:
        """Return the one that *environment* speaks of."""
        address = environment.get("NOTIFY_SOCKET") or None
        if address and not address.startswith(("/", "@")):
            log.warning("systemd.unknown_address", why="$NOTIFY_SOCKET is neither a path nor @name")
            address = None
        return cls(address, _watchdog_of(environment))

    @property
    def is_listening(self) -> bool:
        """Tell whether there is anybody to tell."""
        return self._address is not None

    def notify_ready(self) -> None:
        """Say that the daemon serves: after the start, and after each reload."""
        self._send("READY=1")

    def notify_reloading(self) -> None:
        """Say that the settings are read again; `tell_ready` ends it, well or badly."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec()}")

    def notify_stopping(self) -> None:
        """Say that the daemon is about to end."""
        self._send("STOPPING=1", "STATUS=stopping")

    def notify_status(self, text: str) -> None:
        """Say in one line how it is, if that is not what was said last."""
        if text == self._status:
            return
        line = " ".join(text.split())
        if len(line) > LONGEST_STATUS:
            line = f"{line[: LONGEST_STATUS - 1]}…"
        if self._send(f"STATUS={line}"):
            self._status = text

    def feed_watchdog(self) -> None:
        """Say that the daemon is alive."""
        self._send("WATCHDOG=1")

    def _send(self, *fields: str) -> bool:
        if self._address is None:
            return False
        name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                # Nobody's full queue may hold the event loop.
                sender.settimeout(0)
                sender.connect(name)
                sender.send("\n".join(fields).encode())
        except OSError as error:
            self._note_failure(error)
            return False
        if self._is_unreached:
            self._is_unreached = False
            log.info("systemd.reached_again")
        return True

    def _note_failure(self, error: OSError) -> None:
        if not self._is_unreached:
            self._is_unreached = True
            log.warning("systemd.unreached", error=error.strerror or str(error))


def _watchdog_of(environment: Mapping[str, str]) -> timedelta | None:
    """Return the silence that is allowed, if it is us who are watched."""
    written = environment.get("WATCHDOG_USEC", "")
    if not written:
        return None
    if environment.get("WATCHDOG_PID", "") not in {"", str(os.getpid())}:
        return None
    if not (written.isascii() and written.isdigit() and 0 < int(written) < 2**63):
        log.warning("systemd.watchdog_ignored", why="$WATCHDOG_USEC is no number of microseconds")
        return None
    return timedelta(microseconds=min(int(written), 10**15))
