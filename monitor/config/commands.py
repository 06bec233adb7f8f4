"""Run the commands that print secrets: `{ command = ["op", "read", "op://vault/item"] }`.

Decides how such a command is run (no shell, no input, within bounds of time and size, so many at a
time, one run for all that want the same), what counts as its output, and when it is run again. What
it prints is kept here and nowhere else; what it says on stderr is never read.
"""

from __future__ import annotations

import atexit
import os
import random
import selectors
import signal
import subprocess
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from monitor.judge.shortage import Shortage, find_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PATIENCE_S = 10.0
"""How long a command may take as a whole."""

LARGEST_OUTPUT = 64 * 1024
MOST_AT_ONCE = 8
REFRESH_EVERY = timedelta(minutes=5)
"""How often a command is run again, unless `checks.secrets_refresh` says otherwise."""

FAILED_AGAIN_AFTER_S = 5.0
"""How soon a command that has printed nothing yet is run again, if it is wanted."""

_SPREAD = 0.2
"""The part of the time until the next run by which commands differ."""

_OF_OUR_SERVICE = (
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "MAINPID",
)
"""What systemd says to the daemon alone: a command that repeats it speaks in our name."""

_LOOK_EVERY_S = 0.01
_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class Printed:
    """What one run came to.

    Args:
        value: What was printed; None if it is of no use.
        why: Why not.
        shortage: What this machine was short of, if that was why.
    """

    value: str | None = field(default=None, repr=False)
    why: str = ""
    shortage: Shortage | None = None


class SecretCommand:
    """One command, whoever wants its output; all that is equal is one (`share_command`)."""

    def __init__(self, argv: tuple[str, ...], folder: Path) -> None:
        self.argv = argv
        self._folder = folder
        self._lock = threading.Lock()
        self._latest: Printed | None = None
        self._value: str | None = None
        self._pending: Future[Printed] | None = None
        self._again_at = 0.0
        self.refresh_every = REFRESH_EVERY

    @property
    def value(self) -> str | None:
        """Return what it printed last; None if it never printed anything of use."""
        return self._value

    @property
    def why_not(self) -> str:
        """Return why there is no value."""
        latest = self._latest
        return "not finished yet" if latest is None else latest.why

    def wanted(self) -> Future[Printed] | None:
        """Return the run that whoever needs the value should wait for; None if there is none."""
        with self._lock:
            if self._pending is None and monotonic() < self._again_at:
                return None
            return self._start()

    def start(self) -> Future[Printed]:
        """Have it run in the background; return the run that is under way already, if any."""
        with self._lock:
            return self._start()

    def _start(self) -> Future[Printed]:
        if self._pending is None:
            run: Future[Printed] = Future()
            if not _lanes.submit(self._finish):
                run.set_result(Printed(why=Shortage.THREADS.words, shortage=Shortage.THREADS))
                return run
            self._pending = run
        return self._pending

    def _finish(self) -> None:
        """Run it, in a thread of its own, and keep what it printed."""
        printed = Printed(why="a fault of connwatch: the log has the details to report")
        try:
            printed = run_command(self.argv, self._folder)
        finally:
            self._keep(printed)

    def _keep(self, printed: Printed) -> None:
        with self._lock:
            pending, self._pending = self._pending, None
            before, self._latest = self._latest, printed
            if printed.value is not None:
                self._value = printed.value
            wait = self.refresh_every.total_seconds()
            if self._value is None:
                wait = min(wait, FAILED_AGAIN_AFTER_S)
            self._again_at = monotonic() + wait * (1 - random.random() * _SPREAD)  # noqa: S311 - no secret hangs on it
        self._log(before, printed)
        assert pending is not None, "only what was started comes to an end"
        pending.set_result(printed)

    def _log(self, before: Printed | None, printed: Printed) -> None:
        """Log a failure once, and its end; never an argument, which may be a secret itself."""
        import structlog

        log = structlog.get_logger()
        had_failed = before is not None and before.value is None
        if printed.value is None and not had_failed:
            is_used = self._value is not None
            log.warning(
                "secret.command_failed",
                program=self.argv[0],
                why=printed.why,
                next="the last value is used" if is_used else "it is run again when it is needed",
            )
        elif printed.value is not None and had_failed:
            log.info("secret.command_works_again", program=self.argv[0])


async def wait_for_run(run: Future[Printed], within: float | None = None) -> Printed | None:
    """Return what *run* came to, without holding up the loop; None if it takes longer.

    Args:
        within: The seconds that it may take; without it there is no limit.
    """
    import asyncio

    loop, is_over = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Future[Printed]) -> None:
        with suppress(RuntimeError):  # the loop was closed, so that nobody waits
            loop.call_soon_threadsafe(is_over.set)

    run.add_done_callback(wake)
    try:
        async with asyncio.timeout(within):
            await is_over.wait()
    except TimeoutError:
        return None
    return run.result()


_known: WeakValueDictionary[tuple[tuple[str, ...], str], SecretCommand] = WeakValueDictionary()
_known_lock = threading.Lock()


def share_command(argv: tuple[str, ...], folder: Path) -> SecretCommand:
    """Return the command *argv* of files in *folder*; the same one while anybody holds it."""
    with _known_lock:
        command = _known.get((argv, str(folder)))
        if command is None:
            command = SecretCommand(argv, folder)
            _known[argv, str(folder)] = command
        return command


# --- the threads that wait for commands


class _Lanes:
    """So many threads at most, each there while there is something to run.

    They do not keep the process from ending, as those of a pool would.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._n_open = 0

    def submit(self, job: Callable[[], None]) -> bool:
        """Run *job* as soon as it is its turn; tell whether there is a thread that can."""
        with self._lock:
            self._waiting.append(job)
            if self._n_open >= self._most:
                return True
            try:
                threading.Thread(target=self._work, name="secret command", daemon=True).start()
            except RuntimeError:  # no more threads: those that there are go on with it
                if not self._n_open:
                    self._waiting.remove(job)
                return bool(self._n_open)
            self._n_open += 1
            return True

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                job()
        except BaseException:
            self._close()
            raise

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._n_open -= 1
            return None

    def _close(self) -> None:
        with self._lock:
            self._n_open -= 1


_lanes = _Lanes(MOST_AT_ONCE)


# --- one run

_running: set[subprocess.Popen[bytes]] = set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End *process* and all that it has started, which are of its group.

    It must not have been waited for: its number may be another's then.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _kill_all() -> None:
    for process in list(_running):
        _kill(process)


atexit.register(_kill_all)


def environment_of_commands(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what commands see of *environment*: all but what is between systemd and the daemon."""
    return {name: value for name, value in environment.items() if name not in _OF_OUR_SERVICE}


def run_command(argv: tuple[str, ...], folder: Path, patience_s: float = PATIENCE_S) -> Printed:
    """Run *argv* in *folder* and return what it printed, or why that is of no use."""
    ends_at = monotonic() + patience_s
    try:
        process = subprocess.Popen(  # noqa: S603 - what the owner of the file wrote there
            argv,
            cwd=folder,
            env=environment_of_commands(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Its own group, to be ended as a whole; and no terminal that it could ask on.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return _explain_start(error)
    _running.add(process)
    try:
        output = _read_output(process, ends_at)
    finally:
        _running.discard(process)
        _kill(process)
        code = process.wait()
        assert process.stdout is not None, "it is a pipe"
        process.stdout.close()
    if output is None:
        return Printed(why=f"no result within {patience_s:g} s")
    if len(output) > LARGEST_OUTPUT:
        return Printed(why="printed more than 64 KiB: is this the right command?")
    return _read_result(code, output)


def _explain_start(error: OSError | ValueError) -> Printed:
    short = find_shortage(error)
    if short is not None:
        return Printed(why=short.words, shortage=short)
    why = error.strerror if isinstance(error, OSError) else None
    return Printed(
        why=f"cannot be started: {(why or type(error).__name__).lower()} (there is no shell:"
        " each word is an element of the list)"
    )


def _read_output(process: subprocess.Popen[bytes], ends_at: float) -> bytes | None:
    """Return all that *process* prints, or one byte more than it may; None if it takes too long.

    What it leaves running may hold its output open: that ends with the process itself.
    """
    assert process.stdout is not None, "it is a pipe"
    handle = process.stdout.fileno()
    os.set_blocking(handle, False)
    output, is_closed, has_ended = b"", False, False
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while len(output) <= LARGEST_OUTPUT and not (has_ended and is_closed):
            left = ends_at - monotonic()
            if left <= 0:
                return None
            # Looked at before the reading: what was printed before the end is there by then.
            has_ended = _has_ended(process)
            if is_closed:
                sleep(0.0 if has_ended else min(left, _LOOK_EVERY_S))
                continue
            selector.select(0 if has_ended else min(left, _LOOK_EVERY_S))
            try:
                chunk = os.read(handle, _CHUNK)
            except BlockingIOError:
                is_closed = has_ended
                continue
            is_closed = not chunk
            output += chunk
    return output


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether *process* is over, and leave its number to it."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _read_result(code: int, output: bytes) -> Printed:
    if code < 0:
        with suppress(ValueError):
            return Printed(why=f"ended by {signal.Signals(-code).name}")
    if code != 0:
        return Printed(why=f"exit {code}")
    text = cut_line_break(output.decode("utf-8", errors="surrogateescape"))
    return Printed(text) if text.strip() else Printed(why="printed nothing")


def cut_line_break(text: str) -> str:
    """Return *text* without the one line break at its end, if there is one."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
