"""
Show one connection, and carry out what is ordered about it.

Orders are those of the API; a person is led back to the page afterwards.
"""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.alert.words import say_instant
from monitor.links import dashboard_address
from monitor.quieting import find_taken_on, find_trouble, list_covering, say_what
from monitor.store import history, series, silences
from monitor.store.forecasts import load_samples
from monitor.web import api_changes, models
from monitor.web.api import find_or_refuse, read_connection
from monitor.web.body import parse_fields
from monitor.web.pages.drawing import DAYS_SHOWN, are_enough, draw
from monitor.web.pages.mending import find_mending
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.rows import make_row, path_of
from monitor.web.secret_links import badge_path
from monitor.web.templating import base_of, render
from monitor.web.visitors import Who  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction

router = APIRouter()

HOURLY_SHOWN = timedelta(days=7)
N_CHECKS = 500
N_LISTED = 15

DONE = {
    "paused": "It is paused: nothing is called and nobody is told until it is resumed.",
    "resumed": "It is watched again, and checked now.",
    "renewed": "The renewal is recorded, and the connection is checked now.",
    "taken": "You have taken it on: nobody is reminded of it. A new trouble is told as ever.",
    "untaken": "It is taken back: people are reminded again while the trouble lasts.",
    "silenced": "It is silent now. What is still true when the silence ends is told then.",
    "told": "The silence is over: what was held back and is still true is told now.",
    "authorized": "Authorized again. The new token is in use, and its days count from today.",
}


@router.get("/connections/{name}")
async def show_connection(request: Request, here: Here, name: str, done: str = "") -> Response:
    """
    Show one connection: what is wrong and what to do, then what happened.
    """
    now = here.clock()

    def read(tx: Transaction) -> dict[str, object]:
        record = find_or_refuse(tx, here, name)
        return {
            "trouble": find_trouble(record, here.plan),
            "taken_on": find_taken_on(tx, record, here.plan, now),
            "silences": list_covering(silences.list_lasting(tx, now), name, here.plan),
            "quotas": load_samples(tx, record.id, record.quota.known.name),
            "outlook": record.outlook.shown(now),
            "each": read_connection(tx, here, name),
        } | load_past(tx, record.id, now)

    known = await here.reader.read(read)
    row = make_row(here, known["each"], now)  # type: ignore[arg-type]
    context = known | {
        "row": row,
        "mending": find_mending(here, row),
        "done": DONE.get(done, ""),
        "drawn": draw(known, row.each, now),
        "n_listed": N_LISTED,
        "badge": badge_path(here, name),
        "badge_address": (dashboard_address(here.config) or "") + badge_path(here, name),
        "tomorrow": f"{now + timedelta(days=1):%Y-%m-%d}",
        "say_instant": say_instant,
        "say_what": say_what,
    }
    return render(request, "connection.html", context)


def load_past(tx: Transaction, connection_id: int, now: datetime) -> dict[str, object]:
    """
    Return what happened to a connection, as far as its page shows it.
    """
    sums = series.list_sums(tx, connection_id, now - DAYS_SHOWN, now - HOURLY_SHOWN)
    # Raw checks lie among those of all others: more than are listed only if they are drawn.
    n_checks = N_LISTED if are_enough(sums) else N_CHECKS
    return {
        "transitions": history.list_transitions(tx, connection_id, N_LISTED),
        "checks": history.list_checks(tx, connection_id, n_checks),
        "alerts": history.list_alerts(tx, N_LISTED, connection_id=connection_id),
        "states": series.list_states(tx, connection_id, now - DAYS_SHOWN),
        "sums": sums,
    }


@router.post("/connections/{name}/pause")
async def pause(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Pause it, and show that.
    """
    await api_changes.pause(here, who, name)
    return go_back(request, name, "paused")


@router.post("/connections/{name}/resume")
async def resume(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Resume it, and show that.
    """
    await api_changes.resume(here, who, name)
    return go_back(request, name, "resumed")


@router.post("/connections/{name}/renew")
async def renew(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Record a renewal, and show that.
    """
    on = (parse_fields(await request.body())).get("on", "")
    try:
        renewal = models.Renewal(on=date.fromisoformat(on) if on else None)
    except ValueError:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The date is not one such as 2026-01-15."
        ) from None
    await api_changes.renew(here, who, name, renewal)
    return go_back(request, name, "renewed")


@router.get("/connections/{name}/delete")
async def ask_to_delete(request: Request, here: Here, name: str) -> Response:
    """
    Ask, and explain what stops.
    """
    await here.reader.read(lambda tx: find_or_refuse(tx, here, name))
    return render(request, "delete.html", {"name": name, "path": path_of(name)})


@router.post("/connections/{name}/delete")
async def delete(request: Request, here: Here, who: Who, name: str) -> Response:
    """
    Delete it, and show the list.
    """
    await api_changes.delete(here, who, name)
    return RedirectResponse(f"{base_of(request)}/", HTTPStatus.SEE_OTHER)


def go_back(request: Request, name: str, done: str) -> Response:
    """
    Lead to the page of a connection, which says what was done.
    """
    return RedirectResponse(f"{base_of(request)}{path_of(name)}?done={done}", HTTPStatus.SEE_OTHER)
