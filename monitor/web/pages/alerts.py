"""
Show what people were told, are being told, or could not be told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.judge.alerts import SEVERITY_OF, AlertDue, AlertKind
from monitor.store import alerts, deliveries, history
from monitor.web import api_changes
from monitor.web.cursor import read_cursor, write_cursor
from monitor.web.pages.fields import read_fields
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.rows import path_of
from monitor.web.templating import base_of, render
from monitor.web.visitors import Who  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter()

SHOWN = 50
DONE = {
    "retried": "What was given up is due again, and is being sent now.",
    "tested": "A test message is on its way; it appears below with what came of it.",
}


@router.get("/alerts")
async def show_alerts(
    request: Request,
    here: Here,
    dead: bool = False,
    cursor: Annotated[str | None, Parameter(max_length=200)] = None,
    done: str = "",
) -> Response:
    """
    Show the outbox, the newest first.
    """
    try:
        after = read_cursor(cursor, 1)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"cursor: {error}") from error

    def read(tx: Transaction) -> tuple[list[history.AlertRow], int]:
        rows = history.list_alerts(
            tx, SHOWN + 1, only_dead=dead, before_id=after[0] if after else None
        )
        counts = deliveries.count_by_channel(tx)
        return rows, sum(one.n_dead for one in counts.values())

    rows, n_dead = await here.reader.read(read)
    shown = rows[:SHOWN]
    context = {
        "alerts": shown,
        "n_dead": n_dead,
        "is_dead_only": dead,
        "next": write_cursor((shown[-1].id,)) if len(rows) > SHOWN else None,
        "channels": [channel.name for channel in here.config.channels],
        "done": DONE.get(done, ""),
        "path_of": path_of,
    }
    return render(request, "alerts.html", context)


@router.post("/alerts/retry")
async def retry(request: Request, here: Here, who: Who) -> Response:
    """
    Send again what was given up.
    """
    await api_changes.retry(here, who)
    return RedirectResponse(f"{base_of(request)}/alerts?done=retried", HTTPStatus.SEE_OTHER)


@router.post("/alerts/test")
async def send_test(request: Request, here: Here, who: Who) -> Response:
    """
    Send a test message through the outbox, as any alert.
    """
    channel = (await read_fields(request)).get("channel", "")
    if channel not in {one.name for one in here.config.channels}:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no channel of this name.")
    kind = AlertKind.TEST
    alert = AlertDue(kind, SEVERITY_OF[kind])
    await here.store.write(lambda tx: alerts.add_alert(tx, alert, [], [channel], here.clock()))
    here.wake()
    log.info("web.ordered", order="test", channel=channel, by=who.by.value)
    return RedirectResponse(f"{base_of(request)}/alerts?done=tested", HTTPStatus.SEE_OTHER)
