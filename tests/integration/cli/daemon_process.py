"""
Run the daemon in a process of its own, and read what it logs.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.integration.cli.command_line import COMMAND, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PATIENCE_S = 20


class Daemon:
    """
    A `connwatch run` that was started.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

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

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """
        Send a signal; return the exit code and how many seconds the end took.
        """
        began = time.monotonic()
        self.process.send_signal(number)
        return self.end(), time.monotonic() - began

    def end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        self._reader.join()
        return code

    def close(self) -> None:
        self.process.kill()
        self.end()
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def run_daemon(
    folder: Path, *options: str, command: Sequence[str] = (*COMMAND,), **env: str
) -> Iterator[Daemon]:
    """
    Run a daemon with the configuration in *folder*, and see that it is gone at the end.
    """
    daemon = Daemon(
        subprocess.Popen(
            [*command, *options, "run"],
            cwd=folder,
            env=clean_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        yield daemon
    finally:
        daemon.close()


def wait_until(is_true: Callable[[], bool]) -> None:
    """
    Return as soon as *is_true*, and fail if that takes too long.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
