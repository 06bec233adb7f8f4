"""
Run the daemon in a process of its own, and read what it logs.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, Protocol

from tests.command_line import clean_environment
from tests.forking import Forked, Streams, run_command
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from signal import Signals


class Process(Protocol):
    """
    What is asked of a process, whoever started it.
    """

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: Signals, /) -> None: ...

    def kill(self) -> None: ...


class Daemon:
    """
    A `connwatch run` that was started.
    """

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self._log = log
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        """
        What it has said so far; half a line is not said yet.
        """
        if self._lines is not None:
            return self._lines
        text = self._log.read_text("utf-8", errors="replace")
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def wait_for(self, event: str) -> dict[str, Any]:
        """
        Return the first *event* in the log, when it is there.
        """
        wait_until(lambda: bool(self.named(event)) or self.process.poll() is not None)
        assert self.named(event), "".join(self.lines)
        return self.named(event)[0]

    def stop(self, number: Signals = SIGTERM) -> tuple[int, float]:
        """
        Send a signal; return the exit code and how many seconds the end took.
        """
        began = time.monotonic()
        self.process.send_signal(number)
        return self.end(), time.monotonic() - began

    def end(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """
        End it if need be, and keep what it said.
        """
        self.process.kill()
        self.end()
        self._lines = self.lines


@contextmanager
def run_daemon(
    folder: Path, *options: str, command: Sequence[str] = (), **env: str
) -> Iterator[Daemon]:
    """
    Run a daemon with the configuration in *folder*, and see that it is gone at the end.

    Args:
        command: What to start in the place of connwatch.
    """
    environment = clean_environment(env)
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log")
        log.touch()
        process = (
            _start([*command, *options, "run"], folder, environment, log)
            if command
            else Forked(
                run_command,
                *options,
                "run",
                cwd=folder,
                env=environment,
                streams=Streams(os.devnull, str(log)),
            )
        )
        daemon = Daemon(process, log)
        try:
            yield daemon
        finally:
            daemon.close()


def _start(command: list[str], folder: Path, env: dict[str, str], log: Path) -> Process:
    with log.open("ab") as err:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
