"""Let people in by the password, and out again."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
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
from monitor.web.problems import is_secure
from monitor.web.sessions import (
    SESSION_COOKIE,
    SESSION_LASTS,
    Attempts,
    Pass,
    Who,
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
    request: Request, here: Here, fields: Annotated[dict[str, str], form("next", "password")]
) -> Response:
    """Compare the password, and begin a session."""
    target = fields.get("next", "/")
    password = here.config.web.password
    if password is None:
        return _go_to(request, target)
    attempts: Attempts = request.app.state.attempts
    address = _address_of(request, here)
    now = here.clock()
    wait = attempts.wait_for(address, now)
    if wait:
        seconds = ceil(wait.total_seconds())
        log.warning("web.login_limited", address=address, seconds=seconds)
        page = _ask(
            request,
            target,
            f"Too many wrong passwords: try again in {seconds} seconds.",
            HTTPStatus.TOO_MANY_REQUESTS,
        )
        page.headers["Retry-After"] = str(seconds)
        return page
    given = fields.get("password", "")
    if not await attempts.verify(given, password.reveal(), address, now):
        log.warning("web.login_failed", address=address)
        return _ask(request, target, "This is not the password.", HTTPStatus.UNAUTHORIZED)
    log.info("web.logged_in", address=address)
    return await _begin(request, here, target)


def _address_of(request: Request, here: Parts) -> str:
    """Return the address of who asks: the one that the proxy names, where there is one.

    All would wait for the wrong passwords of one, else. Only a neighbour is believed,
    and only where `public_url` says that people do not ask us themselves.
    """
    near = request.client.host if request.client else ""
    named = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        is_neighbour = ip_address(near).is_private
        far = str(ip_address(named))
    except ValueError:
        return near
    return far if is_neighbour and here.config.web.public_url else near


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
