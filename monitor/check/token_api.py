"""
Decide what an answer of an API with a token means: the contract's table.

Every provider that sends one token and reads one answer ends here. Sending,
and reading the quota from the headers, is left to the provider.
"""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.check import body as bodies
from monitor.check.http import MAX_BODY
from monitor.check.quota import RETRY_FIELDS, read_retry_at
from monitor.judge.outcome import Outcome, QuotaReading, Reason

if TYPE_CHECKING:
    from monitor.check.body import Secrets
    from monitor.check.http import Answer

OK = 200
PAYMENT_REQUIRED = 402
REFUSED = 401
FORBIDDEN = 403
THROTTLED = 429
REDIRECTS = range(300, 400)
BAD_REQUESTS = range(400, 500)
SERVER_ERRORS = range(500, 600)


_OAUTH_ERROR = re.compile(r'\berror="?([a-z_]{1,40})"?', re.ASCII)
_OAUTH_SCOPE = re.compile(r'\bscope="([^"]{1,200})"')
MAX_CHALLENGE = 2048


def read_outcome(answer: Answer, quota: QuotaReading, secret: Secrets, renewal: str) -> Outcome:
    """
    Return what *answer* says about the token that was sent.

    Args:
        quota: What the answer's headers say.
        secret: The token; kept out of every text that quotes the server.
        renewal: A sentence that says where to get a new token.
    """
    if answer.status == OK:
        return _read_success(answer, quota, secret)
    return read_trouble(answer, quota, secret, renewal)


def read_trouble(
    answer: Answer,
    quota: QuotaReading,
    secret: Secrets,
    renewal: str,
    *,
    windows: tuple[QuotaReading, ...] = (),
) -> Outcome:
    """
    Return what an *answer* says whose status is none of those expected.

    Args:
        windows: All windows of the quota, where there are several.
    """
    if answer.status == PAYMENT_REQUIRED:
        return replace(outcome_of(answer, Reason.OK), quota=quota, is_payment_required=True)
    if answer.status == THROTTLED or (
        answer.status == FORBIDDEN and _is_limit(answer, (quota, *windows))
    ):
        return read_throttling(answer, quota, windows)
    reason, detail = _name_trouble(answer, secret, renewal)
    return outcome_of(answer, reason, detail + server_words(answer, secret))


def _name_trouble(answer: Answer, secret: Secrets, renewal: str) -> tuple[Reason, str]:
    challenge = answer.headers.get("www-authenticate", "")[:MAX_CHALLENGE]
    error = match[1] if (match := _OAUTH_ERROR.search(challenge)) else ""
    if answer.status == REFUSED or (answer.status == FORBIDDEN and error == "invalid_token"):
        detail = f"The token was refused ({answer.status}): it was revoked or mistyped. {renewal}"
        return Reason.TOKEN_REJECTED, detail.rstrip()
    if answer.status == FORBIDDEN and error == "insufficient_scope":
        return Reason.PERMISSION_DENIED, _missing_scope(challenge, secret)
    if answer.status == FORBIDDEN:
        detail = (
            "The token is known but may not do this (403): its permissions or the plan"
            " were probably changed. Check both in the account."
        )
        return Reason.PERMISSION_DENIED, detail
    if answer.status in SERVER_ERRORS:
        detail = (
            f"The API failed on its own side ({name_status(answer)})."
            " There is nothing to do here unless it lasts."
        )
        return Reason.SERVER_ERROR, detail
    return Reason.UNEXPECTED_RESPONSE, _surprise(answer, secret)


def _missing_scope(challenge: str, secret: Secrets) -> str:
    match = _OAUTH_SCOPE.search(challenge)
    wanted = bodies.clean(match[1], secret, bodies.MAX_EXCERPT) if match else ""
    scope = f': "{wanted}"' if wanted else ""
    return (
        f"The token is known but lacks a scope (403){scope}."
        " Give it that scope in the account, or create a token that has it."
    )


def _read_success(answer: Answer, quota: QuotaReading, secret: Secrets) -> Outcome:
    value = bodies.parse_json(answer.body)
    if bodies.is_answer(value):
        account = bodies.find_account(value, secret)
        return replace(outcome_of(answer, Reason.OK), quota=quota, account=account)
    if answer.is_oversize:
        came = f"more than {MAX_BODY // 1024} KiB"
    else:
        content_type = answer.headers.get("content-type", "")
        came = bodies.describe(answer.body, content_type, secret)
    detail = (
        f"The answer (200) is not the API's: expected a JSON object with the account, got {came}."
        " Check the address; a proxy or a maintenance page may stand in the way."
    )
    return outcome_of(answer, Reason.UNEXPECTED_RESPONSE, detail + server_words(answer, secret))


def read_throttling(
    answer: Answer, quota: QuotaReading, windows: tuple[QuotaReading, ...] = ()
) -> Outcome:
    """
    Return the outcome of an *answer* that asks for a pause.

    It lasts as long as asked, and until every window is refilled that is used up.
    """
    retry_at = read_retry_at(answer.headers, answer.received_at)
    waits = [] if retry_at is None else [retry_at]
    waits += [
        window.resets_at
        for window in (quota, *windows)
        if window.remaining == 0 and window.resets_at is not None
    ]
    detail = (
        f"The API asks for a pause ({name_status(answer)}): too many requests."
        " The token is alive; the next check waits as long as asked."
    )
    outcome = outcome_of(answer, Reason.THROTTLED, detail)
    return replace(outcome, quota=quota, retry_at=max(waits, default=None))


def _is_limit(answer: Answer, windows: tuple[QuotaReading, ...]) -> bool:
    return (
        any(window.remaining == 0 for window in windows)
        or any(name in answer.headers for name in RETRY_FIELDS)
        or bodies.says_rate_limited(answer.body)
    )


def _surprise(answer: Answer, secret: Secrets) -> str:
    if answer.status in REDIRECTS:
        target = _redirect_host(answer, secret)
        return (
            f"The address redirects ({name_status(answer)}){target}. Redirects are not followed,"
            " so that the token stays where it belongs: set the API's own address."
        )
    if answer.status == HTTPStatus.NOT_FOUND:
        return "There is no such page (404). Check the address against the API reference."
    return f"The API answered {name_status(answer)}, which was not expected. Check the address."


def _redirect_host(answer: Answer, secret: Secrets) -> str:
    try:
        host = urlsplit(answer.headers.get("location", "")).hostname
    except ValueError:
        host = None
    host = bodies.clean(host or "", secret, bodies.MAX_EXCERPT)
    return f" to {host}" if host else ""


def server_words(answer: Answer, secret: Secrets) -> str:
    """
    Return the server's own words as the end of a detail; empty if it said nothing.
    """
    message = bodies.find_message(bodies.parse_json(answer.body), secret)
    return f' The server says: "{message}"' if message else ""


def name_status(answer: Answer) -> str:
    """
    Return the status with its usual phrase: `404 Not Found`.
    """
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)


def outcome_of(answer: Answer, reason: Reason, detail: str = "") -> Outcome:
    """
    Return an outcome with what every answer tells: its status and its time.
    """
    return Outcome(reason, detail, latency_ms=answer.latency_ms, http_status=answer.status)
