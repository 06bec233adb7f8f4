"""
Read SoldScope's quota from the headers of an answer, and when a period or a pause ends.

Decides only what the headers say; what a quota means is judged in
`monitor.judge.quota`. Other services' dialects are read in `quota_headers`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.check.fields import parse_count, parse_instant_field, parse_retry_after
from monitor.judge.outcome import QuotaReading

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

LIMIT = "x-api-ratelimit-limit"
REMAINING = "x-api-ratelimit-remaining"
RESET = "x-api-ratelimit-reset"

SHORTEST_MONTH_S = 28 * 24 * 60 * 60
"""SoldScope's FAQ calls the limit "your total monthly quota": never shorter than this."""

LONGEST_PERIOD = timedelta(days=366)
"""A quota that resets later than this was misread."""

RETRY_FIELDS = (
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-ratelimit-retry-after",
    "x-retry-after",
    "x-ratelimit-next",
)
"""`Retry-After` (RFC 9110), and what services send instead of it."""


def read_soldscope_quota(
    headers: httpx.Headers, received_at: datetime
) -> tuple[QuotaReading, list[str]]:
    """
    Return what *headers* say of SoldScope's quota, and which of them are unreadable.

    A field that is absent or unreadable leaves its part None and the others as
    they are.
    """
    unreadable: list[str] = []
    limit = _read_count(headers, LIMIT, unreadable)
    remaining = _read_count(headers, REMAINING, unreadable)
    resets_at = _read_reset(headers, received_at, unreadable)
    if limit is None and remaining is None and resets_at is None:
        return QuotaReading(), unreadable
    return QuotaReading(limit, remaining, resets_at, SHORTEST_MONTH_S), unreadable


def read_server_date(headers: httpx.Headers, received_at: datetime) -> datetime | None:
    """
    Return the answer's `Date`: the server's idea of now.
    """
    text = headers.get("date")
    return None if text is None else parse_instant_field(text, received_at)


def parse_reset(text: str, received_at: datetime, server_date: datetime | None) -> datetime | None:
    """
    Return when a period ends; None if *text* names no end that can be believed.
    """
    resets_at = parse_instant_field(text, received_at, server_date)
    if resets_at is None or resets_at > received_at + LONGEST_PERIOD:
        return None
    return resets_at


def believe_reset(resets_at: datetime, received_at: datetime) -> datetime | None:
    """
    Return *resets_at* unless it has passed: what is over says nothing of the next period.

    "0 seconds from now", told again and again, would be a new period each time.
    """
    return resets_at if resets_at > received_at else None


def read_retry_at(headers: httpx.Headers, received_at: datetime) -> datetime | None:
    """
    Return the instant before which the service does not want to be asked again.
    """
    date = read_server_date(headers, received_at)
    for name in RETRY_FIELDS:
        text = headers.get(name)
        if text is None:
            continue
        if name.endswith("-ms"):
            text = f"{text.strip()}ms"
        if retry_at := parse_retry_after(text, received_at, date):
            return retry_at
    return None


def _read_count(headers: httpx.Headers, name: str, unreadable: list[str]) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    count = parse_count(text)
    if count is None:
        unreadable.append(name)
    return count


def _read_reset(
    headers: httpx.Headers, received_at: datetime, unreadable: list[str]
) -> datetime | None:
    text = headers.get(RESET)
    if text is None:
        return None
    resets_at = parse_reset(text, received_at, read_server_date(headers, received_at))
    if resets_at is None:
        unreadable.append(RESET)
        return None
    return None if resets_at == received_at else resets_at
