"""Show who changed what: people, commands, programs, links and sources."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.report.audit import describe_count
from monitor.web.api import list_audit_from
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.sessions import Who  # noqa: TC001 - likewise
from monitor.web.templating import render
from monitor.web.views import path_of

router = APIRouter()

SHOWN = 50


@router.get("/audit")
async def show_audit(
    request: Request,
    here: Here,
    who: Who,
    connection: Annotated[str | None, Parameter(max_length=100)] = None,
    cursor: Annotated[str | None, Parameter(max_length=200)] = None,
) -> Response:
    """Show what was changed, the newest first; of one connection, or of all that somebody sees."""
    shown, following = await here.reader.read(
        lambda tx: list_audit_from(tx, cursor, SHOWN, connection or None, who.access)
    )
    context = {
        "rows": shown,
        "next": following,
        "connection": connection or "",
        "is_first": cursor is None,
        "path_of": path_of,
        "say_count": describe_count,
    }
    return render(request, "audit.html", context)
