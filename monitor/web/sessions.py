"""Recognise who asks: by a session's cookie, by an API token, by a secret address, or as everybody.

Compares passwords, and lets nobody try many. Makes and reads the word that a change from a
page must carry: the same stands in a cookie and in the page, signed together with the
session, so that neither another site nor a neighbour on another port of this machine can
put in a word of its own. The address of the calendar or of a badge lets in to nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import structlog
from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs

from monitor.store import credentials
from monitor.store.credentials import fingerprint
from monitor.store.engine import StoreError
from monitor.web.parts import parts_of

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.web.parts import Parts


log = structlog.get_logger()

# --- passwords

HASH_PREFIX = "$argon2"

ATTEMPTS_WINDOW = timedelta(minutes=1)
MOST_OF_ONE = 5
"""How often one address may be wrong within the window."""

MOST_OF_ALL = 50
"""And all together: addresses are cheap."""


class Attempts:
    """The wrong passwords of the last minute."""

    def __init__(self) -> None:
        self._failures: deque[tuple[datetime, str]] = deque()
        self._verifying = asyncio.Lock()

    def wait_for(self, address: str, now: datetime) -> timedelta:
        """Return how long *address* must wait before it may try again."""
        while self._failures and now - self._failures[0][0] >= ATTEMPTS_WINDOW:
            self._failures.popleft()
        own = [at for at, by in self._failures if by == address]
        everyone = [at for at, _ in self._failures]
        for failures, most in ((own, MOST_OF_ONE), (everyone, MOST_OF_ALL)):
            if len(failures) >= most:
                return failures[-most] + ATTEMPTS_WINDOW - now
        return timedelta()

    async def verify(self, given: str, known: str, address: str, now: datetime) -> bool:
        """Tell whether *given* is the password; remember if not.

        One at a time: each hash takes 64 MiB and a good part of a second.

        Args:
            known: The password, plain or as an Argon2 hash.
        """
        async with self._verifying:
            if self.wait_for(address, now):
                return False
            is_right = await asyncio.to_thread(matches, given, known)
            if not is_right:
                self._failures.append((now, address))
            return is_right


def matches(given: str, known: str) -> bool:
    """Tell whether *given* is the password *known*, plain or as an Argon2 hash."""
    if not known.startswith(HASH_PREFIX):
        return hmac.compare_digest(given.encode(), known.encode())
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(known, given)
    except (Argon2Error, InvalidHashError):
        return False


def hash_password(password: str) -> str:
    """Return what may stand in a file in place of *password*."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


# --- visitors


class Pass(StrEnum):
    """By what somebody came in."""

    OPEN = "open"
    """No password is set: whoever reaches this machine may do everything."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a way in
    NONE = "none"
    """Only what is open to all: how the process is, the login, the style."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Args:
        session: Tells one login from another; empty where nobody logged in.
        csrf_token: What a change from a page must carry.
    """

    by: Pass
    may_change: bool
    name: str = ""
    session: str = ""
    csrf_token: str = ""

    @property
    def browser(self) -> str:
        """Return what binds a handshake to the browser that began it."""
        return self.session or self.csrf_token


STRANGER = Visitor(Pass.NONE, may_change=False)


def visitor_of(request: Request) -> Visitor:
    """Return who asks, as `AccessMiddleware` found out."""
    visitor: Visitor = request.state.visitor
    return visitor


Who = Annotated[Visitor, Depends(visitor_of)]
"""The visitor, as a parameter of a route."""


def needs_login(parts: Parts) -> bool:
    """Tell whether there is a password to know."""
    return parts.config.web.password is not None


# --- the word that changes carry

CSRF_COOKIE = "connwatch_csrf"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"

_RANDOM_BYTES = 16


def make_csrf_token(key: bytes, session: str) -> str:
    """Return a new word for *session*."""
    word = secrets.token_urlsafe(_RANDOM_BYTES)
    return f"{word}.{_sign_csrf(key, word, session)}"


def is_csrf_token_genuine(key: bytes, session: str, token: str) -> bool:
    """Tell whether *token* was made here, for *session*."""
    word, _, signature = token.partition(".")
    return hmac.compare_digest(signature.encode(), _sign_csrf(key, word, session).encode())


def _sign_csrf(key: bytes, word: str, session: str) -> str:
    return hmac.new(key, f"{word}.{session}".encode(), hashlib.sha256).hexdigest()


# --- sessions and tokens

SESSION_COOKIE = "connwatch_session"
SESSION_LASTS = timedelta(days=7)

NOTE_USE_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` of a token is: not every request is worth a write."""


def password_mark(parts: Parts) -> str:
    """Return what tells the present password from others, and nothing else."""
    password = parts.config.web.password
    return "" if password is None else fingerprint(parts.csrf_key, password.reveal())


def sent_token(request: Request) -> str | None:
    """Return the API token that *request* bears.

    Another scheme is meant for a proxy before us, and says nothing here.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Authenticator:
    """Knows the sessions and tokens."""

    def __init__(self) -> None:
        self._noted: dict[str, datetime] = {}

    async def recognise(self, request: Request) -> Visitor:
        """Return who asks; a token that nobody gave out makes a stranger."""
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
        known = await parts.reader.read(lambda tx: credentials.find_api_token(tx, token))
        if known is None:
            return STRANGER
        now = parts.clock()
        before = self._noted.get(known.name)
        if before is None or now - before >= NOTE_USE_EVERY:
            self._noted[known.name] = now
            await _note_use(parts, known.name, now)
        return Visitor(Pass.TOKEN, may_change=not known.is_read_only, name=known.name)


async def _session(parts: Parts, request: Request) -> str:
    """Return what tells the session from others; empty if there is none."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    if not secret:
        return ""
    mark, now = password_mark(parts), parts.clock()
    lasts = await parts.reader.read(lambda tx: credentials.has_session(tx, secret, mark, now))
    return credentials.hash_secret(secret) if lasts else ""


def _word(parts: Parts, request: Request, session: str) -> str:
    token = request.cookies.get(CSRF_COOKIE, "")
    if is_csrf_token_genuine(parts.csrf_key, session, token):
        return token
    return make_csrf_token(parts.csrf_key, session)


async def _note_use(parts: Parts, name: str, now: datetime) -> None:
    """Keep when a token was used; who reads need not go without where nothing can be written."""
    try:
        await parts.store.write(lambda tx: credentials.note_token_use(tx, name, now))
    except StoreError as error:
        log.warning("web.use_not_noted", token=name, error=str(error))


# --- secret addresses: calendars and web sites cannot log in

CALENDAR = "calendar"


def badge_of(name: str) -> str:
    """Return what the address of a badge is made for."""
    return f"badge:{name}"


def calendar_path(parts: Parts) -> str:
    """Return the path under which the calendar can be subscribed to."""
    return f"/calendar.ics?token={_token(parts, CALENDAR)}"


def badge_path(parts: Parts, name: str) -> str:
    """Return the path under which the badge of a connection can be shown anywhere."""
    return f"/badge/{quote(name, safe='')}.svg?token={_token(parts, badge_of(name))}"


def may_see(parts: Parts, visitor: Visitor, token: str, purpose: str) -> bool:
    """Tell whether somebody may have what *token* is to let them see, and nothing else."""
    if visitor.by is not Pass.NONE:
        return True
    return hmac.compare_digest(token.encode(), _token(parts, purpose).encode())


def _token(parts: Parts, purpose: str) -> str:
    return hmac.new(parts.calendar_key, purpose.encode(), hashlib.sha256).hexdigest()[:40]
