"""
Decide what an answer of an API with a token means: the contract's table.

Every provider that sends one token and reads one answer ends here. Sending,
and reading the quota from the headers, is left to the provider.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.check import body as bodies
from monitor.check.fields import parse_retry_after
from monitor.check.http import MAX_BODY
from monitor.check.quota import read_server_date
from monitor.judge.outcome import Outcome, QuotaReading, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.check.http import Answer

OK = 200
PAYMENT_REQUIRED = 402
REFUSED = 401
FORBIDDEN = 403
THROTTLED = 429
REDIRECTS = range(300, 400)
SERVER_ERRORS = range(500, 600)


def read_outcome(answer: Answer, quota: QuotaReading, secret: str, renewal: str) -> Outcome:
    """
    Return what *answer* says about the token that was sent.

    Args:
        quota: What the answer's headers say.
        secret: The token; kept out of every text that quotes the server.
        renewal: A sentence that says where to get a new token.
    """
    if answer.status == OK:
        return _read_success(answer, quota, secret)
    if answer.status == PAYMENT_REQUIRED:
        return replace(_outcome(answer, Reason.OK), quota=quota, is_payment_required=True)
    if answer.status == THROTTLED or (answer.status == FORBIDDEN and _is_limit(answer, quota)):
        return _read_throttling(answer, quota)
    reason, detail = _name_trouble(answer, secret, renewal)
    return _outcome(answer, reason, detail + _server_words(answer, secret))


def _name_trouble(answer: Answer, secret: str, renewal: str) -> tuple[Reason, str]:
    if answer.status == REFUSED:
        detail = f"The token was refused (401): it was revoked or mistyped. {renewal}"
        return Reason.TOKEN_REJECTED, detail
    if answer.status == FORBIDDEN:
        detail = (
            "The token is known but may not do this (403): its permissions or the plan"
            " were probably changed. Check both in the account."
        )
        return Reason.PERMISSION_DENIED, detail
    if answer.status in SERVER_ERRORS:
        detail = (
            f"The API failed on its own side ({_status(answer)})."
            " There is nothing to do here unless it lasts."
        )
        return Reason.SERVER_ERROR, detail
    return Reason.UNEXPECTED_RESPONSE, _surprise(answer, secret)


def _read_success(answer: Answer, quota: QuotaReading, secret: str) -> Outcome:
    value = bodies.parse_json(answer.body)
    if bodies.is_answer(value):
        account = bodies.find_account(value, secret)
        return replace(_outcome(answer, Reason.OK), quota=quota, account=account)
    if answer.is_oversize:
        came = f"more than {MAX_BODY // 1024} KiB"
    else:
        content_type = answer.headers.get("content-type", "")
        came = bodies.describe(answer.body, content_type, secret)
    detail = (
        f"The answer (200) is not the API's: expected a JSON object with the account, got {came}."
        " Check the address; a proxy or a maintenance page may stand in the way."
    )
    return _outcome(answer, Reason.UNEXPECTED_RESPONSE, detail + _server_words(answer, secret))


def _read_throttling(answer: Answer, quota: QuotaReading) -> Outcome:
    waits: list[datetime] = []
    retry_after = answer.headers.get("retry-after")
    if retry_after is not None:
        date = read_server_date(answer.headers, answer.received_at)
        retry_at = parse_retry_after(retry_after, answer.received_at, date)
        waits += [] if retry_at is None else [retry_at]
    if quota.remaining == 0 and quota.resets_at is not None:
        waits.append(quota.resets_at)
    detail = (
        f"The API asks for a pause ({_status(answer)}): too many requests."
        " The token is alive; the next check waits as long as asked."
    )
    outcome = _outcome(answer, Reason.THROTTLED, detail)
    return replace(outcome, quota=quota, retry_at=max(waits, default=None))


def _is_limit(answer: Answer, quota: QuotaReading) -> bool:
    return (
        quota.remaining == 0
        or "retry-after" in answer.headers
        or bodies.says_rate_limited(answer.body)
    )


def _surprise(answer: Answer, secret: str) -> str:
    if answer.status in REDIRECTS:
        target = _redirect_host(answer, secret)
        return (
            f"The address redirects ({_status(answer)}){target}. Redirects are not followed,"
            " so that the token stays where it belongs: set the API's own address."
        )
    if answer.status == HTTPStatus.NOT_FOUND:
        return "There is no such page (404). Check the address against the API reference."
    return f"The API answered {_status(answer)} where 200 was expected. Check the address."


def _redirect_host(answer: Answer, secret: str) -> str:
    try:
        host = urlsplit(answer.headers.get("location", "")).hostname
    except ValueError:
        host = None
    host = bodies.clean(host or "", secret, bodies.MAX_EXCERPT)
    return f" to {host}" if host else ""


def _server_words(answer: Answer, secret: str) -> str:
    message = bodies.find_message(bodies.parse_json(answer.body), secret)
    return f' The server says: "{message}"' if message else ""


def _status(answer: Answer) -> str:
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)


def _outcome(answer: Answer, reason: Reason, detail: str = "") -> Outcome:
    return Outcome(reason, detail, latency_ms=answer.latency_ms, http_status=answer.status)
