"""Describe groups: how the connections of each are, and what expires next.

What people see of that who are limited to groups is decided in `monitor.web.visibility`; pages are
left to `monitor.web.pages.groups`.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from monitor.judge.outcome import State
from monitor.report.status import EXPIRING_SOON, NEEDS_ATTENTION, instant
from monitor.store.overview import list_ends
from monitor.web.api import answer
from monitor.web.overview import count_facets
from monitor.web.parts import Here
from monitor.web.problems import answers
from monitor.web.schemas import GroupJson, GroupListJson, SummaryJson
from monitor.web.sessions import Who
from monitor.web.visibility import list_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.judge.access import Access
    from monitor.store.engine import Transaction
    from monitor.web.overview import OverviewEntry
    from monitor.web.parts import Parts

router = APIRouter(prefix="/api/v1", tags=["reading"])

_WORST_FIRST = (State.ERROR, State.EXPIRED, State.PENDING, State.ACTIVE, State.PAUSED)


@router.get("/groups", responses=answers(GroupListJson))
async def get_groups(request: Request, here: Here, who: Who) -> Response:
    """List the groups, and how the connections of each are."""
    found = await here.reader.read(lambda tx: describe_groups(tx, here, who.access))
    return answer(request, {"groups": found, "next": None})


def describe_groups(
    tx: Transaction, here: Parts, access: Access, only: Collection[str] | None = None
) -> list[GroupJson]:
    """Return the groups that somebody sees, as they are shown.

    Args:
        only: Those that are wanted; None for all.
    """
    names = [one for one in list_groups(tx, here, access) if only is None or one in only]
    members: dict[str, list[OverviewEntry]] = {name: [] for name in names}
    for one in here.overview.list_seen(tx, access):
        if one.group in members:
            members[one.group].append(one)
    ends = _find_next_ends(tx, members.keys(), here.clock())
    tables = {one.name: one for one in here.config.groups}
    return [
        {
            "name": name,
            "title": tables[name].title if name in tables else "",
            "notes": tables[name].notes if name in tables else "",
            "worst": _find_worst(found),
            "summary": _summarise(found),
            "next_end": instant(ends.get(name)),
        }
        for name, found in members.items()
    ]


def _summarise(found: Sequence[OverviewEntry]) -> SummaryJson:
    counts = count_facets(found)
    return {
        "active": counts["active"],
        "error": counts["error"],
        "expired": counts["expired"],
        "pending": counts["pending"],
        "paused": counts["paused"],
        "expiring_soon": counts[EXPIRING_SOON],
        "needs_attention": counts[NEEDS_ATTENTION],
    }


def _find_worst(found: Sequence[OverviewEntry]) -> str | None:
    states = {one.state for one in found}
    return next((state.value for state in _WORST_FIRST if state in states), None)


def _find_next_ends(tx: Transaction, groups: Collection[str], now: datetime) -> dict[str, datetime]:
    """Return when the next authorization or token of each group expires."""
    found: dict[str, datetime] = {}
    for one in list_ends(tx):
        if one.group is None or one.group not in groups:
            continue
        for at in (one.authorization_at, one.token_at):
            if at is not None and at > now:
                found[one.group] = min(at, found.get(one.group, at))
    return found
