"""
Start commands on hostile configuration files: `run`, `check`, `status`, `validate`, `config check`.

`run` is started in a process of its own, until it says that it runs or ends; then it is stopped.
The others run in this one. No name but that of this machine can be looked up.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self
from unittest.mock import patch

import typer

from monitor.cli import app
from monitor.store.engine import Database
from monitor.store.migrate import upgrade
from tests.command_line import Ended, clean_environment
from tests.forking import Forked, Streams
from tests.fuzz import bait
from tests.fuzz.arguments import find_commands
from tests.fuzz.commands import run_here
from tests.fuzz.configuration import GOOD, change_lines
from tests.fuzz.core import FaultError
from tests.fuzz.offline import look_up_here, run_offline
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from random import Random

    from tests.fuzz.core import Case

HERE = f"""
[monitor]
database = "sqlite:///connwatch.db"
{GOOD}
[[connections]]
name = "near"
provider = "soldscope"
base_url = "http://127.0.0.1:9/api/v1"
token = "ss_live_x"
timeout = "1s"
[[connections]]
name = "near-store"
provider = "amazon"
application = "our-app"
region = "na"
endpoint = "http://127.0.0.1:9"
refresh_token = "Atzr|x"
valid_days = 365
renew_url = "https://example.com/renew"
notes = "call Jana first"
"""
"""Whose keys may be right, so that files which load get further."""

NAMES = ("token", "store", "counted", "any", "git", "near", "near-store", "nobody")
STATES = ("active", "error", "expired", "pending", "paused", "error,expired")
COMMANDS = (("run",), ("check",), ("status",), ("validate",), ("config", "check"))
WITHOUT = {"--open", "--watch"}
"""What opens a browser, and what does not end."""

VERDICTS = {"check", "status", "validate"}


class Starts:
    """
    A command, with arguments that may be wrong, on a file that may be.

    The first piece is the command line, the others are the lines of the file.
    """

    name = "starts"

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        top = Path(self._stack.enter_context(TemporaryDirectory()))
        # So deep that a path which leads out of the folder leads nowhere else.
        self._kept, self._folder = top / "kept.db", top / "so" / "deep" / "down" / "here"
        database = Database(f"sqlite:///{self._kept}")
        database.create_file()
        upgrade(database)
        database.close()
        self._options = {path: ["--help"] for path in COMMANDS} | {
            path: [option for option in options if option not in WITHOUT]
            for path, options in find_commands(typer.main.get_command(app))
            if path in COMMANDS
        }
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def make(self, random: Random) -> Case:
        command = random.choice(COMMANDS)
        arguments = list(command)
        # A daemon takes no arguments, and is told so before it reads anything.
        is_bare = command == ("run",) and random.random() < 0.9
        for _ in range(0 if is_bare else random.choice((0, 0, 1, 1, 2, 4))):
            kind = random.random()
            if kind < 0.5:
                arguments.append(random.choice(self._options[command]))
            elif kind < 0.8:
                arguments.append(shlex.quote(random.choice((*NAMES, *STATES))))
            else:
                text = bait.text(random).replace("\x00", "").replace("\ud800", "")
                arguments.append(shlex.quote(text))
        lines = HERE.splitlines(keepends=True)
        if random.random() < 0.5:  # a file with one connection loads more often
            lines = HERE[: HERE.index("[[connections]]")].splitlines(keepends=True)
            lines += HERE[HERE.rindex("[[connections]]") :].splitlines(keepends=True)
        if random.random() < 0.6:  # one that is odd, and right more often than not
            return (" ".join(arguments), *(_alter(random, line).encode() for line in lines))
        return (" ".join(arguments), *change_lines(random, lines))

    def run(self, case: Case) -> None:
        if not case or not isinstance(case[0], str):
            return
        try:
            arguments = shlex.split(case[0])
        except ValueError:
            return  # made smaller in the middle of a quoted word
        if not arguments or arguments[0] not in {"run", "config", *VERDICTS}:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        shutil.copy(self._kept, self._folder / "connwatch.db")
        path = self._folder / "config.toml"
        path.touch(mode=0o600)
        path.write_bytes(b"".join(piece for piece in case if isinstance(piece, bytes)))
        ended = self._start(arguments) if arguments[0] == "run" else self._go(arguments)
        known = {0, 1, 2, 3} if arguments[0] in VERDICTS else {0, 3}
        if ended.code not in known:
            raise FaultError(f"exit code {ended.code}: {ended.err}")
        if "Traceback" in ended.err or "fault of connwatch" in ended.err:
            raise FaultError(f"traceback: {ended.err}")
        if ended.code == 3 and not ended.err and not ended.out:
            raise FaultError("not done: without a word")

    def _go(self, arguments: list[str]) -> Ended:
        with patch("socket.getaddrinfo", look_up_here):
            return run_here(self._folder, *arguments)

    def _start(self, arguments: list[str]) -> Ended:
        out, err = self._folder / "stdout", self._folder / "stderr"
        process = Forked(
            run_offline,
            *arguments,
            cwd=self._folder,
            env=clean_environment(),
            streams=Streams(str(out), str(err)),
        )
        try:
            end = time.monotonic() + PATIENCE_S
            while process.poll() is None and not _says_it_runs(err):
                if time.monotonic() > end:
                    raise FaultError("it neither runs nor ends: " + _read(err))
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
        return Ended(code, _read(out), _read(err))


def _alter(random: Random, line: str) -> str:
    """
    Leave a line as it is, nearly always; else give its key another value of the same form.
    """
    key, equals, value = line.rstrip("\n").partition(" = ")
    if not equals or random.random() > 0.05 or key in {"name", "database", "endpoint"}:
        return line
    if random.random() < 0.2:
        return ""
    if value.isdigit():
        value = random.choice(("0", "1", "7", "365", "100000"))
    elif value.startswith("["):
        value = random.choice(("[]", "[1]", '["x"]', '["production", "production"]'))
    elif value[0] == '"' and value.rstrip('"')[-1:] in {"s", "m"}:
        value = random.choice(('"1s"', '"59m"', '"2h"', '"400d"', '"0.5s"'))
    elif value[0] == '"':
        value = random.choice(('""', '"x"', '"\u00e4\u4f60"', '"http://127.0.0.1:9/x"', '"daily"'))
    return f"{key} = {value}\n"


def _says_it_runs(err: Path) -> bool:
    return "daemon.started" in _read(err)


def _read(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text("utf-8", "replace")
    return ""
