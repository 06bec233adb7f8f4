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
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import structlog
from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations when it runs

from monitor.judge.access import Access, Role
from monitor.store import credentials
from monitor.store.credentials import fingerprint
from monitor.store.engine import StoreError
from monitor.web.parts import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.web.parts import Parts


log = structlog.get_logger()

# --- passwords

HASH_PREFIX = "$argon2"

ATTEMPTS_WINDOW_S = 60.0
MOST_OF_ONE = 5
"""How often one address, or one browser that is known, may be wrong within the window."""

MOST_OF_ALL = 50
"""
And all strangers together, before each address has one try only: addresses are cheap. Nobody is
shut out by what others do: an address that was not wrong itself has its try.
"""

ACCOUNT = "admin"
"""The one account that there is."""

LOCAL = "local"
"""Who asks where this machine is open to all on it."""

_MOST_KEPT = 10_000


class MustWait(Exception):  # noqa: N818 - it states a condition
    """Raised for a password that nobody looks at: too many were wrong a moment ago."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Attempts:
    """The wrong passwords of the last minute, by account and by who was wrong.

    Args:
        monotonic: Seconds of a clock that nobody sets.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: deque[tuple[float, tuple[str, str]]] = deque(maxlen=_MOST_KEPT)
        # Who is known does not wait behind strangers.
        self._lanes = {True: asyncio.Lock(), False: asyncio.Lock()}

    def wait_for(self, peer: str, *, account: str = ACCOUNT, is_known: bool = False) -> float:
        """Return for how many seconds *peer* must wait before it may try again.

        Args:
            is_known: It is a browser that once knew the password; what strangers do
                is not held against it.
        """
        now = self._monotonic()
        while self._failures and now - self._failures[0][0] >= ATTEMPTS_WINDOW_S:
            self._failures.popleft()
        own = [at for at, by in self._failures if by == (account, peer)]
        is_crowded = not is_known and len(self._failures) >= MOST_OF_ALL
        most = 1 if is_crowded else MOST_OF_ONE
        return own[-most] + ATTEMPTS_WINDOW_S - now if len(own) >= most else 0.0

    async def verify(
        self, given: str, known: str, peer: str, *, account: str = ACCOUNT, is_known: bool = False
    ) -> bool:
        """Tell whether *given* is the password; remember if not.

        One at a time: each hash takes 64 MiB and a good part of a second.

        Args:
            known: The password, plain or as an Argon2 hash.

        Raises:
            MustWait: It was not compared.
        """
        async with self._lanes[is_known]:
            # Of many who came at once, those before may have been wrong too often.
            wait = self.wait_for(peer, account=account, is_known=is_known)
            if wait:
                raise MustWait(wait)
            is_right = await asyncio.to_thread(matches, given, known)
            if not is_right:
                self._failures.append((self._monotonic(), (account, peer)))
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
        name: Of the person, or of the token.
        role: What they may do.
        groups: Those whose connections they see; None for all connections.
        session: Tells one login from another; empty where nobody logged in.
        csrf_token: What a change from a page must carry.
    """

    by: Pass
    role: Role = Role.VIEWER
    name: str = ""
    groups: frozenset[str] | None = None
    session: str = ""
    csrf_token: str = ""

    @property
    def access(self) -> Access:
        """Return what they may do and see."""
        return Access(self.role, self.groups)

    @property
    def who(self) -> str:
        """Return how the audit names them."""
        kind = "token" if self.by is Pass.TOKEN else "user"
        return f"{kind}:{self.name}"

    @property
    def may_change(self) -> bool:
        """Tell whether they may do more than read."""
        return self.role.covers(Role.OPERATOR)

    @property
    def browser(self) -> str:
        """Return what binds a handshake to the browser that began it."""
        return self.session or self.csrf_token


STRANGER = Visitor(Pass.NONE, groups=frozenset())


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

NOTE_USE_EVERY_S = 60.0
"""How exact `last_used_at` of a token is: not every request is worth a write."""


# --- browsers that are known

KNOWN_COOKIE = "connwatch_known"
KNOWN_LASTS = timedelta(days=365)


def make_known(parts: Parts) -> str:
    """Return what a browser keeps that knew the password, to be told from strangers later.

    It lets in to nothing; another password makes it worthless.
    """
    word = secrets.token_urlsafe(_RANDOM_BYTES)
    return f"{word}.{_sign_known(parts, word)}"


def known_browser(parts: Parts, request: Request) -> str | None:
    """Return what stands for the browser of *request* if it knew the present password once."""
    word, _, signature = request.cookies.get(KNOWN_COOKIE, "").partition(".")
    is_genuine = hmac.compare_digest(signature.encode(), _sign_known(parts, word).encode())
    return f"known:{word}" if is_genuine else None


def _sign_known(parts: Parts, word: str) -> str:
    text = f"known\0{word}\0{password_mark(parts)}"
    return hmac.new(parts.csrf_key, text.encode(), hashlib.sha256).hexdigest()


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
        self._noted: dict[str, float] = {}

    async def recognise(self, request: Request) -> Visitor:
        """Return who asks; a token that nobody gave out makes a stranger."""
        parts = parts_of(request)
        token = sent_token(request)
        if token is not None:
            return await self._by_token(parts, token)
        if not needs_login(parts):
            # There is no session: the word in the cookie stands for the browser.
            word = _word(parts, request, "")
            return Visitor(Pass.OPEN, Role.ADMIN, LOCAL, csrf_token=word)
        session = await _session(parts, request)
        word = _word(parts, request, session)
        if session:
            return Visitor(Pass.SESSION, Role.ADMIN, ACCOUNT, session=session, csrf_token=word)
        return replace(STRANGER, csrf_token=word)

    async def _by_token(self, parts: Parts, token: str) -> Visitor:
        known = await parts.reader.read(lambda tx: credentials.find_api_token(tx, token))
        if known is None:
            return STRANGER
        now = parts.monotonic()
        before = self._noted.get(known.name)
        if before is None or now - before >= NOTE_USE_EVERY_S:
            self._noted[known.name] = now
            await _note_use(parts, known.name, parts.clock())
        return Visitor(Pass.TOKEN, known.role, known.name, known.groups)


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
