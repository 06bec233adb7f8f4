"""
When a quota is foreseen to run out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.judge.forecast import QuotaSample, forecast

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
START = datetime(2026, 10, 1, tzinfo=UTC)
PERIOD = 30 * DAY


def live(
    days, per_hour, *, limit=10_000, every=3, since=START, period=PERIOD, is_capped=True
) -> list[QuotaSample]:
    """
    The samples of an account that uses *per_hour(at)*, and starts anew with each period.
    """
    samples, used, at = [], 0.0, since
    for hour in range(int(days * 24)):
        if at >= since + period and (at - since) % period == timedelta(0):
            used = 0.0
        used += per_hour(at)
        at += HOUR
        if hour % every == every - 1 and (at - since) % period:
            resets_at = since + ((at - since) // period + 1) * period
            left = max(limit - round(used), 0) if is_capped else limit - round(used)
            samples.append(QuotaSample(at, left, limit, resets_at))
    return samples


def steady(per_day: float) -> Any:
    return lambda _: per_day / 24


def office(per_day: float) -> Any:
    """Five days a week, nine to five."""
    return lambda at: per_day / 8 if at.weekday() < 5 and 9 <= at.hour < 17 else 0


def foresee(samples: list[QuotaSample]) -> Any:
    found = forecast(samples, samples[-1].at)
    assert found is not None
    return found


def test_steady_use_goes_on():
    found = foresee(live(10, steady(500)))
    assert found.exhausts_at is not None
    assert abs(found.exhausts_at - (START + 20 * DAY)) < 6 * HOUR
    assert found.earliest < found.exhausts_at < found.latest


def test_the_range_narrows_with_what_is_known():
    spans = []
    for days in (2, 8, 16):
        found = foresee(live(days, steady(500)))
        latest = found.latest or START + 2 * PERIOD
        spans.append((latest - found.earliest) / (found.exhausts_at - START - days * DAY))
    assert spans == sorted(spans, reverse=True)


def test_less_than_a_day_says_nothing():
    assert forecast(live(0.9, steady(500)), START + 0.9 * DAY) is None
    assert forecast([], START) is None


def test_an_idle_account_lasts():
    found = foresee(live(5, steady(0)))
    assert (found.exhausts_at, found.earliest, found.latest) == (None, None, None)


def test_weekends_are_counted_on():
    # Three weeks are known; it is Friday evening, and two days of work are left.
    samples = live(37.75, office(1_000), limit=40_000, since=START + 4 * DAY, period=60 * DAY)
    while samples[-1].at.weekday() != 4:
        samples.pop()
    last = samples[-1]
    shifted = [
        QuotaSample(each.at, each.remaining - last.remaining + 2_000, each.limit, each.resets_at)
        for each in samples
    ]
    found = foresee(shifted)
    assert found.exhausts_at.weekday() in {1, 2}, found


def test_a_burst_is_not_taken_for_a_habit():
    calm = live(12, steady(300))
    burst = [
        QuotaSample(each.at, each.remaining - 1_500, each.limit, each.resets_at)
        if each.at > START + 11.5 * DAY
        else each
        for each in calm
    ]
    found = foresee(burst)
    naive = burst[-1].at + DAY * burst[-1].remaining / 1_800
    assert found.exhausts_at > naive + 4 * DAY


def test_an_upgrade_in_mid_period_takes_nothing_from_what_is_known():
    samples = [
        QuotaSample(each.at, each.remaining + 10_000, 20_000, each.resets_at)
        if each.at > START + 8 * DAY
        else each
        for each in live(10, steady(500))
    ]
    found = foresee(samples)
    assert abs(found.exhausts_at - (START + 40 * DAY)) < DAY


def test_use_that_really_rose_is_believed_within_a_week():
    def rising(at):
        return (200 if at < START + 15 * DAY else 600) / 24

    samples = live(21, rising)
    found = foresee(samples)
    left = samples[-1].remaining
    straight = samples[-1].at + 21 * DAY * left / samples[-1].used
    assert abs(found.exhausts_at - (samples[-1].at + DAY * left / 600)) < 1.5 * DAY
    assert found.exhausts_at < straight - 3 * DAY


def test_the_end_of_the_month_is_learned_from_earlier_months():
    def late(at):
        is_late = (at - START) % PERIOD >= 25 * DAY
        return (900 if is_late else 180) / 24

    samples = live(75, late, limit=8_000)
    found = foresee(samples)
    # 180 a day until the 25th would last; 900 a day from then on do not.
    assert found.exhausts_at is not None
    assert abs(found.exhausts_at - (START + 2 * PERIOD + 25 * DAY + DAY * 3_500 / 900)) < 1.5 * DAY


def test_what_was_wanted_after_the_end_is_no_calm():
    samples = live(33, steady(800))
    assert min(each.remaining for each in samples) == 0
    found = foresee(samples)
    assert abs(found.exhausts_at - (START + PERIOD + 12.5 * DAY)) < DAY


def test_sparse_samples_are_enough():
    found = foresee(live(12, steady(500), every=48))
    assert abs(found.exhausts_at - (START + 20 * DAY)) < DAY


def test_a_wrong_reading_moves_nothing():
    samples = live(10, steady(500))
    odd = samples[40]
    samples[40] = QuotaSample(odd.at, 10_000, odd.limit, odd.resets_at)
    found = foresee(samples)
    assert abs(found.exhausts_at - (START + 20 * DAY)) < DAY


def test_a_daily_quota_is_foreseen_by_the_hour():
    samples = live(2.5, steady(1_500), limit=1_000, every=1, period=DAY)
    found = foresee(samples)
    expected = START + 2 * DAY + 16 * HOUR
    assert abs(found.exhausts_at - expected) < HOUR


def test_without_a_known_reset_it_is_foreseen_all_the_same():
    samples = [
        QuotaSample(each.at, each.remaining, each.limit, None) for each in live(10, steady(500))
    ]
    assert abs(foresee(samples).exhausts_at - (START + 20 * DAY)) < 6 * HOUR


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2_400), st.integers(0, 10**12), st.integers(1, 10**12), st.booleans()
        ),
        min_size=1,
        max_size=60,
    )
)
def test_no_samples_break_it(rows):
    samples = [
        QuotaSample(START + hour * HOUR, min(left, limit), limit, START + PERIOD if has else None)
        for hour, left, limit, has in sorted(rows)
    ]
    now = samples[-1].at
    found = forecast(samples, now)
    if found is not None and found.exhausts_at is not None:
        assert found.exhausts_at >= now
        assert found.earliest is not None
        assert found.earliest <= found.exhausts_at
        assert found.latest is None or found.exhausts_at <= found.latest


@pytest.mark.parametrize("n_days", [100])
def test_a_hundred_days_are_read_in_no_time(n_days):
    # Bounded by what is kept: a sample an hour for a week, then one in six hours.
    samples = live(n_days, steady(300), every=6)
    assert foresee(samples).exhausts_at is not None


def in_bursts(at: datetime) -> float:
    """
    Use a hundred every day, and every fourth day four hundred more within four hours.
    """
    is_burst = (at - START).days % 4 == 3 and at.hour < 4
    return 100 / 24 + (100 if is_burst else 0)


@pytest.mark.parametrize(
    ("days", "is_counted_on"),
    [
        pytest.param(26.5, True, id="what is used every day is counted on"),
        pytest.param(4.5, False, id="but not after a few days"),
    ],
)
def test_bursts_do_not_hide_what_is_used_every_day(days, is_counted_on):
    used = live(days, in_bursts)[-1].used
    samples = live(days, in_bursts, limit=used + 100)
    found, now = foresee(samples), samples[-1].at
    assert samples[-1].remaining == 100
    assert now < found.earliest < found.exhausts_at < found.latest
    assert (found.latest - now < 1.5 * DAY) is is_counted_on
