"""Read the values of header fields: counts, instants, pauses, lists (RFC 9651), SoldScope's quota.

Pure, and safe with any bytes: what cannot be read is None, never an error; a malformed list is
None as a whole, as the RFC wants it. Which field is read is left to the caller, other services'
quotas to `quota_headers`, what a quota means to `monitor.judge.quota`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from http_sf import StructuredFieldError, Token, parse

from monitor.judge.outcome import QuotaReading

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx


MAX_COUNT = 2**53
MAX_TEXT = 128

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AFTER = timedelta(days=100 * 365)
LONGEST_DELTA_S = 1e8
LONGEST_WAIT = timedelta(days=366)

SKEW_FROM = timedelta(minutes=1)
"""Below it, `Date` differs from our clock by rounding and travel."""
SKEW_TO = timedelta(days=1)
"""Above it, `Date` is made up or cached, not a clock."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
"""From this number on it counts an epoch in that many parts of a second."""

UNIT_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}

_FLAGS = re.ASCII | re.IGNORECASE
_COUNT = re.compile(r"(\d{1,16})(?:\.0{1,9})?", _FLAGS)
_NUMBER = re.compile(r"\d{1,19}(?:\.\d{1,9})?", _FLAGS)
_NEGATIVE = re.compile(r"-\d{1,19}(?:\.\d{1,9})?", _FLAGS)
_SPAN = r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h|d)"
_SPANS = re.compile(_SPAN, _FLAGS)
_DURATION = re.compile(rf"(?:{_SPAN})+", _FLAGS)
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ZONE = r"(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d)"
# 2026-12-01, 2026-12-01T00:00:00Z, 2026-12-01 00:00:00 UTC
_ISO = (
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)"
    rf"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{{1,9}}))?)? ?{_ZONE}?)?"
)
# Sun, 06 Nov 1994 08:49:37 GMT and Sunday, 06-Nov-94 08:49:37 GMT
_HTTP = (
    r"(?:[a-z]{3,9}, ?)?(?P<day>\d{1,2})[ -](?P<month>[a-z]{3})[ -](?P<year>\d{4}|\d\d)"
    rf" {_TIME}(?: {_ZONE})?"
)
# Sun Nov  6 08:49:37 1994
_C = rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) {{1,2}}(?P<day>\d{{1,2}}) {_TIME} (?P<year>\d{{4}})"
# Tue Feb 16 2021 09:02:42 GMT+0100
_JAVASCRIPT = (
    r"[a-z]{3} (?P<month>[a-z]{3}) (?P<day>\d{1,2}) (?P<year>\d{4})"
    rf" {_TIME}(?: (?:gmt|utc)?{_ZONE}?)?"
)
_DATES = tuple(re.compile(pattern, _FLAGS) for pattern in (_ISO, _HTTP, _C, _JAVASCRIPT))
# What JavaScript adds to its dates.
_REMARK = re.compile(r" \([^()]*\)")
# The comma after a weekday belongs to its date.
_COMMA = re.compile(r"(?<!mon)(?<!tue)(?<!wed)(?<!thu)(?<!fri)(?<!sat)(?<!sun)(?<!day),", _FLAGS)


def parse_count(text: str) -> int | None:
    """Return a count: an integer from 0 to 2**53; `599.0` is one as well."""
    match = _COUNT.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    count = int(match[1])
    return count if count <= MAX_COUNT else None


# --- counts with what stands beside them

MAX_FIELD = 4096
"""No quota needs more; what is longer is not read."""
MOST_COUNTS = 50
"""Nor does any list so many windows in one field."""

LENGTHS = {
    "second": 1,
    "secondly": 1,
    "minute": 60,
    "hour": 3600,
    "hourly": 3600,
    "day": 86400,
    "daily": 86400,
    "week": 7 * 86400,
    "weekly": 7 * 86400,
    "month": 28 * 86400,
    "monthly": 28 * 86400,
}
LETTERS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
SHORT_LENGTHS = {"sec": 1, "min": 60, "hr": 3600, **LETTERS}

_SCALES = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9}
_UNITS = (
    "requests?|reqs?|calls?|quer(?:y|ies)|hits?|tokens?|points?|credits?|units?|operations?|ops"
    "|messages?|searches|bytes?|left|remaining"
)
_PERIODS = "|".join(
    sorted((*(f"{name}s?" for name in LENGTHS), "secs?", "mins?", "hrs?", *LETTERS), reverse=True)
)
# 100, 599.0, 1.5k, "100", 10 requests, 100/hour, 100 requests per 15 minutes
_COUNT_FORM = re.compile(
    r"(?P<number>\d{1,16})(?:\.(?P<fraction>\d{1,9}))?(?P<scale>[kKMG]?)"
    rf"(?i:[ \t]{{0,3}}(?:{_UNITS}))?"
    r"(?i:[ \t]{0,3}(?:/|per\b)[ \t]{0,3}(?P<times>\d{1,6})?"
    rf"[ \t]{{0,3}}(?P<period>{_PERIODS}))?",
    re.ASCII,
)
# 3/1000, 3 of 1000
_PART_OF = re.compile(
    r"(?:[\w-]{1,40}=)?(?P<part>\d{1,16})[ \t]{0,3}(?:/|of\b)[ \t]{0,3}(?P<whole>\d{1,16})", _FLAGS
)
_SEPARATORS = re.compile(r'[",]')
_WINDOW = re.compile(r"w(?:indow)?[ \t]{0,3}=[ \t]{0,3}(\d{1,12})", _FLAGS)
# 7.421 is seven thousand to half of Europe; 7.000 is seven to the others.
_DOTTED = re.compile(r"[1-9]\d{0,2}\.000", re.ASCII)
# 1,000 is one number to people, and two to HTTP.
_GROUPED = re.compile(r"\d,\d{3}(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Count:
    """One count of a field.

    Args:
        window_s: The length of its window, where it stands beside it: `100;w=60`, `100/hour`.
        whole: What it is a part of: `3/1000`.
    """

    value: int
    window_s: int | None = None
    whole: int | None = None


def parse_counts(text: str, n_expected: int = 1) -> list[Count] | None:
    """Return every count that *text* lists; None if one of them cannot be read.

    Args:
        n_expected: How many values the fields beside it have: `12,150` is two numbers where they
            have two, and else nobody can tell.
    """
    if len(text) > MAX_FIELD or text.count(",") > MOST_COUNTS:
        return None
    texts = split_values(text)
    if _GROUPED.search(text) and (n_expected == 1 or len(texts) != n_expected):
        return None
    counts = [_read_count_form(one) for one in texts]
    known = [count for count in counts if count is not None]
    return known if known and len(known) == len(counts) else None


def split_values(text: str) -> list[str]:
    """Return what stands between the commas of *text*; a comma inside of quotes is none."""
    values, start, is_quoted = [], 0, False
    for match in _SEPARATORS.finditer(text):
        if match[0] == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            values.append(text[start : match.start()])
            start = match.end()
    return [*values, text[start:]]


def _read_count_form(text: str) -> Count | None:
    head, _, rest = text.partition(";")
    head = head.strip(' \t"')
    if _DOTTED.fullmatch(head):
        return None
    window = next(
        (match[1] for each in rest.split(";") if (match := _WINDOW.fullmatch(each.strip()))), None
    )
    window_s = int(window) if window else None
    if match := _PART_OF.fullmatch(head):
        part, whole = int(match["part"]), int(match["whole"])
        is_part = part <= whole <= MAX_COUNT
        return Count(part, window_s, whole) if is_part else None
    match = _COUNT_FORM.fullmatch(head)
    value = _scale(match) if match else None
    if match is None or value is None:
        return None
    if period := match["period"]:
        unit = period.lower()
        length = LENGTHS.get(unit) or LENGTHS.get(unit.rstrip("s"))
        length = length or SHORT_LENGTHS.get(unit) or SHORT_LENGTHS[unit.rstrip("s")]
        window_s = window_s or length * int(match["times"] or 1)
    return Count(value, window_s or None)


def _scale(match: re.Match[str]) -> int | None:
    fraction, power = (match["fraction"] or "").rstrip("0"), _SCALES[match["scale"]]
    if len(fraction) > power:
        return None
    value = int(match["number"] + fraction.ljust(power, "0"))
    return value if value <= MAX_COUNT else None


# --- instants


def parse_instant_field(
    text: str, received_at: datetime, server_date: datetime | None = None
) -> datetime | None:
    """Return the instant that *text* names, in any form that services use.

    Understood are epochs from seconds to nanoseconds, seconds from now,
    durations (`6m0s`), RFC 3339 and its relatives, plain dates (the start of
    that day in UTC) and the dates of HTTP and JavaScript. Of several values
    the latest counts, if all of them can be read.

    Args:
        server_date: The answer's `Date`. Where the server's clock is wrong, an
            instant is as far away as it is from this one.
    """
    return max(parse_instants(text, received_at, server_date), default=None)


def parse_instants(
    text: str, received_at: datetime, server_date: datetime | None = None
) -> list[datetime]:
    """Return every instant that *text* lists; none if one of them cannot be read.

    "December 1, 2026" is no list of a word and 2026 seconds.
    """
    if len(text) > MAX_TEXT:
        return []
    values = _COMMA.split(_REMARK.sub("", text))
    instants = [_parse_value(value.strip(' \t"'), received_at, server_date) for value in values]
    known = [instant for instant in instants if instant is not None]
    return known if len(known) == len(instants) else []


def parse_retry_after(
    text: str, received_at: datetime, server_date: datetime | None = None
) -> datetime | None:
    """Return when a server may be called again: not in the past, and in a year at most."""
    positive = ",".join(
        "0" if _NEGATIVE.fullmatch(one.strip(" \t")) else one for one in text.split(",")
    )
    instant = parse_instant_field(positive, received_at, server_date)
    if instant is None:
        return None
    return min(max(instant, received_at), received_at + LONGEST_WAIT)


def _parse_value(text: str, received_at: datetime, server_date: datetime | None) -> datetime | None:
    if _NUMBER.fullmatch(text):
        number = float(text)
        for least, parts in EPOCH_UNITS:
            if number >= least:
                instant = EPOCH + timedelta(seconds=number / parts)
                return _believe(_cancel_skew(instant, received_at, server_date), received_at)
        return received_at + timedelta(seconds=number)
    if _DURATION.fullmatch(text):
        seconds = sum(float(size) * UNIT_S[unit.lower()] for size, unit in _SPANS.findall(text))
        return received_at + timedelta(seconds=seconds) if seconds <= LONGEST_DELTA_S else None
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            return _parse_date(match, received_at, server_date)
    return None


def _parse_date(
    match: re.Match[str], received_at: datetime, server_date: datetime | None
) -> datetime | None:
    parts = match.groupdict()
    try:
        instant = datetime(
            _year(parts["year"], received_at),
            MONTHS.get(parts["month"].lower()) or int(parts["month"]),
            int(parts["day"]),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            int((parts.get("fraction") or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(parts.get("zone")),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if parts["hour"] is not None:
        instant = _cancel_skew(instant, received_at, server_date)
    return _believe(instant, received_at)


def _year(digits: str, received_at: datetime) -> int:
    year = int(digits)
    if len(digits) > len("94"):
        return year
    # RFC 9110: what seems more than fifty years ahead is in the past.
    return 2000 + year if 2000 + year <= received_at.year + 50 else 1900 + year


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(offset if text[0] == "+" else -offset)


def _cancel_skew(
    instant: datetime, received_at: datetime, server_date: datetime | None
) -> datetime:
    if server_date is None:
        return instant
    skew = received_at - server_date
    return instant + skew if SKEW_FROM <= abs(skew) <= SKEW_TO else instant


def _believe(instant: datetime, received_at: datetime) -> datetime | None:
    return instant if EARLIEST <= instant <= received_at + LATEST_AFTER else None


# --- structured fields (RFC 9651): nothing else knows the library


@dataclass(frozen=True, slots=True)
class Item:
    """One value with its parameters; inner lists and other odd values are None."""

    value: int | str | None
    parameters: Mapping[str, int | str | None] = field(default_factory=dict)


def parse_list(text: str) -> list[Item] | None:
    """Return the items of a list; None if it is none."""
    members = _parse(text, "list")
    return [_item(member) for member in members] if isinstance(members, list) else None


def parse_dictionary(text: str) -> dict[str, Item] | None:
    """Return the items of a dictionary; None if it is none."""
    members = _parse(text, "dictionary")
    if not isinstance(members, dict):
        return None
    return {key: _item(member) for key, member in members.items()}


def _parse(text: str, kind: str) -> object:
    if len(text) > MAX_FIELD or not text.isascii():
        return None
    try:
        return parse(text.encode("ascii"), tltype=kind)
    except StructuredFieldError:
        return None


def _item(member: object) -> Item:
    value, parameters = member if isinstance(member, tuple) else (member, {})
    return Item(_plain(value), {key: _plain(each) for key, each in parameters.items()})


def _plain(value: object) -> int | str | None:
    # True is an int to Python, and no count.
    if isinstance(value, bool):
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Token):
        return str(value)
    return value if isinstance(value, int | str) else None


# --- quotas and pauses

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
    """Return what *headers* say of SoldScope's quota, and which of them are unreadable."""
    unreadable: list[str] = []
    limit = _read_count(headers, LIMIT, unreadable)
    remaining = _read_count(headers, REMAINING, unreadable)
    resets_at = _read_reset(headers, received_at, unreadable)
    if limit is None and remaining is None and resets_at is None:
        return QuotaReading(), unreadable
    return QuotaReading(limit, remaining, resets_at, SHORTEST_MONTH_S), unreadable


def read_server_date(headers: httpx.Headers, received_at: datetime) -> datetime | None:
    """Return the answer's `Date`: the server's idea of now."""
    texts = headers.get_list("date")
    return parse_instant_field(texts[0], received_at) if texts else None


def parse_reset(text: str, received_at: datetime, server_date: datetime | None) -> datetime | None:
    """Return when a period ends; None if *text* names no end that can be believed."""
    resets_at = parse_instant_field(text, received_at, server_date)
    if resets_at is None or resets_at > received_at + LONGEST_PERIOD:
        return None
    return resets_at


def believe_reset(resets_at: datetime, received_at: datetime) -> datetime | None:
    """Return *resets_at* unless it has passed: what is over says nothing of the next period.

    "0 seconds from now", told again and again, would be a new period each time.
    """
    return resets_at if resets_at > received_at else None


def read_retry_at(headers: httpx.Headers, received_at: datetime) -> datetime | None:
    """Return the instant before which the service does not want to be called again."""
    return read_pause(headers, received_at)[0]


def read_pause(headers: httpx.Headers, received_at: datetime) -> tuple[datetime | None, list[str]]:
    """Return the latest end of a pause that *headers* ask for, and which fields are unreadable.

    A field that is sent twice, or in several forms, asks for the longest of its pauses.
    """
    date = read_server_date(headers, received_at)
    ends, unreadable = [], []
    for name in RETRY_FIELDS:
        for text in headers.get_list(name):
            pause = in_milliseconds(text) if name.endswith("-ms") else text
            if retry_at := parse_retry_after(pause, received_at, date):
                ends.append(retry_at)
            elif name not in unreadable:
                unreadable.append(name)
    return max(ends, default=None), unreadable


def in_milliseconds(text: str) -> str:
    """Return the lengths that *text* lists with their unit, which only the field's name tells."""
    return ",".join(f"{one.strip()}ms" for one in text.split(","))


def read_content_types(headers: httpx.Headers) -> list[str]:
    """Return the media types that *headers* name, in lower case and without parameters."""
    texts = (one for text in headers.get_list("content-type") for one in split_values(text))
    types = (text[:MAX_TEXT].partition(";")[0].strip().lower() for text in texts)
    return [one for one in types if one]


def _read_count(headers: httpx.Headers, name: str, unreadable: list[str]) -> int | None:
    """Return the lowest count that the field called *name* tells."""
    text = headers.get(name)
    if text is None:
        return None
    counts = parse_counts(text)
    if counts is None:
        unreadable.append(name)
        return None
    return min(count.value for count in counts)


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
