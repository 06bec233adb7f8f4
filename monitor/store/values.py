"""Refuse what no column of ours may hold, as soon as it is read.

SQLite keeps any value in any column. One of another type would be read without a word, and stop
something far from the database. `damage` looks for the same values by SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import BigInteger, Float, Integer, LargeBinary, String, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

FIRST_INSTANT = -62_104_060_800_000_000
LAST_INSTANT = 253_370_764_799_999_999
"""The years 2 to 9998, in microseconds: each zone can show them."""

LARGEST_INTEGER = 2**62
"""Beyond it, one more would be none that SQLite can keep."""

LARGEST_FLOAT = 1e300


def _refuse(value: object) -> NoReturn:
    # Its type alone: it may be anything, a secret even.
    raise ValueError(f"a value of the database cannot be read: a {type(value).__name__}")


def _read_integer(value: Any) -> int | None:
    if value is None or (type(value) is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER):
        return value
    _refuse(value)


def _read_float(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) in {int, float} and -LARGEST_FLOAT <= value <= LARGEST_FLOAT:
        return float(value)
    _refuse(value)


def _read_text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    _refuse(value)


def _read_bytes(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    _refuse(value)


class _Strict:
    """Gives a type of SQLAlchemy what reads its values."""

    read: Callable[[Any], Any]

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the function that reads what was stored."""
        return type(self).read


class StrictInteger(_Strict, Integer):
    """An integer, and nothing else."""

    read = staticmethod(_read_integer)


class StrictBigInteger(_Strict, BigInteger):
    """The same, on databases with several sizes."""

    read = staticmethod(_read_integer)


class StrictFloat(_Strict, Float[float]):
    """A finite number."""

    read = staticmethod(_read_float)


class StrictString(_Strict, String):
    """A text."""

    read = staticmethod(_read_text)


class StrictText(_Strict, Text):
    """A long text."""

    read = staticmethod(_read_text)


class StrictBytes(_Strict, LargeBinary):
    """Bytes."""

    read = staticmethod(_read_bytes)


STRICT: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    Integer: StrictInteger,
    BigInteger: StrictBigInteger,
    Float: StrictFloat,
    String: StrictString,
    Text: StrictText,
    LargeBinary: StrictBytes,
}
"""What stands in for each type where SQLite is read."""
