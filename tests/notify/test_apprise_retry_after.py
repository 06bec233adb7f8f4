from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.apprise import LONGEST, read_retry_after, read_retry_in_body

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

WISHES = {
    "seconds": ("120", timedelta(minutes=2)),
    "a part of a second": ("0.5", timedelta(seconds=0.5)),
    "a date": ("Sun, 22 Nov 2026 12:00:30 GMT", timedelta(seconds=30)),
    "a date without a zone": ("Sun, 22 Nov 2026 12:00:30 -0000", timedelta(seconds=30)),
    "a date that has passed": ("Sun, 22 Nov 2026 11:00:00 GMT", timedelta(0)),
    "a year": ("31536000", LONGEST),
    "before now": ("-1", None),
    "for ever": ("inf", None),
    "not a number": ("nan", None),
    "nothing": ("", None),
    "words": ("in a while", None),
    "twice": ("5, 120", timedelta(minutes=2)),
    "seconds and a date": ("7, Sun, 22 Nov 2026 12:00:30 GMT", timedelta(seconds=30)),
    "two dates": (
        "Sun, 22 Nov 2026 12:00:30 GMT, Sun, 22 Nov 2026 12:00:10 GMT",
        timedelta(seconds=30),
    ),
    "seconds and words": ("soon, 9", timedelta(seconds=9)),
    "more than anybody reads": ("9," * 5000, None),
}


@pytest.mark.parametrize(("value", "expected"), WISHES.values(), ids=WISHES)
def test_retry_after_is_read_as_seconds_or_as_a_date(value, expected):
    assert read_retry_after(value, NOW) == expected


@given(st.text(max_size=40))
def test_no_header_breaks_reading(value):
    wish = read_retry_after(value, NOW)
    assert wish is None or timedelta(0) <= wish <= LONGEST


BODIES = {
    "telegram": ({"ok": False, "parameters": {"retry_after": 17}}, timedelta(seconds=17)),
    "discord": ({"retry_after": 0.25}, timedelta(seconds=0.25)),
    "true is no number": ({"retry_after": True}, None),
    "a text": ({"retry_after": "17"}, None),
    "no object": ([], None),
    "odd parameters": ({"parameters": [1]}, None),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_the_fields_of_telegram_and_discord_are_read(body, expected):
    assert read_retry_in_body(body) == expected
