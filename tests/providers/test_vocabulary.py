"""
The table of words: each row by itself, and what real answers of many services come to.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from monitor.config.http import PRESETS, load_preset
from monitor.judge.outcome import Outcome, QuotaReading, Reason
from monitor.providers.answers import KnownService, read_failure
from monitor.providers.fetcher import Answer
from monitor.providers.vocabulary import Meaning, Place, Row, Words, find_meaning, fold, vocabulary

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ROWS = [
    (row, status, word)
    for row in vocabulary()
    for status in sorted(row.status)
    for word in (row.words or ("",))
]


def words_of(row: Row, word: str) -> Words:
    keys = frozenset(sorted(row.beside)[:1])
    is_code = row.place is Place.CODE
    return Words(
        codes=(word,) if is_code else (), texts=() if is_code else (f"Sorry: {word}.",), keys=keys
    )


def is_as_good_as(found: Meaning | None, meaning: Meaning) -> bool:
    """
    Tell whether it says the same: a limit is a limit, and so is a token that is over.
    """
    return found is meaning or (
        found is not None
        and (found.is_limit, found.is_of_token) == (meaning.is_limit, meaning.is_of_token)
        and (found.is_limit or found.is_of_token)
    )


def test_no_row_is_hidden_by_one_before_it():
    hidden = []
    for row, status, word in ROWS:
        preset = row.service.lower() if row.is_own else ""
        found = find_meaning(status, words_of(row, word), preset)
        if not is_as_good_as(found, row.meaning):
            hidden.append(f"{row.service}, {status}, {word or 'any'}: {found}, not {row.meaning}")
    assert len(ROWS) > 1500
    assert not hidden, "\n".join(["", *hidden])


def test_every_row_says_where_it_was_read():
    assert [row.service for row in vocabulary() if len(row.source) < len("as above")] == []
    assert len({row.service for row in vocabulary()}) >= 25


def test_what_is_said_by_the_status_alone_counts_for_its_own_preset_only():
    assert [row for row in vocabulary() if row.place is Place.STATUS and not row.is_own] == []
    own = {row.service.lower() for row in vocabulary() if row.is_own}
    assert own <= set(PRESETS)


@pytest.mark.parametrize(
    ("spelling", "folded"),
    [
        ("rateLimitExceeded", "rate limit exceeded"),
        ("RATE_LIMIT_EXCEEDED", "rate limit exceeded"),
        ("rate-limit exceeded!", "rate limit exceeded"),
        ("APIRateLimitExceeded", "api rate limit exceeded"),
        ("  Too   Many\tRequests ", "too many requests"),
        ("ratelimited", "ratelimited"),
        ("AADSTS700082", "aadsts700082"),
        ("", ""),
    ],
)
def test_words_are_compared_without_case_and_signs(spelling, folded):
    assert fold(spelling) == folded


def read(status: int, body: Any, preset: str = "", kind: str = "application/json") -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(status, httpx.Headers({"content-type": kind}), content, 1.0, NOW)
    service = KnownService(preset, load_preset(preset).suspended if preset else "")
    return read_failure(answer, QuotaReading(), "hunter2-secret", "", service=service)


def google(reason: str, domain: str = "usageLimits", message: str = "No.") -> dict[str, Any]:
    errors = [{"domain": domain, "reason": reason, "message": message}]
    return {"error": {"errors": errors, "code": 403, "message": message}}


def grpc(status: str, reason: str, message: str = "No.") -> dict[str, Any]:
    details = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "x"}
    ]
    return {"error": {"code": 403, "message": message, "status": status, "details": details}}


def openai(code: str, message: str = "No.", kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def meta(code: int, message: str = "(#4) No", **more: Any) -> dict[str, Any]:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "x"}
    return {"error": error | more}


OPENAI_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more"
    " information read the docs: https://platform.openai.com/docs/guides/error-codes."
)
OPENAI_RATE = (
    "Rate limit reached for gpt in organization org-x on requests per min. Please add a payment"
    " method to raise it: https://platform.openai.com/account/billing."
)
THROTTLED = {
    "github, logins": (403, {"message": "Maximum number of login attempts exceeded. Try later."}),
    "google daily, without words": (
        403,
        {
            "error": {
                "code": 403,
                "errors": [{"domain": "usageLimits", "reason": "dailyLimitExceeded"}],
            }
        },
    ),
    "google user": (403, google("userRateLimitExceeded")),
    "google rate": (403, google("rateLimitExceeded")),
    "google quota": (403, google("quotaExceeded", "youtube.quota")),
    "google unregistered": (403, google("dailyLimitExceededUnreg")),
    "google grpc": (403, grpc("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")),
    "gemini": (429, grpc("RESOURCE_EXHAUSTED", "", OPENAI_QUOTA)),
    "openai rate": (429, openai("rate_limit_exceeded", OPENAI_RATE, "requests")),
    "github secondary": (403, {"message": "You have exceeded a secondary rate limit."}),
    "github abuse": (403, {"message": "You have triggered an abuse detection mechanism."}),
    "salesforce": (
        403,
        [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    ),
    "aws json": (400, {"__type": "com.amazon.coral#ThrottlingException", "message": "Rate"}),
    "aws xml": (
        403,
        (
            b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
            b"<Message>Rate exceeded</Message></Error></ErrorResponse>"
        ),
    ),
    "s3": (403, b'<?xml version="1.0"?>\n<Error><Code>SlowDown</Code><Message>x</Message></Error>'),
    "meta application": (400, meta(4, "(#4) Application request limit reached")),
    "meta user": (403, meta(17)),
    "meta page": (403, meta(32)),
    "meta custom": (400, meta(613)),
    "hubspot": (
        403,
        {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "No."},
    ),
    "zendesk": (403, {"error": "APIRateLimitExceeded", "description": "Number of allowed …"}),
    "graph": (429, {"error": {"code": "TooManyRequests", "innerError": {"code": "x"}}}),
    "azure quota": (
        403,
        {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished."},
    ),
    "twilio": (403, {"code": 20429, "message": "Busy", "more_info": "https://x", "status": 403}),
    "problem": (403, {"type": "https://iana.org/x#quota-exceeded", "title": "No"}),
    "x cap": (429, {"type": "https://api.twitter.com/2/problems/usage-capped", "title": "Cap"}),
    "twelve data": (
        429,
        {"code": 429, "message": "You have run out of API credits for the current minute."},
    ),
    "notion": (403, {"object": "error", "code": "rate_limited", "message": "No."}),
    "text": (403, b"Too Many Requests"),
    "a page": (403, b"<html><h1>You are being rate limited</h1>"),
    "openrouter": (
        429,
        {"error": {"message": "Rate limit exceeded: free. Buy credits for more.", "code": 429}},
    ),
    "a monthly quota": (403, {"message": "You have used up your monthly quota of requests."}),
    "a maximum": (403, {"message": "Maximum number of requests reached."}),
    "a cap": (403, {"message": "You have hit your monthly usage cap"}),
    "a quota reached": (403, {"message": "Quota has been reached for today"}),
    "a number exceeded": (403, {"message": "You exceeded the number of allowed requests"}),
    "a free tier": (403, {"message": "Free tier limit reached"}),
    "any 429": (429, {"message": "No."}),
    "429, a page about money": (429, b"<html><p>Check your credit balance and billing"),
}
EXHAUSTED = {
    "openai": (429, openai("insufficient_quota", OPENAI_QUOTA, "insufficient_quota")),
    "openai, type alone": (429, {"error": {"type": "insufficient_quota", "message": "No."}}),
    "openai, words alone": (429, {"error": {"message": OPENAI_QUOTA}}),
    "openai, later codes": (429, openai("credit_balance_exhausted", "No.", "insufficient_quota")),
    "openai, a limit of one's own": (429, openai("project_spend_limit_exceeded")),
    "openai, not paid": (429, openai("billing_not_active")),
    "gemini, prepaid": (
        429,
        grpc("RESOURCE_EXHAUSTED", "", "Your prepayment credits are depleted."),
    ),
    "google billing": (403, grpc("PERMISSION_DENIED", "BILLING_DISABLED", "Enable it.")),
    "airtable": (429, {"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED"}]}),
    "vonage": (
        403,
        {"type": "https://example.com/Error#out-of-credit", "title": "You do not have enough"},
    ),
    "explorium": (403, {"details": "You have insufficient credits to perform this operation."}),
    "anthropic's words": (403, {"error": {"message": "Your credit balance is too low to …"}}),
    "openrouter": (403, {"error": {"code": 403, "message": "Insufficient credits"}}),
    "litellm": (429, {"error": {"type": "budget_exceeded", "message": "Budget exceeded"}}),
    "sendgrid": (401, {"errors": [{"message": "Maximum credits exceeded", "field": None}]}),
    "elevenlabs": (401, {"detail": {"status": "quota_exceeded", "message": "5 credits remain"}}),
    "text": (403, b"Insufficient balance"),
    "serpapi": (429, {"error": "Your account has run out of searches."}),
    "a problem": (
        429,
        {"title": "Too Many Requests", "status": 429, "detail": "You have run out of credits."},
    ),
    "an empty balance": (403, {"message": "Your account balance is exhausted."}),
    "an offer": (403, {"message": "Nothing left. Please top up."}),
    "any 402": (402, {"message": "Payment Required"}),
    "402, a page": (402, b"<html><h1>Payment Required"),
}
DENIED = {
    "google, not enabled": (403, google("accessNotConfigured")),
    "google, address": (403, google("ipRefererBlocked")),
    "google, storage": (403, google("storageQuotaExceeded", "usageLimits", "quota exceeded")),
    "google, service": (403, grpc("PERMISSION_DENIED", "SERVICE_DISABLED")),
    "scope for bills": (403, {"message": "You do not have permission to read the credit balance"}),
    "scope": (403, {"error": "insufficient_scope"}),
    "scope for limits": (403, {"message": "This token lacks permission to read rate limits"}),
    "role for limits": (403, {"message": "Permission is required to see the monthly quota"}),
    "link to limits": (403, {"message": "No", "documentation_url": "https://x/rate-limits"}),
    "link to bills": (403, {"message": "No, see https://x.example/billing-limit"}),
    "storage": (403, {"message": "Storage limit exceeded"}),
    "text": (403, b"RBAC: access denied"),
    "nothing": (403, b""),
    "suspended, whoever says it": (403, {"message": "Sorry. Your account was suspended."}),
    "google, account": (403, google("accountDisabled", "global")),
}
REJECTED = {
    "aws expired": (403, {"__type": "ExpiredTokenException", "message": "It is expired"}),
    "aws unknown": (403, {"__type": "UnrecognizedClientException", "message": "No."}),
    "gemini": (400, grpc("INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid.")),
    "meta": (400, meta(190, "Error validating access token", error_subcode=463)),
    "hubspot": (401, {"status": "error", "category": "EXPIRED_AUTHENTICATION"}),
    "any 401": (401, b"<html>no"),
    "401 about credit": (401, {"message": "Token unknown. Buy credit."}),
    "401 about limits": (401, {"message": "Rate limit of failed logins: wrong token"}),
}
SURPRISES = {
    "a code of nobody's": (400, {"error": {"code": 4, "message": "No."}}),
    "400 about credit": (400, {"error": {"message": "Your credit balance is too low"}}),
    "404": (404, {"message": "Rate limiting is not enabled."}),
    "423": (423, {"message": "account is locked"}),
    "a firewall": (403, b"<!DOCTYPE html><title>Just a moment...</title>"),
    "a firewall, no page": (403, b"error code: 1020"),
    "407": (407, b"<html>proxy"),
}


def rows(cases: dict[str, tuple[int, Any]], reason: Reason, *, is_paid: bool = False) -> list[Any]:
    return [
        pytest.param(*case, reason, is_paid, id=f"{reason}: {name}") for name, case in cases.items()
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason", "is_payment_required"),
    [
        *rows(THROTTLED, Reason.THROTTLED),
        *rows(EXHAUSTED, Reason.OK, is_paid=True),
        *rows(DENIED, Reason.PERMISSION_DENIED),
        *rows(REJECTED, Reason.TOKEN_REJECTED),
        *rows(SURPRISES, Reason.UNEXPECTED_RESPONSE),
    ],
)
def test_an_answer_means_what_its_service_says(status, body, reason, is_payment_required):
    outcome = read(status, body, kind="" if isinstance(body, bytes) else "application/json")

    assert outcome.reason is reason
    assert outcome.is_payment_required is is_payment_required
    assert bool(outcome.detail) is (reason is not Reason.OK)


SUSPENDED = {
    "shopify frozen": ("shopify", 402, {"errors": "Unavailable Shop"}, "Unavailable Shop"),
    "shopify closed": ("shopify", 403, {"errors": "Unavailable Shop"}, "Unavailable Shop"),
    "shopify locked": ("shopify", 423, {"errors": "This store is unavailable"}, "unavailable"),
    "shopify, no word": ("shopify", 402, b"", "shop"),
    "github": ("github", 403, {"message": "Sorry. Your account was suspended."}, "Sorry."),
    "gitlab": (
        "gitlab",
        403,
        {"message": "403 Forbidden  - Your account has been blocked."},
        "blocked",
    ),
    "anthropic": (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {"type": "x", "message": "This organization has been disabled."},
        },
        "disabled",
    ),
    "openai": ("openai", 403, openai("account_deactivated", "It was deactivated."), "deactivated"),
    "openai, policy": ("openai", 429, openai("", "x", "access_terminated"), "OpenAI"),
}


@pytest.mark.parametrize(("preset", "status", "body", "words"), SUSPENDED.values(), ids=SUSPENDED)
def test_an_account_that_its_own_service_calls_closed_is_suspended(preset, status, body, words):
    outcome = read(status, body, preset)

    assert outcome.reason is Reason.ACCOUNT_SUSPENDED
    assert not outcome.is_payment_required
    assert words in outcome.detail
    assert str(status) in outcome.detail


ANTHROPIC_REVOKED = {"error": {"message": "OAuth token has been revoked. Please obtain a new one."}}
ANTHROPIC_EXPIRED = {"error": {"message": "OAuth token has expired. Please obtain a new token."}}


@pytest.mark.parametrize(
    ("preset", "status", "body", "reason"),
    [
        ("shopify", 403, {"errors": "requires merchant approval for x"}, Reason.PERMISSION_DENIED),
        ("shopify", 401, {"errors": "[API] Invalid API key"}, Reason.TOKEN_REJECTED),
        ("shopify", 404, {"errors": "Not Found"}, Reason.UNEXPECTED_RESPONSE),
        ("github", 402, {"message": "Payment Required"}, Reason.OK),
        ("openai", 429, openai("insufficient_quota"), Reason.OK),
        ("anthropic", 400, {"error": {"message": "Your credit balance is too low."}}, Reason.OK),
        (
            "anthropic",
            400,
            {"error": {"message": "max_tokens: required"}},
            Reason.UNEXPECTED_RESPONSE,
        ),
        ("anthropic", 403, ANTHROPIC_REVOKED, Reason.TOKEN_REJECTED),
        ("anthropic", 403, ANTHROPIC_EXPIRED, Reason.TOKEN_REJECTED),
        ("", 403, ANTHROPIC_REVOKED, Reason.PERMISSION_DENIED),
        ("", 402, {"errors": "Unavailable Shop"}, Reason.OK),
        ("", 423, {"errors": "This store is unavailable"}, Reason.UNEXPECTED_RESPONSE),
        ("", 403, {"errors": "Unavailable Shop"}, Reason.PERMISSION_DENIED),
        ("github", 402, {"errors": "Unavailable Shop"}, Reason.OK),
    ],
)
def test_a_service_speaks_for_itself_alone(preset, status, body, reason):
    assert read(status, body, preset).reason is reason


EXPIRY = {
    "gitlab": ({"error": "invalid_token", "error_description": "Token is expired. Do it."}, True),
    "a code": ({"error": {"code": "token_expired", "message": "No."}}, True),
    "a title": ({"title": "API key expired", "status": 401}, True),
    "jwt": ({"name": "TokenExpiredError", "message": "jwt expired"}, True),
    "entra": ({"error": {"code": "x", "message": "Lifetime validation failed, it is …"}}, True),
    "one of several": ({"message": "Invalid or expired token"}, False),
    "rfc 6750": ({"message": "The token is expired, revoked, malformed, or invalid"}, False),
    "unknown or": ({"message": "The token is missing, unknown or expired."}, False),
    "revoked": ({"message": "Token was revoked. You have to re-authorize."}, False),
    "nothing said": ({}, False),
    "disabled": ({"message": "This API key has been disabled by its owner"}, False),
    "deleted": ({"error": {"message": "Token has been deleted"}}, False),
}


@pytest.mark.parametrize(("body", "has_expired"), EXPIRY.values(), ids=EXPIRY)
def test_a_token_is_called_expired_only_where_the_service_is_sure(body, has_expired):
    outcome = read(401, body)

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert outcome.detail.startswith("The token has expired (401).") is has_expired
    is_sure = has_expired or "was revoked (401)" in outcome.detail
    assert ("mistyped" in outcome.detail) is not is_sure


@pytest.mark.parametrize("said", ["Account suspended", "Your account has been closed."])
def test_a_token_of_a_closed_account_is_not_called_mistyped(said):
    outcome = read(401, {"message": said})

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert "account is suspended or closed" in outcome.detail
    assert "mistyped" not in outcome.detail


def test_a_word_for_the_meaning_is_no_limit_and_no_fault_of_the_token():
    assert not any(each.is_limit and each.is_of_token for each in Meaning)
