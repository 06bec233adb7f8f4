"""Decide what an answer of an API with a token means, and what of it may be shown.

Decides whose account a body names, and which outcome an answer is: the contract's table, by status
and by what the body says. Everything quoted is cleaned, freed of the secrets that were sent and of
long pieces of them, and cut, in this order: a cut could hide half a secret. Where words stand in a
body is decided in `bodies`, what they mean in `vocabulary`; reading the quota from the headers is
left to the provider.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.judge.outcome import NOT_SAID_WHY, Outcome, QuotaReading, Reason
from monitor.providers.bodies import MAX_READ, find_no, read_sentences, read_text, read_words
from monitor.providers.fetcher import MAX_BODY
from monitor.providers.headers import RETRY_FIELDS, read_retry_at
from monitor.providers.masking import clean
from monitor.providers.vocabulary import Meaning, find_meaning

if TYPE_CHECKING:
    from monitor.providers.fetcher import Answer
    from monitor.providers.masking import Secrets
    from monitor.providers.vocabulary import Words


# --- bodies

MAX_ACCOUNT = 200
MAX_MESSAGE = 200
MAX_EXCERPT = 80
MOST_SENTENCES = 20

ACCOUNT_FIELDS = ("name", "company", "email", "id")
ACCOUNT_PLACES = ("account", "user", "data")
ERROR_PLACES = ("error", "errors")


@lru_cache(maxsize=1)  # a body is looked into several times before the next one comes
def parse_json(body: bytes) -> Any:
    """Return the JSON value in *body*, or None if there is none."""
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        # JSON is UTF-8; old servers send it in the letters of Western Europe all the same.
        text = body.decode("cp1252", "replace")
    except (ValueError, RecursionError):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def is_answer(value: object) -> bool:
    """Tell whether *value* is an API's own answer: an object without an error inside."""
    return isinstance(value, dict) and bool(value) and not find_no(value)


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
    for text in islice(read_sentences(value), MOST_SENTENCES):
        if message := clean(text, secret, MAX_MESSAGE):
            return message
    return None


def says_rate_limited(body: bytes) -> bool:
    """Tell whether *body* says that there were too many requests.

    Of JSON only the fields for messages are read: a link to a page about rate
    limits is no such message.
    """
    meaning = find_meaning(HTTPStatus.FORBIDDEN, read_words(body, "", parse_json(body)))
    return meaning is not None and meaning.is_limit


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
    text = read_text(body)
    # The end may hold the first part of a secret, which no one would recognize.
    longest = max(map(len, (secret,) if isinstance(secret, str) else secret), default=0)
    return text if len(body) <= MAX_READ else text[: max(0, len(text) - 3 * longest)]


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


@dataclass(frozen=True, slots=True)
class KnownService:
    """Who answers, where that is known for certain: its own word counts for more.

    Args:
        preset: Its name in the vocabulary, in lower case; empty where it is not known.
        suspended: What it means that its account is frozen or closed, and who ends that.
    """

    preset: str = ""
    suspended: str = ""


UNKNOWN_SERVICE = KnownService()
SUSPENDED = (
    "The service has suspended or closed the account: none of its tokens works until the account"
    " owner has resolved that with the service."
)


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
    service: KnownService = UNKNOWN_SERVICE,
) -> Outcome:
    """Return what an *answer* says whose status is none of those expected."""
    words = words_of(answer)
    meaning = find_meaning(answer.status, words, service.preset)
    if meaning is Meaning.SUSPENDED and service.preset:
        return read_suspension(answer, secret, service)
    if answer.status == HTTPStatus.PAYMENT_REQUIRED or meaning is Meaning.NO_CREDIT:
        return replace(outcome_of(answer, Reason.OK), quota=quota, is_payment_required=True)
    if (
        answer.status == HTTPStatus.TOO_MANY_REQUESTS
        or (meaning is not None and meaning.is_limit)
        or (answer.status == HTTPStatus.FORBIDDEN and asks_for_pause(answer, (quota, *windows)))
    ):
        return read_throttling(answer, quota, windows, secret=secret)
    reason, detail = _name_failure(answer, secret, renewal, words, meaning)
    return outcome_of(answer, reason, detail + server_message(answer, secret))


def is_more_than_denied(
    answer: Answer, windows: tuple[QuotaReading, ...], service: KnownService
) -> bool:
    """Tell whether a 403 that lacks a permission by its code is about something else as well."""
    meaning = find_meaning(answer.status, words_of(answer), service.preset)
    is_known = meaning is not None and (
        meaning.is_limit or meaning.is_of_token or meaning in {Meaning.SUSPENDED, Meaning.NO_CREDIT}
    )
    return is_known or asks_for_pause(answer, windows)


def read_suspension(answer: Answer, secret: Secrets, service: KnownService) -> Outcome:
    """Return the outcome of an *answer* by which a service says that the account is closed."""
    detail = f"{service.suspended or SUSPENDED} It returned {name_status(answer)}."
    return outcome_of(answer, Reason.ACCOUNT_SUSPENDED, detail + server_message(answer, secret))


def words_of(answer: Answer) -> Words:
    """Return what *answer* says in its body."""
    return read_words(answer.body, answer.headers.get("content-type", ""), parse_json(answer.body))


def explain_rejection(status: str, meaning: Meaning | None, renewal: str) -> str:
    """Say why a token was rejected, as far as the service says it, and where to get a new one."""
    if meaning is Meaning.EXPIRED:
        return f"The token has expired{status}. {renewal}".rstrip()
    if meaning is Meaning.REVOKED:
        return f"The token was revoked{status}. {renewal}".rstrip()
    if meaning is Meaning.PERMISSION:
        return f"The token was rejected{status} for another reason than the token itself."
    if meaning is Meaning.SUSPENDED:
        return (
            f"The token was rejected{status}: the service says that the account is suspended or"
            " closed. The account owner must resolve that with the service."
        )
    return f"The token was rejected{status}: {NOT_SAID_WHY}. {renewal}".rstrip()


def _name_failure(
    answer: Answer, secret: Secrets, renewal: str, words: Words, meaning: Meaning | None
) -> tuple[Reason, str]:
    challenge = answer.headers.get("www-authenticate", "")[:MAX_CHALLENGE]
    error = match[1] if (match := _OAUTH_ERROR.search(challenge)) else ""
    is_of_token = meaning is not None and meaning.is_of_token
    if (
        answer.status == HTTPStatus.UNAUTHORIZED
        or (answer.status == HTTPStatus.FORBIDDEN and error == "invalid_token")
        or is_of_token
    ):
        return Reason.TOKEN_REJECTED, explain_rejection(f" ({answer.status})", meaning, renewal)
    if answer.status == HTTPStatus.FORBIDDEN and error == "insufficient_scope":
        return Reason.PERMISSION_DENIED, _missing_scope(challenge, secret)
    if answer.status == HTTPStatus.FORBIDDEN and words.is_page:
        return Reason.UNEXPECTED_RESPONSE, _name_page(answer, secret)
    if answer.status == HTTPStatus.FORBIDDEN:
        return Reason.PERMISSION_DENIED, _name_denial(meaning)
    if answer.status in SERVER_ERRORS:
        return Reason.SERVER_ERROR, _name_server_error(answer)
    return Reason.UNEXPECTED_RESPONSE, _surprise(answer, secret)


def _name_denial(meaning: Meaning | None) -> str:
    if meaning is Meaning.SUSPENDED:
        return (
            "The service denies access (403) and says that the account is suspended or closed."
            " The account owner must resolve that with the service."
        )
    return (
        "The token is known but may not do this (403): its permissions or the plan"
        " were probably changed. Check both in the account."
    )


def _name_page(answer: Answer, secret: Secrets) -> str:
    came = describe(answer.body, answer.headers.get("content-type", ""), secret)
    return (
        f"The response (403) is a page for people, not the API's: {came}. A firewall, a bot check"
        " or a web server in front of the API blocked the call; this says nothing about the token."
        " Allow this host's address there, and check the address that is called."
    )


def _name_server_error(answer: Answer) -> str:
    if answer.status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED:
        return (
            f"The network requires a login ({name_status(answer)}) before it lets calls through."
            " Sign in to the network on this host, or allow the API's host there."
        )
    return (
        f"The API failed on its own side ({name_status(answer)})."
        " There is nothing to do here unless it lasts."
    )


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
        if no := find_no(value):
            came += f" ({no})"
    detail = (
        f"The response (200) is not the API's: expected a JSON object with the account, got {came}."
        " Check the address; a proxy or a maintenance page may stand in the way."
    )
    return outcome_of(answer, Reason.UNEXPECTED_RESPONSE, detail + server_message(answer, secret))


def read_throttling(
    answer: Answer,
    quota: QuotaReading,
    windows: tuple[QuotaReading, ...] = (),
    *,
    secret: Secrets,
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
        f"The API is limiting requests ({name_status(answer)})."
        " The token is valid; the next check waits as long as the API asks."
    )
    outcome = outcome_of(answer, Reason.THROTTLED, detail + server_message(answer, secret))
    return replace(outcome, quota=quota, retry_at=max(waits, default=None))


def asks_for_pause(answer: Answer, windows: tuple[QuotaReading, ...]) -> bool:
    """Tell whether headers ask for a pause: nothing is left, or they say how long to wait."""
    return any(window.remaining == 0 for window in windows) or any(
        name in answer.headers for name in RETRY_FIELDS
    )


def _surprise(answer: Answer, secret: Secrets) -> str:
    if answer.status in REDIRECTS:
        target = _redirect_host(answer, secret)
        return (
            f"The address redirects ({name_status(answer)}){target}. Redirects are not followed,"
            " so that the token stays where it belongs: set the API's own address."
        )
    if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return (
            f"A proxy on the way requires a login ({name_status(answer)}). Check the proxy's"
            " settings on this host; this says nothing about the token."
        )
    if answer.status == HTTPStatus.NOT_FOUND:
        return "There is no such page (404). Check the address against the API reference."
    return f"The API returned {name_status(answer)}, which was not expected. Check the address."


def _redirect_host(answer: Answer, secret: Secrets) -> str:
    try:
        host = urlsplit(answer.headers.get("location", "")).hostname
    except ValueError:
        host = None
    host = clean(host or "", secret, MAX_EXCERPT)
    return f" to {host}" if host else ""


def server_message(answer: Answer, secret: Secrets) -> str:
    """Return the server's own words as the end of a detail; empty if it said nothing."""
    value = parse_json(answer.body)
    message = find_message(value, secret) if value is not None else _find_plain(answer, secret)
    return f' The server says: "{message}"' if message else ""


def _find_plain(answer: Answer, secret: Secrets) -> str:
    """Return what an answer says that is no JSON: XML, or a few words; a page is not quoted."""
    words = words_of(answer)
    if words.is_page or not words.texts or answer.is_oversize:
        return ""
    is_xml = bool(words.keys)
    text = words.texts[0] if is_xml else _plain_text(answer.body, secret)
    return clean(text, secret, MAX_MESSAGE)


def name_status(answer: Answer) -> str:
    """Return the status with its usual phrase: `404 Not Found`."""
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)


def outcome_of(answer: Answer, reason: Reason, detail: str = "") -> Outcome:
    """Return an outcome with what every answer tells: its status and its time."""
    return Outcome(reason, detail, latency_ms=answer.latency_ms, http_status=answer.status)
