"""
The page on which sellers authorize, as a browser meets it.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.shop import CALLBACK, Shop

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.anyio


def address(shop: Shop, **changes: str | None) -> dict[str, Any]:
    """The page's address, as the application sends a seller there; None takes a part away."""
    query = {
        "application_id": shop.application.application_id,
        "state": "s-1",
        "redirect_uri": CALLBACK,
        **changes,
    }
    wanted = {name: value for name, value in query.items() if value is not None}
    return {"url": shop.simulator.consent_url("na"), "params": wanted}


def form_of(page: httpx.Response) -> dict[str, str]:
    """The fields of the page's form, as a browser would send them."""
    inputs = re.findall(r'<input [^>]*name="(\w+)"[^>]*? value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in inputs}


async def decide(shop: Shop, page: httpx.Response, **changes: str) -> httpx.Response:
    fields = {**form_of(page), "store": "store_1", "answer": "confirm", **changes}
    return await shop.client.post(shop.simulator.consent_url("na"), data=fields)


def answer_of(redirect: str) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(urlsplit(redirect).query).items()}


async def test_a_seller_who_confirms_is_led_back_with_a_code_that_renews_the_year(shop):
    shop.advance(days=300)
    page = await shop.client.get(**address(shop))

    back = await decide(shop, page)

    target = back.headers["Location"]
    answer = answer_of(target)
    assert page.status_code == 200
    assert "Our app" in page.text
    assert (back.status_code, target.split("?")[0]) == (302, CALLBACK)
    assert answer.keys() == {"state", "selling_partner_id", "spapi_oauth_code"}
    assert (answer["state"], answer["selling_partner_id"]) == ("s-1", shop.grant.seller_id)
    exchanged = await shop.ask(
        grant_type="authorization_code",
        refresh_token=None,
        code=answer["spapi_oauth_code"],
        redirect_uri=CALLBACK,
    )
    renewed = exchanged.json()["refresh_token"]
    shop.advance(days=300)
    assert (await shop.ask(refresh_token=renewed)).status_code == 200
    assert (await shop.ask()).json()["error"] == "invalid_grant"


async def test_the_code_of_a_consent_dies_after_five_minutes(shop):
    back = await decide(shop, await shop.client.get(**address(shop)))
    shop.advance(minutes=5)

    answer = await shop.ask(
        grant_type="authorization_code",
        refresh_token=None,
        code=answer_of(back.headers["Location"])["spapi_oauth_code"],
    )

    assert answer.json()["error"] == "invalid_grant"


async def test_until_the_code_is_exchanged_the_old_refresh_token_works(shop):
    await decide(shop, await shop.client.get(**address(shop)))

    assert (await shop.ask()).status_code == 200


async def test_a_revoked_store_can_be_authorized_again(shop):
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())
    page = await shop.client.get(**address(shop))
    assert "revoked" in page.text

    back = await decide(shop, page)

    code = answer_of(back.headers["Location"])["spapi_oauth_code"]
    answer = await shop.ask(grant_type="authorization_code", refresh_token=None, code=code)
    assert answer.status_code == 200


async def test_a_new_store_can_be_connected(shop):
    page = await shop.client.get(**address(shop))

    back = await decide(shop, page, store="", store_name="Globex")

    store = shop.simulator.amazon.grant("store_2")
    assert answer_of(back.headers["Location"])["selling_partner_id"] == store.seller_id
    assert (store.store_name, store.region) == ("Globex", "na")


async def test_a_seller_of_another_region_yields_that_regions_authorization(shop):
    now = shop.simulator.clock.now()
    other = shop.simulator.amazon.add_grant(shop.application.id, "eu", "Acme Europe", now)

    back = await decide(shop, await shop.client.get(**address(shop)), store=other.grant.id)

    answer = answer_of(back.headers["Location"])
    assert answer["selling_partner_id"] == other.grant.seller_id
    token = await shop.access_token(
        grant_type="authorization_code", refresh_token=None, code=answer["spapi_oauth_code"]
    )
    assert (await shop.probe(token, "na")).status_code == 403
    assert (await shop.probe(token, "eu")).status_code == 200


async def test_a_seller_who_cancels_is_not_led_anywhere_and_nothing_changes(shop):
    before = shop.grant.consented_at
    page = await shop.client.get(**address(shop))

    left = await decide(shop, page, answer="cancel")

    assert left.status_code == 200
    assert "Location" not in left.headers
    assert "Nothing was authorized" in left.text
    assert before == shop.grant.consented_at


async def test_without_an_address_to_return_to_the_first_registered_one_is_taken(shop):
    page = await shop.client.get(**address(shop, redirect_uri=None, state=None))

    back = await decide(shop, page)

    assert back.headers["Location"].startswith(f"{CALLBACK}?")
    assert "state" not in answer_of(back.headers["Location"])


async def test_what_an_address_already_asks_is_kept(shop):
    shop.application.redirect_uris = (f"{CALLBACK}?tenant=7",)
    page = await shop.client.get(**address(shop, redirect_uri=f"{CALLBACK}?tenant=7"))

    back = await decide(shop, page)

    assert answer_of(back.headers["Location"])["tenant"] == "7"


REFUSED = {
    "unknown application": ({"application_id": "amzn1.sp.solution.x"}, "MD1000"),
    "no application": ({"application_id": None}, "MD1000"),
    "address not registered": ({"redirect_uri": "http://127.0.0.1:9/other"}, "MD5101"),
    "address with a fragment": ({"redirect_uri": f"{CALLBACK}#top"}, "MD5110"),
}


@pytest.mark.parametrize(("changes", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_wrong_address_shows_an_error_to_the_seller_only(shop, changes, code):
    page = await shop.client.get(**address(shop))

    shown = await shop.client.get(**address(shop, **changes))
    forged = await decide(shop, page, **{name: value or "" for name, value in changes.items()})

    for answer in (shown, forged):
        assert answer.status_code == 400
        assert code in answer.text
        assert "Location" not in answer.headers


async def test_a_draft_wants_version_beta(shop):
    shop.application.is_draft = True

    without = await shop.client.get(**address(shop))
    page = await shop.client.get(**address(shop, version="beta"))

    assert "MD1000" in without.text
    assert (await decide(shop, page)).status_code == 302


async def test_an_application_without_an_address_cannot_be_authorized_here(shop):
    shop.application.redirect_uris = ()

    assert "MD9100" in (await shop.client.get(**address(shop))).text


@pytest.mark.parametrize(
    "code", ["SPDC8143", "CONSENT_LIMIT_REACHED", "MD1000", "MD5101", "MD5110", "MD9100"]
)
async def test_every_error_can_be_switched_on(shop, code):
    page = await shop.client.get(**address(shop))
    shop.simulator.amazon_faults.switch_on("consent_error", value=code)

    answers = [await shop.client.get(**address(shop)), await decide(shop, page)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert all(code in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"store": "store_9"}, "no store with the id"),
        ({"store": "", "store_name": ""}, "store_name: 1 to 100"),
        ({"opened": "soon"}, "open for too long"),
        ({"opened": "9" * 400}, "open for too long"),
    ],
)
async def test_a_form_that_is_wrong_is_refused(shop, changes, told):
    page = await shop.client.get(**address(shop))

    answer = await decide(shop, page, **changes)

    assert answer.status_code == 400
    assert told in answer.text


async def test_a_form_with_too_many_fields_is_refused(shop):
    content = b"&".join([b"a=b"] * 50)
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await shop.client.post(shop.simulator.consent_url("na"), content=content, headers=form)

    assert (answer.status_code, "too many fields" in answer.text) == (400, True)


async def test_a_page_left_open_for_more_than_ten_minutes_is_refused(shop):
    page = await shop.client.get(**address(shop))
    shop.advance(minutes=10, seconds=2)

    answer = await decide(shop, page)

    assert (answer.status_code, "open for too long" in answer.text) == (400, True)


async def test_another_applications_store_cannot_be_chosen(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    other = amazon.add_application("Other", now).application
    store = amazon.add_grant(other.id, "na", "Theirs", now).grant
    page = await shop.client.get(**address(shop))

    answer = await decide(shop, page, store=store.id)

    assert "Theirs" not in page.text
    assert (answer.status_code, "another application" in answer.text) == (400, True)


async def test_another_sites_page_cannot_confirm(shop):
    page = await shop.client.get(**address(shop))
    fields = {**form_of(page), "store": "store_1", "answer": "confirm"}

    answer = await shop.client.post(
        shop.simulator.consent_url("na"), data=fields, headers={"Origin": "https://evil.example"}
    )

    assert answer.status_code == 400


async def test_the_page_escapes_what_it_shows_and_lets_its_form_lead_away(shop):
    bait = '"><script>alert(1)</script>'
    shop.application.name = shop.grant.store_name = bait

    page = await shop.client.get(**address(shop, state=bait))

    assert "<script" not in page.text
    assert form_of(page)["state"] == bait
    assert "form-action" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


async def test_an_application_registers_only_web_addresses(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()

    for wrong in ("javascript:alert(1)", "http://a/\r\nX: y", "nowhere"):
        with pytest.raises(ValueError, match="redirect_uri: must be"):
            amazon.add_application("App", now, redirect_uris=(wrong,))
