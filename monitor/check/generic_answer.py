"""
Decide what an answer of any HTTP API means, by what was expected of it.

The contract's table for tokens is in `token_api`; here is what comes before
it: which statuses are a success, what the body must hold, and the words by
which a service says in its body what others say by a status.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from monitor.check import body as bodies
from monitor.check.http import MAX_BODY
from monitor.check.pointer import ABSENT, follow
from monitor.check.token_api import (
    BAD_REQUESTS,
    PAYMENT_REQUIRED,
    THROTTLED,
    name_status,
    outcome_of,
    read_throttling,
    read_trouble,
    server_words,
)
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.check.body import Secrets
    from monitor.check.http import Answer
    from monitor.check.quota_headers import QuotaReport

HTML = ("text/html", "application/xhtml+xml")
MAX_VALUE = 60

DETAIL_OF_WORD = {
    Reason.TOKEN_REJECTED: "The token was refused: it was revoked or mistyped.",
    Reason.AUTHORIZATION_EXPIRED: "The token has expired.",
    Reason.PERMISSION_DENIED: (
        "The token is known but may not do this: its permissions were probably changed."
    ),
    Reason.SERVER_ERROR: (
        "The API failed on its own side. There is nothing to do here unless it lasts."
    ),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What an answer is held against.

    Args:
        expect_json: What stands where in a good answer, by JSON pointer.
        has_body: An answer to this method has one.
        word_at: The JSON pointer to the word for what went wrong.
        words: What each of the service's words means.
        renewal: A sentence that says where to get a new token; may be empty.
    """

    expect_status: frozenset[int] = frozenset({200})
    expect_json: Mapping[str, Any] = field(default_factory=dict)
    has_body: bool = True
    word_at: str | None = None
    words: Mapping[str, Reason] = field(default_factory=dict)
    renewal: str = ""


def read_answer(answer: Answer, report: QuotaReport, terms: Terms, secrets: Secrets) -> Outcome:
    """
    Return what *answer* says about the credential that was sent.
    """
    quota = report.tightest
    value = bodies.parse_json(answer.body)
    if (word := _find_word(answer, value, terms)) is not None:
        return _read_word(answer, word, report, terms, secrets)
    if answer.status not in terms.expect_status:
        return read_trouble(answer, quota, secrets, terms.renewal, windows=report.windows)
    surprise = _find_surprise(answer, value, terms, secrets)
    if surprise is None:
        account = bodies.find_account(value, secrets) if isinstance(value, dict) else None
        return replace(outcome_of(answer, Reason.OK), quota=quota, account=account)
    if bodies.says_rate_limited(answer.body):
        return read_throttling(answer, quota, report.windows)
    return outcome_of(answer, Reason.UNEXPECTED_RESPONSE, surprise + server_words(answer, secrets))


def _find_word(answer: Answer, value: object, terms: Terms) -> str | None:
    """
    Return the service's word for what went wrong, if it is one that is known.

    A status that says it all by itself needs no word.
    """
    is_open = answer.status in terms.expect_status or answer.status in BAD_REQUESTS
    if terms.word_at is None or not is_open or answer.status in {PAYMENT_REQUIRED, THROTTLED}:
        return None
    word = follow(value, terms.word_at)
    return word if isinstance(word, str) and word in terms.words else None


def _read_word(
    answer: Answer, word: str, report: QuotaReport, terms: Terms, secrets: Secrets
) -> Outcome:
    reason = terms.words[word]
    if reason is Reason.THROTTLED:
        return read_throttling(answer, report.tightest, report.windows)
    said = f' The API says "{bodies.clean(word, secrets, MAX_VALUE)}".'
    is_renewable = reason in {Reason.TOKEN_REJECTED, Reason.AUTHORIZATION_EXPIRED}
    renewal = f" {terms.renewal}" if is_renewable and terms.renewal else ""
    return outcome_of(answer, reason, DETAIL_OF_WORD[reason] + said + renewal)


def _find_surprise(answer: Answer, value: object, terms: Terms, secrets: Secrets) -> str | None:
    """
    Say what keeps an answer with a good status from being a good answer.
    """
    if terms.expect_json:
        return _find_unmet(answer, value, terms.expect_json, secrets)
    if not terms.has_body or (isinstance(value, list | dict) and not value):
        return None
    status = name_status(answer)
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in HTML or (value is None and _is_html(answer.body)):
        came = bodies.describe(answer.body, content_type, secrets)
        return (
            f"The answer ({status}) is a page for people, not an API's: {came}."
            " Check the address; a proxy or a maintenance page may stand in the way."
        )
    if isinstance(value, dict) and not bodies.is_answer(value):
        return (
            f"The answer ({status}) reports an error inside. If it is a good answer all the"
            " same, say in `expect_json` what such an answer holds."
        )
    is_json = content_type == "application/json" or content_type.endswith("+json")
    if is_json and value is None and answer.body.strip() not in {b"", b"null"}:
        return f"The answer ({status}) calls itself JSON and is none. A proxy may have cut it."
    return None


def _is_html(body: bytes) -> bool:
    return body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _find_unmet(
    answer: Answer, value: object, expect_json: Mapping[str, Any], secrets: Secrets
) -> str | None:
    if value is None and answer.is_oversize:
        return (
            f"The answer ({name_status(answer)}) is longer than {MAX_BODY // 1024} KiB, too long"
            " to look for what `expect_json` wants. Ask for a shorter one."
        )
    for pointer, wanted in expect_json.items():
        found = follow(value, pointer)
        if not _is_same(found, wanted):
            return (
                f"The answer ({name_status(answer)}) is not what `expect_json` wants: expected"
                f" {_show(wanted, secrets)} at {_show(pointer, secrets)},"
                f" got {_show(found, secrets)}."
            )
    return None


def _is_same(found: object, wanted: object) -> bool:
    # True equals 1 to Python, and not to anybody who writes JSON.
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(
            _is_same(found[key], wanted[key]) for key in wanted
        )
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_is_same, found, wanted))
    return found == wanted


def _show(value: object, secrets: Secrets) -> str:
    if value is ABSENT:
        return "nothing there"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if not isinstance(value, str):
        return bodies.clean(json.dumps(value), secrets, MAX_VALUE)
    # Masked before quotes and escapes are put around it, which would hide a secret.
    return f'"{bodies.clean(value, secrets, MAX_VALUE)}"'
