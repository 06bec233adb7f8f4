"""Show what people were told, are being told, or could not be told."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.alerting.suppression import describe_scope, list_acknowledged
from monitor.notify.words import format_instant, format_span, format_when
from monitor.store import history, outbox, suppression
from monitor.web import api_actions
from monitor.web.overview import read_cursor, write_cursor
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.schemas import NewTestSchema
from monitor.web.security import parse_fields
from monitor.web.sessions import Who  # noqa: TC001 - likewise
from monitor.web.templating import base_of, render
from monitor.web.views import path_of

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
    """Show the outbox, the newest first."""
    try:
        after = read_cursor(cursor, 1)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"cursor: {error}") from error

    now = here.clock()

    def read(tx: Transaction) -> dict[str, Any]:
        rows = history.list_alerts(
            tx, SHOWN + 1, only_dead=dead, before_id=after[0] if after else None
        )
        counts = outbox.count_by_channel(tx)
        return {
            "rows": rows,
            "n_dead": sum(one.n_dead for one in counts.values()),
            "silences": suppression.list_active_silences(tx, now),
            "taken_on": list_acknowledged(tx, here.plan, now),
        }

    known = await here.reader.read(read)
    rows = known.pop("rows")
    shown = rows[:SHOWN]
    context = known | {
        "alerts": shown,
        "is_dead_only": dead,
        "next": write_cursor((shown[-1].id,)) if len(rows) > SHOWN else None,
        "channels": [channel.name for channel in here.config.channels],
        "tags": api_actions.known_tags(here),
        "done": DONE.get(done, ""),
        "retry_for": format_span(here.config.alerts.retry_for),
        "path_of": path_of,
        "say_what": describe_scope,
        "say_instant": format_instant,
        "say_when": lambda at: format_when(at, now),
    }
    return render(request, "alerts.html", context)


@router.post("/alerts/retry")
async def retry(request: Request, here: Here, who: Who) -> Response:
    """Send again what was given up."""
    await api_actions.retry(here, who)
    return RedirectResponse(f"{base_of(request)}/alerts?done=retried", HTTPStatus.SEE_OTHER)


@router.post("/alerts/test")
async def send_test(request: Request, here: Here, who: Who) -> Response:
    """Send a test message through the outbox, as any alert."""
    channel = (parse_fields(await request.body())).get("channel", "")
    await api_actions.send_test(here, who, NewTestSchema.model_construct(channel=channel))
    return RedirectResponse(f"{base_of(request)}/alerts?done=tested", HTTPStatus.SEE_OTHER)
