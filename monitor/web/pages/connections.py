"""Show the list of connections: the worst first, searched and filtered, a piece at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import Response  # noqa: TC002 - likewise

from monitor.judge.conditions import can_deliver
from monitor.report.conditions import find_end_of_mute
from monitor.web.conditions import conditions_of
from monitor.web.overview import Query
from monitor.web.parts import Here  # noqa: TC001 - likewise
from monitor.web.sessions import Who  # noqa: TC001 - likewise
from monitor.web.templating import render
from monitor.web.views import COLUMNS, LABELS, ORDER, format_headline, list_chips, make_rows
from monitor.web.visibility import channels_of

if TYPE_CHECKING:
    from monitor.judge.access import Access
    from monitor.store.engine import Transaction
    from monitor.web.overview import Among
    from monitor.web.views import ConnectionRow

router = APIRouter()

SHOWN = 50
MOST_SHOWN = 150
"""A page stays under 300 KB; who wants more loads piece after piece."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is chosen above the list."""

    q: Annotated[str, Parameter(max_length=200)] = ""
    state: Annotated[str, Parameter(max_length=20)] = ""
    tag: Annotated[str, Parameter(max_length=100)] = ""
    provider: Annotated[str, Parameter(max_length=50)] = ""
    group: Annotated[str, Parameter(max_length=100)] = ""

    def query(self, access: Access, cursor: str | None, limit: int) -> Query:
        """Return it as the overview is asked, by somebody who sees what *access* says."""
        return Query(
            states=_set(self.state),
            tags=_set(self.tag),
            providers=_set(self.provider),
            groups=_set(self.group),
            words=tuple(self.q.casefold().split()),
            access=access,
            is_worst_first=True,
            cursor=cursor,
            limit=limit,
        )


@router.get("/")
async def show_connections(
    request: Request,
    here: Here,
    who: Who,
    filters: Annotated[Chosen, Depends()],
    cursor: Annotated[str | None, Parameter(max_length=200)] = None,
    limit: Annotated[int, Parameter(ge=1, le=MOST_SHOWN)] = SHOWN,
) -> Response:
    """Show the page, or the piece of it that a script asks for."""
    chosen = asdict(filters)
    query = filters.query(who.access, cursor, limit)

    now, all_until = here.clock(), find_end_of_mute(conditions_of(request))

    def read(tx: Transaction) -> tuple[Among, list[ConnectionRow]]:
        among = here.overview.find_among(tx, query)
        return among, make_rows(tx, here, among.found.connections, now, all_until)

    among, rows = await here.reader.read(read)
    found = among.found
    n_channels = len(channels_of(here, who.access))
    is_delivering = can_deliver(conditions_of(request), n_channels)
    context = {
        "n_all": among.n_all,
        "headline": format_headline(found.counts, found.total, can_deliver=is_delivering),
        "chips": list_chips(found.counts, among.of_any_state, filters.state),
        "states": {key: LABELS.get(key, key) for key in ORDER},
        "columns": COLUMNS,
        "rows": rows,
        "total": found.total,
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "tags": among.tags,
        "providers": among.providers,
        "groups": among.groups,
        "next": found.next and _link(chosen, cursor=found.next),
        "link": lambda **more: _link(chosen, **more),
    }
    page = render(request, _template(request), context)
    page.headers["Vary"] = "HX-Request, HX-Target"
    return page


def _template(request: Request) -> str:
    """Return the piece that a script asks for: what was found, or only further rows."""
    return {"found": "connection_list.html", "more": "connection_rows.html"}.get(
        request.headers.get("hx-target", ""), "connections.html"
    )


def _set(value: str) -> frozenset[str]:
    return frozenset({value} if value else ())


def _link(chosen: dict[str, str], **more: str) -> str:
    return "/?" + urlencode({key: value for key, value in (chosen | more).items() if value})
