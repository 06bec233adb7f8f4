"""
A bounded run of each area, and proof that the harness finds what is wrong.

`CONNWATCH_FUZZ_SEED` names another seed, `CONNWATCH_FUZZ_SECONDS` how long the long run takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest

from tests.command_line import ROOT
from tests.fuzz.areas import AREAS
from tests.fuzz.core import FaultError, HangError, bounded, find_fault, make_case, run_area
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.fuzz.core import Case

SEED = int(os.environ.get("CONNWATCH_FUZZ_SEED", "13"))
SECONDS = float(os.environ.get("CONNWATCH_FUZZ_SECONDS", "300"))
N_CASES = {
    "config": 300,
    "arguments": 40,
    "answers": 150,
    "rows": 30,
    "requests": 200,
    "starts": 12,
}
"""Together below 20 s of the processor: `make fuzz` is there for more."""


@pytest.mark.slow
@pytest.mark.parametrize("name", AREAS)
def test_nothing_hostile_brings_a_traceback_or_hangs(name):
    tally = run_area(AREAS[name](), SEED, n_cases=N_CASES[name])
    assert tally.finding is None, str(tally.finding)
    assert tally.n_cases == N_CASES[name]


@pytest.mark.long
@pytest.mark.parametrize("name", AREAS)
def test_nothing_hostile_brings_a_traceback_or_hangs_for_minutes(name):
    # Numbers that the short run does not reach.
    tally = run_area(AREAS[name](), SEED, seconds=SECONDS / len(AREAS), first=1000)
    print(f"\n{tally}, seed {SEED}")
    assert tally.finding is None, str(tally.finding)


class Planted:
    """
    An area with a fault of the test's choice, over words.
    """

    name = "planted"

    def __init__(self, run: Callable[[Case], None]) -> None:
        self._run = run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def make(self, random: Random) -> Case:
        return tuple(random.choice(("good", "fine", "well", "bad")) * 8 for _ in range(12))

    def run(self, case: Case) -> None:
        self._run(case)


def dislike_bad(case: Case) -> None:
    if any("ad" in str(piece) for piece in case):
        raise KeyError("hunter")


def test_a_fault_is_found_and_made_small_and_can_be_had_again():
    area = Planted(dislike_bad)
    finding = run_area(area, 7, n_cases=1000).finding
    assert finding is not None
    assert finding.smallest == ("ad",)
    assert "KeyError: 'hunter'" in str(finding)
    assert f"--area planted --seed 7 --only {finding.number}" in str(finding)
    assert find_fault(area, make_case(area, 7, finding.number)) is not None


def test_another_fault_is_not_taken_for_the_same():
    """
    Without "fine" there is another error: what is told must be the one that was found.
    """

    def run(case: Case) -> None:
        if not any("fine" in str(piece) for piece in case):
            raise FaultError("nothing fine: at all")
        if any("bad" in str(piece) for piece in case):
            raise FaultError("bad: and fine")

    finding = run_area(Planted(run), 7, n_cases=1000).finding
    assert finding is not None
    assert "bad: and fine" in finding.fault
    assert sorted(finding.smallest) == ["bad", "fine"]


def test_the_same_seed_makes_the_same_cases_and_another_does_not():
    area = Planted(dislike_bad)
    assert make_case(area, 1, 5) == make_case(area, 1, 5)
    assert make_case(area, 1, 5) != make_case(area, 2, 5)


@pytest.mark.parametrize("catch", [Exception, ValueError])
def test_what_does_not_end_is_found_whatever_it_catches(catch):
    def hang() -> None:
        while True:
            with suppress(catch):
                sum(range(100))

    with pytest.raises(HangError), bounded(cpu_s=0.2):
        hang()


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_the_command_prints_its_seed_and_counts():
    done = fuzz("--area", "config", "--seconds", "0.5", "--seed", "3")
    assert done.returncode == 0, done.stderr
    counted, total = done.stdout.splitlines()
    assert counted.startswith("config ")
    assert total.startswith("seed 3: ")
    assert "tracebacks 0/" in total


def test_one_case_can_be_looked_at():
    done = fuzz("--area", "config", "--seed", "3", "--only", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("no fault\n")
    assert "[[connections]]" in done.stdout
