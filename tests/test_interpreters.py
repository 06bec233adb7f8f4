"""
`make test-all` finds the interpreters of a machine, and says which it lacks.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command_line import ROOT
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PROMISED = ["3.11", "3.12", "3.13"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """
    A PATH with what the script needs, and no Python.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "sed", "ls", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def find(path: Path, **env: str) -> tuple[list[str], list[str]]:
    done = subprocess.run(
        [ROOT / ".ci" / "interpreters"],
        env={"PATH": str(path)} | env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


def skipped(*versions: str) -> list[str]:
    return [f"Python {version} is skipped: this machine has none" for version in versions]


def test_a_machine_without_any_is_told_so(path):
    assert find(path) == ([], skipped(*PROMISED))


def test_one_on_the_path_is_found(path):
    (path / f"python{OWN}").symlink_to(sys.executable)
    others = [version for version in PROMISED if version != OWN]
    assert find(path) == ([f"{OWN} {path}/python{OWN}"], skipped(*others))


def test_one_that_is_named_goes_before_others(path):
    (path / f"python{OWN}").symlink_to(sys.executable)
    found, _ = find(path, PYTHONS=f"/nowhere/python {sys.executable}")
    assert found == [f"{OWN} {sys.executable}"]


@pytest.mark.parametrize("shim", ["exit 127", "echo 2.7"], ids=["does not run", "another version"])
def test_what_does_not_run_or_is_another_is_passed_over(path, shim):
    write_program(path / f"python{OWN}", shim)
    found, told = find(path)
    assert (found, told) == ([], skipped(*PROMISED))


def test_what_pyenv_keeps_is_found(path, tmp_path):
    root = tmp_path / "pyenv"
    write_program(path / "pyenv", f"echo {root}")
    kept = root / "versions" / f"{OWN}.99" / "bin" / "python"
    write_program(kept, f'exec {sys.executable} "$@"')
    assert find(path)[0] == [f"{OWN} {kept}"]
