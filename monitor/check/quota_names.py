"""
Recognize the header fields in which services tell of their quotas, by name.

Decides which part of which window a field holds; reading its value is left to
`quota_headers`. The families are those that services were seen to use; a field
whose name says nothing known is none of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from monitor.judge.outcome import QuotaUnit

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

UNITS = (
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


class Part(Enum):
    """
    What one field says of a window.
    """

    LIMIT = "limit"
    REMAINING = "remaining"
    USED = "used"
    USED_OF_LIMIT = "used of limit"
    UTILIZATION = "utilization"
    RESET = "reset"
    RESET_AFTER_MS = "reset after milliseconds"
    LENGTH_MS = "length in milliseconds"


PARTS: dict[tuple[str, ...], Part] = {
    ("reset", "milliseconds"): Part.RESET_AFTER_MS,
    ("reset", "after", "ms"): Part.RESET_AFTER_MS,
    ("reset", "ms"): Part.RESET_AFTER_MS,
    ("reset", "after"): Part.RESET,
    ("reset", "time"): Part.RESET,
    ("reset", "date"): Part.RESET,
    ("reset", "at"): Part.RESET,
    ("interval", "milliseconds"): Part.LENGTH_MS,
    ("resettime",): Part.RESET,
    ("resets",): Part.RESET,
    ("reset",): Part.RESET,
    ("limit",): Part.LIMIT,
    ("max",): Part.LIMIT,
    ("remaining",): Part.REMAINING,
    ("used",): Part.USED,
    ("observed",): Part.USED,
    ("utilization",): Part.UTILIZATION,
}
"""Longer ones first: they begin like shorter ones."""


@dataclass(frozen=True, slots=True)
class FieldName:
    """
    What the name of a field says.

    Args:
        family: What stands before the words about a limit, such as `x-`.
        window: Which of several windows; empty where there is but one.
    """

    family: str
    part: Part
    window: str = ""


@lru_cache(maxsize=1024)  # the same few names come with every answer
def recognize(name: str) -> FieldName | None:
    """
    Return what the field called *name*, in lower case, tells of; None for any other field.
    """
    if len(name) > MAX_NAME or name.startswith(FOREIGN):
        return None
    if name == "sforce-limit-info" or _CALLS.fullmatch(name):
        return FieldName(name, Part.USED_OF_LIMIT)
    if name == "x-rate-limit":
        return FieldName("x-", Part.LIMIT)
    if match := _PRIORITY.fullmatch(name):
        return _find_part(ANTHROPIC, match[1])
    match = _FAMILY.fullmatch(name)
    return _find_part(match[1], match[2]) if match and match[2] else None


def _find_part(family: str, rest: str) -> FieldName | None:
    words = tuple(rest.split("-"))
    for key, part in PARTS.items():
        if words[: len(key)] == key:
            return FieldName(family, part, "-".join(words[len(key) :]))
        if words[-len(key) :] == key:
            return FieldName(family, part, "-".join(words[: -len(key)]))
    return FieldName(family, Part.LIMIT, rest) if rest in LENGTHS else None


def length_of(family: str, window: str) -> int | None:
    """
    Return a window's length in seconds, where its name tells.
    """
    for word in window.split("-"):
        if word in LENGTHS:
            return LENGTHS[word]
        if match := _SPAN.fullmatch(word):
            return int(match[1]) * LETTERS[match[2]] or None
    # Anthropic's limits are all per minute, and their names leave it out; but for those
    # of subscriptions, which tell of hours and days.
    return MINUTE_S if family == ANTHROPIC and not window.startswith("unified") else None


def unit_of(window: str) -> QuotaUnit:
    """
    Return what a window counts, as far as its name tells.
    """
    return next((unit for word, unit in UNITS if word in window), QuotaUnit.REQUESTS)
