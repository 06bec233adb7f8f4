from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.authorizations import days_left, is_expiring_soon, start_of

ENDS_AT = datetime(2027, 1, 15, tzinfo=UTC)
STEPS = (30, 14, 7, 3, 1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


DAYS = {
    "a date": (date(2026, 1, 15), "2026-01-15T00:00:00+00:00"),
    "a leap day": (date(2028, 2, 29), "2028-02-29T00:00:00+00:00"),
    "an instant east of UTC": (
        datetime(2026, 1, 15, 1, 30, tzinfo=timezone(timedelta(hours=2))),
        "2026-01-14T23:30:00+00:00",
    ),
    "an instant west of UTC": (
        datetime(2026, 12, 31, 20, 0, tzinfo=timezone(timedelta(hours=-8))),
        "2027-01-01T04:00:00+00:00",
    ),
    "an instant in UTC": (datetime(2026, 1, 15, 9, tzinfo=UTC), "2026-01-15T09:00:00+00:00"),
}


@pytest.mark.parametrize(("day", "expected"), DAYS.values(), ids=DAYS)
def test_a_date_without_a_time_is_the_start_of_that_day_in_utc(day, expected):
    assert start_of(day).isoformat() == expected


@pytest.mark.parametrize(
    ("before_the_end", "days"),
    [
        pytest.param(30 * DAY, 30, id="thirty days to the second"),
        pytest.param(30 * DAY - SECOND, 29, id="a second less"),
        pytest.param(DAY, 1, id="one day"),
        pytest.param(DAY - SECOND, 0, id="the last day"),
        pytest.param(timedelta(0), 0, id="the end itself"),
        pytest.param(-SECOND, -1, id="just over"),
        pytest.param(-DAY, -1, id="over for a day"),
        pytest.param(-DAY - SECOND, -2, id="over for more than a day"),
    ],
)
def test_days_left_are_rounded_down(before_the_end, days):
    assert days_left(ENDS_AT, ENDS_AT - before_the_end) == days


@pytest.mark.parametrize(
    ("before_the_end", "expected"),
    [
        pytest.param(30 * DAY + SECOND, False, id="a second before the largest step"),
        pytest.param(30 * DAY, True, id="at the largest step"),
        pytest.param(10 * DAY, True, id="between two steps"),
        pytest.param(SECOND, True, id="a second before the end"),
        pytest.param(timedelta(0), False, id="at the end"),
        pytest.param(-DAY, False, id="after the end"),
    ],
)
def test_the_flag_stands_from_the_largest_step_to_the_end(before_the_end, expected):
    assert is_expiring_soon(ENDS_AT, STEPS, ENDS_AT - before_the_end) is expected


def test_the_order_of_the_steps_does_not_matter():
    now = ENDS_AT - 20 * DAY
    assert is_expiring_soon(ENDS_AT, (1, 30, 7), now)
    assert not is_expiring_soon(ENDS_AT, (1, 7, 14), now)


def test_without_steps_nothing_is_soon():
    assert not is_expiring_soon(ENDS_AT, (), ENDS_AT - SECOND)


@given(left=st.timedeltas(timedelta(days=-4000), timedelta(days=40_000)))
def test_days_left_never_promise_more_than_there_is(left):
    days = days_left(ENDS_AT, ENDS_AT - left)
    assert timedelta(days=days) <= left < timedelta(days=days + 1)
