from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.words import format_ago, format_instant, format_span, read_instant

SPANS = [
    (timedelta(seconds=-5), "less than a minute"),
    (timedelta(0), "less than a minute"),
    (timedelta(seconds=59), "less than a minute"),
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


def test_an_instant_is_said_in_utc():
    berlin = timezone(timedelta(hours=1))
    assert format_instant(datetime(2026, 11, 22, 5, 0, tzinfo=berlin)) == "2026-11-22 04:00 UTC"


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
