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
from typing import TYPE_CHECKING, TypeVar

from monitor.judge.outcome import QuotaReading, QuotaUnit
from monitor.providers.headers import (
    LENGTHS,
    LETTERS,
    LONGEST_PERIOD,
    MAX_COUNT,
    MAX_FIELD,
    MOST_COUNTS,
    Count,
    Item,
    believe_reset,
    in_milliseconds,
    parse_counts,
    parse_dictionary,
    parse_instants,
    parse_list,
    read_server_date,
    split_values,
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

UNIT_WORDS = (
    ("token", QuotaUnit.TOKENS),
    ("point", QuotaUnit.POINTS),
    ("cost", QuotaUnit.POINTS),
    ("byte", QuotaUnit.BYTES),
    ("concurren", QuotaUnit.CONCURRENT),
)

FOREIGN = ("x-amzn-",)
"""A rate per second, which says nothing about what is left."""

# Strava counts what is read apart: `X-ReadRateLimit-Limit`.
_FAMILY = re.compile(r"((?:[a-z0-9]+-)*?(?:read)?)rate-?limit(?:-(.+))?", re.ASCII)
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
    ("usage",): FieldPart.USED,
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

_DICTIONARIES = re.compile(r"(?<=[^,]),\s{0,9}(?=limit=)")

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
    windows = []
    # Sent twice, its later members would take the place of the earlier ones.
    for part in _DICTIONARIES.split(text):
        dictionary = parse_dictionary(part)
        if dictionary is None or not {"limit", "remaining"} & set(dictionary):
            return None
        windows.append(_read_dictionary(dictionary, received_at))
    return _unite(windows)


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
    left = {
        (policy.name, policy.partition): policy
        for policy in sorted(policies, key=_quota_of, reverse=True)
    }
    windows = []
    for item in items:
        if not isinstance(item.value, str):
            continue
        name, partition = _label(item.value), item.parameters.get("pk")
        key = name, str(partition) if partition is not None else None
        policy = left.pop(key, None) or left.pop((name, None), None)
        windows.append(_join(name, item, policy, received_at))
    silent = [_join(policy.name, Item(None), policy, received_at) for policy in left.values()]
    return _unite([*windows, *silent])


def _quota_of(policy: QuotaPolicy) -> float:
    return math.inf if policy.quota is None else policy.quota


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

ValueT = TypeVar("ValueT")

MAX_WINDOWS = 20
"""More are nobody's quota; what is shown has to end somewhere."""

WHOLE_PERCENT = 100
BUCKET_LEAKS_PER_S = 2
"""How fast Shopify's bucket empties on the smallest plan."""

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


def _tightness(window: QuotaReading) -> tuple[float, float]:
    return _share(window), math.inf if window.remaining is None else window.remaining


def _contradict(one: QuotaReading, other: QuotaReading) -> bool:
    return None not in (one.limit, other.limit) and one.limit != other.limit


def _merge(one: QuotaReading, other: QuotaReading) -> QuotaReading:
    """Return the more restrictive of two readings of one window, part by part."""
    return replace(
        one,
        limit=_least(one.limit, other.limit),
        remaining=_least(one.remaining, other.remaining),
        resets_at=max(filter(None, (one.resets_at, other.resets_at)), default=None),
        window_s=one.window_s or other.window_s,
    )


def _unite(windows: Iterable[QuotaReading]) -> list[QuotaReading]:
    """Return *windows* with those of one name made one: what is told twice is one quota."""
    united: dict[str, QuotaReading] = {}
    for window in windows:
        known = united.get(window.name)
        if known is None:
            united[window.name] = window
        elif _contradict(known, window):
            united[window.name] = min(known, window, key=_tightness)
        else:
            united[window.name] = _merge(known, window)
    return list(united.values())


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)


class _Reader:
    """One answer's headers, and what in them could not be read."""

    def __init__(self, headers: httpx.Headers, received_at: datetime) -> None:
        # A field that is sent several times is the list of its values.
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
        return self._read_windows(known, "", "", "")

    def read_known(self) -> list[QuotaReading]:
        policies = self._read_policies()
        windows = {window.name: window for window in self._read_current(policies)}
        groups: dict[tuple[str, str], dict[FieldPart, list[str]]] = {}
        for name in self._texts:
            if known := recognize(name):
                group = groups.setdefault((known.family, known.window), {})
                group.setdefault(known.part, []).append(name)
        for family, window in sorted(groups):
            label = window or family.removeprefix("x-").rstrip("-")
            for reading in self._read_windows(groups[family, window], family, window, label):
                self._add(windows, reading, family)
        return [_join_policy(reading, policies) for reading in windows.values()]

    @staticmethod
    def _add(windows: dict[str, QuotaReading], reading: QuotaReading, family: str) -> None:
        """Add a window, or what another family says of one that is known already."""
        known = windows.get(reading.name)
        if known is None:
            windows[reading.name] = reading
        elif family in STANDARD and not _contradict(known, reading):
            windows[reading.name] = _merge(known, reading)
        else:
            # Two limits are two quotas, of which the tightest decides.
            whose = f"{family}ratelimit-" if family in STANDARD else family
            name = f"{whose}{reading.name}".rstrip("-")
            windows[name] = replace(reading, name=name)

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

    def _read_windows(
        self, fields: Mapping[FieldPart, list[str]], family: str, window: str, label: str
    ) -> list[QuotaReading]:
        """Return the windows that *fields* tell of: one, or as many as their lists are long."""
        counts = self._read_all_counts(fields)
        limits = counts[FieldPart.LIMIT]
        resets = self._read_resets(fields)
        empty = QuotaReading(name=label, unit=unit_of(window))
        length_s = length_of(family, window) or self._read_length(fields)
        parts = [counts[part] for part in (FieldPart.REMAINING, FieldPart.USED) if counts[part]]
        is_paired = any(len(part) == len(limits) for part in parts)
        if is_paired and len({limit.value for limit in limits}) > 1:
            # `100,1000` beside `50,800`: two windows in one field, as Strava sends them.
            return [
                _read_window(
                    replace(empty, name=f"{label} {at + 1}".lstrip()),
                    {
                        part: _of_window(several, at, len(limits))
                        for part, several in counts.items()
                    },
                    _of_window(resets, at, len(limits)),
                    limit.window_s or length_s,
                )
                for at, limit in enumerate(limits)
            ]
        reading = _read_window(empty, counts, resets, length_s)
        reading = self._read_used_of(fields.get(FieldPart.USED_OF_LIMIT, []), reading)
        reading = self._read_utilization(fields.get(FieldPart.UTILIZATION, []), reading)
        return [] if reading.is_empty else [reading]

    def _read_all_counts(
        self, fields: Mapping[FieldPart, list[str]]
    ) -> dict[FieldPart, list[Count]]:
        parts = (FieldPart.LIMIT, FieldPart.REMAINING, FieldPart.USED)
        texts = {
            part: [
                (name, self._texts[name]) for name in fields.get(part, ()) if name in self._texts
            ]
            for part in parts
        }
        alone = [parse_counts(text) for part in parts for _, text in texts[part]]
        n_expected = max((len(counts) for counts in alone if counts), default=1)
        return {
            part: [
                count
                for name, text in texts[part]
                for count in self._read_counts(name, text, n_expected)
            ]
            for part in parts
        }

    def _read_counts(self, name: str, text: str, n_expected: int) -> list[Count]:
        counts = parse_counts(text, n_expected)
        if counts is None:
            self.unreadable.append(name)
        return counts or []

    def _read_resets(self, fields: Mapping[FieldPart, list[str]]) -> list[datetime]:
        # Some services tell the reset twice, in two forms: one that can be read will do.
        failed, found = [], []
        for part in (FieldPart.RESET, FieldPart.RESET_AFTER_MS):
            for name in fields.get(part, []):
                text = self._texts.get(name)
                if text is None:
                    continue
                if part is FieldPart.RESET_AFTER_MS:
                    text = in_milliseconds(text)
                instants = parse_instants(text, self._received_at, self._date)
                latest = self._received_at + LONGEST_PERIOD
                if instants and max(instants) <= latest:
                    # What has passed says nothing of the next period.
                    found.append([one for one in instants if believe_reset(one, self._received_at)])
                else:
                    failed.append(name)
        if not found:
            self.unreadable += failed
        return max(found, key=lambda several: max(several, default=self._received_at), default=[])

    def _read_length(self, fields: Mapping[FieldPart, list[str]]) -> int | None:
        names = [name for name in fields.get(FieldPart.LENGTH_MS, ()) if name in self._texts]
        counts = [one for name in names for one in self._read_counts(name, self._texts[name], 1)]
        return max(max(one.value for one in counts) // 1000, 1) if counts else None

    def _read_used_of(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        for name in names:
            # Salesforce tells of the application's own share after the account's.
            text = self._texts[name].partition("; per-app-")[0].partition(";per-app-")[0]
            pairs = parse_counts(text) or []
            if not pairs or any(pair.whole is None for pair in pairs):
                self.unreadable.append(name)
                continue
            windows = [
                replace(reading, limit=pair.whole, remaining=(pair.whole or 0) - pair.value)
                for pair in pairs
            ]
            tightest = min(windows, key=_tightness)
            # A bucket that leaks; how much it holds tells how long that takes at most.
            leaks_s = max((tightest.limit or 0) // BUCKET_LEAKS_PER_S, 1)
            return replace(tightest, window_s=leaks_s if "shopify" in name else None)
        return reading

    def _read_utilization(self, names: Iterable[str], reading: QuotaReading) -> QuotaReading:
        used = []
        for name in names:
            sent = self._texts[name][:MAX_FIELD]
            texts = [text.strip(" \t") for text in split_values(sent)]
            if len(texts) <= MOST_COUNTS and all(map(_FRACTION.fullmatch, texts)):
                used += [min(float(text), 1.0) for text in texts]
            else:
                self.unreadable.append(name)
        if not used:
            return reading
        left = WHOLE_PERCENT - math.ceil(max(used) * WHOLE_PERCENT)
        share = replace(reading, limit=WHOLE_PERCENT, remaining=left, unit=QuotaUnit.PERCENT)
        return min(share, reading, key=_share)


def _of_window(several: list[ValueT], at: int, n_windows: int) -> list[ValueT]:
    """Return what of a list belongs to one of *n_windows*: its own value, or all there are."""
    return several[at : at + 1] if len(several) == n_windows else several


def _read_window(
    empty: QuotaReading,
    counts: Mapping[FieldPart, list[Count]],
    resets: list[datetime],
    length_s: int | None,
) -> QuotaReading:
    """Return one window: the lowest of its limits, the least that is left, the latest reset."""
    limits, left, used = (
        counts[part] for part in (FieldPart.LIMIT, FieldPart.REMAINING, FieldPart.USED)
    )
    # `100, 100;w=10`: the first number is the one in force, those after it are the policies.
    has_policies = len(limits) > 1 and limits[0].window_s is None
    has_policies = has_policies and all(limit.window_s for limit in limits[1:])
    in_force = limits[:1] if has_policies else limits
    limit = min((one.whole or one.value for one in in_force), default=None)
    limit = _least(limit, *(one.whole for one in (*left, *used)))
    lengths = [one.window_s for one in (*limits, *left) if (one.whole or one.value) == limit]
    remaining = _least(*(one.value for one in left))
    if used and limit is not None:
        remaining = _least(remaining, max(limit - max(one.value for one in used), 0))
    return replace(
        empty,
        limit=limit,
        remaining=remaining,
        resets_at=max(resets, default=None),
        window_s=length_s or next(filter(None, lengths), None),
    )


def _join_policy(reading: QuotaReading, policies: Iterable[QuotaPolicy]) -> QuotaReading:
    """Take a window's length from the policy that has the same limit."""
    if reading.window_s is not None or reading.limit is None:
        return reading
    lengths = [policy.window_s for policy in policies if policy.quota == reading.limit]
    return replace(reading, window_s=next(iter(lengths), None))
