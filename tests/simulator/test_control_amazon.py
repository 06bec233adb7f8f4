"""
Amazon's part of the control API and of its page, over real HTTP.
"""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.shop import CALLBACK
from tests.simulator.test_control import FORM, Tags

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.anyio


async def state_of(client: httpx.AsyncClient) -> Any:
    return (await client.get("/control/state")).json()["amazon"]


async def test_at_first_the_state_has_addresses_and_nothing_else(simulator, client):
    state = await state_of(client)

    assert state["token_url"] == simulator.lwa_token_url
    assert state["endpoints"] == {name: simulator.endpoint(name) for name in ("na", "eu", "fe")}
    assert state["consent_urls"]["na"] == simulator.consent_url("na")
    assert (state["applications"], state["stores"], state["queue"]) == ([], [], [])
    assert (state["hosts"], state["faults"]["active"]) == ({}, [])
    assert state["policy"] == {
        "lapses": True,
        "revoking_ends_access_tokens": True,
        "renewing_ends_refresh_tokens": True,
    }


async def test_the_state_tells_ports_of_their_own(simulator, client):
    await simulator.start_region_hosts()

    hosts = (await state_of(client))["hosts"]

    assert {name: hosts[name] for name in ("na", "eu", "fe")} == simulator.region_urls
    assert hosts["lwa"] + "/auth/o2/token" == simulator.lwa_url


async def test_a_store_is_described_with_its_days_and_without_its_token(shop):
    shop.advance(days=100, minutes=1)
    shop.grant.set_participation("CA", is_participating=False, has_suspended_listings=True)
    await shop.check()

    text = (await shop.client.get("/control/state")).text
    (store,) = (await state_of(shop.client))["stores"]

    assert (store["id"], store["application"], store["name"]) == ("store_1", "app_1", "Acme Ltd")
    assert (store["state"], store["days_left"], store["calls_left"]) == ("live", 264, 14)
    assert store["marketplaces"][1] == {
        "country": "CA",
        "id": "A2EUQ1WTGCTBG2",
        "participating": False,
        "suspended_listings": True,
    }
    for secret in (shop.refresh_token, shop.client_secret):
        assert secret not in text


async def test_secrets_are_described_by_their_state(shop):
    async def states() -> list[str]:
        (application,) = (await state_of(shop.client))["applications"]
        return [secret["state"] for secret in application["secrets"]]

    assert await states() == ["live"]
    shop.application.age_secret(timedelta(days=180))
    assert await states() == ["expired"]
    await shop.client.post("/control/amazon/applications/app_1/rotate")
    assert await states() == ["expired", "live"]
    shop.advance(days=7)
    assert await states() == ["dead", "live"]


async def test_an_application_and_a_store_are_made_and_work(shop):
    made = await shop.client.post(
        "/control/amazon/applications", json={"name": "Second", "redirect_uri": CALLBACK}
    )
    application = made.json()
    connected = await shop.client.post(
        "/control/amazon/stores",
        json={
            "application": application["id"],
            "region": "eu",
            "name": "Globex",
            "marketplaces": "DE, fr uk",
        },
    )
    store = connected.json()

    answer = await shop.ask(
        client_id=application["client_id"],
        client_secret=application["client_secret"],
        refresh_token=store["refresh_token"],
    )

    assert (made.status_code, connected.status_code, answer.status_code) == (201, 201, 200)
    assert application["redirect_uris"] == [CALLBACK]
    assert [place["country"] for place in store["marketplaces"]] == ["DE", "FR", "GB"]


async def test_a_store_is_revoked_and_authorized_again(shop):
    revoked = await shop.client.delete("/control/amazon/stores/store_1")
    assert revoked.json()["state"] == "revoked"
    assert (await shop.ask()).status_code == 400

    renewed = await shop.client.post("/control/amazon/stores/store_1/reauthorize")

    assert renewed.json()["state"] == "live"
    assert (await shop.ask(refresh_token=renewed.json()["refresh_token"])).status_code == 200


async def test_a_store_ages_until_it_lapses(shop):
    aged = await shop.client.post("/control/amazon/stores/store_1/age", json={"days": 340})
    assert (aged.json()["state"], aged.json()["days_left"]) == ("live", 24)

    lapsed = await shop.client.post("/control/amazon/stores/store_1/age")

    assert (lapsed.json()["state"], lapsed.json()["days_left"] < 0) == ("lapsed", True)
    assert (await shop.ask()).status_code == 400


async def test_a_role_is_taken_away_and_then_all_of_them(shop):
    role = {"role": "Selling Partner Insights"}

    answer = await shop.client.post("/control/amazon/stores/store_1/remove-role", json=role)
    assert answer.json()["roles"] == ["Inventory and Order Tracking"]
    assert (await shop.check()).status_code == 403
    answer = await shop.client.post("/control/amazon/stores/store_1/remove-role")

    assert answer.json()["roles"] == []


async def test_a_store_leaves_suspends_and_loses_marketplaces(shop):
    path = "/control/amazon/stores/store_1/participation"
    for change in (
        {"country": "US", "participating": False},
        {"country": "CA", "suspended": True},
        {"country": "MX", "removed": True},
    ):
        assert (await shop.client.post(path, json=change)).status_code == 200

    payload = (await shop.check()).json()["payload"]

    assert {item["marketplace"]["countryCode"]: item["participation"] for item in payload} == {
        "US": {"isParticipating": False, "hasSuspendedListings": False},
        "CA": {"isParticipating": True, "hasSuspendedListings": True},
    }


async def test_a_secret_ages_and_rotates(shop):
    await shop.client.post("/control/amazon/applications/app_1/age", json={"days": 181})
    assert (await shop.check()).status_code == 403

    rotated = await shop.client.post("/control/amazon/applications/app_1/rotate")

    token = await shop.access_token(client_secret=rotated.json()["client_secret"])
    assert (await shop.probe(token)).status_code == 200


async def test_an_application_is_disabled_and_enabled(shop):
    path = "/control/amazon/applications/app_1/change"

    await shop.client.post(path, json={"is_enabled": False})
    assert (await shop.ask()).json()["error"] == "unauthorized_client"
    changed = await shop.client.post(path, json={"is_enabled": True, "is_draft": True})

    assert (await shop.ask()).status_code == 200
    assert (changed.json()["is_draft"], changed.json()["is_enrolled"]) == (True, True)


async def test_the_queue_shows_the_message_with_the_new_secret(shop):
    await shop.rotate(await shop.grantless_token())

    (message,) = (await state_of(shop.client))["queue"]

    secret = message["payload"]["applicationOAuthClientNewSecret"]["newClientSecret"]
    assert (await shop.ask(client_secret=secret)).status_code == 200
    page = (await shop.client.get("/control")).text
    assert "APPLICATION_OAUTH_CLIENT_NEW_SECRET" in page
    assert secret not in page


async def test_the_policy_is_changed_one_by_one(shop):
    changed = await shop.client.post("/control/amazon/policy", json={"lapses": False})
    shop.advance(days=400)

    assert changed.json() == {"lapses": False}
    assert (await shop.ask()).status_code == 200
    assert (await state_of(shop.client))["policy"]["revoking_ends_access_tokens"]


async def test_faults_are_switched_on_and_off_in_a_place(shop):
    for where in ("na", "store_1", None):
        body = {"name": "sp_500"} if where is None else {"name": "sp_500", "where": where}
        answer = await shop.client.post("/control/amazon/faults", json=body)
        assert (answer.status_code, answer.json()["where"]) == (201, where)
    assert (await shop.check()).status_code == 500

    one = await shop.client.delete("/control/amazon/faults/sp_500", params={"where": "na"})
    rest = await shop.client.delete("/control/amazon/faults/sp_500")

    assert [answer.json()["switched_off"] for answer in (one, rest)] == [1, 2]
    assert (await shop.check()).status_code == 200


async def test_the_faults_of_both_services_are_apart(shop, api):
    await shop.client.post("/control/amazon/faults", json={"name": "sp_500"})
    await shop.client.post("/control/faults", json={"name": "server_error"})

    await shop.client.delete("/control/amazon/faults")

    assert (await api.get("/auth/check")).status_code == 500
    assert (await shop.check()).status_code == 200


async def test_samples_come_with_tables_for_a_configuration_that_hold_true(shop):
    odd_callback = f'{CALLBACK}/"quoted"'
    answer = await shop.client.post("/control/amazon/samples", data={})
    program = await shop.client.post("/control/amazon/samples")
    form = await shop.client.post(
        "/control/amazon/samples", data={"redirect_uri": odd_callback}, headers=FORM
    )
    page = await shop.client.get(form.headers["Location"])
    (shown,) = re.findall(r"<code>(\[\[applications\]\].*?)</code>", page.text, re.DOTALL)
    tables = tomllib.loads(unescape(shown))

    (application,), connections = tables["applications"], tables["connections"]

    assert (answer.status_code, program.status_code) == (201, 201)
    assert application["redirect_url"] == odd_callback
    assert program.json()["application"]["redirect_uris"] == []
    assert len(program.json()["stores"]) == len(connections) == 4
    assert {connection["application"] for connection in connections} == {application["name"]}
    for connection in connections:
        exchanged = await shop.client.post(
            application["token_url"],
            data={
                "grant_type": "refresh_token",
                "refresh_token": connection["refresh_token"],
                "client_id": application["client_id"],
                "client_secret": application["client_secret"],
            },
        )
        assert exchanged.status_code == 200
        assert connection["endpoint"] == shop.simulator.endpoint(connection["region"])
    consent = application["endpoint"] + "/apps/authorize/consent"
    asked = {"application_id": application["application_id"]}
    assert (await shop.client.get(consent, params=asked)).status_code == 200
    assert [connection.get("valid_days") for connection in connections] == [None, None, None, 0]


STORE = "stores/store_1"
BAD: list[tuple[str, dict[str, object], int, str]] = [
    ("applications", {}, 400, "name: missing"),
    ("applications", {"name": "x", "redirect_uri": "ftp://a"}, 400, "redirect_uri: must be"),
    ("applications", {"name": "x", "is_draft": "maybe"}, 400, "is_draft: must be true or false"),
    ("applications/app_9/rotate", {}, 404, "no application 'app_9'"),
    ("applications/app_1/age", {"days": 9_999}, 400, "days: from 1 to 3650"),
    ("applications/app_1/change", {"is_enabled": 1}, 400, "is_enabled: must be true or false"),
    ("applications/app_1/change", {"is_enable": True}, 400, "unknown field: 'is_enable'"),
    ("stores", {"application": "app_1", "region": "na"}, 400, "name: missing"),
    (
        "stores",
        {"application": "app_9", "region": "na", "name": "x"},
        400,
        "no application 'app_9'; there are: app_1",
    ),
    (
        "stores",
        {"application": "app_1", "region": "mars", "name": "x"},
        400,
        "no region 'mars'; there are: na, eu, fe",
    ),
    (
        "stores",
        {"application": "app_1", "region": "na", "name": "x", "marketplaces": "DE"},
        400,
        "DE is not in the region na",
    ),
    ("stores/store_9/revoke", {}, 404, "no store with the id 'store_9'"),
    (f"{STORE}/revoke", {"now": True}, 400, "unknown field"),
    (f"{STORE}/age", {"days": 0}, 400, "days: must be"),
    (f"{STORE}/remove-role", {"role": "x"}, 404, "store_1 has no role 'x'"),
    (f"{STORE}/participation", {}, 400, "country: missing"),
    (f"{STORE}/participation", {"country": "JP"}, 400, "JP is not in the region na"),
    ("policy", {"lapses": "perhaps"}, 400, "lapses: must be true or false"),
    ("policy", {"lapse": True}, 400, "unknown field: 'lapse'"),
    ("faults", {"name": "earthquake"}, 400, "no fault 'earthquake'; there are: lwa_hang"),
    ("faults", {"name": "sp_500", "where": "mars"}, 400, "no store with the id 'mars'"),
    ("faults", {"name": "sp_500", "value": 3}, 400, "takes none"),
]


@pytest.mark.parametrize(("path", "body", "status", "reason"), BAD)
async def test_bad_input_is_refused_with_the_reason_and_changes_nothing(
    shop, path, body, status, reason
):
    before = await state_of(shop.client)

    answer = await shop.client.post(f"/control/amazon/{path}", json=body)

    assert status == answer.status_code
    assert reason in answer.json()["error"]
    assert before == await state_of(shop.client)


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("applications", {"name": "x", "redirect_uri": ""}, "Application “x” added"),
        ("applications/app_1/rotate", {}, "has a new client secret"),
        ("applications/app_1/age", {"days": "30"}, "is 30 days older"),
        ("applications/app_1/change", {"is_draft": "true"}, "Our app was changed"),
        (
            "stores",
            {"application": "app_1", "region": "fe", "name": "x", "marketplaces": ""},
            "Store “x” connected",
        ),
        (f"{STORE}/revoke", {}, "Acme Ltd revoked its authorization"),
        (f"{STORE}/reauthorize", {}, "Acme Ltd is authorized anew"),
        (f"{STORE}/age", {"days": "30"}, "of Acme Ltd is 30 days older"),
        (f"{STORE}/remove-role", {"role": ""}, "took all roles away"),
        (f"{STORE}/participation", {"country": "US", "suspended": "true"}, "changed in US"),
        ("policy", {"lapses": "false"}, "Policy: lapses false."),
        ("policy", {}, "Policy: nothing changed."),
        ("faults", {"name": "sp_hang", "where": "", "value": ""}, "sp_hang is on."),
        ("faults/sp_slow/off", {}, "sp_slow is off."),
        ("faults/off", {}, "All faults of Amazon are off."),
    ],
)
async def test_a_form_comes_back_to_the_page_which_says_what_was_done(shop, path, form, told):
    answer = await shop.client.post(f"/control/amazon/{path}", data=form, headers=FORM)

    page = await shop.client.get(answer.headers["Location"])

    assert answer.status_code == 303
    assert told in page.text


async def test_a_refresh_token_made_on_the_page_is_shown_there_once(shop):
    answer = await shop.client.post("/control/amazon/stores/store_1/reauthorize", headers=FORM)
    page = await shop.client.get(answer.headers["Location"])
    (token,) = re.findall(r"Atzr\|[\w-]+", page.text)

    assert (await shop.ask(refresh_token=token)).status_code == 200
    assert token not in (await shop.client.get(answer.headers["Location"])).text


async def test_the_page_is_well_formed_and_tells_every_state_by_word(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    amazon.add_sample_stores(now)
    amazon.revoke("store_1", now)
    amazon.grant("store_2").age(timedelta(days=300))
    amazon.grant("store_4").set_participation("JP", is_participating=False)
    amazon.grant("store_5").remove_role()
    amazon.rotate_secret("app_1", now)
    shop.application.is_enabled = False
    shop.simulator.amazon_faults.switch_on("sp_slow", where="store_3", value=2.5)
    shop.simulator.amazon_faults.switch_on("storm_403", where="eu")

    text = (await shop.client.get("/control")).text
    tags = Tags()
    tags.feed(text)

    assert not tags.open
    assert "script" not in tags.seen
    for word in (
        ">live<",
        ">revoked<",
        ">lapsed<",
        ">retiring<",
        ">disabled<",
        ">not participating<",
        ">listings suspended<",
        ">no roles<",
        "no known end",
        "soon over",
        "20 days left",
        "Acme Europe (2.5)",
        "for region EU",
    ):
        assert word in text
    for known in (await state_of(shop.client))["faults"]["known"]:
        assert known["name"] in text


async def test_the_page_escapes_markup_in_everything_it_shows(shop):
    bait = '"><script>alert(1)</script>'
    now = shop.simulator.clock.now()
    issued = shop.simulator.amazon.add_application(
        bait, now, redirect_uris=('http://a/"><i>',), roles=(bait,)
    )
    store = shop.simulator.amazon.add_grant(issued.application.id, "eu", bait, now)
    shop.simulator.amazon_faults.switch_on("sp_500", where=store.grant.id)

    text = (await shop.client.get("/control")).text

    assert "<script" not in text
    assert "<i>" not in text
    tags = Tags()
    tags.feed(text)
    assert not tags.open


async def test_a_long_list_of_stores_is_cut_on_the_page_but_not_in_the_state(shop):
    now = shop.simulator.clock.now()
    for number in range(60):
        shop.simulator.amazon.add_grant("app_1", "fe", f"shop-{number:02}", now)

    text = (await shop.client.get("/control")).text

    assert "shop-59" in text
    assert "shop-09" not in text
    assert "and 11 older ones" in text
    assert len((await state_of(shop.client))["stores"]) == 61
