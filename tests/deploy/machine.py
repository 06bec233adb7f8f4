"""
Boot a machine of its own under systemd, and run commands on it.

It shares this machine's network, so that it reaches the servers of tests on
loopback, and has nothing else of it. What it writes is gone when it ends.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BOOTS_WITHIN_S = 60
COMMAND_WITHIN_S = 60
ENDS_WITHIN_S = 30

POWER_OFF = signal.SIGRTMIN + 4
"""What systemd takes for an order to end in good order, as process 1."""


class Machine:
    """
    A machine that runs.

    Args:
        leader: Its process 1, as this machine counts.
    """

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def path(self, path: str) -> Path:
        """
        Return how this machine gets at a file of that one.
        """
        return Path(f"/proc/{self.leader}/root{path}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """
        Write a file that belongs to root there.
        """
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def run(self, *command: str, codes: Sequence[int] = (0,)) -> str:
        """
        Run a command as from a root shell; return what it prints.

        Args:
            codes: The ways in which it may end.
        """
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--all", *command],
            env={"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            start_new_session=True,
            check=False,
        )
        assert done.returncode in codes, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def property(self, name: str, unit: str = "connwatch.service") -> str:
        """
        Return what systemd says of the unit.
        """
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").strip()

    def journal(self, unit: str = "connwatch.service") -> list[dict[str, Any]]:
        """
        Return what the unit logged, as far as that is JSON.
        """
        text = self.run("journalctl", f"--unit={unit}", "--output=cat", "--no-pager", "--quiet")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@contextmanager
def boot(debian: Path, *options: str) -> Iterator[Machine]:
    """
    Boot *debian*, which stays as it was, and see that all of it is gone at the end.
    """
    console: list[str] = []
    command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
    command += ["--console=pipe", "--volatile=overlay", "--resolv-conf=off", "--timezone=off"]
    command += [f"--directory={debian}", f"--machine=connwatch-{os.getpid()}", *options]
    spawn = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert spawn.stdout is not None
    reader = threading.Thread(target=lambda: console.extend(map(_readable, spawn.stdout or ())))
    reader.start()
    leader = 0
    try:
        leader = _find_leader(spawn, console)
        machine = Machine(leader)
        wait_until(lambda: _is_up(machine), BOOTS_WITHIN_S)
        yield machine
    finally:
        _end(spawn, leader)
        reader.join()
        spawn.stdout.close()


def _readable(line: bytes) -> str:
    return line.decode(errors="replace")


def _find_leader(spawn: subprocess.Popen[bytes], console: list[str]) -> int:
    children = Path(f"/proc/{spawn.pid}/task/{spawn.pid}/children")

    found: list[int] = []

    def look() -> bool:
        assert spawn.poll() is None, f"systemd-nspawn ended: {''.join(console)}"
        found.extend(int(pid) for pid in children.read_text().split() if _is_first(pid))
        return bool(found)

    wait_until(look, BOOTS_WITHIN_S)
    return found[0]


def _is_first(pid: str) -> bool:
    """
    Tell whether a process is number 1 where it lives: others only prepare its coming.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return re.search(r"^NSpid:\t\d+\t1$", status, flags=re.MULTILINE) is not None


def _is_up(machine: Machine) -> bool:
    # 1 while it is not there or not ready; `degraded` is some unit's matter, not ours.
    told = machine.run("systemctl", "is-system-running", codes=range(256))
    return told.strip() in {"running", "degraded"}


def _end(spawn: subprocess.Popen[bytes], leader: int) -> None:
    """
    Power the machine off; what does not end by itself is killed.
    """
    if leader and spawn.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(leader, POWER_OFF)
    try:
        spawn.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        if leader:
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)  # process 1 takes all others with it
        spawn.kill()
        spawn.wait()
