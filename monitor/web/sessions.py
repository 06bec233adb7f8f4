"""Recognise who asks: by a session, an API token, a secret address, a proxy, or as everybody.

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

from monitor.config.model import ADMIN
from monitor.config.secret import SecretUnavailable
from monitor.judge.access import FULL_ACCESS, Access, Role
from monitor.judge.shortage import OutOfResources
from monitor.store import credentials
from monitor.store.credentials import fingerprint
from monitor.store.engine import StoreError
from monitor.web.parts import parts_of
from monitor.web.peers import is_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config.model import WebUser
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

    def wait_for(self, peer: str, *, account: str = ADMIN, is_known: bool = False) -> float:
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
        self,
        given: str,
        known: str | None,
        peer: str,
        *,
        account: str = ADMIN,
        is_known: bool = False,
        decoy: str | None = None,
    ) -> bool:
        """Tell whether *given* is the password; remember if not.

        One at a time: each hash takes 64 MiB and a good part of a second.

        Args:
            known: The password, plain or as an Argon2 hash; None where there is none, which
                nothing matches.
            decoy: The hash of another account; where *known* is no hash it is tried as well, so
                that the time it takes does not tell which accounts there are.

        Raises:
            MustWait: It was not compared.
        """
        async with self._lanes[is_known]:
            # Of many who came at once, those before may have been wrong too often.
            wait = self.wait_for(peer, account=account, is_known=is_known)
            if wait:
                raise MustWait(wait)
            is_right = await asyncio.to_thread(_matches_in_equal_time, given, known, decoy)
            if not is_right:
                self._failures.append((self._monotonic(), (account, peer)))
            return is_right


def _matches_in_equal_time(given: str, known: str | None, decoy: str | None) -> bool:
    is_right = known is not None and matches(given, known)
    if decoy is not None and not is_hash(known):
        matches(given, decoy)
    return is_right


def is_hash(password: str | None) -> bool:
    """Tell whether *password* is not plain but an Argon2 hash."""
    return password is not None and password.startswith(HASH_PREFIX)


def matches(given: str, known: str) -> bool:
    """Tell whether *given* is the password *known*, plain or as an Argon2 hash."""
    if not is_hash(known):
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
    PROXY = "proxy"
    """A trusted proxy in front of us has signed them in."""

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
        """Tell whether they may run what is watched: validate, pause, acknowledge, mute, renew."""
        return self.role.covers(Role.OPERATOR)

    @property
    def is_admin(self) -> bool:
        """Tell whether they may do everything, as to add, edit and delete."""
        return self.role.covers(Role.ADMIN)

    @property
    def browser(self) -> str:
        """Return what binds a handshake to the browser that began it."""
        return self.session if self.by is Pass.SESSION else self.csrf_token


STRANGER = Visitor(Pass.NONE, groups=frozenset())


def visitor_of(request: Request) -> Visitor:
    """Return who asks, as `AccessMiddleware` found out."""
    visitor: Visitor = request.state.visitor
    return visitor


Who = Annotated[Visitor, Depends(visitor_of)]
"""The visitor, as a parameter of a route."""


def needs_login(parts: Parts) -> bool:
    """Tell whether one must say who one is."""
    return not parts.config.web.is_open


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


async def make_known(parts: Parts, account: WebUser) -> str:
    """Return what a browser keeps that knew the password of *account*.

    By it the browser is told from strangers later. It lets in to nothing; another password makes
    it worthless.
    """
    word = secrets.token_urlsafe(_RANDOM_BYTES)
    return f"{word}.{await _sign_known(parts, account, word)}"


async def known_browser(parts: Parts, request: Request, account: WebUser | None) -> str | None:
    """Return what stands for the browser of *request* if it knew the present password once."""
    if account is None or account.password is None:
        return None
    word, _, signature = request.cookies.get(KNOWN_COOKIE, "").partition(".")
    genuine = await _sign_known(parts, account, word)
    return f"known:{word}" if hmac.compare_digest(signature.encode(), genuine.encode()) else None


async def _sign_known(parts: Parts, account: WebUser, word: str) -> str:
    text = f"known\0{word}\0{account.name}\0{await password_mark(parts, account)}"
    return hmac.new(parts.csrf_key, text.encode(), hashlib.sha256).hexdigest()


async def password_mark(parts: Parts, account: WebUser) -> str:
    """Return what tells the present password of *account* from others, and nothing else.

    Raises:
        SecretUnavailable: The password cannot be read.
    """
    password = await reveal_password(account)
    return "" if password is None else fingerprint(parts.csrf_key, password)


async def reveal_password(account: WebUser | None) -> str | None:
    """Return the password of *account*, once its command has run; None where there is none to know.

    Raises:
        SecretUnavailable: It cannot be read.
    """
    if account is None or account.password is None:
        return None
    try:
        await account.password.make_ready()
    except OutOfResources as error:
        raise SecretUnavailable(account.password.source, str(error)) from None
    return account.password.reveal()


# --- people whom a proxy signs in


class NotLetIn(Exception):  # noqa: N818 - it states a condition
    """Raised where a trusted proxy names nobody who may come in; says why."""


def signed_in_by_proxy(parts: Parts, request: Request) -> WebUser | None:
    """Return whom the proxy in front of us has signed in; None if none has.

    Only the address at the other end of the connection says that it is such a proxy: from
    elsewhere the header is anybody's word, and as if it were not there.

    Raises:
        NotLetIn: The proxy names nobody, several, or somebody unknown.
    """
    web = parts.config.web
    if web.proxy_auth is None or web.proxy_auth.header is None or request.client is None:
        return None
    wanted = web.proxy_auth.header.lower().encode()
    sent = [value for name, value in request.scope["headers"] if name == wanted]
    if not sent or not is_within(request.client.host, web.trusted_proxies):
        return None
    if len(sent) > 1:
        raise NotLetIn("names more than one user")
    try:
        name = sent[0].decode().strip()
    except UnicodeDecodeError:
        raise NotLetIn("names a user in an encoding other than UTF-8") from None
    if not name:
        raise NotLetIn("names no user")
    user = next((one for one in web.users if one.name == name), None)
    if user is None:
        raise NotLetIn("names a user who is neither in [[web.users]] nor on the page People")
    return user


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
        user = signed_in_by_proxy(parts, request)
        if user is not None:
            # Who it is comes with each request, so the name is all there is of the session.
            return _person(Pass.PROXY, parts, request, user, f"proxy:{user.name}")
        session, user = await _session(parts, request)
        if user is None:
            return stranger_of(parts, request)
        return _person(Pass.SESSION, parts, request, user, session)

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


def stranger_of(parts: Parts, request: Request) -> Visitor:
    """Return who asks where nobody knows: they can use what has an address for everybody."""
    return replace(STRANGER, csrf_token=_word(parts, request, ""))


def _person(by: Pass, parts: Parts, request: Request, user: WebUser, session: str) -> Visitor:
    access, word = user.access, _word(parts, request, session)
    return Visitor(by, access.role, user.name, access.groups, session, word)


async def _session(parts: Parts, request: Request) -> tuple[str, WebUser | None]:
    """Return what tells the session from others, and whose it is; nobody's if it does not last.

    What its owner may do and see is read now, as the configuration in force says.
    """
    secret = request.cookies.get(SESSION_COOKIE, "")
    if not secret:
        return "", None
    now = parts.clock()
    found = await parts.reader.read(lambda tx: credentials.find_session(tx, secret, now))
    if found is None:
        return "", None
    account = parts.config.web.account(found.user)
    if account is not None and account.password is not None:
        mark = await password_mark(parts, account)
        if hmac.compare_digest(found.password_mark, mark):
            return credentials.hash_secret(secret), account
    # It does not come back with the user, or with the password of before.
    try:
        await parts.store.write(lambda tx: credentials.close_session(tx, secret))
    except StoreError as error:
        log.warning("web.session_not_ended", user=found.user, error=str(error))
    return "", None


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


def _calendar_of(person: str) -> str:
    # That of the administrator is the one from the time when there was no other.
    return CALENDAR if person == ADMIN else f"{CALENDAR}:{person}"


def calendar_path(parts: Parts, visitor: Visitor) -> str | None:
    """Return the path under which *visitor* can subscribe to the calendar.

    A program has none: it sends its token.
    """
    if visitor.by is Pass.TOKEN:
        return None
    # Where nobody signs in it is the administrator's; a user may be called as that visitor is.
    person = ADMIN if visitor.by is Pass.OPEN else visitor.name
    return f"/calendar.ics?token={_token(parts, _calendar_of(person))}"


def badge_path(parts: Parts, name: str) -> str:
    """Return the path under which the badge of a connection can be shown anywhere."""
    return f"/badge/{quote(name, safe='')}.svg?token={_token(parts, badge_of(name))}"


def badge_access(parts: Parts, visitor: Visitor, token: str, name: str) -> Access | None:
    """Return what whoever asks for the badge of *name* sees; None for those who may not have it.

    Its secret address shows it to everybody, logged in or not.
    """
    if _is_token(parts, token, badge_of(name)):
        return FULL_ACCESS
    return None if visitor.by is Pass.NONE else visitor.access


def calendar_access(parts: Parts, visitor: Visitor, token: str) -> Access | None:
    """Return what whoever asks for the calendar sees; None for those who may not have it.

    The address of a person who is no longer in the configuration has ended.
    """
    for user in parts.config.web.accounts:
        if _is_token(parts, token, _calendar_of(user.name)):
            return user.access
    return None if visitor.by is Pass.NONE else visitor.access


def _is_token(parts: Parts, token: str, purpose: str) -> bool:
    return hmac.compare_digest(token.encode(), _token(parts, purpose).encode())


def _token(parts: Parts, purpose: str) -> str:
    return hmac.new(parts.calendar_key, purpose.encode(), hashlib.sha256).hexdigest()[:40]
