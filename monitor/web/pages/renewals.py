"""Show whoever opens a renewal link the one connection that it is for, and renew that.

These pages need no login and no script, show nothing else, and are kept by nobody. What a link is
worth is decided in `monitor.web.invites`.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monitor.config.connections import AmazonConnection
from monitor.notify.times import format_expiry
from monitor.report.status import ConnectionJson
from monitor.web import invites
from monitor.web.bodies import form
from monitor.web.handshake import HandshakeImpossible, HandshakeRefused, begin_handshake
from monitor.web.invites import Ending, Invited, RenewalRefused
from monitor.web.parts import Here, Parts
from monitor.web.problems import OF_LINKS, POLICY
from monitor.web.sessions import Pass, Visitor, Who
from monitor.web.templating import render
from monitor.web.views import say_sign_in

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter()

_RENEWED = ("Renewed", "Thank you. You can close this page.")
_WAITING = "Waiting for approval"
_WAITING_FOR = (
    "The new access was received. It could not be confirmed that it belongs to the same account, so"
    " the team that sent you the link has to approve it. Until then the old one stays in use."
)


@router.get("/renew/{token}")
async def show(request: Request, here: Here, token: str) -> Response:
    """Show the connection, and how it is renewed."""
    try:
        return await _show(request, here, token)
    except RenewalRefused as refused:
        return refuse_renewal(request, refused)


@router.post("/renew/{token}")
async def renew(
    request: Request,
    here: Here,
    who: Who,
    token: str,
    fields: Annotated[dict[str, str], form("token")],
) -> Response:
    """Lead to Amazon, or take the new token."""
    try:
        return await _renew(request, here, who, token, fields.get("token", "").strip())
    except RenewalRefused as refused:
        return refuse_renewal(request, refused)


async def _renew(request: Request, here: Parts, who: Visitor, token: str, value: str) -> Response:
    invited = await invites.begin_try(here, token)
    if isinstance(invited.connection, AmazonConnection):
        return await _lead_to_amazon(here, who, invited)
    try:
        ending = await invites.take_token(here, invited, value)
    except RenewalRefused as refused:
        if refused.status is not HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        # The link may have been withdrawn while the token was tried: then that is said.
        return await _show(request, here, token, refused)
    return show_ending(request, ending)


async def _lead_to_amazon(here: Parts, who: Visitor, invited: Invited) -> Response:
    if who.by is Pass.TOKEN:
        raise RenewalRefused(
            HTTPStatus.FORBIDDEN,
            "Open this in a browser",
            "An authorization is given in a browser, not with an API token.",
        )
    try:
        target = await begin_handshake(
            here, invited.record.name, who.browser, invite=invited.invite.id
        )
    except HandshakeImpossible as error:
        raise RenewalRefused(HTTPStatus.CONFLICT, "Not possible now", error.obstacle.why) from None
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


async def _show(
    request: Request, here: Parts, token: str, failure: RenewalRefused | None = None
) -> Response:
    def read(tx: Transaction) -> tuple[Invited, ConnectionJson]:
        invited = invites.find_invited(tx, here, token)
        [each] = here.overview.describe(tx, [invited.record.id])
        return invited, each

    invited, each = await here.reader.read(read)
    connection, now = invited.connection, here.clock()
    is_store = isinstance(connection, AmazonConnection)
    end = _end_of(each)
    context: dict[str, Any] = {
        "each": each,
        "look": "soon" if each["expiring_soon"] and each["state"] == "active" else each["state"],
        "end": None if end is None else format_expiry(end, now),
        "is_store": is_store,
        "sign_in": say_sign_in(each) if is_store else "",
        "failure": failure,
    }
    status = HTTPStatus.OK if failure is None else failure.status
    page = render(request, "renewal.html", context, status=status)
    if isinstance(connection, AmazonConnection):
        page.headers["Content-Security-Policy"] = _policy_for(here.consent_page(connection))
    return page


def _policy_for(consent_page: str) -> str:
    """Return the policy of a page whose form leads to Amazon, which leads on to a login there."""
    parts = urlsplit(consent_page)
    ends = "https:" if parts.scheme == "https" else f"https: {parts.scheme}://{parts.netloc}"
    return POLICY.replace("form-action 'self'", f"form-action 'self' {ends}")


def _end_of(each: ConnectionJson) -> datetime | None:
    kinds = {"authorization", "token"}
    ends = (one["ends_at"] for one in each["clocks"] if one["kind"] in kinds)
    return min(map(datetime.fromisoformat, ends), default=None)


def refuse_renewal(request: Request, refused: RenewalRefused) -> Response:
    """Return the page that says why a link changes nothing."""
    context = {"title": refused.title, "why": refused.why, "is_good": False}
    page = render(request, "renewal_end.html", context, status=refused.status)
    page.headers.update(OF_LINKS)
    if refused.retry_after is not None:
        page.headers["Retry-After"] = str(int(refused.retry_after.total_seconds()) + 1)
    return page


def show_ending(request: Request, ending: Ending) -> Response:
    """Return the page that says what became of a new credential."""
    title, why = _RENEWED if ending is Ending.IN_USE else (_WAITING, _WAITING_FOR)
    context = {"title": title, "why": why, "is_good": ending is Ending.IN_USE}
    page = render(request, "renewal_end.html", context)
    # Behind the consent page the address holds what that has answered.
    page.headers.update(OF_LINKS)
    return page


async def finish(request: Request, here: Parts, who: Visitor) -> Response:
    """Take what the consent page answered to somebody who came by a link."""
    try:
        ending = await invites.take_consent(here, request.query_params, who.browser)
    except HandshakeRefused as error:
        log.warning("handshake.refused", connection=error.name, why=error.title)
        again = "Open the link that you were sent, and start again."
        refused = RenewalRefused(HTTPStatus.BAD_REQUEST, error.title, f"{error.why} {again}")
        return refuse_renewal(request, refused)
    except RenewalRefused as refused:
        return refuse_renewal(request, refused)
    return show_ending(request, ending)
