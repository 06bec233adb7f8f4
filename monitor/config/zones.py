"""Read time zones: which names the file may use, and what was probably meant by others.

Names are those of the IANA database. Where the machine has none, that of the package `tzdata` is
used.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator

from monitor.config.errors import did_you_mean, got, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo


_UTC = "UTC"

_MEANT = {
    "ACST": "Australia/Adelaide",
    "AEDT": "Australia/Sydney",
    "AEST": "Australia/Sydney",
    "BST": "Europe/London",
    "CDT": "America/Chicago",
    "CEST": "Europe/Berlin",
    "CST": "America/Chicago",
    "CENTRAL": "America/Chicago",
    "EASTERN": "America/New_York",
    "EDT": "America/New_York",
    "EEST": "Europe/Athens",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MDT": "America/Denver",
    "MOUNTAIN": "America/Denver",
    "MSK": "Europe/Moscow",
    "PACIFIC": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "Z": _UTC,
}
"""What people write who know a zone by its abbreviation or its region."""

_OTHER_CLOCKS = ("right/", "posix/", "localtime", "posixrules")
"""Keys of some machines that count leap seconds, or mean something else on the next machine."""


def read_zone(name: str) -> tzinfo:
    """Return the zone called *name*; UTC needs no database.

    Raises KeyError, ValueError or OSError: there is none.
    """
    if name == _UTC:
        return UTC
    if name.startswith(_OTHER_CLOCKS):
        raise KeyError(name)
    return ZoneInfo(name)


def _check_zone(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'a time zone such as "Europe/Berlin", {got(value)}')  # noqa: TRY004 - pydantic collects ValueErrors only
    try:
        read_zone(value)
    # A key such as "Europe" is a folder, and one such as "../x" no key at all.
    except (KeyError, ValueError, OSError):
        hint = _guess(value) or '; write one such as "Europe/Berlin" or "UTC"'
        raise ValueError(f"{quoted(value)} is no time zone{hint}") from None
    return value


ZoneName = Annotated[str, BeforeValidator(_check_zone)]


def _guess(value: str) -> str:
    """Return the end of a sentence that offers the zone that was probably meant, or nothing."""
    word = "_".join(value.split()).casefold()
    meant = _MEANT.get(word.upper().removesuffix("_TIME"))
    known = sorted(available_timezones())
    found = meant or next(_find_named(word, known), None)
    return f"; did you mean {quoted(found, len(found))}?" if found else did_you_mean(value, known)


def _find_named(word: str, known: list[str]) -> Iterator[str]:
    """Yield the zones that are called so but for the case, and then those of such a city."""
    yield from (name for name in known if name.casefold() == word)
    yield from (name for name in known if name.rpartition("/")[2].casefold() == word)
