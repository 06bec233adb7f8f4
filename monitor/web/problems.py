"""Decide what all answers have in common: errors, headers, and their description.

Errors are `application/problem+json` for programs and a page for people; every answer
carries what keeps browsers from mischief. The names that readers of the API's
description see are those of the classes without their suffix.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from monitor.config.secret import SecretUnavailable
from monitor.judge.invites import PATH
from monitor.store.engine import StoreError
from monitor.web import sessions
from monitor.web.schemas import ProblemSchema
from monitor.web.sessions import Pass
from monitor.web.templating import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import Message, Send

    from monitor.web.parts import Parts
    from monitor.web.sessions import Visitor


log = structlog.get_logger()

ROLE = "/problems/role"
"""The type of the error for who may not do that, whoever else may."""

# --- headers

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not stricter: a browser that hides where a form was sent from sends no origin either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

OF_LINKS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""Of pages whose address is a secret."""

A_YEAR_S = 31_536_000


def is_secure(parts: Parts) -> bool:
    """Tell whether people reach us by https only."""
    return parts.config.web.public_url.startswith("https://")


def add_headers(send: Send, request: Request, parts: Parts, visitor: Visitor | None) -> Send:
    """Return a *send* that puts them on, and hands out the word that changes must carry."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if request.url.path.startswith(PATH):
                for name, value in OF_LINKS.items():
                    headers[name] = value
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            # Style and scripts are no secret: browsers keep them, and ask whether they still hold.
            is_fixed = request.url.path.startswith("/static/")
            headers.setdefault("Cache-Control", "no-cache" if is_fixed else "no-store")
            if is_secure(parts):
                headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR_S}")
            if visitor is not None and visitor.by is not Pass.TOKEN:
                _hand_out_token(headers, request, parts, visitor)
        await send(message)

    return send_with


def only_head(send: Send) -> Send:
    """Return a *send* that ends an answer where its body would begin."""
    is_over = False

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_over:
            is_over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


def _hand_out_token(
    headers: MutableHeaders, request: Request, parts: Parts, visitor: Visitor
) -> None:
    has_one = request.cookies.get(sessions.CSRF_COOKIE) == visitor.csrf_token
    is_replaced = any(
        value.startswith(f"{sessions.CSRF_COOKIE}=") for value in headers.getlist("set-cookie")
    )
    if not visitor.csrf_token or has_one or is_replaced:
        return
    secure = "; Secure" if is_secure(parts) else ""
    # Scripts of our own pages read it, so it is not HttpOnly.
    headers.append(
        "set-cookie", f"{sessions.CSRF_COOKIE}={visitor.csrf_token}; Path=/; SameSite=Lax{secure}"
    )


def shown_path(request: Request) -> str:
    """Return the path of *request* as it may be logged and shown."""
    path = request.url.path
    return f"{PATH}••••" if path.startswith(PATH) else path


# --- errors

PROBLEM = "application/problem+json"
PROGRAMS_ONLY = ("/api/v1", "/api/openapi.json", "/metrics", "/healthz", "/readyz")


class ProblemResponse(JSONResponse):
    """An error as RFC 9457 wants it."""

    media_type = PROBLEM


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> ProblemResponse:
    """Return an error for a program.

    Args:
        more: Further members, such as which fields were wrong.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return ProblemResponse(body | {"detail": detail} | more, status, dict(headers or {}))


def wants_page(request: Request) -> bool:
    """Tell whether a person looks at the answer."""
    if request.url.path.startswith(PROGRAMS_ONLY):
        return False
    return "text/html" in request.headers.get("accept", "")


def refuse(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return an error for whoever asks.

    Args:
        more: Further members, for a program.
    """
    if not wants_page(request):
        return problem(status, detail, headers, **more)
    title = HTTPStatus(status).phrase
    if request.url.path.startswith(PATH):
        # Whoever has a link sees nothing but what it is for.
        context = {"title": title, "why": detail, "is_good": False}
        page = render(request, "renewal_end.html", context, status=status)
    else:
        context = {"status": status, "title": title, "detail": detail}
        page = render(request, "error.html", context, status=status)
    page.headers.update(headers or {})
    return page


def add_error_pages(app: FastAPI) -> None:
    """Have every error of *app* told in our own words."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_input)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(SecretUnavailable, _on_unknown_password)
    app.add_exception_handler(500, _on_fault)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refuse_by(request, error)


def refuse_by(request: Request, error: HTTPException | RequestValidationError) -> Response:
    """Return the error that *error* stands for."""
    if isinstance(error, RequestValidationError):
        return _refuse_input(request, error)
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            HTTPStatus.NOT_FOUND: f"There is nothing at {shown_path(request)}.",
            HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
        }.get(HTTPStatus(error.status_code), detail)
    return refuse(request, error.status_code, detail, error.headers)


async def _on_bad_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refuse_by(request, error)


def _refuse_input(request: Request, error: RequestValidationError) -> Response:
    # What was sent is not repeated: it may be a secret in the wrong place.
    wrong = [
        {"place": ".".join(str(part) for part in each["loc"]), "why": _why(each)}
        for each in error.errors()
    ]
    detail = "; ".join(f"{each['place']}: {each['why']}" for each in wrong)
    if wants_page(request):
        return refuse(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=wrong)


def _why(error: Mapping[str, Any]) -> str:
    return "unknown" if error["type"] == "extra_forbidden" else why_of(error["msg"])


def why_of(message: str) -> str:
    """Return what pydantic says of a value, without its word before our own sentences."""
    return message.removeprefix("Value error, ")


async def _on_store_error(request: Request, error: Exception) -> Response:
    return refuse_without_store(request, error)


def refuse_without_store(request: Request, error: Exception) -> Response:
    """Return the error for whoever asks while the database cannot be used."""
    # The path of the file is for the log, not for whoever asks.
    log.warning("web.store_error", path=shown_path(request), error=str(error))
    detail = "The database could not be used; the daemon's log says why."
    return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})


def refuse_unidentified(request: Request, error: StoreError | SecretUnavailable) -> Response:
    """Return the error where it cannot be found out who asks."""
    if isinstance(error, StoreError):
        return refuse_without_store(request, error)
    log.warning("web.password_unavailable", path=shown_path(request), error=str(error))
    detail = "The dashboard's password cannot be read; the daemon's log says why."
    return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})


async def _on_unknown_password(request: Request, error: Exception) -> Response:
    assert isinstance(error, SecretUnavailable)
    return refuse_unidentified(request, error)


async def _on_fault(request: Request, error: Exception) -> Response:
    log.error("web.fault", path=shown_path(request), exc_info=error)
    detail = "This is a fault of connwatch; the daemon's log has the details to report."
    # This answer does not pass `AccessMiddleware`, which puts them on all others.
    return refuse(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, HEADERS)


# --- the description of the API

_SCHEMA = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}

_SUFFIX = re.compile(r"(Schema|Json)$")
"""Of the classes that describe the API, which calls them without it."""

_WHY = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.UNAUTHORIZED: "Not logged in, and no valid API token was sent.",
    HTTPStatus.FORBIDDEN: "The role does not cover it, or the CSRF token is missing.",
    HTTPStatus.NOT_FOUND: "Not found.",
    HTTPStatus.CONFLICT: "Not possible in the present state.",
    HTTPStatus.PRECONDITION_FAILED: "It is not as If-Match or If-None-Match says.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too much was sent.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The address is too long.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
    HTTPStatus.MISDIRECTED_REQUEST: "The dashboard does not answer to this name.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A parameter is wrong.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database cannot be used, or too many listen.",
}

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_CHANGES = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing changed since the answer named in If-None-Match."}
}


def problems(*also: HTTPStatus, is_change: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the errors that a route can answer with."""
    statuses = {*_ALWAYS, *also, *(_CHANGES if is_change else ())}
    return {
        int(status): {"description": _WHY[status], "content": _SCHEMA}
        for status in sorted(statuses)
    }


def answers(
    model: type, *errors: HTTPStatus, status: int = HTTPStatus.OK, is_change: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return all that a route can answer with.

    Args:
        model: What its JSON looks like where all goes well.
    """
    known = {} if is_change else NOT_MODIFIED
    return {int(status): {"model": model}, **known, **problems(*errors, is_change=is_change)}


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to the description of the API what no route can say."""
    components = schema.setdefault("components", {})
    known = components.get("schemas", {})
    for name, one in known.items():
        if name.endswith("Json"):
            # An object that is answered has the members that are declared, and no others.
            known[name] = {"properties": one["properties"], "additionalProperties": False} | one
    named = _without_suffix(known)
    problem = ProblemSchema.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = problem.pop("$defs", {})
    components["schemas"] = dict(sorted(named.items())) | _without_suffix(
        {"Problem": problem, **nested}
    )
    schema["paths"] = _without_suffix(schema["paths"])
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "connwatch web token add NAME"}
    }
    schema["security"] = [{"token": []}, {}]
    return schema


def _without_suffix(node: Any) -> Any:
    """Return *node* with all schemas under the names that readers of the description see."""
    if isinstance(node, list):
        return [_without_suffix(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        _SUFFIX.sub("", key): _SUFFIX.sub("", value)
        if key in {"$ref", "title"} and isinstance(value, str)
        else _without_suffix(value)
        for key, value in node.items()
    }
