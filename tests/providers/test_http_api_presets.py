from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.config.http import PRESETS, HttpConnection
from monitor.judge.outcome import Outcome, QuotaReading, QuotaUnit, Reason
from monitor.providers.http_api import HttpChecker
from tests.dialects import (
    DIALECTS,
    ENDS_AT,
    PATHS,
    RESETS_AT,
    Asked,
    Fate,
    Reply,
    speaking,
)

pytestmark = pytest.mark.anyio

REFUSED = "sk-hunter2-0123456789"


@pytest.fixture(scope="module")
def speakers():
    """
    A server for each dialect, by preset.
    """
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield {name: stack.enter_context(speaking(name)) for name in DIALECTS}


async def check(clients, speakers, preset: str, token: str, **more) -> Outcome:
    keys = {"name": "a", "provider": "http", "preset": preset, "token": token}
    connection = HttpConnection.model_validate(keys | {"url": speakers[preset].url} | more)
    checker = HttpChecker(connection, clients.get(), timedelta(seconds=5))
    return await checker.check()


def test_every_preset_is_tried_here():
    assert sorted(DIALECTS) == sorted(PRESETS)
    assert set(PATHS) == set(DIALECTS)


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_good_token_is_ok(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, Fate.GOOD)

    assert (outcome.reason, outcome.detail) == (Reason.OK, "")
    assert outcome.http_status == 200
    assert outcome.token_ends_at is None


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_refused_token_is_rejected_and_told_without_the_token(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, REFUSED)

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert "rejected" in outcome.detail or "revoked" in outcome.detail
    assert REFUSED not in repr(outcome)


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_token_that_asked_too_often_is_alive(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, Fate.THROTTLED)

    assert outcome.reason is Reason.THROTTLED
    assert outcome.retry_at is not None


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_missing_permission_is_told_from_a_refusal(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, Fate.UNSCOPED)

    assert outcome.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize("preset", PRESETS)
async def test_another_address_is_not_the_api(clients, speakers, preset):
    url = speakers[preset].root + "/elsewhere"

    outcome = await check(clients, speakers, preset, Fate.GOOD, url=url)

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE


LOW = {
    "anthropic": QuotaReading(50, 2, RESETS_AT, 60, "requests"),
    "github": QuotaReading(5000, 3, RESETS_AT),
    "gitlab": QuotaReading(600, 2, RESETS_AT),
    "openai": QuotaReading(60, 1, None, None, "requests"),
    "shopify": QuotaReading(40, 1, None, 20, "shopify-shop-api-call-limit"),
}


@pytest.mark.parametrize("preset", LOW)
async def test_a_low_quota_is_read_and_the_tightest_window_decides(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, Fate.LOW)

    assert outcome.reason is Reason.OK
    assert outcome.quota is not None
    expected = LOW[preset]
    assert (outcome.quota.limit, outcome.quota.remaining) == (expected.limit, expected.remaining)
    assert (outcome.quota.window_s, outcome.quota.name) == (expected.window_s, expected.name)
    if expected.resets_at is not None:
        assert outcome.quota.resets_at == expected.resets_at
    assert outcome.quota in outcome.windows


@pytest.mark.parametrize(
    ("preset", "units"),
    [
        ("anthropic", {QuotaUnit.REQUESTS, QuotaUnit.TOKENS}),
        ("openai", {QuotaUnit.REQUESTS, QuotaUnit.TOKENS}),
        ("github", {QuotaUnit.REQUESTS}),
    ],
)
async def test_all_windows_are_told(clients, speakers, preset, units):
    outcome = await check(clients, speakers, preset, Fate.GOOD)

    assert {window.unit for window in outcome.windows} == units


async def test_slack_tells_no_quota(clients, speakers):
    outcome = await check(clients, speakers, "slack", Fate.GOOD)

    assert outcome.quota == QuotaReading()
    assert outcome.windows == ()


@pytest.mark.parametrize("preset", ["github", "gitlab"])
async def test_the_end_of_a_token_is_observed(clients, speakers, preset):
    outcome = await check(clients, speakers, preset, Fate.ENDING)

    assert outcome.reason is Reason.OK
    assert outcome.token_ends_at == ENDS_AT


async def test_slack_says_that_a_token_has_expired(clients, speakers):
    outcome = await check(clients, speakers, "slack", Fate.EXPIRED)

    assert outcome.reason is Reason.AUTHORIZATION_EXPIRED
    assert "expired" in outcome.detail


async def test_gitlab_says_that_a_token_has_expired(clients):
    words = "Token is expired. You can either do re-authorization or token refresh."
    body = {"error": "invalid_token", "error_description": words}
    with speaking("gitlab", answering(401, body)) as speaker:
        outcome = await check(clients, {"gitlab": speaker}, "gitlab", "glpat-7")

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert outcome.detail.startswith("The token has expired.")
    assert outcome.detail.endswith(f'The server says: "{words}"')
    assert "mistyped" not in outcome.detail


def answering(status: int, body: object, kind: str = "application/json"):
    def speak(_asked: Asked) -> Reply:
        return Reply(status, body, {"Content-Type": kind})

    return speak


UNLIMITED = "Rate limiting is not enabled."
ENTERPRISE = {
    "limits are off": (404, {"message": UNLIMITED}, {}, Reason.OK),
    "limits are off, long ago": (
        404,
        {"message": "No rate limit for white listed users"},
        {},
        Reason.OK,
    ),
    "a bad token": (401, {"message": "Bad credentials"}, {}, Reason.TOKEN_REJECTED),
    "another 404": (404, {"message": "Not Found"}, {}, Reason.UNEXPECTED_RESPONSE),
    "the text with another status": (
        400,
        {"message": UNLIMITED},
        {},
        Reason.UNEXPECTED_RESPONSE,
    ),
    "the text elsewhere": (404, {"error": UNLIMITED}, {}, Reason.UNEXPECTED_RESPONSE),
    "expect_json of one's own": (
        404,
        {"message": UNLIMITED},
        {"expect_json": {"/rate/limit": 5000}},
        Reason.UNEXPECTED_RESPONSE,
    ),
    "suspended": (
        403,
        {"message": "Sorry. Your account was suspended."},
        {},
        Reason.ACCOUNT_SUSPENDED,
    ),
}


@pytest.mark.parametrize(("status", "body", "more", "reason"), ENTERPRISE.values(), ids=ENTERPRISE)
async def test_a_github_of_ones_own_may_have_no_limits(clients, status, body, more, reason):
    with speaking("github", answering(status, body)) as speaker:
        url = speaker.root + "/api/v3/rate_limit"
        outcome = await check(clients, {"github": speaker}, "github", Fate.GOOD, url=url, **more)

    assert outcome.reason is reason
    assert outcome.is_payment_required is False


SHOPS = {
    "frozen": (402, "Unavailable Shop"),
    "closed": (403, "Unavailable Shop"),
    "locked": (423, "This store is unavailable"),
}


@pytest.mark.parametrize(("status", "words"), SHOPS.values(), ids=SHOPS)
async def test_a_shop_that_is_not_open_is_suspended_in_its_own_words(clients, status, words):
    with speaking("shopify", answering(status, {"errors": words})) as speaker:
        outcome = await check(clients, {"shopify": speaker}, "shopify", Fate.GOOD)

    assert outcome.reason is Reason.ACCOUNT_SUSPENDED
    assert outcome.detail.startswith("The shop is frozen, locked or closed")
    assert outcome.detail.endswith(f'The server says: "{words}"')
    assert not outcome.is_payment_required


AZURE = {
    "good": (200, {"object": "list", "data": []}, Reason.OK),
    "wrong key": (
        401,
        {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}},
        Reason.TOKEN_REJECTED,
    ),
    "no role": (
        401,
        {"error": {"code": "PermissionDenied", "message": "Principal does not have access"}},
        Reason.PERMISSION_DENIED,
    ),
    "a closed network": (
        403,
        {"error": {"code": "AccessDenied", "message": "Access denied due to Virtual Network"}},
        Reason.PERMISSION_DENIED,
    ),
    "too often": (
        429,
        {"error": {"code": "429", "message": "exceeded call rate limit of your tier."}},
        Reason.THROTTLED,
    ),
    "a quota of the gateway": (
        403,
        {"statusCode": 403, "message": "Out of call volume quota. It comes back in 12:00:00."},
        Reason.THROTTLED,
    ),
}


@pytest.mark.parametrize(("status", "body", "reason"), AZURE.values(), ids=AZURE)
async def test_openai_is_watched_on_azure_as_well(clients, status, body, reason):
    with speaking("openai", answering(status, body)) as speaker:
        url = speaker.root + "/openai/models?api-version=2024-10-21"
        outcome = await check(
            clients, {"openai": speaker}, "openai", "key-7", url=url, auth="header:api-key"
        )

        assert outcome.reason is reason
        (asked,) = speaker.asked
        assert asked.headers["api-key"] == "key-7"
        assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("preset", "status", "body", "reason", "is_paid"),
    [
        ("openai", 429, {"error": {"code": "insufficient_quota"}}, Reason.OK, True),
        (
            "openai",
            401,
            {"error": {"code": "account_deactivated"}},
            Reason.ACCOUNT_SUSPENDED,
            False,
        ),
        (
            "anthropic",
            400,
            {"error": {"type": "x", "message": "Your credit balance is too low."}},
            Reason.OK,
            True,
        ),
        ("anthropic", 402, {"error": {"type": "billing_error"}}, Reason.OK, True),
        (
            "anthropic",
            403,
            {"error": {"type": "permission_error", "message": "OAuth token has been revoked."}},
            Reason.TOKEN_REJECTED,
            False,
        ),
        (
            "gitlab",
            403,
            {"message": "Your account has been blocked."},
            Reason.ACCOUNT_SUSPENDED,
            False,
        ),
        ("slack", 200, {"ok": False, "error": "token_revoked"}, Reason.TOKEN_REJECTED, False),
        ("slack", 200, {"ok": False, "error": "nobody_knows"}, Reason.UNEXPECTED_RESPONSE, False),
    ],
)
async def test_a_preset_believes_its_own_service(clients, preset, status, body, reason, is_paid):
    with speaking(preset, answering(status, body)) as speaker:
        outcome = await check(clients, {preset: speaker}, preset, Fate.GOOD)

    assert (outcome.reason, outcome.is_payment_required) == (reason, is_paid)


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_page_speaks_for_no_service(clients, preset):
    with speaking(preset, answering(403, "<html><p>blocked", "text/html")) as speaker:
        outcome = await check(clients, {preset: speaker}, preset, Fate.GOOD)

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_says_what_it_was_read_for_and_what_it_cannot_see(preset):
    from pathlib import Path

    import monitor.config.http

    path = Path(monitor.config.http.__file__).with_name("presets") / f"{preset}.toml"
    text = " ".join(path.read_text(encoding="utf-8").replace("#", " ").split())
    assert "Read for " in text
    assert "Not seen: " in text


async def test_github_waits_for_the_reset_when_nothing_is_left(clients, speakers):
    outcome = await check(clients, speakers, "github", Fate.THROTTLED)

    assert outcome.quota is not None
    assert outcome.quota.remaining == 0
    assert outcome.retry_at == RESETS_AT


@pytest.mark.parametrize("preset", PRESETS)
async def test_only_the_free_endpoint_is_asked_and_once(clients, preset):
    with speaking(preset) as speaker:
        await check(clients, {preset: speaker}, preset, Fate.GOOD)

        assert [asked.path for asked in speaker.asked] == [PATHS[preset]]


async def test_a_header_of_the_preset_can_be_replaced_by_one_of_the_file(clients):
    with speaking("anthropic") as speaker:
        headers = {"Anthropic-Version": "2027-01-01", "X-More": "yes"}

        await check(clients, {"anthropic": speaker}, "anthropic", Fate.GOOD, headers=headers)

        (asked,) = speaker.asked
        assert asked.headers["anthropic-version"] == "2027-01-01"
        assert asked.headers["x-more"] == "yes"
