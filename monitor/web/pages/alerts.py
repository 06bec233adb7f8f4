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
from monitor.web.sessions import Who  # noqa: TC001 - likewise
from monitor.web.templating import render
from monitor.web.views import path_of
from monitor.web.visibility import channels_of, list_groups, only_of, seen_silences

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

router = APIRouter()

SHOWN = 50


@router.get("/alerts")
async def show_alerts(
    request: Request,
    here: Here,
    who: Who,
    dead: bool = False,
    cursor: Annotated[str | None, Parameter(max_length=200)] = None,
    done: str = "",
) -> Response:
    """Show the outbox, the newest first."""
    now = here.clock()

    def read(tx: Transaction) -> dict[str, Any]:
        only = only_of(here, who.access)
        shown, following = list_alerts_from(tx, cursor, SHOWN, only, only_dead=dead)
        counts = outbox.count_by_channel(tx)
        lasting = suppression.list_active_silences(tx, now)
        return {
            "alerts": shown,
            "next": following,
            "n_dead": sum(
                one.n_dead for name, one in counts.items() if only is None or name in only.channels
            ),
            "silences": seen_silences(tx, here, who.access, lasting),
            "taken_on": list_acknowledged(tx, here.plan, now, who.access),
            "tags": api_actions.known_tags(tx, here) if only is None else [],
            "groups": list_groups(tx, here, who.access),
        }

    context = await here.reader.read(read) | {
        "is_dead_only": dead,
        "channels": channels_of(here, who.access),
        "sees_all": who.access.sees_all,
        "done": DONE.get(done, ""),
        "retry_for": format_span(here.config.alerts.retry_for),
        "path_of": path_of,
        "say_what": describe_scope,
    }
    return render(request, "alerts.html", context)
