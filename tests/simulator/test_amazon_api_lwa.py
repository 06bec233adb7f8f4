"""
Login with Amazon, over real HTTP: every answer of its token endpoint.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.simulator.shop import CALLBACK, ROTATION_SCOPE

pytestmark = pytest.mark.anyio

REVOKED = (
    "The request has an invalid grant parameter : refresh_token."
    " User may have revoked or didn't grant the permission."
)
BAD_CODE = "The request has an invalid grant parameter : code"
CODE = {"grant_type": "authorization_code", "refresh_token": None}
GRANTLESS = {"grant_type": "client_credentials", "refresh_token": None}

REFUSED: dict[str, tuple[dict[str, str | None], int, str, str]] = {
    "no grant type": (
        {"grant_type": None},
        400,
        "invalid_request",
        "The request is missing a required parameter : grant_type",
    ),
    "empty grant type": (
        {"grant_type": ""},
        400,
        "invalid_request",
        "The request is missing a required parameter : grant_type",
    ),
    "unknown grant type": (
        {"grant_type": "password"},
        400,
        "unsupported_grant_type",
        "The authorization grant type is not supported by the authorization server",
    ),
    "no refresh token": (
        {"refresh_token": None},
        400,
        "invalid_request",
        "The request is missing a required parameter : refresh_token",
    ),
    "no client id": (
        {"client_id": None},
        400,
        "invalid_request",
        "The request is missing a required parameter : client_id",
    ),
    "no client secret": (
        {"client_secret": None},
        400,
        "invalid_request",
        "The request is missing a required parameter : client_secret",
    ),
    "no code": (CODE, 400, "invalid_request", "The request is missing a required parameter : code"),
    "no scope": (
        GRANTLESS,
        400,
        "invalid_request",
        "The request is missing a required parameter : scope",
    ),
    "unknown client": (
        {"client_id": "amzn1.application-oa2-client.x"},
        401,
        "invalid_client",
        "Client authentication failed",
    ),
    "wrong secret": (
        {"client_secret": "amzn1.oa2-cs.v1.x"},
        401,
        "invalid_client",
        "Client authentication failed",
    ),
    "wrong secret and wrong token": (
        {"client_secret": "x", "refresh_token": "Atzr|x"},
        401,
        "invalid_client",
        "Client authentication failed",
    ),
    "made-up refresh token": ({"refresh_token": "Atzr|x"}, 400, "invalid_grant", REVOKED),
    "made-up code": ({**CODE, "code": "x"}, 400, "invalid_grant", BAD_CODE),
    "unknown scope": (
        {**GRANTLESS, "scope": "sellingpartnerapi::everything"},
        400,
        "invalid_scope",
        "The request has an invalid scope",
    ),
    "one scope of two unknown": (
        {**GRANTLESS, "scope": f"{ROTATION_SCOPE} x"},
        400,
        "invalid_scope",
        "The request has an invalid scope",
    ),
}


@pytest.mark.parametrize("form", ["form", "json"])
@pytest.mark.parametrize(
    ("changes", "status", "error", "description"), REFUSED.values(), ids=REFUSED
)
async def test_a_request_that_is_wrong_is_refused_in_lwas_words(
    shop, changes, status, error, description, form
):
    body = shop.form(**changes)

    answer = await shop.client.post(
        shop.simulator.lwa_token_url, **({"data": body} if form == "form" else {"json": body})
    )

    assert status == answer.status_code
    assert (error, description) == (answer.json()["error"], answer.json()["error_description"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


async def test_errors_carry_two_more_keys_now_and_then_and_no_others(shop):
    seen = {frozenset((await shop.ask(grant_type=None)).json()) for _ in range(40)}

    bare = frozenset({"error", "error_description"})
    assert seen == {bare, bare | {"error_index", "request_id"}}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"[" * 20_000, "application/json"),
        (b'{"grant_type": 5}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"&".join([b"a=b"] * 200), "application/x-www-form-urlencoded"),
        (b"hello", "text/plain"),
    ],
)
async def test_a_body_that_is_not_understood_has_no_grant_type(shop, content, content_type):
    answer = await shop.client.post(
        shop.simulator.lwa_token_url, content=content, headers={"Content-Type": content_type}
    )

    assert answer.status_code == 400
    assert answer.json()["error_description"].endswith("parameter : grant_type")


@pytest.mark.parametrize("form", ["form", "json", "form with a charset"])
async def test_a_refresh_gives_an_hour_and_repeats_the_refresh_token(shop, form):
    charset = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    sent = {"json": shop.form()} if form == "json" else {"data": shop.form()}

    answer = await shop.client.post(
        shop.simulator.lwa_token_url, **sent, headers=charset if "charset" in form else None
    )

    body = answer.json()
    assert answer.status_code == 200
    assert body.pop("access_token").startswith("Atza|")
    assert body == {
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": shop.refresh_token,
    }
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


async def test_a_refresh_token_is_not_used_up_and_its_access_tokens_live_side_by_side(shop):
    tokens = [await shop.access_token() for _ in range(3)]

    assert len(set(tokens)) == 3
    assert [(await shop.probe(token)).status_code for token in tokens] == [200, 200, 200]
    assert max(map(len, [*tokens, shop.refresh_token])) <= 2048


async def test_without_a_seller_the_token_has_a_scope_and_no_refresh_token(shop):
    scope = f"sellingpartnerapi::notifications {ROTATION_SCOPE}"

    body = (await shop.ask(**GRANTLESS, scope=scope)).json()

    assert body.pop("access_token").startswith("Atc|")
    assert body == {"token_type": "bearer", "expires_in": 3600, "scope": scope}


async def test_a_revoked_refresh_token_is_refused_like_a_made_up_one(shop):
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())

    answer = await shop.ask()

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.json()["error_description"] == REVOKED


async def test_a_year_without_a_renewal_looks_like_a_revocation(shop):
    shop.advance(days=365, seconds=-5)
    assert (await shop.ask()).status_code == 200

    shop.advance(seconds=5)

    answer = await shop.ask()
    assert (answer.status_code, answer.json()["error_description"]) == (400, REVOKED)


async def test_where_authorizations_do_not_lapse_a_year_changes_nothing(shop):
    shop.simulator.amazon.policy.lapses = False
    shop.advance(days=400)

    assert (await shop.ask()).status_code == 200


async def test_a_self_authorization_does_not_lapse(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    own = amazon.add_grant(shop.application.id, "na", "Ours", now, is_private=True)
    shop.advance(days=4_000)

    assert (await shop.ask(refresh_token=own.refresh_token)).status_code == 200


async def test_another_applications_refresh_token_is_refused(shop):
    other = shop.simulator.amazon.add_application("Other", shop.simulator.clock.now())

    answer = await shop.ask(
        client_id=other.application.client_id, client_secret=other.client_secret
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_the_application_id_is_no_client_id(shop):
    answer = await shop.ask(client_id=shop.application.application_id)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_application_that_is_not_enabled_may_use_no_grant(shop):
    shop.application.is_enabled = False

    answer = await shop.ask()

    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert answer.json()["error_description"] == "Not authorized for requested operation"


async def test_a_renewal_brings_a_new_refresh_token_and_ends_the_old_one(shop):
    renewed = shop.simulator.amazon.reauthorize("store_1", shop.simulator.clock.now())

    assert (await shop.ask()).json()["error"] == "invalid_grant"
    assert (await shop.ask(refresh_token=renewed.refresh_token)).status_code == 200


async def test_where_old_refresh_tokens_survive_a_renewal_both_work(shop):
    shop.simulator.amazon.policy.renewing_ends_refresh_tokens = False
    shop.advance(days=300)
    renewed = shop.simulator.amazon.reauthorize("store_1", shop.simulator.clock.now())
    shop.advance(days=300)

    for token in (shop.refresh_token, renewed.refresh_token):
        assert (await shop.ask(refresh_token=token)).status_code == 200


async def test_a_revoked_store_that_is_authorized_again_does_not_revive_its_old_token(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    amazon.policy.renewing_ends_refresh_tokens = False
    amazon.revoke("store_1", now)

    renewed = amazon.reauthorize("store_1", now)

    assert (await shop.ask()).json()["error"] == "invalid_grant"
    assert (await shop.ask(refresh_token=renewed.refresh_token)).status_code == 200


async def test_a_further_self_authorization_leaves_the_earlier_token_valid(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    first = amazon.add_grant(shop.application.id, "na", "Ours", now, is_private=True)

    second = amazon.reauthorize(first.grant.id, now)

    for token in (first.refresh_token, second.refresh_token):
        assert (await shop.ask(refresh_token=token)).status_code == 200


async def test_a_rotated_secret_works_for_seven_days_and_then_is_refused(shop):
    new = shop.simulator.amazon.rotate_secret(shop.application.id, shop.simulator.clock.now())

    shop.advance(days=7, seconds=-5)
    assert (await shop.ask()).status_code == 200
    shop.advance(seconds=5)

    answer = await shop.ask()
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await shop.ask(client_secret=new.value)).status_code == 200


async def test_a_secret_past_its_180_days_still_gets_tokens(shop):
    shop.application.age_secret(timedelta(days=181))

    assert (await shop.ask()).status_code == 200


async def test_a_code_is_exchanged_once_within_five_minutes(shop):
    def new_code() -> str:
        now = shop.simulator.clock.now()
        return str(shop.simulator.amazon.codes.issue(shop.grant, CALLBACK, now))

    code = new_code()
    answer = await shop.ask(**CODE, code=code, redirect_uri=CALLBACK)
    body = answer.json()
    assert answer.status_code == 200
    assert body["access_token"].startswith("Atza|")
    assert body["refresh_token"].startswith("Atzr|")
    assert body["refresh_token"] != shop.refresh_token
    assert (await shop.ask(refresh_token=body["refresh_token"])).status_code == 200

    again = await shop.ask(**CODE, code=code, redirect_uri=CALLBACK)
    late = new_code()
    shop.advance(minutes=5)
    too_late = await shop.ask(**CODE, code=late)

    for refused in (again, too_late):
        assert (refused.status_code, refused.json()["error_description"]) == (400, BAD_CODE)


async def test_a_code_is_refused_with_another_address_or_client_and_not_used_up_by_that(shop):
    now = shop.simulator.clock.now()
    code = shop.simulator.amazon.codes.issue(shop.grant, CALLBACK, now)
    other = shop.simulator.amazon.add_application("Other", now)
    elsewhere = {"redirect_uri": "http://127.0.0.1:9/elsewhere"}
    stranger = {
        "client_id": other.application.client_id,
        "client_secret": other.client_secret,
    }

    for changes in (elsewhere, stranger):
        refused = await shop.ask(**CODE, code=code, **changes)
        assert refused.json()["error_description"] == BAD_CODE

    assert (await shop.ask(**CODE, code=code)).status_code == 200


async def test_a_code_of_an_authorization_revoked_since_is_refused(shop):
    now = shop.simulator.clock.now()
    code = shop.simulator.amazon.codes.issue(shop.grant, CALLBACK, now)
    shop.simulator.amazon.revoke("store_1", now)

    assert (await shop.ask(**CODE, code=code)).json()["error_description"] == BAD_CODE


async def test_other_methods_and_paths_are_not_there(shop):
    got = await shop.client.get(shop.simulator.lwa_token_url)
    elsewhere = await shop.client.post(shop.simulator.base_url + "/amazon/auth/o2/elsewhere")

    assert (got.status_code, elsewhere.status_code) == (405, 404)


async def test_no_secret_is_in_any_refusal(shop):
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())

    answers = [await shop.ask(), await shop.ask(client_id="x"), await shop.ask(grant_type="x")]

    for secret in (shop.refresh_token, shop.client_secret):
        assert secret not in json.dumps([answer.json() for answer in answers])
        assert secret not in repr(shop.application) + repr(shop.grant)
