from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.values import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("36h", 129_600), ("7d", 604_800), ("0s", 0), ("007m", 420)],
)
def test_duration_is_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "written"),
    [("90s", "90s"), ("300s", "5m"), ("36h", "36h"), ("24h", "1d"), ("0d", "0s"), ("60m", "1h")],
)
def test_duration_is_written_in_the_largest_unit_that_fits(text, written):
    assert format_duration(parse_duration(text)) == written


@given(st.integers(0, int(LONGEST.total_seconds())))
def test_duration_survives_being_written_and_read(seconds):
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "5 m",
        " 5m",
        "5m\n",
        "5M",
        "1.5h",
        "-5m",
        "+5m",
        "500ms",
        "1h30m",
        "\u0665m",
        "5w",
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match=r'such as "90s", "5m", "36h" or "7d"$'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, 'a duration such as "5m", got the number 5: write "5s" if you mean seconds'),
        (5.5, 'a duration such as "5m", got the number 5.5'),
        (True, 'a duration such as "5m", got true'),
        (["5m"], 'a duration such as "5m", got a list'),
        ({}, 'a duration such as "5m", got a table'),
        (10**5000, 'a duration such as "5m", got a number beyond all use'),
    ],
    ids=["number", "fraction", "boolean", "list", "table", "enormous"],
)
def test_another_type_is_refused_in_plain_words(value, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared whole
        parse_duration(value)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["3651d", "9" * 30 + "s", "9" * 5000 + "s"], ids=len)
def test_duration_that_would_overflow_the_calendar_is_refused(text):
    with pytest.raises(ValueError, match=r"^at most 3650d, got "):
        parse_duration(text)


@given(st.text() | st.from_regex(r"[0-9]+[smhd]"))
def test_any_text_is_a_duration_or_refused(text):
    length, refusal = timedelta(), ""
    try:
        length = parse_duration(text)
    except ValueError as error:
        refusal = str(error)
    assert timedelta() <= length <= LONGEST
    assert refusal.isprintable()
