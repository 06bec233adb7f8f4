"""
Show what people were told, are being told, or could not be told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.alert.words import say_instant, say_span, say_when
from monitor.quieting import list_taken_on, say_what
from monitor.store import deliveries, history, silences
from monitor.web import api_changes, api_quiet
from monitor.web.body import parse_fields
from monitor.web.cursor import read_cursor, write_cursor
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.quiet_models import NewTest
from monitor.web.rows import path_of
from monitor.web.templating import base_of, render
from monitor.web.visitors import Who  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

router = APIRouter()

SHOWN = 50
DONE = {
    "retried": "What was given up is due again, and is being sent now.",
    "tested": "A test message is on its way; it appears below with what came of it.",
    "silenced": "It is silent now. What is still true when the silence ends is told then.",
    "told": "The silence is over: what was held back and is still true is told now.",
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

    now = here.clock()

    def read(tx: Transaction) -> dict[str, Any]:
        rows = history.list_alerts(
            tx, SHOWN + 1, only_dead=dead, before_id=after[0] if after else None
        )
        counts = deliveries.count_by_channel(tx)
        return {
            "rows": rows,
            "n_dead": sum(one.n_dead for one in counts.values()),
            "silences": silences.list_lasting(tx, now),
            "taken_on": list_taken_on(tx, here.plan, now),
        }

    known = await here.reader.read(read)
    rows = known.pop("rows")
    shown = rows[:SHOWN]
    context = known | {
        "alerts": shown,
        "is_dead_only": dead,
        "next": write_cursor((shown[-1].id,)) if len(rows) > SHOWN else None,
        "channels": [channel.name for channel in here.config.channels],
        "tags": api_quiet.known_tags(here),
        "done": DONE.get(done, ""),
        "retry_for": say_span(here.config.alerts.retry_for),
        "path_of": path_of,
        "say_what": say_what,
        "say_instant": say_instant,
        "say_when": lambda at: say_when(at, now),
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
    channel = (parse_fields(await request.body())).get("channel", "")
    await api_quiet.send_test(here, who, NewTest.model_construct(channel=channel))
    return RedirectResponse(f"{base_of(request)}/alerts?done=tested", HTTPStatus.SEE_OTHER)
