"""
`make test-all` and `make test-newest` find the interpreters of a machine, and say which.
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
    for name in ("bash", "env", "sed", "ls", "dirname", "tac"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def find(path: Path, *arguments: str, **env: str) -> tuple[int, list[str], list[str]]:
    done = subprocess.run(
        [ROOT / ".ci" / "interpreters", *arguments],
        env={"PATH": str(path)} | env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def skipped(version: str) -> str:
    return f"Python {version} is skipped: this machine has none"


def test_a_machine_without_any_fails_and_says_what_to_do(path):
    code, found, told = find(path)
    assert (code, found) == (1, [])
    assert told == [
        *map(skipped, PROMISED),
        "no Python that the project promises is here: install one, or name it in PYTHONS",
    ]


@pytest.mark.parametrize("name", [f"python{OWN}", "python3"])
def test_one_on_the_path_is_found_and_named(path, name):
    (path / name).symlink_to(sys.executable)
    used = f"Python {OWN} is used: {path}/{name}"
    told = [used if version == OWN else skipped(version) for version in PROMISED]
    assert find(path) == (0, [f"{OWN} {path}/{name}"], told)


def test_one_that_is_named_goes_before_others(path):
    (path / f"python{OWN}").symlink_to(sys.executable)
    _, found, _ = find(path, PYTHONS=f"/nowhere/python {sys.executable}")
    assert found == [f"{OWN} {sys.executable}"]


@pytest.mark.parametrize("shim", ["exit 127", "echo 2.7"], ids=["does not run", "another version"])
def test_what_does_not_run_or_is_another_is_passed_over(path, shim):
    write_program(path / f"python{OWN}", shim)
    _, found, told = find(path)
    assert (found, told[:-1]) == ([], list(map(skipped, PROMISED)))


def test_what_pyenv_keeps_is_found(path, tmp_path):
    root = tmp_path / "pyenv"
    write_program(path / "pyenv", f"echo {root}")
    kept = root / "versions" / f"{OWN}.99" / "bin" / "python"
    write_program(kept, f'exec {sys.executable} "$@"')
    assert find(path)[1] == [f"{OWN} {kept}"]


INSTALL = "install python3.13, or name one as in PYTHONS=/path/to/python3.13"


NOTHING_NEWER = "this machine has no Python newer than {own}, which make test runs on; " + INSTALL
IS_NEWEST = "make test runs on Python {own}, and the newest that is promised is 3.13"


@pytest.mark.parametrize(
    ("own", "others", "found", "told"),
    [
        ("3.11", ["3.12", "3.13"], "3.13", "uses Python 3.13: {where}"),
        ("3.12", ["3.11", "3.13"], "3.13", "uses Python 3.13: {where}"),
        ("3.11", ["3.12"], "3.12", "uses Python 3.12: {where}; for Python 3.13, " + INSTALL),
        ("3.11", ["3.11"], None, f"has nothing to do: {NOTHING_NEWER}"),
        ("3.12", ["3.11"], None, f"has nothing to do: {NOTHING_NEWER}"),
        ("3.9", [], None, f"has nothing to do: {NOTHING_NEWER}"),
        ("3.13", ["3.11", "3.12"], None, f"has nothing to do: {IS_NEWEST}"),
        ("3.14", ["3.13"], None, f"has nothing to do: {IS_NEWEST}"),
        ("4.0", ["3.13"], None, f"has nothing to do: {IS_NEWEST}"),
    ],
)
def test_the_newest_is_named_or_why_there_is_none(path, tmp_path, own, others, found, told):
    for version in others:
        write_program(path / f"python{version}", f"echo {version}")
    write_program(tmp_path / "own", f"echo {own}")
    code, named, said = find(path, "--newest", str(tmp_path / "own"))
    where = f"{path}/python{found}"
    assert (code, named) == (0, [f"{found} {where}"] if found else [])
    assert said == [f"make test-newest {told.format(where=where, own=own)}"]


def test_an_own_interpreter_that_does_not_run_is_an_error(path):
    code, found, told = find(path, "--newest", "/nowhere/python")
    assert (code, found, told) == (1, [], ["make test-newest: /nowhere/python does not run"])


@pytest.mark.parametrize("arguments", [["--newest"], ["--oldest"]])
def test_wrong_arguments_are_an_error(path, arguments):
    code, found, told = find(path, *arguments)
    assert (code, found, told) == (2, [], ["usage: .ci/interpreters [--newest PYTHON]"])
