"""
Name what can go wrong with SoldScope.

Decides which faults exist and which value each takes. A fault is on for all
requests or for one token's. How they look on the wire is left to `misbehave`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.simulator.fault_values import ChoiceValue, NumberValue, UrlValue
from monitor.simulator.soldscope_api import ResetForm
from monitor.simulator.switches import FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(StrEnum):
    """
    Everything that can be switched on.

    The first of those that take an answer's place wins over the later ones; the
    ones after `MARKUP_ACCOUNT` only change an answer and can be combined.
    """

    HANG = "hang"
    RESET = "reset"
    CLOSE_EARLY = "close_early"
    TRICKLE = "trickle"
    OVERSIZE = "oversize"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    THROTTLE = "throttle"
    THROTTLE_403 = "throttle_403"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REDIRECT = "redirect"
    HTML = "html"
    NOT_JSON = "not_json"
    EMPTY = "empty"
    MARKUP_ERROR = "markup_error"
    MARKUP_ACCOUNT = "markup_account"

    SLOW = "slow"
    LATENCY_MS = "latency_ms"
    NO_QUOTA_HEADERS = "no_quota_headers"
    BAD_QUOTA_HEADERS = "bad_quota_headers"
    RESET_FORM = "reset_form"
    CLOSE_EACH = "close_each"


_RETRY_AFTER = NumberValue(60.0, 0, 86_400, "seconds")

FAULT_KINDS: Mapping[Fault, FaultKind] = {
    Fault.HANG: FaultKind("takes the request and never answers"),
    Fault.RESET: FaultKind("resets the connection (RST) instead of answering"),
    Fault.CLOSE_EARLY: FaultKind("closes the connection before the first byte"),
    Fault.TRICKLE: FaultKind(
        "sends the body byte by byte and never ends",
        NumberValue(0.1, 0.001, 60, "seconds between two bytes"),
    ),
    Fault.OVERSIZE: FaultKind(
        "sends a valid answer inside a huge body", NumberValue(16.0, 1, 4096, "MiB")
    ),
    Fault.SERVER_ERROR: FaultKind(
        "answers 500, or another 5xx", NumberValue(500.0, 500, 599, "status")
    ),
    Fault.UNAVAILABLE: FaultKind("answers 503 with Retry-After", _RETRY_AFTER),
    Fault.THROTTLE: FaultKind("answers 429 with Retry-After", _RETRY_AFTER),
    Fault.THROTTLE_403: FaultKind("answers 403 with a rate-limit body and remaining 0"),
    Fault.FORBIDDEN: FaultKind("answers 403: the token lacks a permission"),
    Fault.NOT_FOUND: FaultKind("answers 404 on every path"),
    Fault.REDIRECT: FaultKind(
        "answers 302 to another host", UrlValue("https://elsewhere.invalid/auth/check")
    ),
    Fault.HTML: FaultKind("answers 200 with a login page in HTML"),
    Fault.NOT_JSON: FaultKind("answers 200 with JSON that breaks off in the middle"),
    Fault.EMPTY: FaultKind("answers 200 with an empty body"),
    Fault.MARKUP_ERROR: FaultKind(
        "answers with an error full of HTML, script and chat markup",
        ChoiceValue("401", ("401", "500")),
    ),
    Fault.MARKUP_ACCOUNT: FaultKind("answers 200 with an account name full of markup"),
    Fault.SLOW: FaultKind("answers properly, but late", NumberValue(5.0, 0.001, 3600, "seconds")),
    Fault.LATENCY_MS: FaultKind(
        "adds latency to every answer", NumberValue(200.0, 0, 60_000, "milliseconds")
    ),
    Fault.NO_QUOTA_HEADERS: FaultKind("leaves the quota headers out"),
    Fault.BAD_QUOTA_HEADERS: FaultKind(
        "fills the quota headers with nonsense; `reset` spoils that one only",
        ChoiceValue("negative", ("negative", "words", "huge", "empty", "reset")),
    ),
    Fault.RESET_FORM: FaultKind(
        "writes the reset header in another form", ChoiceValue("rfc3339", tuple(ResetForm))
    ),
    Fault.CLOSE_EACH: FaultKind("closes the connection after each answer"),
}
