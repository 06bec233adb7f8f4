"""
What a command started ends with it, even where that is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.command_line import COMMAND, clean_environment
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: an import works alone")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_no_helper_of_an_import_outlives_it(tmp_path: Path, number: int) -> None:
    (tmp_path / "config.toml").write_text('[web]\nlisten = ""\n')
    importing = subprocess.Popen(
        [*COMMAND, "import", "-"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert importing.stdin is not None
        for n in range(20_000):
            row = {"name": f"c{n}", "provider": "countdown", "authorized_on": "2026-01-15"}
            importing.stdin.write(json.dumps(row).encode() + b"\n")
        # It waits for more rows, as does its helper.
        importing.stdin.flush()
        wait_until(lambda: bool(psutil.Process(importing.pid).children()))
        helpers = psutil.Process(importing.pid).children()
        importing.send_signal(number)
        importing.wait(PATIENCE_S)
        wait_until(lambda: not any(one.is_running() for one in helpers))
    finally:
        importing.kill()
        importing.wait(PATIENCE_S)
        if importing.stdin is not None:
            importing.stdin.close()
