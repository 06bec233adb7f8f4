from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.outcome import QuotaReading
from monitor.providers.headers import LIMIT, REMAINING, RESET, read_soldscope_quota

NOW = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
MONTH_S = 28 * 86400


def read(**fields: str) -> tuple[QuotaReading, list[str]]:
    return read_soldscope_quota(
        httpx.Headers({f"X-API-RateLimit-{name}": text for name, text in fields.items()}), NOW
    )


def test_a_whole_quota_is_read():
    assert read(Limit="10000", Remaining="7421", Reset="2026-12-01") == (
        QuotaReading(10000, 7421, DECEMBER, MONTH_S),
        [],
    )


def test_no_headers_say_nothing_and_are_no_fault():
    reading, unreadable = read()

    assert reading == QuotaReading()
    assert reading.is_empty
    assert unreadable == []


@pytest.mark.parametrize(
    ("fields", "reading", "unreadable"),
    [
        pytest.param(
            {"Limit": "10000", "Remaining": "-5"},
            QuotaReading(10000, None, None, MONTH_S),
            [REMAINING],
            id="negative",
        ),
        pytest.param(
            {"Limit": "9" * 40, "Remaining": "5"},
            QuotaReading(None, 5, None, MONTH_S),
            [LIMIT],
            id="huge",
        ),
        pytest.param(
            {"Limit": "10000", "Remaining": "5", "Reset": "next month"},
            QuotaReading(10000, 5, None, MONTH_S),
            [RESET],
            id="an unreadable reset alone",
        ),
        pytest.param(
            {"Limit": "10000", "Remaining": "5", "Reset": "2036-12-01"},
            QuotaReading(10000, 5, None, MONTH_S),
            [RESET],
            id="a reset in ten years",
        ),
        pytest.param(
            {"Limit": "many", "Remaining": "", "Reset": "-"},
            QuotaReading(),
            [LIMIT, REMAINING, RESET],
            id="all unreadable",
        ),
        pytest.param(
            {"Limit": "0", "Remaining": "0"},
            QuotaReading(0, 0, None, MONTH_S),
            [],
            id="nothing at all",
        ),
        pytest.param(
            {"Reset": "2026-11-01"},
            QuotaReading(None, None, datetime(2026, 11, 1, tzinfo=UTC), MONTH_S),
            [],
            id="a reset that is past stays as it is",
        ),
        pytest.param(
            {"Limit": "10", "Reset": "0"},
            QuotaReading(10, None, None, MONTH_S),
            [],
            id="a reset of zero says nothing",
        ),
    ],
)
def test_each_part_stands_for_itself(fields, reading, unreadable):
    assert read(**fields) == (reading, unreadable)


def test_the_same_answer_a_second_later_names_the_same_reset():
    """
    A reset that wandered with the clock would look like a new period each time.
    """
    fields = {
        "X-API-RateLimit-Reset": "2026-12-01T00:00:00Z",
        "Date": "Sun, 22 Nov 2026 04:00:00 GMT",
    }
    headers = httpx.Headers(fields)

    resets = {
        read_soldscope_quota(headers, NOW + timedelta(seconds=late))[0].resets_at
        for late in range(30)
    }

    assert resets == {DECEMBER}


def test_a_server_clock_that_is_wrong_is_allowed_for():
    headers = httpx.Headers(
        {RESET: "2026-12-01T00:00:00Z", "Date": "Sun, 22 Nov 2026 01:00:00 GMT"}
    )

    reading, _ = read_soldscope_quota(headers, NOW)

    assert reading.resets_at == DECEMBER + timedelta(hours=3)


FIELD = st.binary(max_size=200) | st.text("0123456789.-:TZ ,GMT", max_size=60).map(str.encode)


@given(FIELD, FIELD, FIELD, FIELD)
def test_no_bytes_in_the_headers_raise(limit, remaining, reset, date):
    headers = httpx.Headers(
        [(LIMIT, limit), (REMAINING, remaining), (RESET, reset), ("date", date)]
    )

    reading, unreadable = read_soldscope_quota(headers, NOW)

    assert (reading.limit is None) is (LIMIT in unreadable)
    assert (reading.remaining is None) is (REMAINING in unreadable)
    assert reading.resets_at is None or reading.resets_at <= NOW + timedelta(days=366)
