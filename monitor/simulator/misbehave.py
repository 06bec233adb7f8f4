"""Give the faults their looks: answers, headers and broken connections.

Decides what each fault does. Which faults are on for a request is left to `faults`, the order of
events to `server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from monitor.simulator.base import SimulatedAnswer, json_answer
from monitor.simulator.faults import Fault
from monitor.simulator.soldscope_api import (
    LIMIT_HEADER,
    REMAINING_HEADER,
    RESET_HEADER,
    ResetForm,
    error_answer,
    quota_headers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from monitor.simulator.faults import Value
    from monitor.simulator.soldscope import AccountQuota

KIBIBYTE, MEBIBYTE = 2**10, 2**20
CHUNK = 64 * KIBIBYTE
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST and drops what is unsent."""

MARKUP = (
    "<script>alert('simulator')</script><img src=x onerror=alert(1)>"
    "<b>bold</b> </title></textarea> *bold* _italic_ `code` [link](https://evil.invalid) "
    "<!channel> @everyone {{ 7 * 7 }} \x1b[31mred\x1b[0m\r\nX-Injected: yes"
)
LOGIN_PAGE = (
    b"<!doctype html><html><head><title>Sign in</title></head>"
    b"<body><h1>Sign in to the network</h1></body></html>"
)

FIREWALL_PAGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser before you go on</h1></body></html>"
)

ON_THE_WIRE = frozenset({Fault.HANG, Fault.RESET, Fault.CLOSE_EARLY, Fault.TRICKLE, Fault.OVERSIZE})


def _retry_later(status: HTTPStatus, error: str, value: Value) -> SimulatedAnswer:
    headers = {"Retry-After": f"{float(value or 0):.0f}"}
    return error_answer(status, error, "Try again later.", headers)


def _redirect(value: Value) -> SimulatedAnswer:
    headers = {"Location": str(value)}
    return SimulatedAnswer(HTTPStatus.FOUND, b"", "text/plain", headers, is_of_account=False)


def _markup_error(value: Value) -> SimulatedAnswer:
    status = HTTPStatus(int(value or 0))
    body = json.dumps({"error": MARKUP, "message": MARKUP}).encode()
    if status is HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": "Bearer"}
        return SimulatedAnswer(status, body, headers=headers, is_of_account=False)
    return SimulatedAnswer(status, body)


_ANSWERS: Mapping[Fault, Callable[[Value], SimulatedAnswer]] = {
    Fault.SERVER_ERROR: lambda value: error_answer(
        int(value or 0), "server_error", "Something broke on our side."
    ),
    Fault.UNAVAILABLE: lambda value: _retry_later(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", value
    ),
    Fault.THROTTLE: lambda value: _retry_later(
        HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", value
    ),
    Fault.THROTTLE_403: lambda _: error_answer(
        HTTPStatus.FORBIDDEN, "rate_limit_exceeded", "API rate limit exceeded."
    ),
    Fault.FORBIDDEN: lambda _: error_answer(
        HTTPStatus.FORBIDDEN, "forbidden", "This token lacks a permission."
    ),
    Fault.FIREWALL: lambda _: SimulatedAnswer(
        HTTPStatus.FORBIDDEN, FIREWALL_PAGE, "text/html; charset=utf-8", is_of_account=False
    ),
    Fault.NO_CREDIT: lambda value: error_answer(
        int(value or 0), "insufficient_quota", "No credit is left. Check your billing details."
    ),
    Fault.SUSPENDED: lambda _: error_answer(
        HTTPStatus.FORBIDDEN, "account_suspended", "Your account has been suspended."
    ),
    Fault.TOKEN_EXPIRED: lambda _: replace(
        error_answer(HTTPStatus.UNAUTHORIZED, "token_expired", "The token has expired."),
        is_of_account=False,
    ),
    Fault.SAYS_NO: lambda _: json_answer(
        HTTPStatus.OK, {"ok": False, "error": "invalid_auth", "message": "This token is not known."}
    ),
    Fault.NOT_FOUND: lambda _: error_answer(
        HTTPStatus.NOT_FOUND, "not_found", "There is no such endpoint."
    ),
    Fault.REDIRECT: _redirect,
    Fault.HTML: lambda _: SimulatedAnswer(
        HTTPStatus.OK, LOGIN_PAGE, "text/html; charset=utf-8", is_of_account=False
    ),
    Fault.NOT_JSON: lambda _: SimulatedAnswer(HTTPStatus.OK, b'{"id": "acme", "name": "Ac'),
    Fault.EMPTY: lambda _: SimulatedAnswer(HTTPStatus.OK, b""),
    Fault.MARKUP_ERROR: _markup_error,
    Fault.MARKUP_ACCOUNT: lambda _: json_answer(
        HTTPStatus.OK, {"id": "acme", "name": MARKUP, "email": MARKUP, "plan": MARKUP}
    ),
}

_NONSENSE = {
    "negative": ("-1", "-5", "-86400"),
    "words": ("plenty", "some", "soon"),
    "huge": ("9" * 40, "9" * 41, "9" * 42),
    "empty": ("", "", ""),
}


def leading_fault(faults: Mapping[Fault, Value]) -> Fault | None:
    """Return the fault that takes the answer's place, if one does."""
    if not faults:
        return None
    return next((f for f in Fault if f in faults and (f in _ANSWERS or f in ON_THE_WIRE)), None)


def faulty_answer(fault: Fault, value: Value) -> SimulatedAnswer:
    """Return the answer that *fault* gives."""
    return _ANSWERS[fault](value)


def faulty_quota_headers(
    quota: AccountQuota, faults: Mapping[Fault, Value], now: datetime
) -> dict[str, str]:
    """Return the quota headers as the faults leave them."""
    if Fault.NO_QUOTA_HEADERS in faults:
        return {}
    form = ResetForm(str(faults.get(Fault.RESET_FORM, ResetForm.DATE)))
    headers = quota_headers(quota, form, now)
    if leading_fault(faults) is Fault.THROTTLE_403:
        headers[REMAINING_HEADER] = "0"
    match faults.get(Fault.BAD_QUOTA_HEADERS):
        case None:
            pass
        case "reset":
            headers[RESET_HEADER] = "when the cows come home"
        case kind:
            names = (LIMIT_HEADER, REMAINING_HEADER, RESET_HEADER)
            headers.update(zip(names, _NONSENSE[str(kind)], strict=True))
    return headers


async def delay(faults: Mapping[Fault, Value], stopping: asyncio.Event) -> None:
    """Wait as long as the faults ask for, or until the simulator stops."""
    seconds = float(faults.get(Fault.SLOW) or 0) + float(faults.get(Fault.LATENCY_MS) or 0) / 1000
    if seconds > 0:
        await _wait(stopping, seconds)


async def break_connection(
    request: web.Request, fault: Fault, value: Value, stopping: asyncio.Event
) -> web.StreamResponse:
    """Do to the connection what *fault* says.

    The response returned is for the server's loop only: by then the connection
    is gone, or the response has been sent as far as it ever will be.
    """
    match fault:
        case Fault.TRICKLE:
            return await _trickle(request, float(value or 0), stopping)
        case Fault.OVERSIZE:
            return await _oversize(request, int(float(value or 0) * MEBIBYTE), stopping)
        case Fault.HANG:
            await _wait(stopping, None)
            _drop(request, with_reset=False)
        case _:
            _drop(request, with_reset=fault is Fault.RESET)
    return web.Response()


def _drop(request: web.Request, *, with_reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if with_reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


async def _start_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    return response


async def _trickle(
    request: web.Request, seconds: float, stopping: asyncio.Event
) -> web.StreamResponse:
    response = await _start_body(request)
    # White space before a JSON value: however much has come, it is no error yet.
    with contextlib.suppress(ConnectionError):
        while not stopping.is_set():
            await response.write(b" ")
            await _wait(stopping, seconds)
    _drop(request, with_reset=False)
    return response


async def _oversize(request: web.Request, size: int, stopping: asyncio.Event) -> web.StreamResponse:
    response = await _start_body(request)
    with contextlib.suppress(ConnectionError):
        await response.write(b'{"id": "acme", "name": "Acme Ltd", "padding": "')
        for _ in range(size // CHUNK):
            if stopping.is_set():
                _drop(request, with_reset=False)
                return response
            await response.write(b"x" * CHUNK)
        await response.write(b'"}')
    return response


async def _wait(stopping: asyncio.Event, seconds: float | None) -> None:
    """Wait for *seconds* (None: for ever), or until the simulator stops."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
