"""
The geometry of charts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.outcome import Reason, State, Transition
from monitor.web.charts import (
    HEIGHT,
    WIDTH,
    ChartPoint,
    draw_line,
    lay_out_states,
    round_up,
    short_number,
)

END = datetime(2026, 11, 22, tzinfo=UTC)
START = END - timedelta(days=100)


def change(days: int, before: State, after: State) -> Transition:
    return Transition(START + timedelta(days=days), before, after, Reason.OK, "")


def test_a_connection_that_never_changed_has_one_stretch():
    [span] = lay_out_states([], "active", START, END)

    assert (span.x, span.width, span.state) == (0, 1000, "active")


def test_states_follow_each_other_and_what_was_before_the_first_answer_is_not_known():
    changes = [
        change(50, State.PENDING, State.ACTIVE),
        change(90, State.ACTIVE, State.ERROR),
    ]

    spans = lay_out_states(changes, "error", START, END)

    assert [(one.x, one.width, one.state) for one in spans] == [
        (0, 500, "unknown"),
        (500, 400, "active"),
        (900, 100, "error"),
    ]


def test_a_change_before_the_strip_says_how_it_begins():
    changes = [change(-10, State.ACTIVE, State.EXPIRED), change(20, State.EXPIRED, State.ACTIVE)]

    spans = lay_out_states(changes, "active", START, END)

    assert [(one.x, one.state) for one in spans] == [(0, "expired"), (200, "active")]


def test_a_gap_breaks_the_line_and_failures_leave_dots():
    samples = [
        ChartPoint(START, 10),
        ChartPoint(START + timedelta(days=1), None, is_failure=True),
        ChartPoint(END, 20),
    ]

    line = draw_line(samples, START, END)

    assert line is not None
    assert (len(line.pieces), len(line.dots)) == (2, 1)


def test_nothing_is_drawn_of_nothing():
    assert draw_line([ChartPoint(START, None)], START, END) is None


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=30))
def test_a_line_stays_within_its_picture(values):
    step = (END - START) / len(values)
    samples = [ChartPoint(START + step * place, value) for place, value in enumerate(values)]

    line = draw_line(samples, START, END)

    assert line is not None
    for point in " ".join(line.pieces).split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 1), (0.3, 0.5), (1, 1), (7, 10), (41, 50), (101, 200), (1000, 1000)]
)
def test_axes_end_at_round_numbers(value, expected):
    assert round_up(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (2.5, "2.5"), (500, "500"), (2500, "2.5k"), (10_000, "10k"), (5_000_000, "5M")],
)
def test_a_number_beside_an_axis_is_short(value, expected):
    assert short_number(value) == expected
