from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.expiry import (
    ClockSource,
    days_left,
    declare_authorization,
    is_expiring_soon,
)

ENDS_AT = datetime(2027, 1, 15, tzinfo=UTC)
STEPS = (30, 14, 7, 3, 1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def test_a_date_without_a_time_is_the_start_of_that_day_in_utc():
    authorization = declare_authorization(date(2026, 1, 15))

    assert authorization.authorized_at == datetime(2026, 1, 15, tzinfo=UTC)
    assert authorization.authorized_at.utcoffset() == timedelta(0)
    assert authorization.source is ClockSource.DECLARED


def test_an_instant_with_another_zone_is_the_same_instant_in_utc():
    authorized_on = datetime(2026, 1, 15, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    authorization = declare_authorization(authorized_on)

    assert authorization.authorized_at == authorized_on
    assert authorization.authorized_at.isoformat() == "2026-01-14T23:30:00+00:00"


@pytest.mark.parametrize(
    ("authorized_on", "valid_days", "ends_at"),
    [
        pytest.param(date(2026, 1, 15), 365, datetime(2027, 1, 15, tzinfo=UTC), id="a year"),
        pytest.param(date(2027, 3, 1), 365, datetime(2028, 2, 29, tzinfo=UTC), id="a leap day"),
        pytest.param(date(2026, 1, 15), 1, datetime(2026, 1, 16, tzinfo=UTC), id="a day"),
        pytest.param(date(2026, 1, 15), 0, None, id="no limit is known"),
    ],
)
def test_an_authorization_ends_its_valid_days_after_it_was_granted(
    authorized_on, valid_days, ends_at
):
    assert declare_authorization(authorized_on, valid_days).ends_at == ends_at


def test_an_authorization_lasts_365_days_unless_said_otherwise():
    authorization = declare_authorization(date(2026, 1, 15))
    assert authorization.ends_at == authorization.authorized_at + timedelta(days=365)


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


@given(
    authorized_on=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    valid_days=st.integers(1, 36_500),
)
def test_a_new_authorization_has_all_its_days_left(authorized_on, valid_days):
    authorization = declare_authorization(authorized_on, valid_days)

    assert authorization.ends_at is not None
    assert days_left(authorization.ends_at, authorization.authorized_at) == valid_days
