"""
The unit as systemd reads it. `tests/deploy/` starts it for real.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/connwatch.service"
MOST_EXPOSED = 1.5


ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="no systemd-analyze here: apt-get install systemd"
)


def analyze(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(ANALYZE), "--no-pager", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verify(folder: Path, text: str) -> tuple[int, str]:
    """
    Have systemd read *text*, with a program where the unit expects one.
    """
    program = shutil.which("true")
    unit = folder / UNIT.name
    unit.write_text(text.replace("/opt/connwatch/bin/connwatch", str(program)), encoding="utf-8")
    return analyze("verify", "--man=no", str(unit))


@needs_systemd
def test_systemd_finds_nothing_to_complain_about(tmp_path):
    assert verify(tmp_path, UNIT.read_text(encoding="utf-8")) == (0, "")


@needs_systemd
def test_a_mistake_in_the_unit_would_be_found(tmp_path):
    wrong = UNIT.read_text(encoding="utf-8").replace("ProtectClock=yes", "ProtectClok=yes")
    _, told = verify(tmp_path, wrong)
    assert "ProtectClok" in told


def exposure_of(unit: Path) -> float:
    code, told = analyze("security", "--offline=true", str(unit))
    assert code == 0, told
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    return float(found[1])


@needs_systemd
def test_the_service_is_hardly_exposed():
    assert exposure_of(UNIT) <= MOST_EXPOSED


@needs_systemd
def test_an_open_door_would_be_found(tmp_path):
    opened = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    opened.write_text(text.replace("PrivateUsers=yes", "").replace("~@privileged", "~@clock"))
    assert exposure_of(opened) > exposure_of(UNIT)


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "DynamicUser=yes",
        "StateDirectory=connwatch",
        "ExecReload=kill -HUP $MAINPID",
        "LimitCORE=0",
    ],
)
def test_the_unit_keeps_what_its_documents_promise(line):
    assert line in UNIT.read_text(encoding="utf-8").splitlines()


def test_the_unit_runs_a_command_that_exists():
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    program, *arguments = line.split()
    assert Path(program).name == "connwatch"
    told = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments, "--help"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        cwd=ROOT,
    )
    assert "the daemon" in told.stdout
