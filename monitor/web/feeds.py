"""Show connections elsewhere: a badge for other sites, a calendar that programs subscribe to.

Both have secret addresses of their own. A badge tells the state by its word, and by a
colour beside it; calendars are written as RFC 5545 wants them.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from markupsafe import escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.model import dashboard_address
from monitor.notify.times import format_date
from monitor.report.status import secret_end
from monitor.store.overview import list_applications, list_ends
from monitor.web.api import read_connection, tagged
from monitor.web.parts import Here, Parts
from monitor.web.problems import NOT_MODIFIED, problems
from monitor.web.sessions import Who, badge_access, calendar_access

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.judge.access import Access
    from monitor.report.status import ConnectionJson
    from monitor.store.engine import Transaction


router = APIRouter(tags=["elsewhere"])

BADGE_SOON_DAYS = "expiring soon"
_COLOURS = {
    "active": "#1a7f37",
    "error": "#c62828",
    "expired": "#8a6100",
    BADGE_SOON_DAYS: "#b45309",
    "pending": "#57606a",
    "paused": "#57606a",
}
_PER_CHARACTER = 7
_WIDE = 13
_MARGIN = 12
_LONGEST_NAME = 60


@router.get(
    "/badge/{name}.svg",
    responses={
        200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}},
        **NOT_MODIFIED,
        **problems(HTTPStatus.NOT_FOUND),
    },
    response_class=Response,
)
async def badge(
    request: Request, here: Here, who: Who, name: str, token: Annotated[str, Query()] = ""
) -> Response:
    """Draw the badge of a connection."""
    access = badge_access(here, who, token, name)
    if access is None:
        raise _wrong_address("badge that the connection's page shows")
    each = await here.reader.read(lambda tx: read_connection(tx, here, name, access))
    response = tagged(request, draw_badge(each).encode(), "image/svg+xml", "no-cache")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _wrong_address(what: str) -> HTTPException:
    return HTTPException(
        HTTPStatus.UNAUTHORIZED,
        f"Use the address of the {what}.",
        {"WWW-Authenticate": 'Bearer realm="connwatch"'},
    )


def draw_badge(each: ConnectionJson) -> str:
    """Return the picture of a connection."""
    state = each["state"]
    word = BADGE_SOON_DAYS if state == "active" and each["expiring_soon"] else state
    name = each["name"]
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    left, right = _text_width(name), _text_width(word)
    whole = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img"'
        f' aria-label="{escape(name)}: {word}"><title>{escape(name)}: {word}</title>'
        f'<rect width="{whole}" height="20" rx="4" fill="#3b434b"/>'
        f'<rect x="{left}" width="{right}" height="20" rx="4" fill="{_COLOURS[word]}"/>'
        f'<rect x="{left}" width="4" height="20" fill="{_COLOURS[word]}"/>'
        '<g fill="#fff" text-anchor="middle" font-size="11"'
        ' font-family="Verdana,DejaVu Sans,sans-serif">'
        f'<text x="{left / 2}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2}" y="14">{word}</text></g></svg>'
    )


def _text_width(text: str) -> int:
    return _MARGIN + sum(_PER_CHARACTER if one.isascii() else _WIDE for one in text)


# --- the calendar

_LONGEST_LINE = 75
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """Something that ends.

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


def write_calendar(name: str, endings: Iterable[CalendarEvent], now: datetime) -> str:
    """Return a calendar of *endings*."""
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


def _event(ending: CalendarEvent, now: datetime) -> Iterator[str]:
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
    """Yield pieces of at most 75 bytes, never cutting a character."""
    piece, length = "", 0
    for character in line:
        size = len(character.encode("utf-8", "replace"))
        if length + size > _LONGEST_LINE:
            yield piece
            piece, length = " ", 1
        piece += character
        length += size
    yield piece


CLIENT_SECRET = "client secret"  # noqa: S105 - a kind of end, not a password
CALENDAR_NAME = "connwatch: renewals"


@router.get(
    "/calendar.ics",
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
        **NOT_MODIFIED,
        **problems(),
    },
    response_class=Response,
)
async def calendar(
    request: Request, here: Here, who: Who, token: Annotated[str, Query()] = ""
) -> Response:
    """List when authorizations, tokens and client secrets end, each with reminders."""
    access = calendar_access(here, who, token)
    if access is None:
        raise _wrong_address("calendar that the dashboard shows")
    # The stamp is the day's, so that the same calendar has the same tag.
    stamp = datetime.combine(here.clock().astimezone(UTC).date(), datetime.min.time(), UTC)
    endings = await here.reader.read(
        lambda tx: [_calendar_event(one, here, stamp) for one in list_expiries(tx, here, access)]
    )
    text = write_calendar(CALENDAR_NAME, endings, stamp)
    return tagged(request, text.encode("utf-8", "replace"), "text/calendar; charset=utf-8")


@dataclass(frozen=True, slots=True)
class ExpiryDate:
    """When something ends.

    Args:
        of: The connection, or the application whose client secret it is.
        steps: Days before at which to remind.
    """

    at: datetime
    of: str
    kind: str
    steps: tuple[int, ...]


def list_expiries(tx: Transaction, here: Parts, access: Access) -> Iterator[ExpiryDate]:
    """Yield what ends, the connections in the order of the file and then the applications.

    Args:
        access: Whose connections are listed; of applications those that these use.
    """
    listed = [one for one in list_ends(tx) if access.sees(one.group)]
    watched = here.plan.names_of(tx, [ends.name for ends in listed])
    used = list_applications(tx, access.groups)
    for ends in listed:
        if ends.name not in watched:
            continue
        for kind, at in (("authorization", ends.authorization_at), ("token", ends.token_at)):
            if at is not None:
                yield ExpiryDate(at, ends.name, kind, here.plan.rules.expiring_soon_days)
    for name, (secret, steps) in here.plan.applications.items():
        ends_at = secret_end(secret)
        if ends_at is not None and (used is None or name in used):
            yield ExpiryDate(ends_at, name, CLIENT_SECRET, steps)


def _calendar_event(one: ExpiryDate, here: Parts, now: datetime) -> CalendarEvent:
    link, path = dashboard_address(here.config) or "", quote(one.of, safe="")
    day = format_date(one.at, now)
    if one.kind == CLIENT_SECRET:
        return CalendarEvent(
            f"client-secret-{path}@connwatch",
            f"{one.of}: the client secret expires {day}",
            "Make a new one in the developer console, put it in the configuration with its"
            " date, and reload connwatch.",
            one.at,
            one.steps,
            link,
        )
    return CalendarEvent(
        f"{one.kind}-{path}@connwatch",
        f"{one.of}: the {one.kind} expires {day}",
        f"Renew it before {day}, or {one.of} stops working.",
        one.at,
        one.steps,
        f"{link}/connections/{path}",
    )
