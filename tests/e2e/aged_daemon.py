"""
Run connwatch in processes whose wall clock a file moves.

`python -m tests.e2e.aged_daemon WORLD ARGUMENT...` runs `connwatch ARGUMENT...`; WORLD is a file
in JSON with `ahead_s`, how far the clock is ahead of this machine's, and `regions`, where
Amazon's hosts are, if not at Amazon. `Commands` forks the same: a hundred commands would wait
for their imports otherwise.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import apscheduler.schedulers.base

from monitor import clock
from monitor.config import connections
from monitor.engine import parts, runner, scheduler, sweep
from monitor.providers import registry
from tests.command_line import Ended, clean_environment
from tests.e2e.dying_daemon import STEPS, When, die_at
from tests.forking import Forked, Streams, run_command
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo


LAST_MOMENTS: dict[str, tuple[Any, str, When]] = {
    "steps passed, not committed": (sweep, "sweep", When.AFTER),
    **STEPS,
}
"""Where a daemon may be killed."""


def move_clock(world: Path) -> None:
    """
    Let connwatch and its scheduler live by the time that *world* tells.
    """

    def now(zone: tzinfo | None = None) -> datetime:
        ahead_s = json.loads(world.read_text("utf-8"))["ahead_s"]
        return datetime.now(zone) + timedelta(seconds=ahead_s)

    moved: Any = SimpleNamespace(now=now)
    for module in (clock, apscheduler.schedulers.base):
        vars(module)["datetime"] = moved
    # The figures of the product, shorter: a year must go by in seconds.
    scheduler.LOOK_FOR_STEPS_EVERY_S = 0.02
    runner.COLLECT_FOR_S = 0.05
    parts.DELIVER_EVERY = timedelta(seconds=0.2)
    parts.SWEEP_EVERY = timedelta(seconds=0.2)


def move_regions(addresses: Mapping[str, str]) -> None:
    """
    Put other hosts in the place of Amazon's own, which only Amazon can serve.
    """
    for module in (registry, connections):
        vars(module)["endpoint_of"] = addresses.__getitem__


def main(world: str, *arguments: str) -> None:
    move_clock(Path(world))
    if regions := json.loads(Path(world).read_text("utf-8")).get("regions"):
        move_regions(regions)
    run_command(*arguments)


def begin(last_moment: str | None, *arguments: str) -> None:
    """
    Become the process of a command.

    Args:
        last_moment: Die there, the first time.
    """
    if last_moment is not None:
        die_at(*LAST_MOMENTS[last_moment], nth=1)
    main("world.json", *arguments)


class Daemon:
    """
    A `connwatch run` in a process of its own.
    """

    def __init__(self, process: Forked, log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        self.process.kill()
        self.wait_for_death()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.log.read_text("utf-8")

    def wait_for_death(self) -> None:
        assert self.wait() == -signal.SIGKILL

    def wait(self) -> int:
        """
        Return how it ended.
        """
        with suppress(TimeoutError):
            return self.process.wait(PATIENCE_S)
        raise AssertionError(self.log.read_text("utf-8"))

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]


class Commands:
    """
    connwatch in one folder, with the clock of `world.json` there.

    Args:
        said: All that commands printed, for whoever looks for secrets.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n = 0
        self.said: list[str] = []
        self.logs: list[Path] = []
        self.move_to(timedelta())

    def move_to(self, ahead: timedelta, **more: Any) -> None:
        """
        Move the clock of all processes, those that run too, at once.
        """
        fresh = self._folder / "world.fresh"
        fresh.write_text(json.dumps({"ahead_s": ahead.total_seconds(), **more}), "utf-8")
        fresh.replace(self._folder / "world.json")

    def run(self, *arguments: str) -> Ended:
        """
        Run a command to its end.
        """
        process, out, err = self._start(arguments, None)
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
        ended = Ended(code, out.read_text("utf-8"), err.read_text("utf-8"))
        self.said += [ended.out, ended.err]
        return ended

    @contextmanager
    def daemon(self, last_moment: str | None = None) -> Iterator[Daemon]:
        """
        Run the daemon, and see that it is gone at the end.
        """
        process, _, err = self._start(("run",), last_moment)
        self.logs.append(err)
        try:
            yield Daemon(process, err)
        finally:
            process.kill()
            process.wait(PATIENCE_S)

    def _start(
        self, arguments: tuple[str, ...], last_moment: str | None
    ) -> tuple[Forked, Path, Path]:
        self._n += 1
        out, err = (self._folder / f"{self._n}.{name}" for name in ("out", "err"))
        for path in (out, err):
            path.touch()
        process = Forked(
            begin,
            last_moment,
            *("--verbose", "--config", "config.toml", *arguments),
            cwd=self._folder,
            env=clean_environment(),
            streams=Streams(str(out), str(err)),
        )
        return process, out, err


if __name__ == "__main__":
    main(*sys.argv[1:])
