from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.providers.headers import parse_count, parse_instant_field, parse_retry_after

NOW = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)
RESET = datetime(2026, 12, 1, tzinfo=UTC)
EPOCH = int(RESET.timestamp())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # mypy takes a star for tzinfo


def brief(value: object) -> str:
    return ascii(value)[:40]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("10000", 10000),
        (" 7 \t", 7),
        ("007", 7),
        ("599.0", 599),
        ("599.000", 599),
        (str(2**53), 2**53),
    ],
)
def test_a_count_is_read(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "-0", "+1", "1e3", "1_000", "1,000", "10 000", "0x10", "1.5", "5.", ".5"),
        *(
            "unlimited",
            "None",
            "nan",
            "inf",
            "\u0663",
            "\uff11\uff12",
            "²",
            "1\n",
            "1;w=10",
            "100, 100",
        ),
        *(str(2**53 + 1), "9" * 16, "9" * 5000, "0" * 5000, "1." + "0" * 5000),
    ],
    ids=brief,
)
def test_what_is_no_count_is_unknown(text):
    assert parse_count(text) is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param(str(EPOCH), RESET, id="epoch seconds"),
        pytest.param(f"{EPOCH}.5", RESET + timedelta(seconds=0.5), id="epoch with a fraction"),
        pytest.param(f"{EPOCH}000", RESET, id="epoch milliseconds"),
        pytest.param(f"{EPOCH}000000", RESET, id="epoch microseconds"),
        pytest.param(f"{EPOCH}000000000", RESET, id="epoch nanoseconds"),
        pytest.param("0", NOW, id="no seconds from now"),
        pytest.param("53", NOW + timedelta(seconds=53), id="seconds from now"),
        pytest.param("2.5", NOW + timedelta(seconds=2.5), id="decimal seconds from now"),
        pytest.param("99999999", NOW + timedelta(seconds=99_999_999), id="the longest delta"),
        pytest.param("12ms", NOW + timedelta(milliseconds=12), id="milliseconds"),
        pytest.param("250us", NOW + timedelta(microseconds=250), id="microseconds"),
        pytest.param("250µs", NOW + timedelta(microseconds=250), id="microseconds in Greek"),
        pytest.param("9000ns", NOW + timedelta(microseconds=9), id="nanoseconds"),
        pytest.param("7.66s", NOW + timedelta(seconds=7.66), id="decimal duration"),
        pytest.param("6m0s", NOW + timedelta(minutes=6), id="minutes and seconds"),
        pytest.param("1h2m3s", NOW + timedelta(hours=1, minutes=2, seconds=3), id="hours too"),
        pytest.param("2d", NOW + timedelta(days=2), id="days"),
        pytest.param("1m30.5s", NOW + timedelta(seconds=90.5), id="mixed duration"),
        pytest.param("2026-12-01", RESET, id="date"),
        pytest.param('"2026-12-01"', RESET, id="quoted"),
        pytest.param("2026-12-01T00:00:00Z", RESET, id="RFC 3339"),
        pytest.param("2026-12-01t00:00:00z", RESET, id="RFC 3339 in lower case"),
        pytest.param("2026-12-01T02:00:00+02:00", RESET, id="RFC 3339 with offset"),
        pytest.param("2026-12-01T00:00:00.123456789Z", utc(2026, 12, 1, 0, 0, 0, 123456), id="ns"),
        pytest.param("2026-12-01T00:00", RESET, id="no seconds, no zone"),
        pytest.param("2026-12-01 00:00:00", RESET, id="no zone"),
        pytest.param("2026-12-01 00:00:00 UTC", RESET, id="GitHub"),
        pytest.param("2026-12-01 02:00:00 +0200", RESET, id="GitHub with offset"),
        pytest.param("2026-11-30 20:30:00 -0330", RESET, id="negative offset"),
        pytest.param("Tue, 01 Dec 2026 00:00:00 GMT", RESET, id="HTTP-date"),
        pytest.param("Tuesday, 01-Dec-26 00:00:00 GMT", RESET, id="RFC 850"),
        pytest.param("Tue Dec  1 00:00:00 2026", RESET, id="asctime"),
        pytest.param(
            "Tue Dec 01 2026 01:00:00 GMT+0100 (Central European Standard Time)",
            RESET,
            id="JavaScript",
        ),
        pytest.param("Tue Dec 01 2026 00:00:00 GMT", RESET, id="JavaScript without offset"),
        pytest.param("53, 60", NOW + timedelta(seconds=60), id="the latest of several"),
        pytest.param(
            "Tue, 01 Dec 2026 00:00:00 GMT, Mon, 30 Nov 2026 00:00:00 GMT", RESET, id="two dates"
        ),
        pytest.param("2019-07-17", utc(2019, 7, 17), id="past"),
    ],
)
def test_an_instant_is_read_in_every_form(text, instant):
    assert parse_instant_field(text, NOW) == instant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ",",
            '""',
            "soon",
            "never",
            "null",
            "-5",
            "1e9",
            "1_000",
            "5x",
            "s",
            "ms",
            "+60",
        ),
        *("2026-13-01", "2026-02-30", "2026-1-1", "2026-12-01T24:00:00Z", "2026-12-01T00:60Z"),
        *("0000-01-01", "0001-01-01T00:00:00+14:00", "1970-01-01", "9999-12-31", "100000000"),
        *("9" * 19, "9" * 20, "9" * 5000, "99999999999d", "999999999999" + "d", "1s" * 64 + "1"),
        *("Tue, 01 Foo 2026 00:00:00 GMT", "Tue, 99 Dec 2026 00:00:00 GMT", "Tuesday", "Sun, 06"),
        *(
            "2026-12-01T00:00:00+99:99",
            "2026-12-01T00:00:00 PST",
            "\u0662\u0660\u0662\u0666-12-01",
            "\uff15\uff13",
        ),
        *("Sunday, 06-Nov-94 08:49:37 GMT",),
    ],
    ids=brief,
)
def test_what_names_no_believable_instant_is_unknown(text):
    assert parse_instant_field(text, NOW) is None


def test_two_digits_of_a_year_are_within_fifty_years():
    assert parse_instant_field("Friday, 01-Jan-60 00:00:00 GMT", NOW) == utc(2060, 1, 1)
    assert parse_instant_field("Friday, 01-Jan-99 00:00:00 GMT", NOW) is None


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        pytest.param(timedelta(0), timedelta(0), id="none"),
        pytest.param(timedelta(seconds=59), timedelta(0), id="travel and rounding"),
        pytest.param(timedelta(hours=2), timedelta(hours=2), id="server behind"),
        pytest.param(timedelta(hours=-2), timedelta(hours=-2), id="server ahead"),
        pytest.param(timedelta(days=365), timedelta(0), id="a Date that is made up"),
    ],
)
def test_a_wrong_clock_is_cancelled_for_instants(skew, expected):
    server_date = NOW - skew

    assert parse_instant_field("2026-12-01T00:00:00Z", NOW, server_date) == RESET + expected
    assert parse_instant_field(str(EPOCH), NOW, server_date) == RESET + expected


def test_a_wrong_clock_changes_neither_lengths_nor_dates():
    server_date = NOW - timedelta(hours=2)

    assert parse_instant_field("60", NOW, server_date) == NOW + timedelta(seconds=60)
    assert parse_instant_field("1m0s", NOW, server_date) == NOW + timedelta(seconds=60)
    assert parse_instant_field("2026-12-01", NOW, server_date) == RESET


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("0", NOW),
        ("120", NOW + timedelta(seconds=120)),
        ("0.35", NOW + timedelta(seconds=0.35)),
        ("-5", NOW),
        ("-0.5", NOW),
        ("1000000", NOW + timedelta(seconds=1_000_000)),
        ("99999999", NOW + timedelta(days=366)),
        ("9999999999999", None),
        ("Mon, 05 Aug 2019 09:27:05 GMT", NOW),
        ("Tue, 01 Dec 2026 00:00:00 GMT", RESET),
        ("2026-12-01T00:00:00Z", RESET),
        (str(EPOCH), RESET),
        ("soon", None),
        ("", None),
        ("--5", None),
        ("-" + "9" * 5000, None),
    ],
    ids=brief,
)
def test_retry_after_is_between_now_and_a_year(text, instant):
    assert parse_retry_after(text, NOW) == instant


NASTY = st.one_of(
    st.text(),
    st.binary().map(lambda data: data.decode("latin-1")),
    st.text(alphabet="0123456789.-+:, TZ\"()smhdµGMTUCDecSun/'", max_size=300),
    st.from_regex(r"\A[0-9]{1,30}(\.[0-9]{1,30})?\Z"),
    st.integers(1, 200_000).map(lambda size: "9" * size),
    st.integers(1, 50_000).map(lambda size: "1s" * size),
)


@given(NASTY, st.none() | st.datetimes(timezones=st.just(UTC)))
@example("1" * 1_000_000, None)
@example("1h" * 500_000, None)
@example(", " * 500_000, None)
@example(" (" * 500_000, None)
def test_nothing_raises_or_leaves_what_is_believable(text, server_date):
    count = parse_count(text)
    instant = parse_instant_field(text, NOW, server_date)
    retry_at = parse_retry_after(text, NOW, server_date)

    assert count is None or 0 <= count <= 2**53
    assert instant is None or utc(1999, 12, 30) <= instant <= utc(2127, 1, 1)
    assert instant is None or instant.utcoffset() == timedelta(0)
    assert retry_at is None or NOW <= retry_at <= NOW + timedelta(days=366)


@pytest.mark.parametrize("text", ["9" * 128, "1s" * 64, "1.1" * 42, "1:" * 64, "Mon, " * 25])
def test_no_text_takes_long(text):
    started = time.process_time()

    for _ in range(100):
        parse_instant_field(text, NOW)

    assert time.process_time() - started < 0.5


@given(st.datetimes(datetime(2001, 1, 1), datetime(2120, 1, 1)))  # noqa: DTZ001 - UTC comes next
def test_every_written_form_reads_back(naive):
    instant = naive.replace(microsecond=0, tzinfo=UTC)
    texts = [
        instant.isoformat(),
        instant.strftime("%Y-%m-%d %H:%M:%S UTC"),
        format_datetime(instant, usegmt=True),
        instant.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"),
        instant.ctime(),
        str(int(instant.timestamp()) * 1000),
    ]

    assert {parse_instant_field(text, NOW) for text in texts} == {instant}


@given(st.integers(0, 2**53))
def test_every_count_reads_back(count):
    assert parse_count(str(count)) == count


@pytest.mark.parametrize(
    "text", ["soon, 60", "December 1, 2026", "Dec 1, 2026", "Tuesday, December 1, 2026"]
)
def test_a_list_with_something_unreadable_in_it_is_no_list(text):
    assert parse_instant_field(text, NOW) is None
