"""Show what ends when: authorizations, tokens and client secrets, month by month."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.notify.words import format_when
from monitor.store import overview
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.sessions import calendar_path
from monitor.web.templating import render
from monitor.web.views import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from monitor.store.overview import Ends
    from monitor.web.parts import Parts

router = APIRouter()

MOST_SHOWN = 300
AUTHORIZATION, TOKEN, CLIENT_SECRET = "authorization", "token", "client secret"


@dataclass(frozen=True, slots=True)
class End:
    """
    Something that ends.

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
async def show_calendar(request: Request, here: Here) -> Response:
    """Show what ends, the next first."""
    found = await here.reader.read(overview.list_ends)
    ends = sorted(_list_ends(here, found))
    now = here.clock()
    shown = [_describe(end, now) for end in ends[:MOST_SHOWN]]
    months = [
        (month, list(group))
        for month, group in groupby(shown, key=lambda one: one.at.strftime("%B %Y"))
    ]
    context = {
        "months": months,
        "n_more": max(0, len(ends) - MOST_SHOWN),
        "address": calendar_path(here),
    }
    return render(request, "calendar.html", context)


def _list_ends(parts: Parts, found: Iterable[Ends]) -> Iterator[tuple[datetime, str, str]]:
    """Yield what ends when, with its name and kind: of connections, and of applications."""
    for ends in found:
        if ends.name not in parts.plan.watched:
            continue
        if ends.authorization_at is not None:
            yield ends.authorization_at, ends.name, AUTHORIZATION
        if ends.token_at is not None:
            yield ends.token_at, ends.name, TOKEN
    for name, (secret, _steps) in parts.plan.applications.items():
        secret_ends_at = secret.authorized_at and secret.ends_at(secret.authorized_at)
        if secret_ends_at:
            yield secret_ends_at, name, CLIENT_SECRET


def _describe(end: tuple[datetime, str, str], now: datetime) -> End:
    at, of, kind = end
    path = None if kind == CLIENT_SECRET else path_of(of)
    return End(at, kind, of, path, format_when(at, now), at <= now)
