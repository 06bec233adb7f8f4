"""Show what ends when: authorizations, tokens and client secrets, month by month."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.notify.times import format_when
from monitor.web.feeds import CLIENT_SECRET, list_expiries
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.sessions import Who, calendar_path
from monitor.web.templating import render
from monitor.web.views import path_of

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.web.feeds import ExpiryDate

router = APIRouter()

MOST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class End:
    """Something that ends.

    Args:
        path: The page of the connection; None for an application.
    """

    at: datetime
    kind: str
    of: str
    path: str | None
    when: str
    is_over: bool


@router.get("/calendar")
async def show_calendar(request: Request, here: Here, who: Who) -> Response:
    """Show what ends, the next first."""
    found = await here.reader.read(lambda tx: list(list_expiries(tx, here, who.access)))
    ends = sorted(found, key=lambda one: (one.at, one.of, one.kind))
    now = here.clock()
    shown = [_describe(end, now) for end in ends[:MOST_SHOWN]]
    months = [
        (month, list(group))
        for month, group in groupby(shown, key=lambda one: one.at.strftime("%B %Y"))
    ]
    context = {
        "months": months,
        "n_more": max(0, len(ends) - MOST_SHOWN),
        "address": calendar_path(here, who),
    }
    return render(request, "calendar.html", context)


def _describe(end: ExpiryDate, now: datetime) -> End:
    path = None if end.kind == CLIENT_SECRET else path_of(end.of)
    return End(end.at, end.kind, end.of, path, format_when(end.at, now), end.at <= now)
