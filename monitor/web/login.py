"""Let people in by the password, and out again."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from monitor.store import credentials
from monitor.web import sessions
from monitor.web.bodies import form
from monitor.web.parts import Here, Parts
from monitor.web.peers import find_peer
from monitor.web.problems import is_secure
from monitor.web.sessions import (
    KNOWN_COOKIE,
    KNOWN_LASTS,
    SESSION_COOKIE,
    SESSION_LASTS,
    Attempts,
    MustWait,
    Pass,
    Visitor,
    Who,
    known_browser,
    make_known,
    needs_login,
    password_mark,
)
from monitor.web.templating import lead_to, render

log = structlog.get_logger()

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def show_login(
    request: Request, here: Here, who: Who, target: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Ask for the password, if there is one to know."""
    if not needs_login(here) or who.by is Pass.SESSION:
        return _go_to(request, target)
    return _ask(request, target)


def _ask(request: Request, target: str, failure: str = "", status: int = HTTPStatus.OK) -> Response:
    return render(request, "login.html", {"next": target, "failure": failure}, status=status)


@router.post("/login")
async def log_in(
    request: Request,
    here: Here,
    who: Who,
    fields: Annotated[dict[str, str], form("next", "password")],
) -> Response:
    """Compare the password, and begin a session."""
    target = fields.get("next", "/")
    password = here.config.web.password
    if password is None:
        return _go_to(request, target)
    attempts: Attempts = request.app.state.attempts
    peer, is_known = _find_peer(request, here, who)
    if wait := attempts.wait_for(peer, is_known=is_known):
        return _have_wait(request, target, peer, ceil(wait))
    await password.make_ready()
    given = fields.get("password", "")
    try:
        is_right = await attempts.verify(given, password.reveal(), peer, is_known=is_known)
    except MustWait as limited:
        return _have_wait(request, target, peer, ceil(limited.seconds))
    if not is_right:
        log.warning("web.login_failed", address=peer)
        return _ask(request, target, "Wrong password.", HTTPStatus.UNAUTHORIZED)
    log.info("web.logged_in", address=peer)
    return await _begin(request, here, target)


def _have_wait(request: Request, target: str, peer: str, seconds: int) -> Response:
    log.warning("web.login_limited", address=peer, seconds=seconds)
    page = _ask(
        request,
        target,
        f"Too many wrong passwords: try again in {seconds} seconds.",
        HTTPStatus.TOO_MANY_REQUESTS,
    )
    page.headers["Retry-After"] = str(seconds)
    return page


def _find_peer(request: Request, here: Parts, who: Visitor) -> tuple[str, bool]:
    """Return who tries a password, and whether that is a browser which knew it once.

    Such a one has tries of its own: nobody else can use them up.
    """
    known = known_browser(here, request)
    if known is None and who.by is Pass.SESSION:
        known = f"session:{who.session}"
    if known is not None:
        return known, True
    near = request.client.host if request.client else ""
    forwarded = request.headers.getlist("x-forwarded-for")
    return find_peer(near, forwarded, here.config.web.trusted_proxies), False


async def _begin(request: Request, here: Parts, target: str) -> Response:
    now = here.clock()
    mark = password_mark(here)
    secret = await here.store.write(
        lambda tx: credentials.open_session(tx, mark, now, now + SESSION_LASTS)
    )
    response = _go_to(request, target)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(here),
    )
    if known_browser(here, request) is None:
        response.set_cookie(
            KNOWN_COOKIE,
            make_known(here),
            max_age=int(KNOWN_LASTS.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=is_secure(here),
        )
    # The word of the time before the login is no longer good.
    word = sessions.make_csrf_token(here.csrf_key, credentials.hash_secret(secret))
    response.set_cookie(sessions.CSRF_COOKIE, word, samesite="lax", secure=is_secure(here))
    return response


@router.post("/logout", dependencies=[form()])
async def log_out(request: Request, here: Here) -> Response:
    """End the session."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    await here.store.write(lambda tx: credentials.close_session(tx, secret))
    response = lead_to(request, "/login")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=is_secure(here))
    return response


def _go_to(request: Request, target: str) -> Response:
    """Lead to *target*, which is one of our own pages or nothing."""
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    return lead_to(request, target if is_own and target.isprintable() else "/")
