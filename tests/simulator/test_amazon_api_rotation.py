"""
New client secrets that an application asks for, over real HTTP.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from tests.simulator.shop import details_of

pytestmark = pytest.mark.anyio


async def test_the_new_secret_comes_by_the_queue_and_the_answer_is_empty(shop):
    answer = await shop.rotate(await shop.grantless_token())

    (message,) = shop.simulator.amazon.queue
    payload = message["payload"]["applicationOAuthClientNewSecret"]
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-amzn-RequestId"]
    assert message["notificationType"] == "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
    assert message["notificationVersion"] == "1.0"
    assert message["payloadVersion"] == "2023-11-30"
    assert message["notificationMetadata"]["applicationId"] == shop.application.application_id
    assert payload["clientId"] == shop.application.client_id
    assert payload["newClientSecret"].startswith("amzn1.oa2-cs.v1.")
    assert (await shop.ask(client_secret=payload["newClientSecret"])).status_code == 200
    assert (await shop.ask()).status_code == 200


async def test_the_message_tells_when_both_secrets_end_to_the_millisecond(shop):
    await shop.rotate(await shop.grantless_token())

    (message,) = shop.simulator.amazon.queue
    payload = message["payload"]["applicationOAuthClientNewSecret"]
    times = [
        message["eventTime"],
        payload["oldClientSecretExpiryTime"],
        payload["newClientSecretExpiryTime"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    at, old, new = map(datetime.fromisoformat, times)
    assert (old - at, new - at) == (timedelta(days=7), timedelta(days=180))


async def test_a_second_call_within_a_minute_is_429_and_changes_nothing(shop):
    token = await shop.grantless_token()

    first = await shop.rotate(token)
    shop.advance(seconds=55)
    second = await shop.rotate(token)
    shop.advance(seconds=5)
    third = await shop.rotate(token, "eu")

    assert [first.status_code, second.status_code, third.status_code] == [204, 429, 204]
    assert second.json()["errors"][0]["code"] == "QuotaExceeded"
    assert "Retry-After" not in second.headers
    assert len(shop.simulator.amazon.queue) == 2


async def test_rotating_twice_does_not_lengthen_the_first_secrets_life(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    amazon.rotate_secret(shop.application.id, now)
    second = amazon.rotate_secret(shop.application.id, now + timedelta(days=6))

    shop.advance(days=7)

    assert (await shop.ask()).status_code == 401
    assert (await shop.ask(client_secret=second.value)).status_code == 200


async def test_an_application_without_a_queue_gets_no_secret(shop):
    shop.application.is_enrolled = False

    answer = await shop.rotate(await shop.grantless_token())

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "InvalidInput")
    assert error["message"] == (
        "Application is not enrolled for rotation notification. "
        "Please update application notification preference in Developer console."
    )
    assert len(shop.application.secrets) == 1
    shop.application.is_enrolled = True
    assert (await shop.rotate(await shop.grantless_token())).status_code == 204


async def test_only_a_token_with_the_scope_for_it_may_rotate(shop):
    of_seller = await shop.access_token()
    of_other_scope = await shop.grantless_token("sellingpartnerapi::notifications")

    answers = [await shop.rotate(token) for token in (of_seller, of_other_scope)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert [details_of(answer) for answer in answers] == ["", ""]
    assert details_of(await shop.rotate(None)) == "Access token is missing in the request header."
    assert not shop.simulator.amazon.queue


async def test_secrets_long_dead_are_forgotten(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()

    for number in range(20):
        amazon.rotate_secret(shop.application.id, now + timedelta(days=30 * number))

    assert len(shop.application.secrets) == 2
