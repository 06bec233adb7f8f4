"""
Run the demo as somebody who has just installed connwatch, in an empty folder.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from monitor.cli.demo import remove_leftovers
from tests.waiting import BUILD_PATIENCE_S, PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
STORY_WITHIN_S = 60
STOP_WITHIN_S = 10

"""When a demo that hangs is killed."""

pytestmark = pytest.mark.slow


class Demo:
    """
    A demo that runs.

    Args:
        folder: Where it was started, and where alone it may write.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def read_until(self, pattern: str) -> str:
        """
        Return what is printed up to a line that has *pattern*.
        """
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if re.search(pattern, line):
                return text
        raise AssertionError(f"{pattern!r} did not come: {text}{self.process.communicate()}")

    def daemon(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def left_behind(self) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in self.folder.rglob("*/*")]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Demo]:
    (folder / "tmp").mkdir()
    (folder / "empty").mkdir()
    of_ours = ("CONNWATCH_", "STATE_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(of_ours)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "monitor", "demo", *arguments],
        cwd=folder / "empty",
        env=kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Longer than each wait below it: who waits in vain is to say for what.
    watchdog = threading.Timer(BUILD_PATIENCE_S, process.kill)
    watchdog.start()
    try:
        yield Demo(process, folder)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.long
def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path):
    began_at = time.monotonic()
    with running(tmp_path) as demo:
        start = demo.read_until("Someone revokes the token of acme-staging")
        broken = demo.read_until("A new token is created")
        mended = demo.read_until("Ctrl-C ends the demo")
        took_s = time.monotonic() - began_at
        (private,) = (tmp_path / "tmp").iterdir()
        modes = {oct(path.stat().st_mode & 0o077) for path in [private, *private.rglob("*")]}
        daemon = demo.daemon()

        stopped_at = time.monotonic()
        demo.process.send_signal(signal.SIGINT)
        out, err = demo.process.communicate(timeout=PATIENCE_S)
        stop_took_s = time.monotonic() - stopped_at

    assert (demo.process.returncode, err) == (0, "")
    for connection in ("acme-production", "acme-staging", "globex-production"):
        assert re.search(rf"active +{connection}", start)
    assert re.search(r"7,421 of 10,000", start)
    assert re.search(r"ALERT .* initech-production: quota low", start)
    assert re.search(r"ALERT .* globex-store-europe.*expires in 3 days", start)
    assert re.search(r"ALERT .* acme-staging: token rejected", broken)
    assert re.search(r"error +acme-staging", broken)
    for alert in (
        "acme-staging works again",
        "globex-production: quota low",
        "initech-production: quota used up",
        "initech-production: quota changed",
        "globex-store-europe: authorization renewed",
        "initech-store-america: authorization revoked",
        "initech-store-america works again",
    ):
        assert re.search(f"ALERT .* {alert}", mended)
    assert re.search(r"error +initech-store-america", mended)
    for connection in ("acme-staging", "initech-store-america"):
        assert re.search(rf"active +{connection}", mended)
    assert "Ended" in out
    assert not re.search(r"ss_live_|Atzr|Atza|oa2-cs", start + broken + mended + out)
    assert modes == {"0o0"}
    assert took_s < STORY_WITHIN_S
    assert stop_took_s < STOP_WITHIN_S
    assert not daemon.is_running()
    assert demo.left_behind() == []


def test_the_demo_ends_by_itself_after_so_many_seconds(tmp_path):
    with running(tmp_path, "--seconds", "4") as demo:
        out, err = demo.process.communicate(timeout=PATIENCE_S)

    assert (demo.process.returncode, err) == (0, "")
    assert out.endswith("Ended. The data is removed.\n")
    assert demo.left_behind() == []


def test_a_daemon_that_dies_ends_the_demo_with_the_last_lines_of_its_log(tmp_path):
    with running(tmp_path) as demo:
        demo.read_until("Someone revokes")
        demo.daemon().kill()
        _, err = demo.process.communicate(timeout=PATIENCE_S)

    assert demo.process.returncode == 3
    assert "the daemon ended with code -9" in err
    assert "daemon.started" in err
    assert "Traceback" not in err
    assert demo.left_behind() == []


def test_without_room_for_its_data_the_demo_says_so_and_leaves_nothing_behind(tmp_path):
    result = subprocess.run(
        [sys.executable, "-P", "-m", "monitor", "demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=_forbid_writing,
    )

    assert result.returncode == 3
    assert "there is no place for the demo's data" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def _forbid_writing() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "crashed"])
def test_the_daemon_ends_with_a_demo_that_ends_badly_and_the_next_one_clears_up(tmp_path, number):
    with running(tmp_path) as demo:
        demo.read_until("Someone revokes")
        daemon = demo.daemon()
        demo.process.send_signal(number)
        demo.process.wait(PATIENCE_S)
        daemon.wait(2 * STOP_WITHIN_S)
    assert not daemon.is_running()
    (left,) = (tmp_path / "tmp").iterdir()
    foreign = tmp_path / "tmp" / "connwatch-demo-foreign"
    foreign.mkdir()
    remove_leftovers(tmp_path / "tmp")
    assert not left.exists()
    assert foreign.exists()


@pytest.mark.long
def test_the_folder_of_a_demo_that_runs_stays(tmp_path):
    with running(tmp_path) as demo:
        demo.read_until("Someone revokes")
        (used,) = (tmp_path / "tmp").iterdir()
        remove_leftovers(tmp_path / "tmp")
        assert (used / "connwatch.db").exists()
