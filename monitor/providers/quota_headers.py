"""Read every quota that the headers of an answer tell of, in any known dialect.

Decides which window a field belongs to and which part of it it holds, by its name: the families are
those that services were seen to use, a field whose name says nothing known is none of ours. The two
fields of the IETF's draft, `RateLimit` and `RateLimit-Policy`, are read in each form that services
still send; a malformed one is ignored as a whole. What a quota means is left to
`monitor.judge.quota`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from monitor.judge.outcome import QuotaReading, QuotaUnit
from monitor.providers.headers import (
    LONGEST_PERIOD,
    MAX_COUNT,
    Item,
    believe_reset,
    parse_count,
    parse_dictionary,
    parse_list,
    parse_reset,
    read_server_date,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import httpx

    from monitor.config.http import QuotaHeaders


# --- names of fields

MAX_NAME = 100

STANDARD = ("", "x-")
"""The families that name no vendor; they say the same thing where a service sends both."""

ANTHROPIC = "anthropic-"
MINUTE_S = 60

LENGTHS = {
    "second": 1,
    "secondly": 1,
    "minute": MINUTE_S,
    "hour": 3600,
    "hourly": 3600,
    "day": 86400,
    "daily": 86400,
    "week": 7 * 86400,
    "weekly": 7 * 86400,
    "month": 28 * 86400,
    "monthly": 28 * 86400,
}
LETTERS = {"s": 1, "m": MINUTE_S, "h": 3600, "d": 86400, "w": 7 * 86400}

UNIT_WORDS = (
    ("token", QuotaUnit.TOKENS),
    ("point", QuotaUnit.POINTS),
    ("cost", QuotaUnit.POINTS),
    ("byte", QuotaUnit.BYTES),
    ("concurren", QuotaUnit.CONCURRENT),
)

FOREIGN = ("x-amzn-",)
"""A rate per second, which says nothing about what is left."""

_FAMILY = re.compile(r"((?:[a-z0-9]+-)*?)rate-?limit(?:-(.+))?", re.ASCII)
_PRIORITY = re.compile(r"anthropic-(priority-.+)", re.ASCII)
_CALLS = re.compile(r"x-.+-api-call-limit", re.ASCII)
_SPAN = re.compile(r"(\d{1,3})([smhdw])", re.ASCII)


class FieldPart(Enum):
    """What one field says of a window."""

    LIMIT = "limit"
    REMAINING = "remaining"
    USED = "used"
    USED_OF_LIMIT = "used of limit"
    UTILIZATION = "utilization"
    RESET = "reset"
    RESET_AFTER_MS = "reset after milliseconds"
    LENGTH_MS = "length in milliseconds"


FIELD_PARTS: dict[tuple[str, ...], FieldPart] = {
    ("reset", "milliseconds"): FieldPart.RESET_AFTER_MS,
    ("reset", "after", "ms"): FieldPart.RESET_AFTER_MS,
    ("reset", "ms"): FieldPart.RESET_AFTER_MS,
    ("reset", "after"): FieldPart.RESET,
    ("reset", "time"): FieldPart.RESET,
    ("reset", "date"): FieldPart.RESET,
    ("reset", "at"): FieldPart.RESET,
    ("interval", "milliseconds"): FieldPart.LENGTH_MS,
    ("resettime",): FieldPart.RESET,
    ("resets",): FieldPart.RESET,
    ("reset",): FieldPart.RESET,
    ("limit",): FieldPart.LIMIT,
    ("max",): FieldPart.LIMIT,
    ("remaining",): FieldPart.REMAINING,
    ("used",): FieldPart.USED,
    ("observed",): FieldPart.USED,
    ("utilization",): FieldPart.UTILIZATION,
}
"""Longer ones first: they begin like shorter ones."""


@dataclass(frozen=True, slots=True)
class FieldName:
    """What the name of a field says.

    Args:
        family: What stands before the words about a limit, such as `x-`.
        window: Which of several windows; empty where there is but one.
    """

    family: str
    part: FieldPart
    window: str = ""


@lru_cache(maxsize=1024)  # the same few names come with every answer
def recognize(name: str) -> FieldName | None:
    """Return what the field called *name*, in lower case, tells of; None for any other field."""
    if len(name) > MAX_NAME or name.startswith(FOREIGN):
        return None
    if name == "sforce-limit-info" or _CALLS.fullmatch(name):
        return FieldName(name, FieldPart.USED_OF_LIMIT)
    if name == "x-rate-limit":
        return FieldName("x-", FieldPart.LIMIT)
    if match := _PRIORITY.fullmatch(name):
        return _find_part(ANTHROPIC, match[1])
    match = _FAMILY.fullmatch(name)
    return _find_part(match[1], match[2]) if match and match[2] else None


def _find_part(family: str, rest: str) -> FieldName | None:
    words = tuple(rest.split("-"))
    for key, part in FIELD_PARTS.items():
        if words[: len(key)] == key:
            return FieldName(family, part, "-".join(words[len(key) :]))
        if words[-len(key) :] == key:
            return FieldName(family, part, "-".join(words[: -len(key)]))
    return FieldName(family, FieldPart.LIMIT, rest) if rest in LENGTHS else None


def length_of(family: str, window: str) -> int | None:
    """Return a window's length in seconds, where its name tells."""
    for word in window.split("-"):
        if word in LENGTHS:
            return LENGTHS[word]
        if match := _SPAN.fullmatch(word):
            return int(match[1]) * LETTERS[match[2]] or None
    # Anthropic's limits are all per minute, and their names leave it out; but for those
    # of subscriptions, which tell of hours and days.
    return MINUTE_S if family == ANTHROPIC and not window.startswith("unified") else None


def unit_of(window: str) -> QuotaUnit:
    """Return what a window counts, as far as its name tells."""
    return next((unit for word, unit in UNIT_WORDS if word in window), QuotaUnit.REQUESTS)


# --- the draft of the IETF

CURRENT = "ratelimit"
POLICIES = ("ratelimit-policy", "x-ratelimit-policy", "x-rate-limit-policy")

POLICY_UNITS = {
    "requests": QuotaUnit.REQUESTS,
    "content-bytes": QuotaUnit.BYTES,
    "concurrent-requests": QuotaUnit.CONCURRENT,
}


@dataclass(frozen=True, slots=True)
class QuotaPolicy:
    """One quota policy.

    Args:
        name: Empty in the older form, where policies have none.
        partition: Whose share it is, where the service divides a quota.
    """

    name: str
    partition: str | None
    quota: int | None
    window_s: int | None
    unit: QuotaUnit


def read_policies(text: str) -> list[QuotaPolicy] | None:
    """Return the policies of a `RateLimit-Policy`, named or (before draft 8) numbered."""
    items = parse_list(text)
    return None if items is None else [_read_policy(item) for item in items]


def read_current(
    text: str | None, policies: Iterable[QuotaPolicy], received_at: datetime
) -> list[QuotaReading] | None:
    """Return the windows of a `RateLimit`, joined with *policies*; None if it is malformed.

    A policy of which nothing is said is a window too: its limit is known.
    """
    policies = [policy for policy in policies if policy.name]
    if text is None:
        return [_join(policy.name, Item(None), policy, received_at) for policy in policies]
    items = parse_list(text)
    if items and any(isinstance(item.value, str) and "r" in item.parameters for item in items):
        if any(_is_malformed(item) for item in items):
            return None
        return _read_list(items, policies, received_at)
    dictionary = parse_dictionary(text)
    if dictionary is None or not {"limit", "remaining"} & set(dictionary):
        return None
    return [_read_dictionary(dictionary, received_at)]


def _is_malformed(item: Item) -> bool:
    return any(key in item.parameters and _count(item.parameters[key]) is None for key in "rt")


def _read_policy(item: Item) -> QuotaPolicy:
    is_named = isinstance(item.value, str)
    unit = item.parameters.get("qu")
    partition = item.parameters.get("pk")
    return QuotaPolicy(
        _label(item.value) if is_named else "",
        str(partition) if partition is not None else None,
        _count(item.parameters.get("q") if is_named else item.value),
        _count(item.parameters.get("w")) or None,
        QuotaUnit.REQUESTS if unit is None else POLICY_UNITS.get(str(unit), QuotaUnit.OTHER),
    )


def _read_list(
    items: Iterable[Item], policies: list[QuotaPolicy], received_at: datetime
) -> list[QuotaReading]:
    left = {(policy.name, policy.partition): policy for policy in policies}
    windows = []
    for item in items:
        if not isinstance(item.value, str):
            continue
        name, partition = _label(item.value), item.parameters.get("pk")
        key = name, str(partition) if partition is not None else None
        policy = left.pop(key, None) or left.pop((name, None), None)
        windows.append(_join(name, item, policy, received_at))
    silent = [_join(policy.name, Item(None), policy, received_at) for policy in left.values()]
    return [*windows, *silent]


def _join(name: str, item: Item, policy: QuotaPolicy | None, received_at: datetime) -> QuotaReading:
    return QuotaReading(
        policy.quota if policy else None,
        _count(item.parameters.get("r")),
        _after(item.parameters.get("t"), received_at),
        policy.window_s if policy else None,
        name,
        policy.unit if policy else QuotaUnit.REQUESTS,
    )


def _read_dictionary(members: dict[str, Item], received_at: datetime) -> QuotaReading:
    limit, remaining, reset = (
        members.get(key, Item(None)) for key in ("limit", "remaining", "reset")
    )
    return QuotaReading(
        _count(limit.value),
        _count(remaining.value),
        _after(reset.value, received_at),
        _count(limit.parameters.get("w")) or None,
    )


def _label(value: object) -> str:
    return "".join(letter for letter in str(value) if letter.isprintable())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None


def _after(value: object, received_at: datetime) -> datetime | None:
    seconds = _count(value)
    if seconds is None or seconds > LONGEST_PERIOD.total_seconds():
        return None
    return believe_reset(received_at + timedelta(seconds=seconds), received_at)


# --- windows

MAX_WINDOWS = 20
"""More are nobody's quota; what is shown has to end somewhere."""

WHOLE_PERCENT = 100
BUCKET_LEAKS_PER_S = 2
"""How fast Shopify's bucket empties on the smallest plan."""

# Salesforce tells of the application's own share after the account's.
_USED_OF = re.compile(r"(?:[\w-]{1,40}=)?(\d{1,12})/(\d{1,12})(?:; ?per-app-.{1,200})?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)
_FRACTION = re.compile(r"[01](?:\.\d{1,9})?|\.\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuotaReport:
    """The windows that the headers of one answer tell of, and the fields that cannot be read."""

    windows: tuple[QuotaReading, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def tightest(self) -> QuotaReading:
        """The window with the smallest share left; empty if there is none."""
        return min(self.windows, key=_share, default=QuotaReading())


def read_quota_headers(
    headers: httpx.Headers, received_at: datetime, names: QuotaHeaders | None = None
) -> QuotaReport:
    """Return what *headers* say of quotas, by these *names* or else by convention."""
    reader = _Reader(headers, received_at)
    windows = reader.read_known() if names is None else reader.read_named(names)
    unreadable = tuple(dict.fromkeys(reader.unreadable))
    return QuotaReport(tuple(windows[:MAX_WINDOWS]), unreadable)


def _share(window: QuotaReading) -> float:
    return math.inf if window.share_left is None else window.share_left


class _Reader:
    """One answer's headers, and what in them could not be read."""

    def __init__(self, headers: httpx.Headers, received_at: datetime) -> None:
        self._texts = dict(headers.items())
        self._received_at = received_at
        self._date = read_server_date(headers, received_at)
        self.unreadable: list[str] = []

    def read_named(self, names: QuotaHeaders) -> list[QuotaReading]:
        parts = {
            FieldPart.LIMIT: names.limit,
            FieldPart.REMAINING: names.remaining,
            FieldPart.RESET: names.resets,
        }
        known = {part: [name.lower()] for part, name in parts.items() if name}
        reading = self._read_window(known, "", "")
        return [] if reading.is_empty else [reading]

    def read_known(self) -> list[QuotaReading]:
        policies = self._read_policies()
        current = self._read_current(policies)
        groups: dict[tuple[str, str], dict[FieldPart, list[str]]] = {}
        for name in self._texts:
            if known := recognize(name):
                group = groups.setdefault((known.family, known.window), {})
                group.setdefault(known.part, []).append(name)
        taken = {window.name for window in current}
        found = []
        for family, window in sorted(groups):
            reading = self._read_window(groups[family, window], family, window)
            label = window or family.removeprefix("x-").rstrip("-")
            if label in taken:
                if family in STANDARD:
                    continue
                label = f"{family}{window}"
            if not reading.is_empty:
                taken.add(label)
                found.append(replace(reading, name=label))
        return [_join_policy(reading, policies) for reading in [*current, *found]]

    def _read_policies(self) -> list[QuotaPolicy]:
        found: list[QuotaPolicy] = []
        for name in POLICIES:
            if name not in self._texts:
                continue
            policies = read_policies(self._texts[name])
            if policies is None:
                self.unreadable.append(name)
            found += policies or []
        return found

    def _read_current(self, policies: Iterable[QuotaPolicy]) -> list[QuotaReading]:
        windows = read_current(self._texts.get(CURRENT), policies, self._received_at)
        if windows is None:
            self.unreadable.append(CURRENT)
            windows = read_current(None, policies, self._received_at)
        return windows or []

    def _read_window(
        self, fields: Mapping[FieldPart, list[str]], family: str, window: str
    ) -> QuotaReading:
        limit, window_s = self._read_limit(fields.get(FieldPart.LIMIT, []))
        remaining, _ = self._read_limit(fields.get(FieldPart.REMAINING, []))
        used, _ = self._read_limit(fields.get(FieldPart.USED, []))
        if remaining is None and limit is not None and used is not None:
            remaining = max(limit - used, 0)
        reading = QuotaReading(
            limit,
            remaining,
            self._read_reset(fields),
            length_of(family, window) or window_s or self._read_length(fields),
            window,
            unit_of(window),
        )
        reading = self._read_used_of(fields.get(FieldPart.USED_OF_LIMIT, []), reading)
        return self._read_utilization(fields.get(FieldPart.UTILIZATION, []), reading)

    def _read_limit(self, names: Iterable[str]) -> tuple[int | None, int | None]:
        """Return a count, and the length of its window where the value says it as well."""
        for name in names:
            text = self._texts.get(name)
            if text is None:
                continue
            if (count := parse_count(text.strip(' \t"'))) is not None:
                return count, None
            # `100;w=21600`, or `100, 100;w=10`: the first number is the one in force.
            items = [] if _THOUSANDS.fullmatch(text) else parse_list(text) or []
            values = [item.value for item in items]
            if values and isinstance(values[0], int) and values[0] >= 0:
                lengths = [item.parameters.get("w") for item in items if item.value == values[0]]
                known = (one for one in lengths if isinstance(one, int) and one > 0)
                return values[0], next(known, None)
            self.unreadable.append(name)
        return None, None

    def _read_reset(self, fields: Mapping[FieldPart, list[str]]) -> datetime | None:
        # Some services tell the reset twice, in two forms: one that can be read will do.
        failed = []
        for part in (FieldPart.RESET, FieldPart.RESET_AFTER_MS):
            for name in fields.get(part, []):
                text = self._texts.get(name)
                if text is None:
                    continue
                if part is FieldPart.RESET_AFTER_MS:
                    text = f"{text.strip()}ms"
                resets_at = parse_reset(text, self._received_at, self._date)
                if resets_at is not None:
                    return believe_reset(resets_at, self._received_at)
                failed.append(name)
        self.unreadable += failed
        return None

    def _read_length(self, fields: Mapping[FieldPart, list[str]]) -> int | None:
        milliseconds, _ = self._read_limit(fields.get(FieldPart.LENGTH_MS, []))
        return None if milliseconds is None else max(milliseconds // 1000, 1)

    def _read_used_of(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        for name in names:
            match = _USED_OF.fullmatch(self._texts[name].strip())
            if match is None:
                self.unreadable.append(name)
                continue
            used, limit = int(match[1]), int(match[2])
            # A bucket that leaks; how much it holds tells how long that takes at most.
            window_s = max(limit // BUCKET_LEAKS_PER_S, 1) if "shopify" in name else None
            return replace(reading, limit=limit, remaining=max(limit - used, 0), window_s=window_s)
        return reading

    def _read_utilization(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        for name in names:
            text = self._texts[name].strip()
            if not _FRACTION.fullmatch(text):
                self.unreadable.append(name)
                continue
            left = WHOLE_PERCENT - math.ceil(min(float(text), 1.0) * WHOLE_PERCENT)
            return replace(reading, limit=WHOLE_PERCENT, remaining=left, unit=QuotaUnit.PERCENT)
        return reading


def _join_policy(reading: QuotaReading, policies: Iterable[QuotaPolicy]) -> QuotaReading:
    """Take a window's length from the policy that has the same limit."""
    if reading.window_s is not None or reading.limit is None:
        return reading
    lengths = [policy.window_s for policy in policies if policy.quota == reading.limit]
    return replace(reading, window_s=next(iter(lengths), None))
