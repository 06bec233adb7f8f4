"""
What counts as a step of the wall clock, and what does not.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.scheduler import SMALLEST_STEP, StepDetector
from tests.fakes import NOON, FixedClock

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
NONE = timedelta()


class Clocks:
    """
    A wall clock and one that nobody sets.
    """

    def __init__(self) -> None:
        self.wall = FixedClock(NOON)
        self.monotonic_s = 1000.0
        self.detector = StepDetector(self.wall, lambda: self.monotonic_s)
        assert self.detector.look() == NONE

    def pass_by(self, by: timedelta, stepped: timedelta = NONE) -> timedelta:
        """
        Let *by* pass, have the wall clock *stepped* beside that, and look.
        """
        self.monotonic_s += by.total_seconds()
        self.wall.advance(by + stepped)
        return self.detector.look()


STEPS = {
    "back by hours": (-3 * HOUR, -3 * HOUR),
    "forward by hours": (3 * HOUR, 3 * HOUR),
    "forward by decades, as when a clock from 1970 is set": (500_000 * HOUR, 500_000 * HOUR),
    "just more than drift": (SMALLEST_STEP + SECOND, SMALLEST_STEP + SECOND),
    "just more than drift, back": (-SMALLEST_STEP - SECOND, -SMALLEST_STEP - SECOND),
    "a leap second": (-SECOND, NONE),
    "a gentle correction": (SMALLEST_STEP - SECOND, NONE),
    "nothing": (NONE, NONE),
}


@pytest.mark.parametrize(("stepped", "expected"), STEPS.values(), ids=STEPS)
def test_a_step_is_told_once(stepped, expected):
    clocks = Clocks()
    assert abs(clocks.pass_by(SECOND, stepped) - expected) < SECOND / 1000
    assert clocks.pass_by(SECOND) == NONE


def test_two_steps_are_told_apart():
    clocks = Clocks()
    assert clocks.pass_by(SECOND, HOUR) == HOUR
    assert clocks.pass_by(SECOND, -HOUR) == -HOUR


def test_drift_never_adds_up_to_a_step():
    """
    A clock half a percent fast is minutes ahead after a day.
    """
    clocks = Clocks()
    told = [clocks.pass_by(SECOND, SECOND / 200) for _ in range(24 * 60)]
    assert set(told) == {NONE}


def test_a_loop_that_stood_still_is_no_step():
    assert Clocks().pass_by(2 * HOUR) == NONE


def test_a_machine_that_was_suspended_wakes_up_after_a_step_forward():
    """
    The clock that nobody sets stands still meanwhile, as on Linux.
    """
    assert Clocks().pass_by(NONE, 8 * HOUR) == 8 * HOUR


def test_being_held_up_between_two_readings_is_no_step():
    clocks = Clocks()

    def held_up():
        clocks.monotonic_s += 30
        clocks.wall.advance(30 * SECOND)
        return clocks.wall()

    clocks.detector._wall = held_up
    assert clocks.detector.look() == NONE
    clocks.detector._wall = clocks.wall
    assert clocks.pass_by(SECOND) == NONE
    assert clocks.pass_by(SECOND, HOUR) == HOUR


def test_a_step_while_being_held_up_is_told_at_the_next_look():
    clocks = Clocks()

    def stepped_and_held_up():
        clocks.monotonic_s += 30
        clocks.wall.advance(30 * SECOND + HOUR)
        return clocks.wall()

    clocks.detector._wall = stepped_and_held_up
    assert clocks.detector.look() == NONE
    clocks.detector._wall = clocks.wall
    assert clocks.pass_by(SECOND) == HOUR


@given(
    passed=st.lists(st.timedeltas(NONE, 48 * HOUR), max_size=20),
    stepped=st.timedeltas(-99_999 * HOUR, 99_999 * HOUR),
)
def test_time_that_passes_hides_no_step_and_makes_none(passed, stepped):
    clocks = Clocks()
    assert {clocks.pass_by(each) for each in passed} <= {NONE}
    told = clocks.pass_by(SECOND, stepped)
    expected = stepped if abs(stepped) > SMALLEST_STEP + SECOND else told
    assert abs(told - expected) < SECOND / 100
