"""Decide what an answer of an API with a token means, and what of it may be shown.

Decides whether a body is the API's answer, whose account it names, and which outcome an answer is:
the contract's table. Everything quoted is cleaned, freed of the secrets that
were sent and of long pieces of them, and cut, in this order: a cut could hide half a secret.
Reading the quota from the headers is left to the provider.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.judge.outcome import Outcome, QuotaReading, Reason
from monitor.providers.fetcher import MAX_BODY
from monitor.providers.headers import RETRY_FIELDS, read_retry_at
from monitor.providers.masking import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.providers.fetcher import Answer
    from monitor.providers.masking import Secrets


# --- bodies

MAX_ACCOUNT = 200
MAX_MESSAGE = 200
MAX_EXCERPT = 80
READ_FOR_EXCERPT = 4096

ACCOUNT_FIELDS = ("name", "company", "email", "id")
ACCOUNT_PLACES = ("account", "user", "data")
MESSAGE_FIELDS = (
    "message",
    "error_description",
    "detail",
    "error",
    "title",
    "code",
    "errorCode",
    "type",
)
ERROR_PLACES = ("error", "errors")
VERDICT_FIELDS = ("ok", "success", "authenticated", "valid")
BAD_STATUSES = frozenset({"error", "fail", "failed", "failure"})

_TAG = re.compile(
    r"<(?:script|style)\b.*?(?:</(?:script|style)>|$)|<[^<>]*>", re.IGNORECASE | re.DOTALL
)
_RATE_LIMIT = re.compile(
    r"rate.?limit|too.?many.?requests|throttl|quota.?(?:exceeded|exhausted)"
    r"|requests?.?limit.?exceeded",
    re.IGNORECASE,
)


@lru_cache(maxsize=1)  # a body is looked into several times before the next one comes
def parse_json(body: bytes) -> Any:
    """Return the JSON value in *body*, or None if there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_answer(value: object) -> bool:
    """Tell whether *value* is an API's own answer: an object without an error inside."""
    if not isinstance(value, dict) or not value:
        return False
    if any(value.get(name) for name in ERROR_PLACES):
        return False
    if str(value.get("status")).lower() in BAD_STATUSES:
        return False
    return all(value.get(name) not in (False, "false") for name in VERDICT_FIELDS)


def find_account(value: dict[str, Any], secret: Secrets) -> str | None:
    """Return whose account it is: the first of name, company, email and id."""
    places = [value, *(value.get(name) for name in ACCOUNT_PLACES)]
    for field in ACCOUNT_FIELDS:
        for place in places:
            found = place.get(field) if isinstance(place, dict) else None
            # True is an int to Python, and nobody's name.
            if isinstance(found, str | int) and not isinstance(found, bool):
                if account := clean(str(found), secret, MAX_ACCOUNT):
                    return account
    return None


def find_message(value: object, secret: Secrets) -> str | None:
    """Return the server's own words about what went wrong."""
    for text in _texts(value):
        if message := clean(text, secret, MAX_MESSAGE):
            return message
    return None


def says_rate_limited(body: bytes) -> bool:
    """Tell whether *body* says that there were too many requests.

    Of JSON only the fields for messages are read: a link to a page about rate
    limits is no such message.
    """
    value = parse_json(body)
    texts = [_plain_text(body, "")] if value is None else _texts(value)
    return any(_RATE_LIMIT.search(text) for text in texts)


def describe(body: bytes, content_type: str, secret: Secrets) -> str:
    """Say in a few words what *body* is, where an API's answer was expected."""
    if not body:
        return "an empty answer"
    value = parse_json(body)
    if isinstance(value, dict):
        return "an empty JSON object" if not value else "a JSON object that reports an error"
    if value is not None:
        return f"JSON that is no object but a {type(value).__name__}"
    kind = clean(content_type.partition(";")[0], secret, MAX_EXCERPT) or "no content type"
    excerpt = clean(_plain_text(body, secret), secret, MAX_EXCERPT)
    return f'{kind}, beginning "{excerpt}"' if excerpt else kind


def _plain_text(body: bytes, secret: Secrets) -> str:
    text = body[:READ_FOR_EXCERPT].decode("utf-8", "replace")
    text = html.unescape(_TAG.sub(" ", text))
    # The end may hold the first part of a secret, which no one would recognize.
    longest = max(map(len, (secret,) if isinstance(secret, str) else secret), default=0)
    return text if len(body) <= READ_FOR_EXCERPT else text[: max(0, len(text) - 3 * longest)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, list):
        value = {ERROR_PLACES[1]: value}  # Salesforce leaves the object around its errors out
    if not isinstance(value, dict):
        return
    places: list[object] = [value]
    for name in ERROR_PLACES:
        inner = value.get(name)
        places += inner[:3] if isinstance(inner, list) else [inner]
    for field in MESSAGE_FIELDS:
        for place in places:
            found = place.get(field) if isinstance(place, dict) else None
            if isinstance(found, str):
                yield found
    yield from (place for place in places if isinstance(place, str))


# --- JSON pointers (RFC 6901)

_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


class Absent(Enum):
    """What a pointer leads to where there is nothing; null is something."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


def follow(value: Any, pointer: str) -> Any:
    """Return what *pointer*, empty or from a slash on, leads to inside *value*, or `ABSENT`."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return ABSENT
    return value


# --- outcomes

REDIRECTS = range(300, 400)
BAD_REQUESTS = range(400, 500)
SERVER_ERRORS = range(500, 600)


_OAUTH_ERROR = re.compile(r'\berror="?([a-z_]{1,40})"?', re.ASCII)
_OAUTH_SCOPE = re.compile(r'\bscope="([^"]{1,200})"')
MAX_CHALLENGE = 2048

MAX_TOKEN = 16 * 1024
"""Longer ones fit into no header; Amazon names 2,048 bytes."""


def read_outcome(answer: Answer, quota: QuotaReading, secret: Secrets, renewal: str) -> Outcome:
    """Return what *answer* says about the token that was sent.

    Args:
        quota: What the answer's headers say.
        secret: The token; kept out of every text that quotes the server.
        renewal: A sentence that says where to get a new token.
    """
    if answer.status == HTTPStatus.OK:
        return _read_success(answer, quota, secret)
    return read_failure(answer, quota, secret, renewal)


def read_failure(
    answer: Answer,
    quota: QuotaReading,
    secret: Secrets,
    renewal: str,
    *,
    windows: tuple[QuotaReading, ...] = (),
) -> Outcome:
    """Return what an *answer* says whose status is none of those expected."""
    if answer.status == HTTPStatus.PAYMENT_REQUIRED:
        return replace(outcome_of(answer, Reason.OK), quota=quota, is_payment_required=True)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
        answer.status == HTTPStatus.FORBIDDEN and _is_limit(answer, (quota, *windows))
    ):
        return read_throttling(answer, quota, windows)
    reason, detail = _name_failure(answer, secret, renewal)
    return outcome_of(answer, reason, detail + server_message(answer, secret))


def _name_failure(answer: Answer, secret: Secrets, renewal: str) -> tuple[Reason, str]:
    challenge = answer.headers.get("www-authenticate", "")[:MAX_CHALLENGE]
    error = match[1] if (match := _OAUTH_ERROR.search(challenge)) else ""
    if answer.status == HTTPStatus.UNAUTHORIZED or (
        answer.status == HTTPStatus.FORBIDDEN and error == "invalid_token"
    ):
        detail = f"The token was refused ({answer.status}): it was revoked or mistyped. {renewal}"
        return Reason.TOKEN_REJECTED, detail.rstrip()
    if answer.status == HTTPStatus.FORBIDDEN and error == "insufficient_scope":
        return Reason.PERMISSION_DENIED, _missing_scope(challenge, secret)
    if answer.status == HTTPStatus.FORBIDDEN:
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
    wanted = clean(match[1], secret, MAX_EXCERPT) if match else ""
    scope = f': "{wanted}"' if wanted else ""
    return (
        f"The token is known but lacks a scope (403){scope}."
        " Give it that scope in the account, or create a token that has it."
    )


def _read_success(answer: Answer, quota: QuotaReading, secret: Secrets) -> Outcome:
    value = parse_json(answer.body)
    if is_answer(value):
        account = find_account(value, secret)
        return replace(outcome_of(answer, Reason.OK), quota=quota, account=account)
    if answer.is_oversize:
        came = f"more than {MAX_BODY // 1024} KiB"
    else:
        content_type = answer.headers.get("content-type", "")
        came = describe(answer.body, content_type, secret)
    detail = (
        f"The answer (200) is not the API's: expected a JSON object with the account, got {came}."
        " Check the address; a proxy or a maintenance page may stand in the way."
    )
    return outcome_of(answer, Reason.UNEXPECTED_RESPONSE, detail + server_message(answer, secret))


def read_throttling(
    answer: Answer, quota: QuotaReading, windows: tuple[QuotaReading, ...] = ()
) -> Outcome:
    """Return the outcome of an *answer* that wants a pause: as asked, or until windows refill."""
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
        or says_rate_limited(answer.body)
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
    host = clean(host or "", secret, MAX_EXCERPT)
    return f" to {host}" if host else ""


def server_message(answer: Answer, secret: Secrets) -> str:
    """Return the server's own words as the end of a detail; empty if it said nothing."""
    message = find_message(parse_json(answer.body), secret)
    return f' The server says: "{message}"' if message else ""


def name_status(answer: Answer) -> str:
    """Return the status with its usual phrase: `404 Not Found`."""
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)


def outcome_of(answer: Answer, reason: Reason, detail: str = "") -> Outcome:
    """Return an outcome with what every answer tells: its status and its time."""
    return Outcome(reason, detail, latency_ms=answer.latency_ms, http_status=answer.status)
