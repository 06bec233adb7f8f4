"""
Run the command line of the parts under test, in a process of its own.

Decides whether that process is forked, which is quick, or started as people start it.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.forking import Forked, Streams, run_command
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-P", "-m", "monitor"]


@dataclass(frozen=True)
class Ended:
    """
    How a command ended.
    """

    code: int
    out: str
    err: str


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Return an environment that names no configuration of this machine.
    """
    of_ours = ("CONNWATCH_", "SOLDSCOPE_", "STATE_DIRECTORY", "CREDENTIALS_", "XDG_", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(of_ours)}
    return kept | {"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)} | dict(more or {})


def connwatch(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """
    Run a command that asks nothing.
    """
    if any(name.startswith("PYTHON") for name in env or {}):  # read when Python starts
        return connwatch_from_cold(*arguments, cwd=cwd, env=env)
    with tempfile.TemporaryDirectory() as folder:
        out, err = (Path(folder, name) for name in ("out", "err"))
        streams = Streams(str(out), str(err))
        process = Forked(
            run_command, *arguments, cwd=cwd, env=clean_environment(env), streams=streams
        )
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
        return Ended(code, out.read_text("utf-8"), err.read_text("utf-8"))


def connwatch_from_cold(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """
    Run a command that asks nothing, with all that it imports still to be imported.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def converse(
    *arguments: str, cwd: Path, answers: Sequence[tuple[str, str]], env: Mapping[str, str] = {}
) -> tuple[int, str]:
    """
    Run a command on a terminal; return its exit code and all that was to be seen.

    Args:
        answers: What to wait for, as a pattern, and what to type then.
    """
    ours, theirs = pty.openpty()
    streams = Streams.of_terminal(os.ttyname(theirs))
    process = Forked(run_command, *arguments, cwd=cwd, env=clean_environment(env), streams=streams)
    os.close(theirs)
    try:
        seen = ""
        for pattern, answer in answers:
            seen += _read_until(ours, pattern, seen)
            os.write(ours, answer.encode() + b"\n")
        seen += _read_to_end(ours)
        return process.wait(PATIENCE_S), seen.replace("\r\n", "\n")
    finally:
        process.kill()
        os.close(ours)


def _read_until(terminal: int, pattern: str, before: str) -> str:
    text = ""
    deadline = time.monotonic() + PATIENCE_S
    while not re.search(pattern, text):
        part = _read_part(terminal, deadline)
        assert part, f"{pattern!r} did not come; all that came: {before}{text}"
        text += part
    return text


def _read_to_end(terminal: int) -> str:
    text = ""
    deadline = time.monotonic() + PATIENCE_S
    while part := _read_part(terminal, deadline):
        text += part
    return text


def _read_part(terminal: int, deadline: float) -> str:
    """
    Return what came, or nothing at the end or after the *deadline*.
    """
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        return ""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # how Linux tells that the other side is closed
        return ""
