"""
What an installation gets of the lock: all it needs, and nothing of development.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock_part import cut

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")

SMALL = """\
# written by a tool
alpha==1.0 \\
    --hash=sha256:aa
    # via connwatch (pyproject.toml)
beta==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via
    #   alpha
    #   gamma
gamma==3.0 \\
    --hash=sha256:dd
    # via connwatch (pyproject.toml:dev)
delta==4.0 \\
    --hash=sha256:ee
    # via gamma
"""


def names_in(part: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", part, flags=re.MULTILINE))


def needed_by(name: str, extras: frozenset[str] = frozenset()) -> set[tuple[str, frozenset[str]]]:
    """
    What the metadata of the installed packages say that *name* needs here.
    """
    found: set[tuple[str, frozenset[str]]] = set()
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        marker = wanted.marker
        if marker is None or any(marker.evaluate({"extra": one}) for one in extras | {""}):
            found.add((canonicalize_name(wanted.name), frozenset(wanted.extras)))
    return found


def test_the_part_for_the_program_has_all_that_it_needs():
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = needed_by("connwatch")
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting |= needed_by(*one)
    assert {name for name, _ in seen} <= names_in(cut(LOCK, {"connwatch"}))


@pytest.mark.parametrize("name", ["pytest", "ruff", "mypy", "playwright", "hatchling"])
def test_the_part_for_the_program_has_nothing_of_development(name):
    assert name not in names_in(cut(LOCK, {"connwatch"}))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"connwatch"}, {"alpha", "beta"}),
        ({"gamma"}, {"gamma", "beta", "delta"}),
        ({"delta"}, {"delta"}),
        ({"alpha", "delta"}, {"alpha", "beta", "delta"}),
    ],
    ids=["the program", "a tool and what it needs", "a leaf", "two"],
)
def test_a_part_is_what_was_asked_for_and_what_that_needs(wanted, names):
    assert names_in(cut(SMALL, wanted)) == names


def test_an_entry_comes_whole():
    assert cut(SMALL, {"beta"}) == SMALL[SMALL.index("beta") : SMALL.index("gamma==")]


def test_a_name_that_the_lock_does_not_know_is_refused():
    with pytest.raises(ValueError, match="nothing for omega"):
        cut(SMALL, {"alpha", "omega"})


def test_the_command_prints_the_part_and_refuses_what_it_does_not_know():
    script = [sys.executable, str(ROOT / "deploy/lock_part.py")]
    good = subprocess.run([*script, "connwatch"], capture_output=True, text=True, check=True)
    assert good.stdout == cut(LOCK, {"connwatch"})
    bad = subprocess.run([*script, "omega"], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "nothing for omega" in bad.stderr
