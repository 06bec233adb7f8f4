"""
Declare the kinds of value that several tables of the file share.

Each refuses what it cannot use in words for the file's owner.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from monitor.clock import utc_now
from monitor.config.base import reading_of
from monitor.config.duration import PATTERN, format_duration, parse_duration
from monitor.config.wording import did_you_mean, got, one_of, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

Word = TypeVar("Word", bound="StrEnum")

_LONGEST_NAME = 100
_EARLIEST_YEAR = 2000
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
"""Invisible, and yet needed: for Persian words, for emoji made of several."""


def _read_duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(value)


def _at_least(least: timedelta) -> Callable[[timedelta], timedelta]:
    def check(length: timedelta) -> timedelta:
        if length < least:
            raise ValueError(f"at least {format_duration(least)}, got {format_duration(length)}")
        return length

    return check


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "5m", "36h", "7d"]}),
]
OneSecondOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=1)))]
FiveSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=5)))]
TenSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=10)))]
SixtyFiveSecondsOrMore = Annotated[Duration, AfterValidator(_at_least(timedelta(seconds=65)))]

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
Flag = Annotated[bool, Field(strict=True)]


def _check_name(name: str) -> str:
    """
    Accept what fits a URL, a metric and the name of a file.
    """
    if not name:
        raise ValueError("empty: give it a name")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"at most {_LONGEST_NAME} characters, got {len(name)}")
    if name != name.strip():
        raise ValueError(f"no space at the beginning or end, got {quoted(name)}")
    if any(unicodedata.category(char) in _UNPRINTABLE for char in name):
        raise ValueError(f"no control characters, got {quoted(name)}")
    if any(unicodedata.category(char) == "Cf" and char not in _JOINERS for char in name):
        raise ValueError(
            "no invisible characters, such as those that turn the direction of writing,"
            f" got {quoted(name)}"
        )
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise ValueError(f"no slashes, and not . or .., got {quoted(name)}")
    return name


Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}),
]


def _drop_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


Names = Annotated[tuple[Name, ...], AfterValidator(_drop_repeated)]
SomeNames = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_drop_repeated)]


def _resolve_path(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a path in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value.strip() or not value.isprintable():
        raise ValueError("the path is empty or holds control characters")
    reading = reading_of(info)
    return reading.folder / value if reading else Path(value)


RelativePath = Annotated[
    Path, BeforeValidator(_resolve_path), WithJsonSchema({"type": "string", "minLength": 1})
]


def _read_past_day(value: Any, info: ValidationInfo) -> date:
    if not isinstance(value, date):
        hint = " (without quotes)" if isinstance(value, str) else ""
        raise ValueError(f"a date such as 2026-01-15{hint}, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    reading = reading_of(info)
    check_past_day(value, reading.now if reading else utc_now())
    return value


def check_past_day(value: date, now: datetime) -> None:
    """
    Refuse a date on which no authorization can have been granted yet.

    Raises:
        ValueError: Says why.
    """
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"a time needs its zone: write {value.isoformat()}Z, or the date alone")
    if value.year < _EARLIEST_YEAR:
        raise ValueError(f"{value.isoformat()} is too long ago to be meant")
    is_future = value > now if isinstance(value, datetime) else value > now.astimezone(UTC).date()
    if is_future:
        today = now.astimezone(UTC).date().isoformat()
        raise ValueError(f"{value.isoformat()} is in the future (today is {today} in UTC)")


PastDay = Annotated[
    date,
    PlainValidator(_read_past_day),
    PlainSerializer(lambda day: day.isoformat(), return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
"""A date, or an instant where it is a `datetime`."""


def word_of(words: type[Word]) -> Callable[[Any], Any]:
    """
    Return a validator that accepts the values of *words* and offers the nearest.
    """
    known = tuple(word.value for word in words)

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in known:
            return words(value)
        found = quoted(value) if isinstance(value, str) else got(value).removeprefix("got ")
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ValueError(f"one of {one_of(known)}, got {found}{hint}")

    return check
