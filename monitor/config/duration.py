"""
Read and write lengths of time such as `"5m"`.

Which lengths a setting accepts is decided where the setting is declared.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from monitor.config.wording import got, quoted

PATTERN = "^[0-9]+[smhd]$"
"""What a duration looks like, for editors."""

LONGEST = timedelta(days=3650)
"""Ten years: beyond any use, and far from overflowing the calendar."""

_WRITTEN = re.compile(r"([0-9]+)([smhd])", re.ASCII)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MOST_DIGITS = 12


def parse_duration(value: Any) -> timedelta:
    """
    Return the length of time that *value* writes.

    Raises:
        ValueError: It is not a text such as `"90s"`, `"5m"`, `"36h"` or `"7d"`.
    """
    if not isinstance(value, str):
        raise ValueError(_refuse(value))  # noqa: TRY004 - pydantic collects ValueErrors only
    match = _WRITTEN.fullmatch(value)
    if match is None:
        raise ValueError(
            f"{quoted(value)} is not a duration: write a whole number and one of s, m, h, d,"
            ' such as "90s", "5m", "36h" or "7d"'
        )
    count, unit = match[1].lstrip("0") or "0", match[2]
    if len(count) > _MOST_DIGITS or int(count) * _SECONDS[unit] > LONGEST.total_seconds():
        raise ValueError(f"at most {format_duration(LONGEST)}, got {quoted(value)}")
    return timedelta(seconds=int(count) * _SECONDS[unit])


def format_duration(length: timedelta) -> str:
    """
    Write *length*, which counts whole seconds, in the largest unit that fits.
    """
    seconds = int(length.total_seconds())
    if seconds == 0:
        return "0s"
    unit = next(unit for unit, size in _SECONDS.items() if seconds % size == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _refuse(value: Any) -> str:
    message = f'a duration such as "5m", {got(value)}'
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**_MOST_DIGITS:
        return f'{message}: write "{value}s" if you mean seconds'
    return message
