"""
Say what went wrong: to programs as `application/problem+json`, to people as a page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from monitor.store.engine import StoreError
from monitor.web.headers import HEADERS
from monitor.web.templating import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

log = structlog.get_logger()

PROBLEM = "application/problem+json"
_PROGRAMS_ONLY = ("/api/v1", "/api/openapi.json", "/metrics", "/healthz", "/readyz")


class ProblemResponse(JSONResponse):
    """
    An error as RFC 9457 wants it.
    """

    media_type = PROBLEM


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> ProblemResponse:
    """
    Return an error for a program.

    Args:
        more: Further members, such as which fields were wrong.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return ProblemResponse(body | {"detail": detail} | more, status, dict(headers or {}))


def wants_page(request: Request) -> bool:
    """
    Tell whether a person looks at the answer.
    """
    if request.url.path.startswith(_PROGRAMS_ONLY):
        return False
    return "text/html" in request.headers.get("accept", "")


def refuse(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """
    Return an error for whoever asks.
    """
    if not wants_page(request):
        return problem(status, detail, headers)
    page = render(
        request,
        "error.html",
        {"status": status, "title": HTTPStatus(status).phrase, "detail": detail},
        status=status,
    )
    page.headers.update(headers or {})
    return page


def add_error_pages(app: FastAPI) -> None:
    """
    Have every error of *app* told in our own words.
    """
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_input)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(500, _on_fault)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}.",
            HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
        }.get(HTTPStatus(error.status_code), detail)
    return refuse(request, error.status_code, detail, error.headers)


async def _on_bad_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may be a secret in the wrong place.
    wrong = [
        {"place": ".".join(str(part) for part in each["loc"]), "why": each["msg"]}
        for each in error.errors()
    ]
    detail = "; ".join(f"{each['place']}: {each['why']}" for each in wrong)
    if wants_page(request):
        return refuse(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=wrong)


async def _on_store_error(request: Request, error: Exception) -> Response:
    return refuse_without_store(request, error)


def refuse_without_store(request: Request, error: Exception) -> Response:
    """
    Return the error for whoever asks while the database cannot be used.
    """
    # The path of the file is for the log, not for whoever asks.
    log.warning("web.store_error", path=request.url.path, error=str(error))
    detail = "The database could not be used; the daemon's log says why."
    return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})


async def _on_fault(request: Request, error: Exception) -> Response:
    log.error("web.fault", path=request.url.path, exc_info=error)
    detail = "This is a fault of connwatch; the daemon's log has the details to report."
    # This answer does not pass `guard`, which puts them on all others.
    return refuse(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, HEADERS)
