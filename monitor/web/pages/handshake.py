"""Send sellers to Amazon's consent page, and receive them when they come back.

What an answer is worth is decided in `monitor.web.handshake`.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs
from starlette.responses import RedirectResponse, Response

from monitor.judge.access import Role
from monitor.store import connections
from monitor.store.engine import Transaction  # noqa: TC001 - likewise
from monitor.web import handshake
from monitor.web.api import find_or_refuse
from monitor.web.bodies import form
from monitor.web.handshake import BegunHandshake, HandshakeRefused, browser_of
from monitor.web.new_stores import read_begun
from monitor.web.pages import renewals
from monitor.web.pages.actions import go_back
from monitor.web.pages.stores import AGAIN, receive, refuse_answer
from monitor.web.parts import Here, Parts  # noqa: TC001 - likewise
from monitor.web.security import OWN_PAGES, ask_to_log_in, refuse_below
from monitor.web.sessions import Pass, Visitor, Who
from monitor.web.templating import lead_to, render
from monitor.web.views import path_of

router = APIRouter()


@router.get("/oauth/amazon/start/{name}")
async def start(request: Request, here: Here, who: Who, name: str) -> Response:
    """Lead to the region's consent page, or say why there is no way there.

    Another site gets no further than the connection's page, whose button leads here.
    """
    if request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
        return lead_to(request, path_of(name))
    target = await _begin(request, here, who, name)
    return (
        target if isinstance(target, Response) else RedirectResponse(target, HTTPStatus.SEE_OTHER)
    )


@router.post("/oauth/amazon/start/{name}", dependencies=[form()])
async def start_renamed(request: Request, here: Here, who: Who, name: str) -> Response:
    """Begin once more for a store that goes by another name now, and show the way to Amazon.

    A form of ours must not lead elsewhere: browsers are told so for all of them.
    """
    target = await _begin(request, here, who, name, is_renamed=True)
    if isinstance(target, Response):
        return target
    context = {"name": name, "path": path_of(name), "target": target}
    return render(request, "renamed.html", context)


async def _begin(
    request: Request, here: Parts, who: Visitor, name: str, *, is_renamed: bool = False
) -> str | Response:
    """Return the address of the consent page, or the page that says why there is no way there."""
    await here.reader.read(lambda tx: find_or_refuse(tx, here, name, who.access))
    try:
        return await handshake.begin_handshake(here, name, browser_of(who), is_renamed=is_renamed)
    except handshake.HandshakeImpossible as error:
        context = {"name": name, "path": path_of(name), "obstacle": error.obstacle}
        return render(request, "obstacle.html", context, status=HTTPStatus.CONFLICT)


def _require_seen(tx: Transaction, here: Parts, who: Visitor, begun: BegunHandshake) -> None:
    """Refuse those who lost the group of the connection while they were at Amazon."""
    name = connections.find_name(tx, begun.connection_id)
    if name is not None and not who.access.sees_all:
        find_or_refuse(tx, here, name, who.access)


@router.get("/oauth/amazon/callback")
async def callback(request: Request, here: Here, who: Who) -> Response:
    """Take what the consent page sends, and lead to the connection's page.

    Who came by a renewal link has no login, and is shown what became of it.
    """
    known = await handshake.find_begun(here, request.query_params)
    if known is not None and known.invite:
        return await renewals.finish(request, here, who)
    if who.by is Pass.NONE:
        return ask_to_log_in(request)
    if not who.may_change:
        return refuse_below(request, who, Role.OPERATOR)
    if known is not None:
        await here.reader.read(partial(_require_seen, here=here, who=who, begun=known))
    begun = await read_begun(here, request.query_params.get("state", ""))
    try:
        if begun is not None:
            return await receive(request, here, who, begun)
        name = await handshake.finish_handshake(
            here, request.query_params, browser_of(who), who.who
        )
    except HandshakeRefused as error:
        again = None if begun is None else AGAIN
        return await refuse_answer(request, here, who, error, again)
    return go_back(request, name, "authorized")
