"""
Give arguments to every command: each ends with an exit code that is documented.

Nearly all run in this process, which is quick; a few in one of their own, as people start them.
What runs until it is stopped, or until a service answers, is left out.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import typer

from monitor.cli import app
from tests.bench import NOWHERE, OK, REFUSED, Bench, connection
from tests.command_line import Ended, connwatch_from_cold
from tests.fuzz import bait
from tests.fuzz.commands import run_here
from tests.fuzz.core import FaultError

if TYPE_CHECKING:
    from random import Random

    from tests.fuzz.core import Case

ENDLESS = {("run",), ("demo",), ("simulate",), ("searches", "wait")}
VERDICTS = {"check", "status", "validate", "doctor"}
IN_ITS_OWN_PROCESS = "in its own process"
LIKELY = (
    "acme",
    "globex",
    "ops",
    "2h",
    "2026-11-20",
    "1",
    "production",
    "error",
    "-",
    "backup.db",
    "connwatch.db",
    "config.toml",
    ".",
    "nowhere/x",
)
CHANNEL = """
[web]
listen = ""
[[channels]]
name = "ops"
url = "json://127.0.0.1:9/hook"
"""


class Arguments:
    """
    Command lines made of the commands and options that there are, and of anything else.
    """

    name = "arguments"

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        top = Path(self._stack.enter_context(TemporaryDirectory()))
        # So deep that a path which leads out of the folder leads nowhere else.
        self._kept, self._folder = top / "kept", top / "so" / "deep" / "down" / "here"
        self._kept.mkdir()
        bench = Bench(self._kept)
        tables = (connection("acme", tags='["production"]'), connection("globex"))
        bench.configure(*tables, more=CHANNEL)
        bench.evaluate("acme", OK)
        bench.evaluate("globex", REFUSED, REFUSED)
        self._commands = list(find_commands(typer.main.get_command(app)))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def make(self, random: Random) -> Case:
        path, options = random.choice(self._commands)
        arguments = list(path)
        for _ in range(random.choice((0, 1, 1, 2, 2, 3, 5))):
            if options and random.random() < 0.5:
                arguments.append(random.choice(options))
                if arguments[-1] == "--base-url":
                    arguments.append(NOWHERE)
            else:
                arguments.append(_make_value(random))
        if random.random() < 0.05:
            arguments.insert(random.randrange(len(arguments) + 1), _make_value(random))
        if random.random() < 0.02:
            arguments.insert(0, IN_ITS_OWN_PROCESS)
        return tuple(arguments)

    def run(self, case: Case) -> None:
        arguments = [each for each in case if isinstance(each, str)]
        is_cold = IN_ITS_OWN_PROCESS in arguments
        if is_cold:
            arguments.remove(IN_ITS_OWN_PROCESS)
        words = tuple(each for each in arguments if not each.startswith("-"))
        if ENDLESS & {words[:1], words[:2]}:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._kept, self._folder)
        start = (
            partial(connwatch_from_cold, cwd=self._folder)
            if is_cold
            else partial(run_here, self._folder)
        )
        ended = start(*arguments)
        known = {0, 1, 2, 3} if VERDICTS.intersection(words[:1]) else {0, 3, 130}
        if ended.code not in known:
            raise FaultError(f"exit code {ended.code}: {ended.err}")
        if "Traceback" in ended.err or "fault of connwatch" in ended.err:
            raise FaultError(f"traceback {_last_line_of(ended)}: {ended.err}")
        if ended.code == 3 and not ended.err and not ended.out:
            raise FaultError("not done: without a word")


def _make_value(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(LIKELY)
    # No argument can hold a zero, and bytes that are no UTF-8 become these signs.
    value = bait.text(random).replace("\x00", "").replace("\ud800", "\udcff\udc80")
    return value + random.choice("\udc80\udcc3\udcff") if random.random() < 0.05 else value


def _last_line_of(ended: Ended) -> str:
    lines = [line for line in ended.err.splitlines() if line and line[0].isalpha()]
    return lines[-2] if len(lines) > 1 else ""


def find_commands(command: Any, path: tuple[str, ...] = ()) -> Any:
    """
    Yield the words that lead to each command, with its options.
    """
    options = [name for one in command.params for name in one.opts if name.startswith("-")]
    if not path:
        yield (), [*options, "--help"]
    for name, below in getattr(command, "commands", {}).items():
        if (*path, name) not in ENDLESS:
            yield from find_commands(below, (*path, name))
    if path:
        yield path, [*options, "--help"]
