"""Confine what a library sends to the addresses that may be called.

Decides what a thread may do while it sends for a channel that is not in the file: connect to
addresses that `config.hosts` lets pass, examined at the call of the system itself (an audit hook of
Python), whatever code makes it, so that nothing can be looked up in between; read the program's own
files and no others; start threads, which are confined likewise, but no program. Threads that send
for channels of the file notice nothing.
"""

from __future__ import annotations

import os
import socket
import sys
import sysconfig
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.config.hosts import HostRefused, read_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.config.hosts import AllowedHosts

_PROGRAMS = frozenset(
    "os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile os.system pty.spawn"  # noqa: SIM905
    " subprocess.Popen syslog.openlog syslog.syslog".split()
)
_THREADS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_EVENTS = _PROGRAMS | _THREADS | _SENDING | {"socket.getaddrinfo", "open"}

_OWN_FILES = tuple(
    f"{Path(folder).resolve()}/"
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).parents[1]),
        "/usr/share/zoneinfo",
    }
)
_KNOWN_FILES = frozenset({"/dev/null", "/dev/urandom", "/etc/mime.types"})


@dataclass(slots=True)
class Confinement:
    """What one message may reach.

    Args:
        refusal: What was kept from it, if anything was; says why, for people.
    """

    allowed: AllowedHosts
    refusal: HostRefused | None = None
    _name: str = ""
    _let_in: set[str] = field(default_factory=set)
    _is_looking: bool = False

    def look(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at what is about to be done; raise OSError if it may not be."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            if event in _SENDING:
                self._examine(*args)
            elif event == "socket.getaddrinfo":
                self._note_name(args[0])
            elif event == "open":
                _refuse_file(args[0])
            elif event in _THREADS:
                self._confine_thread(args[0])
            else:
                raise PermissionError(f"no program is started for this channel ({event})")
        except HostRefused as refused:
            self.refusal = refused
            raise
        finally:
            self._is_looking = False

    def refuse_proxied(self, host: str) -> None:
        """Raise HostRefused for a *host* that a proxy would look up for itself."""
        if not self.allowed.allows_name(host):
            self.refusal = HostRefused(host, "proxied")
            raise self.refusal

    def _examine(self, sock: socket.socket, target: object) -> None:
        if target is None:
            return  # of a datagram to where the socket is connected
        if sock.family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(target, tuple):
            raise HostRefused(self._name or "a socket of this machine", "local")
        host = target[0].decode() if isinstance(target[0], bytes) else str(target[0])
        address = read_address(host)
        if address is None:
            # The system has looked it up, and does not say what it found.
            why = None if self.allowed.allows_name(host) else "unknown"
        elif str(address) in self._let_in:
            why = None
        else:
            why = self.allowed.refuse(str(address))
        if why is not None:
            raise HostRefused(self._name or host, why)

    def _note_name(self, host: object) -> None:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not isinstance(name, str):
            return
        self._name = name
        why = self.allowed.refuse_host(name)
        if why is not None:
            raise HostRefused(name, why)
        if self.allowed.allows_name(name):
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            self._let_in |= {str(one[-1][0]) for one in found}

    def _confine_thread(self, function: object) -> None:
        thread = getattr(function, "__self__", None)
        if not isinstance(thread, threading.Thread):
            raise PermissionError("no bare thread is started for this channel")
        vars(thread)[_MARK] = self


_MARK = "connwatch_confinement"
_current: ContextVar[Confinement | None] = ContextVar("confinement", default=None)


def current_confinement() -> Confinement | None:
    """Return what confines this thread now, if anything does."""
    confinement = _current.get()
    if confinement is None:
        confinement = vars(threading.current_thread()).get(_MARK)
    return confinement


def _refuse_file(path: object) -> None:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str) or path in _KNOWN_FILES:
        return
    if not os.path.realpath(path).startswith(_OWN_FILES):
        raise PermissionError("this channel may read no file of this machine")


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS and (confinement := current_confinement()) is not None:
        confinement.look(event, args)


_install_lock = threading.Lock()
_installed: list[Callable[..., None]] = []


def _install() -> None:
    """Have Python ask us from now on; it cannot be asked to stop."""
    with _install_lock:
        if _installed:
            return
        start: Callable[[threading.Thread], None] = threading.Thread.start

        def start_confined(thread: threading.Thread) -> None:
            confinement = current_confinement()
            if confinement is not None:
                vars(thread)[_MARK] = confinement
            start(thread)

        # Older versions of Python do not say who starts a thread.
        vars(threading)["Thread"].start = start_confined
        sys.addaudithook(_watch)
        _installed.append(_watch)


@contextmanager
def confine(allowed: AllowedHosts | None) -> Iterator[Confinement | None]:
    """Confine this thread, and those that it starts; None confines nothing."""
    if allowed is None:
        yield None
        return
    _install()
    confinement = Confinement(allowed)
    token = _current.set(confinement)
    try:
        yield confinement
    finally:
        _current.reset(token)
