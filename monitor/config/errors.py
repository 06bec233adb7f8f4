"""Say what is wrong with a configuration, where, and in plain words.

The problems are found by the modules that read the file. Nothing longer than a few words of the
file is ever repeated: what stands in the wrong place may be a secret.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Remark:
    """Something about the file.

    Args:
        place: Where, such as `connections[2].every`, counted from 0; the path
            of the file for what concerns all of it.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Problem(_Remark):
    """A mistake that keeps the configuration from being used."""


class Notice(_Remark):
    """Something the owner of the file should know that stops nothing."""


class ConfigError(Exception):
    """Raised with all problems of a configuration at once, and the file if one was found."""

    def __init__(self, problems: Iterable[Problem], path: Path | None = None) -> None:
        self.problems = tuple(problems)
        self.path = path
        super().__init__(self.problems, path)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class MisplacedError(ValueError):
    """Raised by a validator whose complaint concerns a place below its own field.

    Args:
        path: The key, inside the field's own table, that is wrong; further
            keys lead deeper.
    """

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.below = path


_LONGEST_SHOWN = 24
_LONGEST_KEY = 100
_LARGEST_SHOWN = 10**15
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def quoted(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return *text* in quotes, one line of it, cut where it is long."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def got(value: Any) -> str:
    """Say what kind of thing *value* is; numbers and dates are shown, texts are not."""
    return f"got {_kind_of(value)}"


def got_text(value: Any) -> str:
    """Say what kind of thing *value* is, and show the beginning of a text as well."""
    return f"got {quoted(value)}" if isinstance(value, str) else got(value)


def _kind_of(value: Any) -> str:  # noqa: PLR0911 - a table of cases
    match value:
        case bool():
            return str(value).lower()
        case int() if abs(value) >= _LARGEST_SHOWN:
            return "a number beyond all use"
        case int() | float():
            return f"the number {value}"
        case date():
            return f"the date {value.isoformat()}"
        case time():
            return f"the time {value.isoformat()}"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case _:
            return "a table"


@lru_cache(maxsize=1024)
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), None)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *word* was probably meant to be."""
    return _nearest(word, tuple(known))


def as_argument(name: str) -> str:
    """Return *name* as it is to be typed behind a command in a shell."""
    quoted = shlex.quote(name)
    return f"-- {quoted}" if name.startswith("-") else quoted


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the nearest known word, or nothing."""
    match = nearest(word[:_LONGEST_KEY], known)
    return "" if match is None else f"; did you mean {quoted(match, _LONGEST_KEY)}?"


def one_of(words: Iterable[str]) -> str:
    """List *words* for a sentence."""
    return ", ".join(f'"{word}"' for word in words)


def place_of(path: Iterable[str | int]) -> str:
    """Write a path into the file as people read it: `connections[2].every`."""
    place = ""
    for step in path:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) and len(step) <= _LONGEST_KEY else quoted(step)
            place += f".{key}" if place else key
    return place


def format_count(number: int, noun: str) -> str:
    """Return *number* and the noun, in the plural where that is called for."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
