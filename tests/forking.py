"""
Start processes of connwatch by a fork of one in which everything is imported.

Decides how such a process begins: with a folder, an environment, streams, a
process number and an end of its own. What imports cost, which is most of what a
short command does, is paid once a run of tests. What a start of Python does by
itself is not tried here: `tests/test_main.py` starts each
command so.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from monitor import __main__
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

PRELOADED = [
    __name__,
    "alembic.command",
    "monitor.cli",
    "monitor.cli.runner",
    "monitor.report.status",
    "monitor.store.schema",
    "pydantic.type_adapter",
    "pytest",  # without xdist, it is the main module, which each child imports
    "sqlalchemy.dialects.postgresql",
    "tests.e2e.aged_daemon",
    "tests.e2e.dying_daemon",
    "tests.preloaded",
]
"""What commands import when they need it, and those who start some."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(PRELOADED)


class Streams(NamedTuple):
    """
    The files that take what a process prints; those of a terminal are the terminal.
    """

    out: str
    err: str
    source: str = os.devnull

    @classmethod
    def of_terminal(cls, path: str) -> Streams:
        return cls(path, path, path)

    @property
    def is_terminal(self) -> bool:
        return self.source == self.out


class Forked:
    """
    A process that was forked, driven as `subprocess.Popen` is.
    """

    def __init__(
        self,
        run: Callable[..., None],
        *arguments: str | None,
        cwd: Path,
        env: Mapping[str, str],
        streams: Streams,
    ) -> None:
        begun, has_begun = _FORKS.Pipe(duplex=False)
        with begun, has_begun:
            self._process = _FORKS.Process(
                target=_become,
                args=(has_begun, run, arguments, str(cwd), dict(env), streams),
                daemon=True,
            )
            self._process.start()
            assert self._process.pid is not None
            self.pid = self._process.pid
            has_begun.close()
            # A terminal that its process has not opened yet looks like one that it has left.
            begun.poll(PATIENCE_S)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"process {self.pid} did not end within {timeout} s")
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_command(*arguments: str) -> None:
    """
    Be `connwatch` with these arguments.
    """
    sys.argv = ["connwatch", *arguments]
    __main__.main()


def _become(
    has_begun: Connection,
    run: Callable[..., None],
    arguments: tuple[str | None, ...],
    folder: str,
    environment: dict[str, str],
    streams: Streams,
) -> None:
    if streams.is_terminal:
        os.setsid()  # what the first process of a session opens first is its terminal
    for path, descriptor in ((streams.source, 0), (streams.out, 1), (streams.err, 2)):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    has_begun.close()
    for stream, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = "r" if descriptor == 0 else "w"
        errors = "backslashreplace" if descriptor == 2 else "strict"
        opened_as = open(descriptor, mode, errors=errors, closefd=False)  # noqa: SIM115 - it lives as long as the process
        setattr(sys, stream, opened_as)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    run(*arguments)
