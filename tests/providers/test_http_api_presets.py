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
    Fate,
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
    assert "refused" in outcome.detail
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
