"""
Find what is wrong with an outcome that another package made.

Decides only whether each part is of the kind that judging and storing rely on:
one bad outcome must not keep those of other connections from being stored.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.check.fields import MAX_COUNT
from monitor.judge.outcome import Marketplace, Outcome, QuotaReading, QuotaUnit, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT = 2000
MAX_NAME = 60
"""Of a window: what is stored of it has no more room."""


def find_flaw(outcome: Outcome) -> str | None:
    """
    Return the name of the first part of *outcome* that is not what it should be.
    """
    return _first_flaw(outcome, _OUTCOME)


def _first_flaw(value: object, parts: Mapping[str, Callable[[Any], bool]]) -> str | None:
    return next(
        (name for name, is_good in parts.items() if not is_good(getattr(value, name))), None
    )


def _is_reason(value: object) -> bool:
    return isinstance(value, Reason) and value is not Reason.NOT_CHECKED


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _is_reading(value: object) -> bool:
    return isinstance(value, QuotaReading) and _first_flaw(value, _READING) is None


def _is_marketplace(value: object) -> bool:
    return isinstance(value, Marketplace) and _is_text(value.country) and _is_text(value.id)


def _or_none(is_good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_good(value)


def _all(is_good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(is_good, value))


_READING = {
    "limit": _or_none(_is_count),
    "remaining": _or_none(_is_count),
    "resets_at": _or_none(_is_instant),
    "window_s": _or_none(_is_count),
    "name": lambda value: isinstance(value, str) and len(value) <= MAX_NAME,
    "unit": lambda value: isinstance(value, QuotaUnit),
}
_OUTCOME = {
    "reason": _is_reason,
    "detail": _is_text,
    "latency_ms": _or_none(_is_time),
    "http_status": _or_none(_is_count),
    "account": _or_none(_is_text),
    "quota": _or_none(_is_reading),
    "retry_at": _or_none(_is_instant),
    "marketplaces": _or_none(_all(_is_marketplace)),
    "failed_host": _or_none(_is_text),
    "fingerprint": _or_none(_is_text),
    "request_id": _or_none(_is_text),
    "windows": _all(_is_reading),
    "token_ends_at": _or_none(_is_instant),
}
