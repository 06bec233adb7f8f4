"""
Write calendars as RFC 5545 wants them.

Pure: what ends when comes in, text goes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_LINE = 75
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """
    Something that ends.

    Args:
        uid: Stays the same while it is the same thing, whenever it ends.
        days_before: When the calendar reminds.
    """

    uid: str
    title: str
    text: str
    ends_at: datetime
    days_before: tuple[int, ...]
    url: str


def write_calendar(name: str, endings: Iterable[Ending], now: datetime) -> str:
    """
    Return a calendar of *endings*.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//connwatch//renewals//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{_escape(name)}",
        f"X-WR-CALNAME:{_escape(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT6H",
        "X-PUBLISHED-TTL:PT6H",
    ]
    for ending in endings:
        lines += _event(ending, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{piece}\r\n" for line in lines for piece in _fold(line))


def _event(ending: Ending, now: datetime) -> Iterator[str]:
    # A whole day: at which hour it ends helps nobody, and the day before is soon enough.
    day = ending.ends_at.astimezone(UTC)
    yield "BEGIN:VEVENT"
    yield f"UID:{_escape(ending.uid)}"
    yield f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + _DAY:%Y%m%d}"
    yield f"SUMMARY:{_escape(ending.title)}"
    yield f"DESCRIPTION:{_escape(ending.text)}"
    if ending.url:
        yield f"URL:{ending.url}"
    yield "TRANSP:TRANSPARENT"
    for days in ending.days_before:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{_escape(ending.title)}"
        yield f"TRIGGER:-P{days}D"
        yield "END:VALARM"
    yield "END:VEVENT"


def _escape(text: str) -> str:
    for special in ("\\", ";", ","):
        text = text.replace(special, f"\\{special}")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\\n".join("".join(one for one in line if one.isprintable()) for line in lines)


def _fold(line: str) -> Iterator[str]:
    """
    Yield pieces of at most 75 bytes, never cutting a character.
    """
    piece, length = "", 0
    for character in line:
        size = len(character.encode("utf-8", "replace"))
        if length + size > _LONGEST_LINE:
            yield piece
            piece, length = " ", 1
        piece += character
        length += size
    yield piece
