from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.zones import read_zone
from monitor.notify.times import (
    count_days,
    format_ago,
    format_day,
    format_days_left,
    format_end,
    format_expiry,
    format_moment,
    format_span,
    format_time,
    format_when,
    read_instant,
)

INSTANT = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone stands beside it
ZONES = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)

SPANS = [
    (timedelta(seconds=-5), "1 second"),
    (timedelta(0), "1 second"),
    (timedelta(seconds=1.9), "1 second"),
    (timedelta(seconds=2), "2 seconds"),
    (timedelta(seconds=59.9), "59 seconds"),
    (timedelta(seconds=60), "1 minute"),
    (timedelta(minutes=59, seconds=59), "59 minutes"),
    (timedelta(hours=1), "1 hour"),
    (timedelta(hours=1, minutes=1), "1 hour 1 minute"),
    (timedelta(hours=23, minutes=59), "23 hours 59 minutes"),
    (timedelta(days=1), "1 day"),
    (timedelta(days=1, minutes=5), "1 day"),
    (timedelta(days=2, hours=3), "2 days 3 hours"),
    (timedelta(days=365), "365 days"),
]


@pytest.mark.parametrize(("span", "expected"), SPANS, ids=[text for _, text in SPANS])
def test_a_span_is_said_in_its_two_largest_units(span, expected):
    assert format_span(span) == expected


@given(st.timedeltas())
def test_no_span_has_a_zero_in_it(span):
    assert "0" not in format_span(span).split()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAYS = {
    "the last night": ("2026-11-30T23:59:59", "2026-12-01", "tomorrow (Dec 1)", "1 day"),
    "all through the day before": ("2026-11-30T00:00", "2026-12-01", "tomorrow (Dec 1)", "1 day"),
    "a moment before that day": ("2026-11-29T23:59", "2026-12-01", "in 2 days (Dec 1)", "2 days"),
    "less than six times 24 h": ("2026-11-30T09:58", "2026-12-06", "in 6 days (Dec 6)", "6 days"),
    "in the middle of today": ("2026-12-01T10:00", "2026-12-01T15:00", "today (Dec 1)", "today"),
    "at its very end": ("2026-12-01", "2026-12-01", "today (Dec 1)", "expired"),
    "passed today": ("2026-12-01T16:00", "2026-12-01T15:00", "today (Dec 1)", "expired"),
    "passed last night": ("2026-12-01T00:30", "2026-11-30T23:00", "yesterday (Nov 30)", "expired"),
    "long ago": ("2026-12-01", "2026-11-03", "28 days ago (Nov 3)", "expired"),
    "next year": ("2026-12-31T23:00", "2027-01-01", "tomorrow (Jan 1, 2027)", "1 day"),
    "a leap day": ("2028-02-28T12:00", "2028-02-29", "tomorrow (Feb 29)", "1 day"),
    "after a leap day": ("2028-02-28T12:00", "2028-03-01", "in 2 days (Mar 1)", "2 days"),
    "a year": ("2026-11-30T15:00", "2027-11-30", "in 365 days (Nov 30, 2027)", "365 days"),
    "many years": ("2026-11-30", "2036-11-27", "in 3,650 days (Nov 27, 2036)", "3,650 days"),
}


@pytest.mark.parametrize(("now", "end", "day", "column"), DAYS.values(), ids=DAYS)
def test_days_are_counted_by_the_calendar_in_utc(now, end, day, column):
    assert format_day(utc(end), utc(now)) == day
    assert format_days_left(utc(end), utc(now)) == column


@given(INSTANT, INSTANT)
def test_an_end_has_one_figure_whatever_the_form(end, now):
    days = (end.date() - now.date()).days
    assert count_days(end, now) == days
    when, column = format_when(end, now), format_days_left(end, now)
    assert not re.search(r"(?<![\d,])0 days|-", when + column)
    if days > 1:
        assert when == f"in {column}"
    if end <= now:
        assert column == "expired"
    elif days <= 1:
        assert (when, column) in {("tomorrow", "1 day"), ("today", "today")}


@given(INSTANT, INSTANT, ZONES)
def test_no_zone_moves_a_day(end, now, zone):
    there = end.astimezone(zone), now.astimezone(zone)
    assert format_day(*there) == format_day(end, now)
    assert format_expiry(*there) == format_expiry(end, now)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    assert format_end(midnight, now, zone) == format_day(midnight, now)


@given(INSTANT, st.integers(0, 86_399))
def test_what_ends_at_midnight_is_tomorrow_all_through_the_day_before(end, second):
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    now = midnight - timedelta(days=1) + timedelta(seconds=second)
    assert format_when(midnight, now) == "tomorrow"
    assert format_days_left(midnight, now) == "1 day"


NOW = utc("2026-11-30T12:00")
TIMES = {
    "UTC": ("2026-12-09T10:06", "UTC", "Dec 9, 10:06 UTC"),
    "winter": ("2026-12-09T10:06", "Europe/Berlin", "Dec 9, 11:06 CET"),
    "summer": ("2026-07-09T10:06", "Europe/Berlin", "Jul 9, 12:06 CEST"),
    "the day before": ("2026-12-09T03:06", "America/Denver", "Dec 8, 20:06 MST"),
    "the day after": ("2026-12-09T20:06", "Asia/Tokyo", "Dec 10, 05:06 JST"),
    "before the change": ("2026-10-25T00:30", "Europe/Berlin", "Oct 25, 02:30 CEST"),
    "after the change": ("2026-10-25T01:30", "Europe/Berlin", "Oct 25, 02:30 CET"),
    "over the gap": ("2026-03-29T01:30", "Europe/Berlin", "Mar 29, 03:30 CEST"),
    "another year": ("2027-01-02T10:06", "UTC", "Jan 2, 2027, 10:06 UTC"),
    "this year there": ("2027-01-01T03:00", "America/Denver", "Dec 31, 20:00 MST"),
    "next year there": ("2026-12-31T20:00", "Asia/Tokyo", "Jan 1, 2027, 05:00 JST"),
    "no abbreviation": ("2026-12-09T10:06", "America/Sao_Paulo", "Dec 9, 07:06 UTC-3"),
    "half an hour": ("2026-12-09T10:06", "Asia/Kathmandu", "Dec 9, 15:51 UTC+5:45"),
    "an abbreviation of half hours": ("2026-12-09T10:06", "Asia/Kolkata", "Dec 9, 15:36 IST"),
    "two figures": ("2026-12-09T10:06", "Pacific/Kiritimati", "Dec 10, 00:06 UTC+14"),
    "the last of all days": ("9999-12-31T23:00", "Asia/Tokyo", "Dec 31, 9999, 23:00 UTC"),
    "the first of all days": ("0001-01-01T01:00", "America/Denver", "Jan 1, 1, 01:00 UTC"),
}


@pytest.mark.parametrize(("at", "zone", "expected"), TIMES.values(), ids=TIMES)
def test_a_time_is_said_in_a_zone_with_its_abbreviation(at, zone, expected):
    assert format_time(utc(at), NOW, read_zone(zone)) == expected


def test_a_time_can_be_said_to_the_second():
    assert format_time(NOW, NOW, UTC, is_exact=True) == "Nov 30, 12:00:00 UTC"


MOMENTS = {
    "today": ("2026-11-30T17:04", "10:04 MST"),
    "tomorrow in UTC, today there": ("2026-12-01T05:04", "22:04 MST"),
    "another day": ("2026-12-02T05:04", "Dec 1, 22:04 MST"),
    "another year": ("2027-01-02T10:04", "Jan 2, 2027, 03:04 MST"),
}


@pytest.mark.parametrize(("at", "expected"), MOMENTS.values(), ids=MOMENTS)
def test_a_moment_names_no_more_than_is_needed(at, expected):
    assert format_moment(utc(at), NOW, read_zone("America/Denver")) == expected


ENDS = {
    "midnight": ("2026-12-01T00:00", "tomorrow (Dec 1)"),
    "soon": ("2026-12-01T05:30", "Nov 30, 22:30 MST"),
    "far": ("2026-12-09T10:06", "in 9 days (Dec 9)"),
    "passed just now": ("2026-11-30T11:00", "Nov 30, 04:00 MST"),
    "passed long ago": ("2026-11-20T11:00", "10 days ago (Nov 20)"),
}


@pytest.mark.parametrize(("at", "expected"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_period_is_a_day_or_a_near_time(at, expected):
    assert format_end(utc(at), NOW, read_zone("America/Denver")) == expected


AGES = [
    (timedelta(seconds=4), "just now"),
    (timedelta(seconds=5), "5 s ago"),
    (timedelta(minutes=1), "1 min ago"),
    (timedelta(minutes=59), "59 min ago"),
    (timedelta(hours=1), "1 hour ago"),
    (timedelta(days=2, hours=3), "2 days ago"),
    (-timedelta(minutes=2), "in 2 min"),
]


@pytest.mark.parametrize(("age", "expected"), AGES, ids=[text for _, text in AGES])
def test_an_age_is_said_in_its_largest_unit(age, expected):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert format_ago(now - age, now) == expected


INSTANTS = {
    "aware": ("2026-11-22T05:00:00+01:00", datetime(2026, 11, 22, 4, tzinfo=UTC)),
    "zulu": ("2026-11-22T04:00:00Z", datetime(2026, 11, 22, 4, tzinfo=UTC)),
    "naive is UTC": ("2026-11-22T04:00:00", datetime(2026, 11, 22, 4, tzinfo=UTC)),
    "before the first year": ("0001-01-01T00:00:00+05:00", None),
    "nonsense": ("soon", None),
    "a number": (1764000000, None),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("value", "expected"), INSTANTS.values(), ids=INSTANTS)
def test_an_instant_is_read_or_left_out(value, expected):
    assert read_instant(value) == expected
