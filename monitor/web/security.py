"""Let nobody in who may not enter, before any route is asked.

In this order: the host that was asked for, who asks, whether they may do that, how much
is sent, and whether a change comes from one of our own pages. What is not listed here as
open to all needs a visitor: a new route is closed by itself.
"""

from __future__ import annotations

import socket
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from monitor.config.model import is_reachable_from_outside
from monitor.config.secret import SecretUnavailable
from monitor.judge.invites import PATH
from monitor.store.engine import StoreError
from monitor.web import sessions
from monitor.web.access import READING, least_role
from monitor.web.bodies import (
    FORM,
    BodyTooLarge,
    check_syntax,
    media_type_of,
    parse_fields,
    read_body,
    replay,
)
from monitor.web.conditions import load_conditions
from monitor.web.parts import parts_of
from monitor.web.problems import (
    PROGRAMS_ONLY,
    ROLE,
    add_headers,
    only_head,
    refuse,
    refuse_by,
    refuse_unidentified,
    shown_path,
    wants_page,
)
from monitor.web.sessions import (
    STRANGER,
    Authenticator,
    NotLetIn,
    Pass,
    Visitor,
    needs_login,
    sent_token,
)
from monitor.web.templating import base_of, lead_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from monitor.config.model import WebSettings
    from monitor.judge.access import Role
    from monitor.web.parts import Parts

log = structlog.get_logger()

_OWN_NAMES = {"localhost"}


class Hosts:
    """The names and addresses of `web.listen` and `web.public_url`.

    A page elsewhere can point its own name at this machine's address and have a browser
    ask us in its name (DNS rebinding): only the names that the file gives us count. An
    address in figures cannot be pointed anywhere.
    """

    def __init__(self, web: WebSettings) -> None:
        listen = urlsplit(f"//{web.listen}").hostname
        public = urlsplit(web.public_url).hostname
        self._names = _OWN_NAMES | {name.lower() for name in (listen, public) if name}
        self._is_public = is_reachable_from_outside(web.listen)
        if self._is_public:
            self._names |= {socket.gethostname().lower()}

    def has(self, host: str) -> bool:
        """Tell whether a `Host` header, with or without a port, names us."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._is_public or address.is_loopback


OWN_PAGES = {"same-origin", "none"}
"""Where browsers say that our own changes come from."""

ANY_HOST = {"/healthz", "/readyz"}
"""Supervisors ask by whatever address they know."""

LOGIN = "/login"
OPEN_TO_ALL = ANY_HOST | {LOGIN, "/favicon.ico"}
OPEN_FOLDERS = ("/static/", PATH)
API = "/api/"
KEYED = ("/badge/", "/calendar.ics")
"""What has secret addresses of its own, which its route checks."""


CALLBACK = "/oauth/amazon/callback"
"""Amazon leads there whoever confirmed; its route finds out whether they came by a link."""

BATCH = "/api/v1/connections:batch"
"""Takes more than any form."""


LONGEST_ADDRESS = 8 * 1024
"""Ours are far shorter, and whatever reads a path takes its time for each step of it."""


OWN_COOKIES = {
    sessions.SESSION_COOKIE.encode(),
    sessions.CSRF_COOKIE.encode(),
    sessions.KNOWN_COOKIE.encode(),
}


def keep_own_cookies(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield *headers* with our own cookies alone.

    Python's reader of cookies takes six seconds for a value of 64 KiB in quotes, and
    anybody may send one: ours have none. Those of other ports of this machine come too.
    """
    for name, value in headers:
        if name != b"cookie":
            yield name, value
            continue
        pairs = (pair.strip() for pair in value.split(b";") if b'"' not in pair)
        if own := [pair for pair in pairs if pair.partition(b"=")[0] in OWN_COOKIES]:
            yield name, b"; ".join(own)


class AccessMiddleware:
    """The only way into the application."""

    def __init__(self, app: ASGIApp, view: Callable[[], Parts]) -> None:
        self._app = app
        self._view = view
        self._authenticator = Authenticator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application answer it."""
        if scope["type"] != "http":
            return
        scope["headers"] = [*keep_own_cookies(scope["headers"])]
        request = Request(scope, receive)
        # What is under way ends by the settings that it began with.
        parts = request.state.parts = self._view()
        request.state.view = self._view
        refusal = self._refuse_address(request) or self._refuse_host(request)
        visitor = None
        if refusal is None:
            try:
                visitor = await self._recognise(request)
            except (StoreError, SecretUnavailable) as error:
                refusal = refuse_unidentified(request, error)
            except NotLetIn as error:
                refusal = _refuse_name(request, error)
            else:
                refusal = self._refuse_visitor(request, visitor) or _refuse_role(request, visitor)
                await _prepare_page(request, parts)
        if refusal is None and request.method not in READING:
            try:
                refusal, receive = await self._look_at_change(request, receive)
            except ClientDisconnect:
                return
        send = add_headers(send, request, parts, visitor)
        if request.method == "HEAD":
            scope, send = {**scope, "method": "GET"}, only_head(send)
        await (refusal or self._app)(scope, receive, send)

    async def _look_at_change(
        self, request: Request, receive: Receive
    ) -> tuple[Response | None, Receive]:
        """Return why a change is refused, if it is, and what gives its body once more.

        Raises:
            ClientDisconnect: Nobody is there any more.
        """
        if request.url.path == BATCH:
            # Read line by line by its route; the word of a page is in a header.
            return self._refuse_change(request, b""), receive
        try:
            body = await read_body(request)
        except BodyTooLarge as error:
            return refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)), receive
        refusal = self._refuse_change(request, body) or _refuse_body(request, body)
        return refusal, replay(body, receive)

    async def _recognise(self, request: Request) -> Visitor:
        """Return who asks; what is open to all is so without the database as well.

        Raises:
            StoreError: Whom a cookie or token stands for cannot be looked up.
            SecretUnavailable: The password cannot be read that a session was opened with.
            NotLetIn: A trusted proxy names nobody who may come in.
        """
        request.state.visitor = STRANGER
        path = request.url.path
        try:
            request.state.visitor = await self._authenticator.recognise(request)
        except (StoreError, SecretUnavailable):
            if not _is_open_to_all(path):
                raise
        except NotLetIn:
            # What has an address for everybody has it behind a proxy, too.
            if path == LOGIN or not (_is_open_to_all(path) or _has_key(path)):
                raise
            request.state.visitor = sessions.stranger_of(parts_of(request), request)
        visitor: Visitor = request.state.visitor
        return visitor

    def _refuse_address(self, request: Request) -> Response | None:
        n_bytes = len(request.scope["path"]) + len(request.scope["query_string"])
        if n_bytes <= LONGEST_ADDRESS:
            return None
        request.state.visitor = STRANGER
        return refuse(
            request,
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"An address may have at most {LONGEST_ADDRESS // 1024} KiB.",
        )

    def _refuse_host(self, request: Request) -> Response | None:
        # A page elsewhere cannot know a token, so whoever sends one is no such page.
        if request.url.path in ANY_HOST or sent_token(request) is not None:
            return None
        if Hosts(parts_of(request).config.web).has(request.headers.get("host", "")):
            return None
        request.state.visitor = STRANGER
        return refuse(
            request,
            HTTPStatus.MISDIRECTED_REQUEST,
            "The dashboard does not answer to this name; set web.public_url to the address that"
            " people use.",
        )

    def _refuse_visitor(self, request: Request, visitor: Visitor) -> Response | None:
        path = request.url.path
        if _is_open_to_all(path) or _has_key(path):
            return None
        if visitor.by is Pass.NONE:
            return ask_to_log_in(request)
        return None

    def _refuse_change(self, request: Request, body: bytes) -> Response | None:
        visitor: Visitor = request.state.visitor
        if visitor.by is Pass.TOKEN:
            return None
        if not self._is_from_own_page(request):
            return refuse(request, HTTPStatus.FORBIDDEN, "This change was sent by another site.")
        if self._has_token(request, visitor, body):
            return None
        return refuse(
            request,
            HTTPStatus.FORBIDDEN,
            f"The {sessions.CSRF_HEADER} header or the field {sessions.CSRF_FIELD} must repeat "
            f"the cookie {sessions.CSRF_COOKIE}: load the page again.",
        )

    def _is_from_own_page(self, request: Request) -> bool:
        """Believe what browsers say of where a request comes from; others say nothing."""
        # Cookies are shared by all ports of a machine: a neighbour there can read the word.
        if request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
            return False
        origin = request.headers.get("origin")
        if origin is None:
            return True
        # With the port: what serves another one of this machine is no page of ours,
        # and may read our cookies. A proxy may ask us by another name than people ask it.
        if origin == "null" and request.url.path.startswith(PATH):
            # A page that names no referrer names no origin: the browser must say the rest.
            return request.headers.get("sec-fetch-site") == "same-origin"
        public = urlsplit(parts_of(request).config.web.public_url).netloc
        asked = {request.headers.get("host", "").lower(), public.lower()} - {""}
        return origin.partition("://")[2].lower() in asked

    def _has_token(self, request: Request, visitor: Visitor, body: bytes) -> bool:
        sent = request.headers.get(sessions.CSRF_HEADER, "")
        if not sent and media_type_of(request) == FORM:
            sent = parse_fields(body).get(sessions.CSRF_FIELD, "")
        cookie = request.cookies.get(sessions.CSRF_COOKIE, "")
        return sent.encode() == cookie.encode() and sessions.is_csrf_token_genuine(
            parts_of(request).csrf_key, visitor.session, sent
        )


def ask_to_log_in(request: Request) -> Response:
    """Lead a person to the login; tell a program what is missing."""
    is_page = request.method in READING and wants_page(request)
    if is_page and needs_login(parts_of(request)) and "HX-Request" not in request.headers:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return lead_to(request, f"/login?next={quote(target, safe='/')}")
    return refuse(
        request,
        HTTPStatus.UNAUTHORIZED,
        "Log in, or send an API token: Authorization: Bearer …",
        {
            "WWW-Authenticate": 'Bearer realm="connwatch"',
            "HX-Redirect": f"{base_of(request)}/login",
        },
    )


def _refuse_role(request: Request, visitor: Visitor) -> Response | None:
    """Refuse what the role of *visitor* does not cover."""
    path = request.url.path
    if visitor.by is Pass.NONE or _is_open_to_all(path):
        return None
    least = least_role(request.method, path)
    return None if visitor.role.covers(least) else refuse_below(request, visitor, least)


def refuse_below(request: Request, visitor: Visitor, least: Role) -> Response:
    """Return the error for *visitor*, who lacks the role *least*."""
    if visitor.by is Pass.TOKEN:
        who, remedy = "this API token", "Create another one: connwatch web token add."
    else:
        who = visitor.name
        remedy = "An admin sets roles on the page People, or in the configuration file."
    return refuse(
        request,
        HTTPStatus.FORBIDDEN,
        f"This needs the role {least}, and {who} has the role {visitor.role}. {remedy}",
        type=ROLE,
    )


def _refuse_name(request: Request, error: NotLetIn) -> Response:
    """Refuse whoever a trusted proxy sends without a name that we know."""
    log.warning("web.not_let_in", path=shown_path(request), why=str(error))
    return refuse(
        request,
        HTTPStatus.FORBIDDEN,
        f"The proxy in front of connwatch {error}. An admin adds users on the page People, or in"
        " the configuration file.",
    )


def _refuse_body(request: Request, body: bytes) -> Response | None:
    """Refuse what no program may send; forms are read where their fields are known."""
    if not request.url.path.startswith(API):
        return None
    try:
        check_syntax(request, body)
    except (HTTPException, RequestValidationError) as error:
        return refuse_by(request, error)
    return None


async def _prepare_page(request: Request, parts: Parts) -> None:
    """Read what every page shows to those who may look."""
    path = request.url.path
    is_page = not _is_open_to_all(path) and not path.startswith((*PROGRAMS_ONLY, *KEYED))
    if is_page and request.state.visitor.by is not Pass.NONE:
        await load_conditions(request, parts)


def _has_key(path: str) -> bool:
    """Tell whether the route of *path* itself finds out who may have what is there."""
    return path.startswith(KEYED) or path == CALLBACK


def _is_open_to_all(path: str) -> bool:
    return path in OPEN_TO_ALL or path.startswith(OPEN_FOLDERS)
