"""
Recognise who asks: by a session's cookie, by an API token, or as everybody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.store import web_access
from monitor.store.engine import StoreError
from monitor.store.keys import fingerprint
from monitor.web import csrf
from monitor.web.parts import parts_of
from monitor.web.visitors import STRANGER, Pass, Visitor, needs_login

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from monitor.web.parts import Parts

log = structlog.get_logger()

COOKIE = "connwatch_session"
LASTS = timedelta(days=7)

NOTE_USE_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` of a token is: not every request is worth a write."""


def password_mark(parts: Parts) -> str:
    """
    Return what tells the present password from others, and nothing else.
    """
    password = parts.config.web.password
    return "" if password is None else fingerprint(parts.csrf_key, password.reveal())


def sent_token(request: Request) -> str | None:
    """
    Return the API token that *request* bears.

    Another scheme is meant for a proxy before us, and says nothing here.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Doorkeeper:
    """
    Knows the sessions and tokens.
    """

    def __init__(self) -> None:
        self._noted: dict[str, datetime] = {}

    async def recognise(self, request: Request) -> Visitor:
        """
        Return who asks; a token that nobody gave out makes a stranger.
        """
        parts = parts_of(request)
        token = sent_token(request)
        if token is not None:
            return await self._by_token(parts, token)
        if not needs_login(parts):
            # There is no session: the word in the cookie stands for the browser.
            return Visitor(Pass.OPEN, may_change=True, csrf_token=_word(parts, request, ""))
        session = await _session(parts, request)
        word = _word(parts, request, session)
        if session:
            return Visitor(Pass.SESSION, may_change=True, session=session, csrf_token=word)
        return Visitor(Pass.NONE, may_change=False, csrf_token=word)

    async def _by_token(self, parts: Parts, token: str) -> Visitor:
        known = await parts.reader.read(lambda tx: web_access.find_token(tx, token))
        if known is None:
            return STRANGER
        now = parts.clock()
        before = self._noted.get(known.name)
        if before is None or now - before >= NOTE_USE_EVERY:
            self._noted[known.name] = now
            await _note_use(parts, known.name, now)
        return Visitor(Pass.TOKEN, may_change=not known.is_read_only, name=known.name)


async def _session(parts: Parts, request: Request) -> str:
    """
    Return what tells the session from others; empty if there is none.
    """
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        return ""
    mark, now = password_mark(parts), parts.clock()
    lasts = await parts.reader.read(lambda tx: web_access.has_session(tx, secret, mark, now))
    return web_access.hash_secret(secret) if lasts else ""


def _word(parts: Parts, request: Request, session: str) -> str:
    token = request.cookies.get(csrf.COOKIE, "")
    if csrf.is_genuine(parts.csrf_key, session, token):
        return token
    return csrf.make(parts.csrf_key, session)


async def _note_use(parts: Parts, name: str, now: datetime) -> None:
    """
    Keep when a token was used; who reads need not go without where nothing can be written.
    """
    try:
        await parts.store.write(lambda tx: web_access.note_use(tx, name, now))
    except StoreError as error:
        log.warning("web.use_not_noted", token=name, error=str(error))
