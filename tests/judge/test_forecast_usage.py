"""
What is read from samples of a quota: what was used when, and which samples are believed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.forecast import (
    USUAL_PERIOD,
    QuotaSample,
    bins_of,
    period_length,
    read_usage,
    starts_period,
    without_glitches,
)
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RESET = NOON + 9 * DAY


def at(
    hours: float, remaining: int, limit: int = 1_000, resets_at: datetime | None = RESET
) -> QuotaSample:
    return QuotaSample(NOON + hours * HOUR, remaining, limit, resets_at)


def amounts(*samples: QuotaSample) -> list[Any]:
    return [(use.starts_at, use.ends_at, use.amount) for use in read_usage(samples)]


def test_what_is_gone_between_two_samples_was_used_between_them():
    assert amounts(at(0, 900), at(2, 850)) == [(NOON, NOON + 2 * HOUR, 50)]


def test_noise_that_gives_back_a_little_is_counted_against_what_follows():
    used = [amount for _, _, amount in amounts(at(0, 900), at(1, 910), at(2, 880))]
    assert used == [-10, 30]


def test_after_a_reset_only_what_came_since_is_known():
    before = at(0, 100, resets_at=NOON + HOUR)
    after = at(3, 970, resets_at=RESET)
    assert amounts(before, after) == [(NOON + HOUR, NOON + 3 * HOUR, 30)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(at(0, 100), at(1, 900), id="refilled at a time nobody told"),
        pytest.param(at(0, 100), at(1, 800, limit=2_000), id="limit changed"),
        pytest.param(at(0, 40), at(1, 0), id="nothing left: more might have been wanted"),
        pytest.param(at(0, 0), at(1, 0), id="nothing left all the time"),
    ],
)
def test_what_cannot_be_known_is_left_out(before, after):
    assert amounts(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (at(0, 100), at(1, 190), False),
        (at(0, 100), at(1, 201), True),
        (at(0, 100, resets_at=NOON + HOUR), at(1, 100), True),
        (at(0, 100, resets_at=None), at(1, 100, resets_at=None), False),
        (at(0, 100), at(1, 1_100, limit=2_000), False),
    ],
    ids=["noise", "refill", "reset passed", "no reset known", "an upgrade"],
)
def test_a_period_starts_at_a_reset_or_a_refill(before, after, expected):
    assert starts_period(before, after) is expected


@pytest.mark.parametrize("odd", [1_000, 0])
def test_a_single_reading_far_from_both_neighbours_is_not_believed(odd):
    first, glitch, last = at(0, 500), at(1, odd), at(2, 490)
    assert without_glitches([first, glitch, last]) == [first, last]


def test_nothing_is_known_of_a_period_that_began_and_was_used_up_unseen():
    assert amounts(at(0, 100, resets_at=NOON + HOUR), at(3, 0)) == []


def test_a_reading_of_another_period_is_no_glitch():
    later = RESET + DAY
    rows = [at(0, 900), at(1, 100, resets_at=later), at(2, 900, resets_at=later)]
    assert without_glitches(rows) == rows


def test_a_refill_that_lasts_is_believed():
    samples = [at(0, 100), at(1, 1_000), at(2, 990)]
    assert without_glitches(samples) == samples


def test_the_length_of_a_period_is_seen_from_reset_to_reset():
    samples = [at(0, 500, resets_at=NOON + DAY), at(30, 900, resets_at=NOON + 8 * DAY)]
    assert period_length(samples) == 7 * DAY
    assert period_length([at(0, 500)]) == 9 * DAY
    assert period_length([at(0, 500, resets_at=None)]) == USUAL_PERIOD


def test_bins_end_now_and_know_how_much_of_them_was_seen():
    samples = [at(0, 900), at(24, 852), at(36, 840)]
    latest, earlier = bins_of(samples, NOON + 36 * HOUR, DAY)
    assert (latest.covered, earlier.covered) == (1.0, 0.5)
    assert latest.amount == pytest.approx(24 + 12)
    assert earlier.amount == pytest.approx(24)
    assert earlier.rate == pytest.approx(48)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5_000), st.integers(0, 10**12), st.integers(1, 10**12), st.booleans()
        ),
        min_size=1,
        max_size=40,
    )
)
def test_no_samples_break_the_reading(rows):
    samples = [
        at(hours, min(remaining, limit), limit, RESET if has_reset else None)
        for hours, remaining, limit, has_reset in sorted(rows)
    ]
    bins = bins_of(without_glitches(samples), samples[-1].at + HOUR, DAY)
    assert all(0 <= each.covered < 1.001 for each in bins)
