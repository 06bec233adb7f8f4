"""Show groups: how each is, and of one its connections, what expires, quotas and history."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from monitor.judge.suppression import Scope
from monitor.notify.times import format_when
from monitor.report.conditions import find_end_of_mute
from monitor.store import history, suppression
from monitor.store.history import OnlyOf
from monitor.web.conditions import conditions_of
from monitor.web.feeds import list_expiries
from monitor.web.groups import describe_groups
from monitor.web.overview import Query
from monitor.web.pages.actions import DONE
from monitor.web.parts import Here, Parts
from monitor.web.sessions import Who
from monitor.web.templating import render
from monitor.web.views import COLUMNS, list_chips, make_rows, path_of
from monitor.web.visibility import channels_of, limited_to, require_group, seen_silences

if TYPE_CHECKING:
    from monitor.judge.access import Access
    from monitor.store.engine import Transaction
    from monitor.web.schemas import GroupJson

router = APIRouter()

N_CONNECTIONS = 50
N_ENDS = 20
N_LISTED = 15


def path_of_group(name: str) -> str:
    """Return the path of a group's page."""
    return f"/groups/{quote(name, safe='')}"


@router.get("/groups")
async def show_groups(request: Request, here: Here, who: Who) -> Response:
    """Show all groups, the worst first."""
    found = await here.reader.read(lambda tx: describe_groups(tx, here, who.access))
    found.sort(key=lambda one: -one["summary"]["needs_attention"])
    now = here.clock()
    context = {
        "groups": found,
        "path_of": path_of_group,
        "count": _count,
        "say_when": lambda text: format_when(datetime.fromisoformat(text), now),
        "at": datetime.fromisoformat,
    }
    return render(request, "groups.html", context)


def _count(one: GroupJson) -> int:
    """Return how many connections a group has."""
    return (
        sum(one["summary"][state] for state in ("active", "error", "expired", "pending"))
        + (one["summary"]["paused"])
    )


@router.get("/groups/{name}")
async def show_group(request: Request, here: Here, who: Who, name: str, done: str = "") -> Response:
    """Show one group: its connections, the worst first, what expires, and what happened."""
    now, all_until = here.clock(), find_end_of_mute(conditions_of(request))
    access = limited_to(who.access, name)

    def read(tx: Transaction) -> dict[str, Any]:
        require_group(tx, here, who.access, name)
        [described] = describe_groups(tx, here, access, only={name})
        query = Query(access=access, is_worst_first=True, limit=N_CONNECTIONS)
        among = here.overview.find_among(tx, query)
        return {
            "group": described,
            "counts": among.found.counts,
            "total": among.found.total,
            "rows": make_rows(tx, here, among.found.connections, now, all_until),
        } | _load_past(tx, here, who.access, name, now)

    known = await here.reader.read(read)
    context = known | {
        "title": known["group"]["title"] or name,
        "done": DONE.get(done, ""),
        "path": path_of_group(name),
        "path_of": path_of,
        "columns": COLUMNS,
        "chips": list_chips(known["counts"], known["counts"], ""),
        "next": None,
        "list_of": lambda **more: "/?" + urlencode({"group": name} | more),
    }
    return render(request, "group.html", context)


def _load_past(
    tx: Transaction, here: Parts, access: Access, name: str, now: datetime
) -> dict[str, Any]:
    """Return what expires in a group, what mutes it, and what happened in it."""
    ends = sorted(
        list_expiries(tx, here, limited_to(access, name)),
        key=lambda one: (one.at, one.of, one.kind),
    )
    only = OnlyOf(frozenset({name}), frozenset(channels_of(here, access)))
    lasting = suppression.list_active_silences(tx, now)
    return {
        "ends": [(one, format_when(one.at, now), one.at <= now) for one in ends[:N_ENDS]],
        "n_more_ends": max(0, len(ends) - N_ENDS),
        "silences": [
            one
            for one in seen_silences(tx, here, access, lasting)
            if one.scope is Scope.GROUP and one.target == name
        ],
        "transitions": history.list_transitions_of_group(tx, name, N_LISTED),
        "alerts": history.list_alerts(tx, N_LISTED, only=only),
    }
