from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.delivery import LONGEST_DELAY, next_attempt

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (7, 320), (8, 600), (9, 600), (10_000, 600)],
)
def test_delay_doubles_up_to_ten_minutes(attempts, seconds):
    assert next_attempt(attempts, NOW, DAY, None, 0.0, NOW) == NOW + timedelta(seconds=seconds)


def test_jitter_takes_away_at_most_half_of_the_delay():
    assert next_attempt(1, NOW, DAY, None, 0.5, NOW) == NOW + timedelta(seconds=3.75)


def test_a_service_that_wants_to_be_left_alone_is_left_alone():
    asked = timedelta(minutes=7)
    assert next_attempt(1, NOW, DAY, asked, 0.9, NOW) == NOW + asked


def test_a_short_request_to_wait_does_not_shorten_the_delay():
    assert next_attempt(4, NOW, DAY, timedelta(seconds=1), 0.0, NOW) == NOW + timedelta(seconds=40)


def test_what_would_come_too_late_is_tried_at_the_very_end():
    first_at = NOW - DAY + timedelta(seconds=30)
    expected = NOW + timedelta(seconds=30)
    assert next_attempt(9, first_at, DAY, None, 0.0, NOW) == expected
    assert next_attempt(9, first_at, DAY, timedelta(hours=3), 0.0, NOW) == expected


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), DAY])
def test_after_the_end_there_is_no_further_attempt(late):
    assert next_attempt(2, NOW - DAY - late, DAY, None, 0.0, NOW) is None


def test_a_first_send_that_outlasts_a_short_limit_is_still_tried_again():
    first_at = NOW - timedelta(seconds=60)
    retry = next_attempt(1, first_at, timedelta(seconds=5), None, 0.0, NOW)
    assert retry == NOW + timedelta(seconds=5)


def test_a_limit_of_five_seconds_leaves_room_for_a_second_try():
    retry_for = timedelta(seconds=5)
    retry = next_attempt(1, NOW, retry_for, None, 0.99, NOW + timedelta(milliseconds=20))
    assert retry is not None
    assert NOW < retry <= NOW + retry_for


@given(
    attempts=st.integers(1, 1_000_000),
    age=st.timedeltas(timedelta(0), timedelta(days=3)),
    retry_for=st.timedeltas(timedelta(seconds=5), timedelta(days=7)),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=400)),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_the_next_attempt_lies_ahead_within_the_limit_or_is_none(
    attempts, age, retry_for, retry_after, jitter
):
    deadline = NOW - age + retry_for
    retry = next_attempt(attempts, NOW - age, retry_for, retry_after, jitter, NOW)
    if retry is None:
        assert attempts > 1
        assert deadline <= NOW
    else:
        assert retry > NOW
        assert retry <= deadline or (attempts == 1 and deadline <= NOW)
        if retry_after is None:
            assert retry <= NOW + LONGEST_DELAY
