"""
What CI prints last says how the checks ended.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.command_line import ROOT
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NEEDED = ("bash", "dirname", "env", "grep", "id", "mktemp", "rm", "tail", "tee")
MACHINE = ("buildah", "chromium", "debootstrap", "git", "promtool", "python3", "runc")
SYSTEMD = ("systemd-analyze", "systemd-nspawn")
BROWSER_PASSED = "============== 9 passed in 9.00s =============="
TEST_PASSED = "=========== 90 passed, 2 skipped in 91.50s (0:01:31) ==========="
NEWEST_PASSED = "============== 70 passed in 70.00s (0:01:10) =============="
LONG_PASSED = "============== 63 passed in 400.00s (0:06:40) =============="
DEPLOY_PASSED = "============== 7 passed in 7.00s =============="
FAILED = "====== 1 failed, 69 passed in 70.00s (0:01:10) ======"
GOES_WELL = {
    "test": [BROWSER_PASSED, TEST_PASSED],
    "test-newest": [NEWEST_PASSED],
    "test-long": [LONG_PASSED],
    "test-deploy": [DEPLOY_PASSED],
}


def run_checks(
    folder: Path, outputs: Mapping[str, list[str]] = {}, failing: str = ""
) -> tuple[int, list[str]]:
    """
    Run the checks with a make that prints *outputs*; return the exit code and what was printed.
    """
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    programs = folder / "bin"
    programs.mkdir()
    for name in NEEDED:
        (programs / name).symlink_to(shutil.which(name) or name)
    for name in (*MACHINE, *SYSTEMD):
        (programs / name).symlink_to("/bin/true")
    for target, lines in (GOES_WELL | dict(outputs)).items():
        (folder / target).write_text("".join(f"{line}\n" for line in lines))
    make = programs / "make"
    make.write_text(
        f"""#!/bin/bash
echo "make $2"
while read -r line; do echo "$line"; done <"{folder}/$2"
[ "$2" != "{failing}" ] || {{ echo "make: *** [Makefile:1: $2] Error 1" >&2; exit 2; }}
"""
    )
    make.chmod(0o755)
    done = subprocess.run(
        [folder / ".ci" / "run"],
        env={"PATH": str(programs), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert not list(folder.glob("tmp.*"))
    return done.returncode, done.stdout.splitlines()


def test_what_goes_well_ends_with_the_line_of_the_main_suite(tmp_path):
    code, printed = run_checks(tmp_path)
    assert (code, printed[-1]) == (0, TEST_PASSED)
    assert [line for line in printed if line.startswith("make ")] == [
        f"make {target}" for target in GOES_WELL
    ]


def test_a_machine_without_a_newer_python_passes_and_says_so(tmp_path):
    told = "make test-newest has nothing to do: this machine has no Python newer than 3.11"
    code, printed = run_checks(tmp_path, {"test-newest": [told]})
    assert (code, printed[-1]) == (0, TEST_PASSED)
    assert told in printed


@pytest.mark.parametrize("target", GOES_WELL)
def test_a_failure_ends_with_its_line_and_its_exit_code(tmp_path, target):
    code, printed = run_checks(tmp_path, {target: [FAILED]}, failing=target)
    assert (code, printed[-1]) == (2, FAILED)
    ran = [line for line in printed if line.startswith("make ")]
    assert ran[-1] == f"make {target}"


@pytest.mark.parametrize("target", GOES_WELL)
def test_a_failure_before_any_test_names_the_command(tmp_path, target):
    code, printed = run_checks(tmp_path, {target: ["x.py:1: error: no"]}, failing=target)
    assert code == 2
    assert printed[-1] == (
        f".ci/run: make {target} failed before any test ran; what failed is above"
    )
