from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.routing import QuietInterval, instant_of

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietInterval(BERLIN, time(22), time(7))
LUNCH = QuietInterval(UTC, time(12), time(13, 30))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        pytest.param(LUNCH, "2026-11-22T11:59:59", None, id="before"),
        pytest.param(LUNCH, "2026-11-22T12:00", "2026-11-22T13:30", id="from the first instant"),
        pytest.param(LUNCH, "2026-11-22T13:29:59", "2026-11-22T13:30", id="to the last"),
        pytest.param(LUNCH, "2026-11-22T13:30", None, id="the end is outside"),
        pytest.param(NIGHT, "2026-11-22T20:59", None, id="winter, before ten"),
        pytest.param(NIGHT, "2026-11-22T21:00", "2026-11-23T06:00", id="winter, at ten"),
        pytest.param(NIGHT, "2026-11-23T03:00", "2026-11-23T06:00", id="after midnight"),
        pytest.param(NIGHT, "2026-11-23T06:00", None, id="in the morning"),
        pytest.param(NIGHT, "2026-07-01T20:00", "2026-07-02T05:00", id="in summer an hour earlier"),
        pytest.param(NIGHT, "2026-03-28T21:00", "2026-03-29T05:00", id="the night set forward"),
        pytest.param(NIGHT, "2026-10-24T20:00", "2026-10-25T06:00", id="the night set back"),
    ],
)
def test_quiet_lasts_from_one_time_on_the_wall_to_the_other(hours, now, until):
    assert hours.until(utc(now)) == (until and utc(until))


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        pytest.param(
            QuietInterval(BERLIN, time(22), time(2, 30)),
            "2026-03-29T00:59",
            "2026-03-29T01:00",
            id="an end that is skipped comes when the clocks are set forward",
        ),
        pytest.param(
            QuietInterval(BERLIN, time(22), time(2, 30)),
            "2026-03-29T01:00",
            None,
            id="and is past then",
        ),
        pytest.param(
            QuietInterval(BERLIN, time(2, 30), time(7)),
            "2026-03-29T01:00",
            "2026-03-29T05:00",
            id="a beginning that is skipped comes then too",
        ),
        pytest.param(
            QuietInterval(BERLIN, time(22), time(2, 30)),
            "2026-10-25T00:45",
            "2026-10-25T01:30",
            id="an end that comes twice counts the second time",
        ),
        pytest.param(
            QuietInterval(BERLIN, time(2, 30), time(7)),
            "2026-10-25T00:30",
            "2026-10-25T06:00",
            id="a beginning that comes twice counts the first time",
        ),
        pytest.param(
            QuietInterval(BERLIN, time(2, 30), time(7)),
            "2026-10-25T01:15",
            "2026-10-25T06:00",
            id="and is not undone when the clocks are set back",
        ),
    ],
)
def test_the_night_when_clocks_are_set_has_one_span(hours, now, until):
    assert hours.until(utc(now)) == (until and utc(until))


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
)


@given(
    ZONES,
    st.times(),
    st.times(),
    st.integers(0, 10 * 366 * 86_400).map(lambda s: utc("2020-01-01") + timedelta(seconds=s)),
)
def test_quiet_always_ends_within_two_days_and_is_over_then(zone, start, end, now):
    hours = QuietInterval(ZoneInfo(zone), start.replace(microsecond=0), end.replace(microsecond=0))
    if hours.start == hours.end:
        return
    until = hours.until(now)
    if until is not None:
        assert timedelta(0) < until - now < timedelta(days=2)
        later = hours.until(until)
        assert later is None or later > until


def test_a_time_that_is_skipped_is_passed_at_the_instant_of_the_step():
    assert instant_of(date(2026, 3, 29), time(2, 30), BERLIN) == utc("2026-03-29T01:00")


def test_a_day_without_any_step_is_read_from_the_wall():
    assert instant_of(date(2026, 11, 22), time(9), BERLIN) == utc("2026-11-22T08:00")
