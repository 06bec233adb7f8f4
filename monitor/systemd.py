"""
Tell systemd, or whoever else started us and listens, how the daemon is.

Decides how a message travels: one datagram to `$NOTIFY_SOCKET`, sent without
waiting. What is told, and when, is left to `monitor.guarding`.

Written by hand: the packages that do it were last released in 2017 and 2020, or
bring a C library of systemd's along, for these few lines over a socket.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.clock import monotonic_usec

if TYPE_CHECKING:
    from collections.abc import Mapping

log = structlog.get_logger()

LONGEST_STATUS = 300
"""More would not be read in a line of `systemctl status`."""


class Systemd:
    """
    Who started the daemon, if it wants to hear of it; else nobody.

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
        """
        Return the one that *environment* speaks of.
        """
        address = environment.get("NOTIFY_SOCKET") or None
        if address and not address.startswith(("/", "@")):
            log.warning("systemd.unknown_address", why="$NOTIFY_SOCKET is neither a path nor @name")
            address = None
        return cls(address, _watchdog_of(environment))

    @property
    def is_listening(self) -> bool:
        """
        Tell whether there is anybody to tell.
        """
        return self._address is not None

    def tell_ready(self) -> None:
        """
        Say that the daemon serves: after the start, and after each reload.
        """
        self._send("READY=1")

    def tell_reloading(self) -> None:
        """
        Say that the settings are read again; `tell_ready` ends it, well or badly.
        """
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec()}")

    def tell_stopping(self) -> None:
        """
        Say that the daemon is about to end.
        """
        self._send("STOPPING=1", "STATUS=stopping")

    def tell_status(self, text: str) -> None:
        """
        Say in one line how it is, if that is not what was said last.
        """
        if text == self._status:
            return
        line = " ".join(text.split())
        if len(line) > LONGEST_STATUS:
            line = f"{line[: LONGEST_STATUS - 1]}…"
        if self._send(f"STATUS={line}"):
            self._status = text

    def feed_watchdog(self) -> None:
        """
        Say that the daemon is alive.
        """
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
    """
    Return the silence that is allowed, if it is us who are watched.
    """
    written = environment.get("WATCHDOG_USEC", "")
    if not written:
        return None
    if environment.get("WATCHDOG_PID", "") not in {"", str(os.getpid())}:
        return None
    if not (written.isascii() and written.isdigit() and 0 < int(written) < 2**63):
        log.warning("systemd.watchdog_ignored", why="$WATCHDOG_USEC is no number of microseconds")
        return None
    return timedelta(microseconds=min(int(written), 10**15))
