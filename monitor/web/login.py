"""Let people in by name and password, and out again."""

# ruff: noqa: TC002 - FastAPI reads the annotations when the program runs

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from monitor.config.model import ADMIN
from monitor.config.secret import SecretUnavailable
from monitor.config.values import LONGEST_NAME
from monitor.judge.audit import Action, AuditRow
from monitor.store import credentials
from monitor.store.audit import add_audit
from monitor.web import sessions
from monitor.web.bodies import form
from monitor.web.parts import Here, Parts, parts_of
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
    is_hash,
    known_browser,
    make_known,
    needs_login,
    password_mark,
    reveal_password,
)
from monitor.web.templating import lead_to, render

if TYPE_CHECKING:
    from monitor.config.model import WebUser
    from monitor.store.engine import Transaction

log = structlog.get_logger()

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def show_login(
    request: Request, here: Here, who: Who, target: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Ask for the name and password, if there is one to know."""
    if not needs_login(here) or who.by in _LET_IN:
        return _go_to(request, target)
    return _ask(request, target)


_LET_IN = {Pass.SESSION, Pass.PROXY}


def _ask(
    request: Request, target: str, failure: str = "", status: int = HTTPStatus.OK, name: str = ""
) -> Response:
    web = parts_of(request).config.web
    known = {
        "next": target,
        "failure": failure,
        "name": name,
        "has_users": bool(web.users),
        "is_name_needed": web.account(ADMIN) is None,
        "has_passwords": any(one.password is not None for one in web.accounts),
    }
    return render(request, "login.html", known, status=status)


@router.post("/login")
async def log_in(
    request: Request,
    here: Here,
    who: Who,
    fields: Annotated[dict[str, str], form("next", "name", "password")],
) -> Response:
    """Compare the password of whoever is named, and begin a session."""
    target = fields.get("next", "/")
    if not needs_login(here):
        return _go_to(request, target)
    # A longer one is nobody's, and would only be remembered.
    name = (fields.get("name", "").strip() or ADMIN)[: LONGEST_NAME + 1]
    account = here.config.web.account(name)
    attempts: Attempts = request.app.state.attempts
    peer, is_known = await _find_peer(request, here, who, account)
    if wait := attempts.wait_for(peer, account=name, is_known=is_known):
        return _have_wait(request, target, name, peer, ceil(wait))
    known = await reveal_password(account)
    given = fields.get("password", "")
    try:
        is_right = await attempts.verify(
            given, known, peer, account=name, is_known=is_known, decoy=_find_decoy(here)
        )
    except MustWait as limited:
        return _have_wait(request, target, name, peer, ceil(limited.seconds))
    if account is None or not is_right:
        log.warning("web.login_failed", address=peer)
        wrong = "Wrong name or password." if here.config.web.users else "Wrong password."
        return _ask(request, target, wrong, HTTPStatus.UNAUTHORIZED, fields.get("name", ""))
    log.info("web.logged_in", address=peer, user=account.name)
    return await _begin(request, here, target, account)


def _find_decoy(here: Parts) -> str | None:
    """Return the first hash that is a password here, at hand without waiting for a command."""
    for account in here.config.web.accounts:
        if account.password is not None and account.password.is_at_hand:
            with suppress(SecretUnavailable):
                if is_hash(known := account.password.reveal()):
                    return known
    return None


def _have_wait(request: Request, target: str, name: str, peer: str, seconds: int) -> Response:
    log.warning("web.login_limited", address=peer, seconds=seconds)
    page = _ask(
        request,
        target,
        f"Too many wrong passwords: try again in {seconds} seconds.",
        HTTPStatus.TOO_MANY_REQUESTS,
        name,
    )
    page.headers["Retry-After"] = str(seconds)
    return page


async def _find_peer(
    request: Request, here: Parts, who: Visitor, account: WebUser | None
) -> tuple[str, bool]:
    """Return who tries the password of *account*, and whether that browser knew it once.

    Such a one has tries of its own: nobody else can use them up.
    """
    known = await known_browser(here, request, account)
    if known is None and account is not None and (who.by, who.name) == (Pass.SESSION, account.name):
        known = f"session:{who.session}"
    if known is not None:
        return known, True
    near = request.client.host if request.client else ""
    forwarded = request.headers.getlist("x-forwarded-for")
    return find_peer(near, forwarded, here.config.web.trusted_proxies), False


async def _begin(request: Request, here: Parts, target: str, account: WebUser) -> Response:
    now = here.clock()
    mark = await password_mark(here, account)

    def begin(tx: Transaction) -> str:
        add_audit(tx, AuditRow(now, f"user:{account.name}", Action.LOGIN))
        return credentials.open_session(tx, account.name, mark, now, now + SESSION_LASTS)

    secret = await here.store.write(begin)
    response = _go_to(request, target)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(here),
    )
    if await known_browser(here, request, account) is None:
        response.set_cookie(
            KNOWN_COOKIE,
            await make_known(here, account),
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
