"""
`make test` runs the browser's tests beside the others, and hides the failures of neither.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.command_line import ROOT
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

OTHERS_PASSED = "=========== 90 passed, 2 skipped in 91.50s (0:01:31) ==========="
BROWSER_PASSED = "============== 9 passed in 9.00s =============="
FAILED = "====== 1 failed, 8 passed in 9.00s ======"
SKIPPED = "SKIPPED [9] tests/browser/conftest.py:47: no Chromium is installed"


def make_test(folder: Path, *words: str, others: int = 0, browser: int = 0) -> tuple[int, str]:
    """
    Run `make test` with a Python whose pytest ends as said; return its exit code and output.
    """
    programs = folder / "venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("pip", "ruff", "mypy"):
        (programs / name).symlink_to("/bin/true")
    python = programs / "python"
    python.write_text(
        f"""#!/bin/sh
case " $* " in
*" --ignore tests/browser "*)
    echo "{FAILED if others else OTHERS_PASSED}"; exit {others};;
*)
    echo "{SKIPPED}"; echo "{FAILED if browser else BROWSER_PASSED}"; exit {browser};;
esac
"""
    )
    python.chmod(0o755)
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "venv" / ".installed").touch()
    done = subprocess.run(
        ["make", "--no-print-directory", f"VENV={folder / 'venv'}", "test", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert not list(folder.glob("tmp.*"))
    return done.returncode, done.stdout


def test_what_goes_well_has_one_closing_line_and_says_what_was_skipped(tmp_path):
    code, said = make_test(tmp_path)
    assert code == 0
    assert [line for line in said.splitlines() if line.startswith("=")] == [OTHERS_PASSED]
    assert said.endswith(f"{SKIPPED}\ntests/browser: 9 passed in 9.00s\n")


@pytest.mark.parametrize(("others", "browser"), [(0, 1), (1, 0), (2, 1)])
def test_a_failure_of_either_fails_and_is_shown(tmp_path, others, browser):
    code, said = make_test(tmp_path, others=others, browser=browser)
    assert code == 2
    shown = [line for line in said.splitlines() if line.startswith("=")]
    assert shown == [FAILED if others else OTHERS_PASSED, *([FAILED] if browser else [])]
    assert SKIPPED in said


def test_with_words_of_ones_own_no_browser_starts(tmp_path):
    code, said = make_test(tmp_path, "PYTEST_ARGS=-k quota", browser=1)
    assert (code, said.count("passed")) == (0, 1)
