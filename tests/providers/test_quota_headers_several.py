"""Headers that occur several times, hold several values, units, or contradict one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.outcome import QuotaReading, QuotaUnit
from monitor.providers.base import MAX_FIELDS_LOGGED, UnreadableFields
from monitor.providers.fetcher import Answer
from monitor.providers.headers import (
    LIMIT,
    REMAINING,
    RESET,
    Count,
    parse_counts,
    read_content_types,
    read_retry_at,
    read_soldscope_quota,
    split_values,
)
from monitor.providers.quota_headers import QuotaReport, read_quota_headers

NOW = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)
Fields = list[tuple[str, str]]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def read(fields: Fields) -> QuotaReport:
    return read_quota_headers(httpx.Headers(fields), NOW)


L, R, U = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Used"

MOST_RESTRICTIVE = {
    "sent twice": ([(L, "1000"), (R, "999"), (R, "3")], (1000, 3)),
    "sent twice, the lower first": ([(L, "1000"), (R, "3"), (R, "999")], (1000, 3)),
    "a list": ([(L, "1000"), (R, "999, 3")], (1000, 3)),
    "a list without spaces": ([(L, "1000"), (R, "999,3")], (1000, 3)),
    "both twice": ([(L, "1000, 1000"), (R, "999, 3")], (1000, 3)),
    "two limits": ([(L, "1000"), (L, "500"), (R, "400")], (500, 400)),
    "none left in one": ([(L, "10"), (R, "5"), (R, "0"), (R, "7")], (10, 0)),
    "two spellings of one name": ([(R, "9"), ("X-Rate-Limit-Remaining", "4")], (None, 4)),
    "both families": ([("RateLimit-Remaining", "9"), (L, "10"), (R, "4")], (10, 4)),
    "both families, the other way": ([("RateLimit-Remaining", "4"), (L, "10"), (R, "9")], (10, 4)),
    "draft 7 and the old family": (
        [("RateLimit", "limit=100, remaining=50, reset=5"), (L, "100"), (R, "2")],
        (100, 2),
    ),
    "draft 7 twice": (
        [("RateLimit", "limit=100, remaining=2"), ("RateLimit", "limit=100, remaining=50")],
        (100, 2),
    ),
    "draft 7 twice, folded": (
        [("RateLimit", "limit=100, remaining=2, reset=9, limit=100, remaining=50, reset=9")],
        (100, 2),
    ),
    "one policy twice": ([("RateLimit", '"a";r=50'), ("RateLimit", '"a";r=3')], (None, 3)),
    "used up more than what is left says": ([(L, "100"), (R, "90"), (U, "97")], (100, 3)),
    "used twice": ([(L, "100"), (U, "10"), (U, "97")], (100, 3)),
    "a bucket twice": (
        [("X-Shopify-Shop-Api-Call-Limit", "1/40"), ("X-Shopify-Shop-Api-Call-Limit", "39/40")],
        (40, 1),
    ),
    "Salesforce twice": (
        [("Sforce-Limit-Info", "api-usage=25/15000, api-usage=14999/15000")],
        (15000, 1),
    ),
    "utilization beside a count": (
        [
            ("anthropic-ratelimit-unified-utilization", "0.2"),
            ("anthropic-ratelimit-unified-limit", "100"),
            ("anthropic-ratelimit-unified-remaining", "3"),
        ],
        (100, 3),
    ),
    "utilization of more than a count": (
        [
            ("anthropic-ratelimit-unified-utilization", "0.99"),
            ("anthropic-ratelimit-unified-limit", "200"),
            ("anthropic-ratelimit-unified-remaining", "30"),
        ],
        (100, 1),
    ),
    "utilization twice": ([("anthropic-ratelimit-unified-5h-utilization", "0.1, 0.97")], (100, 3)),
    "left of the limit": ([(R, "3/1000")], (1000, 3)),
    "left of the limit, in words": ([(R, "3 of 1000")], (1000, 3)),
    "used of the limit": ([(U, "32/40")], (40, 8)),
    "a unit": ([(L, "10 requests"), (R, "3 requests")], (10, 3)),
    "a window": ([(L, "10;w=60"), (R, "3;w=60")], (10, 3)),
    "thousands": ([(L, "1k"), (R, "0.5k")], (1000, 500)),
    "millions": ([(L, "1.5M"), (R, "1M")], (1_500_000, 1_000_000)),
    "a rate": ([(L, "100/hour"), (R, "3")], (100, 3)),
    "a name with a comma": ([(L, '10, 10;w=1;name="a, b"'), (R, "3")], (10, 3)),
    "two limits that contradict, by family": (
        [("RateLimit-Limit", "1000"), ("RateLimit-Remaining", "900"), (L, "60"), (R, "3")],
        (60, 3),
    ),
    "two windows in one field": ([(L, "200,2000"), ("X-RateLimit-Usage", "12,1999")], (2000, 1)),
    "two windows whose use looks like a thousand": (
        [(L, "200,2000"), ("X-RateLimit-Usage", "150,150")],
        (200, 50),
    ),
    "two windows of what is read": (
        [("X-ReadRateLimit-Limit", "100,1000"), ("X-ReadRateLimit-Usage", "99,100")],
        (100, 1),
    ),
}


@pytest.mark.parametrize(("fields", "expected"), MOST_RESTRICTIVE.values(), ids=MOST_RESTRICTIVE)
def test_of_several_readings_the_most_restrictive_counts(fields, expected):
    report = read(fields)

    assert (report.tightest.limit, report.tightest.remaining) == expected
    assert report.unreadable == ()


def test_two_windows_in_one_field_are_both_shown():
    fields = [(L, "100;w=60, 1000;w=3600"), (R, "50, 990"), ("X-RateLimit-Reset", "30, 1800")]

    assert read(fields).windows == (
        QuotaReading(100, 50, after(30), 60, "1"),
        QuotaReading(1000, 990, after(1800), 3600, "2"),
    )


def test_families_that_contradict_each_other_are_both_shown():
    fields = [("RateLimit-Limit", "1000"), ("RateLimit-Remaining", "900"), (L, "60"), (R, "50")]

    assert read(fields).windows == (
        QuotaReading(1000, 900),
        QuotaReading(60, 50, None, None, "x-ratelimit"),
    )


UNREADABLE = {
    "one of two": ([(L, "10"), (R, "9"), (R, "soon")], R),
    "one of a list": ([(L, "10"), (R, "9, ")], R),
    "one number or two": ([(L, "10"), (R, "1,000")], R),
    "negative in a list": ([(L, "10"), (R, "5, -1")], R),
    "more than the whole": ([(L, "10"), (R, "1000/3")], R),
    "a share": ([(L, "10"), (R, "50%")], R),
    "a unit that nobody knows": ([(L, "10"), (R, "5 lightyears")], R),
    "minutes or millions": ([(L, "10"), (R, "5m")], R),
    "half a request": ([(L, "10"), (R, "1.5")], R),
    "1.0005 thousand": ([(L, "10"), (R, "1.0005k")], R),
    "a billion billions": ([(L, "10"), (R, "9999999999999999G")], R),
}


@pytest.mark.parametrize(("fields", "name"), UNREADABLE.values(), ids=UNREADABLE)
def test_where_one_reading_is_unreadable_what_is_left_is_unknown_and_named(fields, name):
    assert read(fields) == QuotaReport((QuotaReading(10),), (name.lower(),))


RATES = {
    "100/hour": 3600,
    "100/h": 3600,
    "100 per minute": 60,
    "100 requests per 15 minutes": 900,
    "100/30s": 30,
    "100 calls/day": 86400,
    "100;w=90": 90,
    "100; window=90": 90,
    "100;comment=x;w=90": 90,
    "100": None,
    "100;w=soon": None,
}


@pytest.mark.parametrize(("text", "window_s"), RATES.items(), ids=RATES)
def test_a_count_tells_the_length_of_its_window(text, window_s):
    assert parse_counts(text) == [Count(100, window_s)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([(LIMIT, "1000"), (REMAINING, "999"), (REMAINING, "3")], (1000, 3)),
        ([(LIMIT, "1000, 500"), (REMAINING, "999,3")], (500, 3)),
        ([(LIMIT, "10k"), (REMAINING, "3 requests")], (10_000, 3)),
        ([(LIMIT, "10000;w=2592000"), (REMAINING, "3")], (10_000, 3)),
    ],
)
def test_soldscope_is_read_by_the_same_rule(fields, expected):
    reading, unreadable = read_soldscope_quota(httpx.Headers(fields), NOW)

    assert (reading.limit, reading.remaining) == expected
    assert unreadable == []


def test_soldscopes_later_reset_counts():
    headers = httpx.Headers([(RESET, "2026-12-01"), (RESET, "2026-12-02")])

    assert read_soldscope_quota(headers, NOW)[0].resets_at == datetime(2026, 12, 2, tzinfo=UTC)


PAUSES = {
    "twice": ([("Retry-After", "5"), ("Retry-After", "120")], 120),
    "twice, folded": ([("Retry-After", "120, 5")], 120),
    "seconds and a date": (
        [("Retry-After", "5"), ("Retry-After", "Sun, 22 Nov 2026 04:02:00 GMT")],
        120,
    ),
    "a date and seconds, folded": ([("Retry-After", "Sun, 22 Nov 2026 04:02:00 GMT, 5")], 120),
    "in two forms": ([("Retry-After", "1"), ("Retry-After-Ms", "1500")], 1.5),
    "milliseconds twice": ([("Retry-After-Ms", "1500, 2500")], 2.5),
    "one unreadable": ([("Retry-After", "soon"), ("Retry-After", "7")], 7),
    "negative and positive": ([("Retry-After", "-5, 7")], 7),
    "two vendors' names": ([("X-RateLimit-Retry-After", "9"), ("Retry-After", "3")], 9),
}


@pytest.mark.parametrize(("fields", "seconds"), PAUSES.values(), ids=PAUSES)
def test_the_longest_pause_counts(fields, seconds):
    assert read_retry_at(httpx.Headers(fields), NOW) == after(seconds)


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ([("Content-Type", "text/HTML; charset=x")], ["text/html"]),
        (
            [("Content-Type", "application/json"), ("Content-Type", "text/html")],
            ["application/json", "text/html"],
        ),
        ([("Content-Type", "application/json, text/html")], ["application/json", "text/html"]),
        ([("Content-Type", 'text/plain; x="a, b"')], ["text/plain"]),
        ([("Content-Type", " ; , ")], []),
        ([], []),
    ],
)
def test_every_content_type_is_named(fields, types):
    assert read_content_types(httpx.Headers(fields)) == types


COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=6)


@given(COUNTS, st.data())
def test_however_counts_are_split_over_fields_the_lowest_counts(counts, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(counts)), max_size=3)) | {0, len(counts)})
    lines = [counts[start:end] for start, end in pairwise(cuts)]
    fields = [(R, ", ".join(map(str, line))) for line in lines if line]

    assert read(fields).tightest == QuotaReading(None, min(counts))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_however_pauses_are_sent_the_longest_counts(seconds):
    fields = [("Retry-After", str(each)) for each in seconds]

    assert read_retry_at(httpx.Headers(fields), NOW) == after(max(seconds))


@given(st.text(max_size=80) | st.text('0123456789 ,;w="/kM.of', max_size=40), st.integers(1, 3))
def test_no_text_breaks_reading_counts(text, n_expected):
    counts = parse_counts(text, n_expected)

    assert counts is None or all(0 <= each.value <= 2**53 for each in counts)
    assert ",".join(split_values(text)) == text


def test_a_quota_of_tokens_keeps_its_unit_in_each_window():
    fields = [("X-RateLimit-Limit-Tokens", "10, 20"), ("X-RateLimit-Remaining-Tokens", "1, 2")]

    assert {window.unit for window in read(fields).windows} == {QuotaUnit.TOKENS}


def test_each_unreadable_field_is_logged_once_and_not_without_limit():
    fields = {f"x-ratelimit-limit-{number}": "soon" for number in range(3 * MAX_FIELDS_LOGGED)}
    answer = Answer(200, httpx.Headers(fields), b"", 1.0, NOW)
    unreadable = UnreadableFields("shop")

    with structlog.testing.capture_logs() as logs:
        for name in [*list(fields)[:2], *fields]:
            unreadable.log(answer, [name], "")

    assert [list(log["fields"]) for log in logs] == [
        [name] for name in list(fields)[:MAX_FIELDS_LOGGED]
    ]
