"""
Give Amazon's faults their looks.

Decides what a fault answers in another answer's place, and what it does to the
connection. Faults that only change an answer are heeded where it is made.
"""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_faults import AmazonFault
from monitor.simulator.amazon_lwa import refusal, unauthorized_client
from monitor.simulator.amazon_sp import REFUSED, denied, sp_error, throttled
from monitor.simulator.answer import Answer
from monitor.simulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.simulator.fault_values import Value

ERROR_PAGE = (
    b"<!doctype html><html><head><title>Service unavailable</title></head>"
    b"<body><h1>Service unavailable</h1><p>Please try again later.</p></body></html>"
)

ON_THE_WIRE: Mapping[AmazonFault, Fault] = {
    AmazonFault.LWA_HANG: Fault.HANG,
    AmazonFault.LWA_RESET: Fault.RESET,
    AmazonFault.SP_HANG: Fault.HANG,
    AmazonFault.SP_RESET: Fault.RESET,
}
"""What some faults do to a connection, in the words of `misbehave`."""


def _page(value: Value) -> Answer:
    return Answer(int(float(value or 0)), ERROR_PAGE, "text/html; charset=utf-8")


_LWA_ANSWERS: Mapping[AmazonFault, Callable[[Value], Answer]] = {
    AmazonFault.LWA_500: lambda _: refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "Internal Server Error"
    ),
    AmazonFault.LWA_503: lambda _: refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable", "Service Unavailable"
    ),
    AmazonFault.LWA_HTML: _page,
    AmazonFault.LWA_EMPTY: lambda _: Answer(HTTPStatus.OK, b""),
    # Nobody has documented what being throttled looks like here.
    AmazonFault.LWA_THROTTLE: lambda _: refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "temporarily_unavailable", "Rate exceeded"
    ),
    AmazonFault.LWA_ACCESS_DENIED: lambda _: refusal(
        HTTPStatus.FORBIDDEN, "access_denied", "Access denied"
    ),
    AmazonFault.LWA_UNAUTHORIZED_CLIENT: lambda _: unauthorized_client(),
}

_SP_ANSWERS: Mapping[AmazonFault, Callable[[Value], Answer]] = {
    AmazonFault.SP_500: lambda _: sp_error(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalFailure",
        "We encountered an internal error. Please try again.",
        "",
    ),
    AmazonFault.SP_503: lambda _: sp_error(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        "Service is temporarily unavailable. Please try again.",
        "",
    ),
    AmazonFault.SP_HTML: _page,
    AmazonFault.SP_EMPTY: lambda value: Answer(int(float(value or 0)), b""),
    AmazonFault.SP_THROTTLE: lambda _: throttled(),
    AmazonFault.SP_401: lambda _: replace(denied(REFUSED), status=401, headers={}),
    AmazonFault.SP_404: lambda _: sp_error(
        HTTPStatus.NOT_FOUND, "NotFound", "Resource not found.", ""
    ),
    AmazonFault.STORM_403: lambda _: denied(""),
    AmazonFault.TOKEN_REFUSED: lambda _: denied(REFUSED),
}


LWA_LEADING = (AmazonFault.LWA_HANG, AmazonFault.LWA_RESET, *_LWA_ANSWERS)
SP_LEADING = (AmazonFault.SP_HANG, AmazonFault.SP_RESET, *_SP_ANSWERS)
"""The faults that take an answer's place, the first one that is on before the others."""


def faulty_answer(fault: AmazonFault, value: Value) -> Answer:
    """
    Return the answer that *fault* gives.
    """
    return (_LWA_ANSWERS if fault in _LWA_ANSWERS else _SP_ANSWERS)[fault](value)


def reshape(answer: Answer, faults: Mapping[AmazonFault, Value]) -> Answer:
    """
    Return the answer as the faults about its form leave it.
    """
    spoils = {AmazonFault.SHUFFLED_KEYS, AmazonFault.MISSING_DETAILS} & faults.keys()
    if not spoils or answer.content_type != "application/json" or not answer.body:
        return answer
    body = json.loads(answer.body)
    if AmazonFault.MISSING_DETAILS in faults:
        for error in body.get("errors", ()):
            if error.get("details") == "":
                del error["details"]
    if AmazonFault.SHUFFLED_KEYS in faults:
        body = _turn_round(body)
    return replace(answer, body=json.dumps(body).encode())


def _turn_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turn_round(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return [_turn_round(item) for item in value]
    return value
