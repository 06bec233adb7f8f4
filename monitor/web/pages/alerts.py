"""Show what people were told, are being told, or could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.alerting.suppression import describe_scope, list_acknowledged
from monitor.notify.times import format_span
from monitor.store import outbox, suppression
from monitor.web import api_actions
from monitor.web.api import list_alerts_from
from monitor.web.pages.actions import DONE
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.templating import render
from monitor.web.views import path_of

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

router = APIRouter()

SHOWN = 50


@router.get("/alerts")
async def show_alerts(
    request: Request,
    here: Here,
    dead: bool = False,
    cursor: Annotated[str | None, Parameter(max_length=200)] = None,
    done: str = "",
) -> Response:
    """Show the outbox, the newest first."""
    now = here.clock()

    def read(tx: Transaction) -> dict[str, Any]:
        shown, following = list_alerts_from(tx, cursor, SHOWN, only_dead=dead)
        counts = outbox.count_by_channel(tx)
        return {
            "alerts": shown,
            "next": following,
            "n_dead": sum(one.n_dead for one in counts.values()),
            "silences": suppression.list_active_silences(tx, now),
            "taken_on": list_acknowledged(tx, here.plan, now),
            "tags": api_actions.known_tags(tx, here),
        }

    context = await here.reader.read(read) | {
        "is_dead_only": dead,
        "channels": [channel.name for channel in here.config.channels],
        "done": DONE.get(done, ""),
        "retry_for": format_span(here.config.alerts.retry_for),
        "path_of": path_of,
        "say_what": describe_scope,
    }
    return render(request, "alerts.html", context)
