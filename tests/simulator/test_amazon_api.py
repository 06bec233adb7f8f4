"""
The regional hosts, over real HTTP: every answer of the Sellers API.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from monitor.simulator.amazon import MARKETPLACES
from tests.simulator.shop import ROTATE, details_of

pytestmark = pytest.mark.anyio

DENIED = "Access to requested resource is denied."
MISSING = "Access token is missing in the request header."
EXPIRED = "The access token you provided has expired."
REFUSED = "The access token you provided is revoked, malformed or invalid."
SECRET_EXPIRED = "The LWA secret token you provided has expired."

# What Amazon's Sellers model (sellers.json of its public model repository) says an answer must
# have: field names and types only.
REQUIRED: dict[str, Any] = {
    "marketplace": {
        "id": str,
        "countryCode": str,
        "name": str,
        "defaultCurrencyCode": str,
        "defaultLanguageCode": str,
        "domainName": str,
    },
    "storeName": str,
    "participation": {"isParticipating": bool, "hasSuspendedListings": bool},
}


def find_flaws(value: Any, wanted: Any, place: str = "") -> list[str]:
    """What is missing, of another type, or not in the model."""
    if not isinstance(wanted, dict):
        return [] if type(value) is wanted else [f"{place}: {value!r}"]
    if not isinstance(value, dict):
        return [f"{place}: {value!r}"]
    flaws = [f"{place}.{name}" for name in value.keys() ^ wanted.keys()]
    for name in value.keys() & wanted.keys():
        flaws += find_flaws(value[name], wanted[name], f"{place}.{name}")
    return flaws


def assert_denied(answer: Any, details: str | None, code: str = "Unauthorized") -> None:
    (error,) = answer.json()["errors"]
    expected = {"code": code, "message": DENIED}
    assert error == (expected if details is None else {**expected, "details": details})
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert uuid.UUID(answer.headers["x-amzn-RequestId"])
    assert "x-amzn-RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize("region", ["na", "eu", "fe"])
async def test_an_answer_has_all_that_the_model_requires_and_no_more(shop, region):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    store = amazon.add_grant(shop.application.id, region, "Everywhere", now)
    token = await shop.access_token(refresh_token=store.refresh_token)

    answer = await shop.probe(token, region)

    payload = answer.json()["payload"]
    assert answer.status_code == 200
    assert [flaw for item in payload for flaw in find_flaws(item, REQUIRED)] == []
    assert {item["marketplace"]["id"] for item in payload} == {
        place.id for place in MARKETPLACES.values() if place.region == region
    }
    assert {item["storeName"] for item in payload} == {"Everywhere"}
    assert list(answer.json()) == ["payload"]


async def test_the_marketplaces_are_amazons_with_iso_codes(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    store = amazon.add_grant(shop.application.id, "eu", "UK", now, marketplaces=("UK",))
    token = await shop.access_token(refresh_token=store.refresh_token)

    (item,) = (await shop.probe(token, "eu")).json()["payload"]

    assert item["marketplace"] == {
        "id": "A1F83G8C2ARO7P",
        "countryCode": "GB",
        "name": "Amazon.co.uk",
        "defaultCurrencyCode": "GBP",
        "defaultLanguageCode": "en_GB",
        "domainName": "www.amazon.co.uk",
    }


async def test_a_good_answer_carries_its_rate_and_a_request_id(shop):
    first, second = await shop.check(), await shop.check()

    assert first.headers["x-amzn-RateLimit-Limit"] == "0.016"
    assert uuid.UUID(first.headers["x-amzn-RequestId"])
    assert first.headers["x-amzn-RequestId"] != second.headers["x-amzn-RequestId"]
    assert "x-amzn-ErrorType" not in first.headers


async def test_a_call_without_a_token_is_told_so(shop):
    assert_denied(await shop.probe(None), MISSING)
    assert_denied(await shop.probe(""), MISSING)


@pytest.mark.parametrize("prefix", ["Bearer ", "Atza|x", "\u00e4"])
async def test_a_mangled_token_is_refused(shop, prefix):
    token = prefix + await shop.access_token()

    assert_denied(await shop.probe(token.encode()), REFUSED)


async def test_a_refresh_token_is_no_access_token(shop):
    assert_denied(await shop.probe(shop.refresh_token), REFUSED)


async def test_a_token_expires_after_an_hour_and_is_forgotten_after_two(shop):
    token = await shop.access_token()

    shop.advance(seconds=3_595)
    assert (await shop.probe(token)).status_code == 200
    shop.advance(seconds=5)
    assert_denied(await shop.probe(token), EXPIRED)
    shop.advance(hours=2)
    await shop.access_token()
    assert_denied(await shop.probe(token), REFUSED)
    assert len(shop.simulator.amazon.access_tokens) == 1


async def test_a_token_asked_for_with_an_expired_secret_opens_nothing(shop):
    before = await shop.access_token()
    shop.application.age_secret(timedelta(days=180))
    after = await shop.access_token()

    assert_denied(await shop.probe(after), SECRET_EXPIRED)
    assert (await shop.probe(before)).status_code == 200


async def test_a_new_secret_mends_what_an_expired_one_broke(shop):
    shop.application.age_secret(timedelta(days=200))
    new = shop.simulator.amazon.rotate_secret(shop.application.id, shop.simulator.clock.now())

    token = await shop.access_token(client_secret=new.value)

    assert (await shop.probe(token)).status_code == 200
    assert_denied(await shop.check(), SECRET_EXPIRED)


async def test_a_revocation_ends_the_access_tokens_given_out_before(shop):
    token = await shop.access_token()

    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())

    assert_denied(await shop.probe(token), REFUSED)


async def test_where_access_tokens_survive_a_revocation_they_live_out_their_hour(shop):
    shop.simulator.amazon.policy.revoking_ends_access_tokens = False
    token = await shop.access_token()
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())

    assert (await shop.probe(token)).status_code == 200
    shop.advance(hours=1)
    assert_denied(await shop.probe(token), EXPIRED)


async def test_another_regions_host_refuses_without_details(shop):
    token = await shop.access_token()

    for region in ("eu", "fe"):
        assert_denied(await shop.probe(token, region), "")
    assert (await shop.probe(token)).status_code == 200


@pytest.mark.parametrize(
    ("role", "is_open"),
    [("Inventory and Order Tracking", True), ("Selling Partner Insights", False), (None, False)],
)
async def test_without_a_role_for_it_the_api_refuses_without_details(shop, role, is_open):
    shop.grant.remove_role(role)

    answer = await shop.check()

    if is_open:
        assert answer.status_code == 200
    else:
        assert_denied(answer, "")


async def test_authorizing_again_brings_the_applications_roles_back(shop):
    amazon = shop.simulator.amazon
    shop.grant.remove_role()
    renewed = amazon.reauthorize("store_1", shop.simulator.clock.now())

    token = await shop.access_token(refresh_token=renewed.refresh_token)

    assert (await shop.probe(token)).status_code == 200


async def test_a_role_added_to_the_application_needs_a_new_authorization(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    issued = amazon.add_application("Poor", now, roles=("Pricing",))
    client = {
        "client_id": issued.application.client_id,
        "client_secret": issued.client_secret,
    }
    store = amazon.add_grant(issued.application.id, "na", "Shop", now)
    issued.application.roles.add("Product Listing")
    before = await shop.access_token(**client, refresh_token=store.refresh_token)
    assert_denied(await shop.probe(before), "")

    renewed = amazon.reauthorize(store.grant.id, now)
    after = await shop.access_token(**client, refresh_token=renewed.refresh_token)

    assert (await shop.probe(after)).status_code == 200


async def test_a_vendors_account_cannot_use_the_sellers_api(shop):
    shop.grant.is_vendor = True

    assert_denied(await shop.check(), "")


async def test_a_token_without_a_seller_cannot_use_the_sellers_api(shop):
    assert_denied(await shop.probe(await shop.grantless_token()), "")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sellers/v1/marketplaceParticipations"),
        ("GET", "/sellers/v1/marketplaceparticipations"),
        ("GET", "/sellers/v1/marketplaceParticipations/"),
        ("GET", "/orders/v0/orders"),
        ("GET", "/"),
        ("GET", ROTATE),
    ],
)
async def test_what_is_not_routed_is_403_of_another_kind(shop, method, path):
    headers = {"x-amz-access-token": await shop.access_token()}
    answer = await shop.client.request(
        method, shop.simulator.endpoint("na") + path, headers=headers
    )

    assert_denied(answer, None, "MissingAuthenticationToken")


async def test_a_get_with_a_body_is_400(shop):
    answer = await shop.probe(await shop.access_token(), content=b"{}")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")
    assert "x-amzn-ErrorType" not in answer.headers


async def test_fifteen_calls_fit_then_one_per_62_and_a_half_seconds(shop):
    token = await shop.access_token()

    statuses = [(await shop.probe(token)).status_code for _ in range(16)]
    throttled = await shop.probe(token)
    shop.advance(seconds=61)
    still = await shop.probe(token)
    shop.advance(seconds=2)
    after = [(await shop.probe(token)).status_code for _ in range(2)]

    assert statuses == [200] * 15 + [429]
    assert throttled.json() == {
        "errors": [
            {
                "code": "QuotaExceeded",
                "message": "You exceeded your quota for the requested resource.",
                "details": "",
            }
        ]
    }
    assert not {"retry-after", "x-amzn-ratelimit-limit", "x-amzn-errortype"} & {*throttled.headers}
    assert throttled.headers["x-amzn-RequestId"]
    assert still.status_code == 429
    assert after == [200, 429]


async def test_the_bucket_fills_up_to_fifteen_and_no_further(shop):
    shop.advance(hours=0.9)
    token = await shop.access_token()

    assert [(await shop.probe(token)).status_code for _ in range(16)] == [200] * 15 + [429]


async def test_each_pair_of_application_and_seller_has_a_bucket_of_its_own(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    other = amazon.add_grant(shop.application.id, "na", "Other", now)
    same = amazon.add_grant(shop.application.id, "na", "Same seller", now)
    same.grant.seller_id = shop.grant.seller_id
    token = await shop.access_token()
    for _ in range(15):
        await shop.probe(token)

    of_other = await shop.access_token(refresh_token=other.refresh_token)
    of_same = await shop.access_token(refresh_token=same.refresh_token)

    assert (await shop.probe(of_other)).status_code == 200
    assert (await shop.probe(of_same)).status_code == 429


async def test_refused_calls_draw_nothing_and_their_answer_hides_an_empty_bucket(shop):
    token = await shop.access_token()
    for _ in range(20):
        assert_denied(await shop.probe(token, "eu"), "")
    assert (await shop.probe(token)).status_code == 200
    for _ in range(15):
        await shop.probe(token)
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())

    assert_denied(await shop.probe(token), REFUSED)


async def test_participation_is_told_per_marketplace(shop):
    shop.grant.set_participation("CA", is_participating=False)
    shop.grant.set_participation("MX", has_suspended_listings=True)
    shop.grant.set_participation("BR")
    shop.grant.remove_marketplace("US")

    payload = (await shop.check()).json()["payload"]

    assert {item["marketplace"]["countryCode"]: item["participation"] for item in payload} == {
        "CA": {"isParticipating": False, "hasSuspendedListings": False},
        "MX": {"isParticipating": True, "hasSuspendedListings": True},
        "BR": {"isParticipating": True, "hasSuspendedListings": False},
    }


async def test_spoiled_access_tokens_are_refused_and_the_next_one_works(shop):
    shop.grant.n_spoiled = 2

    answers = [await shop.check() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [403, 403, 200]
    assert details_of(answers[0]) == REFUSED
