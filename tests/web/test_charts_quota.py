"""
The picture of a quota: what was left, where it goes, when it comes back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.forecast import Forecast, QuotaSample
from monitor.web.charts import BOTTOM, HEIGHT, HISTORY, LEFT, MOST_POINTS, TOP, WIDTH, draw_quota

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
RESET = NOW + 10 * DAY
FLOOR = HEIGHT - BOTTOM


def sample(days: float, remaining: int, limit: int = 100) -> QuotaSample:
    return QuotaSample(NOW + days * DAY, remaining, limit, RESET)


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_the_past_leads_from_the_first_sample_to_now():
    chart = draw_quota([sample(-10, 100), sample(-5, 75)], NOW, 50, 100, RESET, None)

    assert chart is not None
    [piece] = chart.pieces
    first, middle, last = points(piece)
    assert [first, last] == [(LEFT, TOP), (chart.now_x, chart.now_y)]
    assert middle[0] - first[0] == pytest.approx(last[0] - middle[0])
    assert chart.now_y == (TOP + FLOOR) / 2
    assert chart.reset_x is not None
    assert chart.reset_x - chart.now_x == pytest.approx(chart.now_x - LEFT)
    assert (chart.ahead, chart.doubt, chart.empty_at) == (None, None, None)


def test_a_new_period_begins_a_new_line_and_noise_does_not():
    past = [sample(-9, 20), sample(-8, 25), sample(-7, 100), sample(-1, 90)]

    chart = draw_quota(past, NOW, 80, 100, RESET, None)

    assert chart is not None
    assert [len(points(piece)) for piece in chart.pieces] == [2, 3]


def test_what_runs_out_before_the_reset_goes_down_to_the_floor_within_its_range():
    ends = [NOW + days * DAY for days in (4, 3, 20)]

    chart = draw_quota([sample(-10, 100)], NOW, 50, 100, RESET, Forecast(*ends))

    assert chart is not None
    assert chart.ahead is not None
    assert chart.doubt is not None
    assert points(chart.ahead)[0] == (chart.now_x, chart.now_y)
    assert points(chart.ahead)[-1][1] == FLOOR
    assert chart.empty_at == ends[0]
    heights = [y for _, y in points(chart.doubt)]
    assert (heights.count(FLOOR), heights[-1] < FLOOR) == (2, True)


def test_what_lasts_until_the_reset_leaves_the_picture_above_the_floor():
    chart = draw_quota([], NOW, 50, 100, RESET, Forecast(NOW + 20 * DAY, None, None))

    assert chart is not None
    assert chart.ahead is not None
    assert chart.empty_at is None
    assert points(chart.ahead)[-1] == (chart.reset_x, FLOOR - (FLOOR - chart.now_y) / 2)


def test_an_unknown_reset_leaves_the_past_and_what_is_foreseen():
    past = [sample(-2, 60)]

    alone = draw_quota(past, NOW, 50, 100, None, None)
    foreseen = draw_quota(past, NOW, 50, 100, None, Forecast(NOW + DAY, None, None))

    assert alone is not None
    assert foreseen is not None
    assert (alone.reset_x, alone.ends_at, foreseen.ends_at) == (None, NOW, NOW + DAY)


def test_without_past_and_future_there_is_no_picture():
    assert draw_quota([], NOW, 50, 100, None, None) is None
    assert draw_quota([sample(-100, 50)], NOW, 50, 100, NOW - DAY, None) is None


def test_a_limit_of_before_that_was_larger_is_still_in_the_picture():
    chart = draw_quota([sample(-5, 900, limit=1000)], NOW, 50, 100, RESET, None)

    assert chart is not None
    assert (chart.limit, min(y for piece in chart.pieces for _, y in points(piece)) >= TOP) == (
        1000,
        True,
    )


instants = st.integers(-60 * 24 * 60, 60 * 24 * 60).map(lambda each: NOW + timedelta(minutes=each))
amounts = st.integers(0, 2**62)


@given(
    st.lists(st.tuples(instants, amounts, amounts), max_size=30),
    amounts,
    st.integers(1, 2**62),
    st.none() | instants,
    st.none() | st.tuples(*[st.none() | instants] * 3),
)
def test_whatever_was_seen_stays_within_the_picture(past, remaining, limit, resets_at, ends):
    samples = [QuotaSample(at, left, most, None) for at, left, most in sorted(past)]
    forecast = None if ends is None else Forecast(*ends)

    chart = draw_quota(samples, NOW, remaining, limit, resets_at, forecast)

    if chart is not None:
        drawn = [*chart.pieces, chart.ahead or "", chart.doubt or ""]
        for x, y in [one for text in drawn for one in points(text)]:
            assert LEFT <= x <= WIDTH
            assert TOP <= y <= FLOOR


def test_many_samples_are_thinned_out_and_the_last_is_kept():
    past = [
        sample(-HISTORY / DAY * (1 - each / 5000), 5000 - each, limit=5000) for each in range(5000)
    ]

    chart = draw_quota(past, NOW, 0, 5000, RESET, None)

    assert chart is not None
    [piece] = chart.pieces
    assert len(points(piece)) <= MOST_POINTS + 1
    assert points(piece)[-1] == (chart.now_x, FLOOR)
