# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Offer what ends when as a calendar that programs subscribe to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor.links import dashboard_address
from monitor.store.glances import list_ends
from monitor.web.answers import tagged
from monitor.web.documented import NOT_MODIFIED, problems
from monitor.web.ical import Ending, write_calendar
from monitor.web.parts import Here, Parts
from monitor.web.secret_links import may_see_calendar
from monitor.web.visitors import Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.engine import Transaction

router = APIRouter(tags=["elsewhere"])

NAME = "connwatch: renewals"


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
    """
    List when authorizations, tokens and client secrets end, each with reminders.
    """
    if not may_see_calendar(here, who, token):
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "Use the address of the calendar that the dashboard shows.",
            {"WWW-Authenticate": 'Bearer realm="connwatch"'},
        )
    endings = await here.reader.read(lambda tx: list(list_endings(tx, here)))
    # The stamp is the day's, so that the same calendar has the same tag.
    stamp = datetime.combine(here.clock().astimezone(UTC).date(), datetime.min.time(), UTC)
    text = write_calendar(NAME, endings, stamp)
    return tagged(request, text.encode("utf-8", "replace"), "text/calendar; charset=utf-8")


def list_endings(tx: Transaction, here: Parts) -> Iterator[Ending]:
    """
    Yield what ends, the connections in the order of the file and then the applications.
    """
    link = dashboard_address(here.config) or ""
    for ends in list_ends(tx):
        watched = here.plan.watched.get(ends.name)
        if watched is None:
            continue
        name, path = ends.name, quote(ends.name, safe="")
        for kind, ends_at in (("authorization", ends.authorization_at), ("token", ends.token_at)):
            if ends_at is not None:
                yield Ending(
                    f"{kind}-{path}@connwatch",
                    f"{name}: the {kind} ends",
                    f"Renew it before {ends_at:%Y-%m-%d}, or {name} stops working.",
                    ends_at,
                    watched.rules.expiring_soon_days,
                    f"{link}/connections/{path}",
                )
    for name, (secret, steps) in here.plan.applications.items():
        secret_ends_at = secret.authorized_at and secret.ends_at(secret.authorized_at)
        if secret_ends_at:
            yield Ending(
                f"client-secret-{quote(name, safe='')}@connwatch",
                f"{name}: the client secret expires",
                "Make a new one in the developer console, put it in the configuration with its"
                " date, and reload connwatch.",
                secret_ends_at,
                steps,
                link,
            )
