# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Draw a connection's state as a small picture for other sites.

The state is told by its word, and by a colour beside it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from markupsafe import escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.web.answers import tagged
from monitor.web.api import read_connection
from monitor.web.documented import NOT_MODIFIED, problems
from monitor.web.parts import Here
from monitor.web.secret_links import may_see_badge
from monitor.web.visitors import Who

if TYPE_CHECKING:
    from monitor.report import Json

router = APIRouter(tags=["elsewhere"])

SOON = "expiring soon"
_COLOURS = {
    "active": "#1a7f37",
    "error": "#c62828",
    "expired": "#8a6100",
    SOON: "#b45309",
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
    """
    Draw the badge of a connection.
    """
    if not may_see_badge(here, who, token, name):
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "Use the address of the badge that the connection's page shows.",
            {"WWW-Authenticate": 'Bearer realm="connwatch"'},
        )
    each = await here.reader.read(lambda tx: read_connection(tx, here, name))
    response = tagged(request, draw(each).encode(), "image/svg+xml", "no-cache")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def draw(each: Json) -> str:
    """
    Return the picture of a connection.
    """
    state = each["state"]
    word = SOON if state == "active" and each["expiring_soon"] else state
    name = each["name"]
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    left, right = _width(name), _width(word)
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


def _width(text: str) -> int:
    return _MARGIN + sum(_PER_CHARACTER if one.isascii() else _WIDE for one in text)
