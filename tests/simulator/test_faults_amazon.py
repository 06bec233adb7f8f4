"""
Every fault of Amazon's, over real HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from monitor.simulator.base import SimulatorError
from monitor.simulator.faults import AMAZON_FAULT_KINDS, AmazonFault, Switches
from tests.simulator.shop import details_of

pytestmark = pytest.mark.anyio

Look = Callable[[httpx.Response], bool]


def says(error: str, description: str) -> Look:
    return lambda a: (a.json()["error"], a.json()["error_description"]) == (error, description)


def has(code: str, details: str | None = "") -> Look:
    return lambda a: a.json()["errors"][0]["code"] == code and details_of(a) == details


def is_page(answer: httpx.Response) -> bool:
    return answer.headers["Content-Type"].startswith("text/html") and "<html" in answer.text


def is_empty(answer: httpx.Response) -> bool:
    return answer.content == b""


REFUSED = "The access token you provided is revoked, malformed or invalid."

LWA: list[tuple[str, object, int, Look]] = [
    ("lwa_500", None, 500, says("server_error", "Internal Server Error")),
    ("lwa_503", None, 503, lambda a: a.json()["error"] == "temporarily_unavailable"),
    ("lwa_html", None, 503, is_page),
    ("lwa_html", 200, 200, is_page),
    ("lwa_empty", None, 200, is_empty),
    ("lwa_throttle", None, 429, lambda a: "Retry-After" not in a.headers),
    ("lwa_access_denied", None, 403, lambda a: a.json()["error"] == "access_denied"),
    (
        "lwa_unauthorized_client",
        None,
        400,
        says("unauthorized_client", "Not authorized for requested operation"),
    ),
]
SP: list[tuple[str, object, int, Look]] = [
    ("sp_500", None, 500, has("InternalFailure")),
    ("sp_503", None, 503, has("ServiceUnavailable")),
    ("sp_html", None, 503, is_page),
    ("sp_html", 403, 403, is_page),
    ("sp_html", 200, 200, is_page),
    ("sp_empty", None, 200, is_empty),
    ("sp_empty", 502, 502, is_empty),
    ("sp_throttle", None, 429, has("QuotaExceeded")),
    ("sp_401", None, 401, has("Unauthorized", REFUSED)),
    ("sp_404", None, 404, has("NotFound")),
    ("storm_403", None, 403, has("Unauthorized")),
    ("token_refused", None, 403, has("Unauthorized", REFUSED)),
    ("account_deactivated", None, 403, has("Unauthorized")),
    ("denied_in_message", None, 403, lambda a: "not active" in a.json()["errors"][0]["message"]),
    (
        "idle_marketplaces",
        None,
        200,
        lambda a: not any(x["participation"]["isParticipating"] for x in a.json()["payload"]),
    ),
    ("empty_payload", None, 200, lambda a: a.json() == {"payload": []}),
    (
        "early_token_death",
        0,
        403,
        has("Unauthorized", "The access token you provided has expired."),
    ),
]


def ids(cases: list[tuple[str, object, int, Look]]) -> list[str]:
    return [f"{name}-{value}" for name, value, *_ in cases]


@pytest.mark.parametrize(("name", "value", "status", "is_as_told"), LWA, ids=ids(LWA))
async def test_lwa_answers_as_the_fault_says_and_properly_afterwards(
    shop, name, value, status, is_as_told
):
    shop.simulator.amazon_faults.switch_on(name, value=value)

    answer = await shop.ask()

    assert status == answer.status_code
    assert is_as_told(answer)
    assert answer.headers["x-amzn-RequestId"]
    shop.simulator.amazon_faults.clear()
    assert (await shop.ask()).status_code == 200


@pytest.mark.parametrize(("name", "value", "status", "is_as_told"), SP, ids=ids(SP))
async def test_a_regional_host_answers_as_the_fault_says_and_draws_nothing_for_it(
    shop, name, value, status, is_as_told
):
    token = await shop.access_token()
    shop.simulator.amazon_faults.switch_on(name, value=value)

    answer = await shop.probe(token)

    assert status == answer.status_code
    assert is_as_told(answer)
    assert answer.headers["x-amzn-RequestId"]
    if status != 200:
        assert not {"retry-after", "x-amzn-ratelimit-limit"} & {*answer.headers}
    shop.simulator.amazon_faults.clear()
    drawn = 1 if name in {"empty_payload", "idle_marketplaces"} else 0
    now = shop.simulator.clock.now()
    assert shop.simulator.amazon.probes(shop.grant, now).left(now) == 15 - drawn
    assert (await shop.probe(token)).status_code == 200


@pytest.mark.parametrize(
    ("wording", "ending"),
    [
        (None, " : refresh_token"),
        ("old", " : refresh_token"),
        ("variant", ". User may have unauthorized or didn't grant the permission."),
        ("usual", ". User may have revoked or didn't grant the permission."),
    ],
)
async def test_lwa_refuses_a_refresh_token_in_the_words_chosen(shop, wording, ending):
    shop.simulator.amazon_faults.switch_on("lwa_wording", value=wording)

    answer = await shop.ask(refresh_token="Atzr|x")

    assert answer.json()["error"] == "invalid_grant"
    assert answer.json()["error_description"].endswith(ending)
    assert (await shop.ask()).status_code == 200


@pytest.mark.parametrize("host", ["lwa", "sp"])
async def test_a_host_hangs_and_resets(shop, host):
    token = await shop.access_token()
    faults = shop.simulator.amazon_faults
    ask = shop.ask if host == "lwa" else lambda: shop.probe(token)

    faults.switch_on(f"{host}_reset")
    with pytest.raises(httpx.ReadError):
        await ask()
    faults.clear()
    faults.switch_on(f"{host}_hang")
    shop.client.timeout = 0.3
    with pytest.raises(httpx.ReadTimeout):
        await ask()


@pytest.mark.parametrize("host", ["lwa", "sp"])
async def test_a_host_that_is_slow_answers_properly(shop, host):
    token = await shop.access_token()
    shop.simulator.amazon_faults.switch_on(f"{host}_slow", value=0.15)

    answer = await (shop.ask() if host == "lwa" else shop.probe(token))

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.15


async def test_tokens_die_early_after_the_seconds_chosen(shop):
    shop.simulator.amazon_faults.switch_on("early_token_death", value=300)
    token = await shop.access_token()

    shop.advance(seconds=295)
    assert (await shop.probe(token)).status_code == 200
    shop.advance(seconds=5)

    assert details_of(await shop.probe(token)) == "The access token you provided has expired."
    assert (await shop.check()).status_code == 200


async def test_extra_marketplaces_are_listed_beside_the_sellers_own(shop):
    shop.simulator.amazon_faults.switch_on("extra_marketplaces")

    payload = (await shop.check()).json()["payload"]

    found = [item["marketplace"]["id"] for item in payload]
    assert found[:3] == ["ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1AM78C64UM0Y8"]
    assert set(found[3:]) == {
        "A2ZV50J4W1RKNI",
        "AHRY1CZE9ZY4H",
        "A1MQXOICRS2Z7M",
        "A3H6HPSLHAK3XG",
    }
    assert all(item["marketplace"].keys() == payload[0]["marketplace"].keys() for item in payload)


async def test_the_store_name_can_be_missing(shop):
    shop.simulator.amazon_faults.switch_on("missing_store_name")

    payload = (await shop.check()).json()["payload"]

    assert [item.keys() for item in payload] == [{"marketplace", "participation"}] * 3


async def test_the_rate_header_can_be_missing(shop):
    shop.simulator.amazon_faults.switch_on("missing_rate_header")

    answer = await shop.check()

    assert answer.status_code == 200
    assert "x-amzn-RateLimit-Limit" not in answer.headers


async def test_empty_details_can_be_absent_and_others_stay(shop):
    shop.simulator.amazon_faults.switch_on("missing_details")
    token = await shop.access_token()

    assert details_of(await shop.probe(token, "eu")) is None
    assert details_of(await shop.probe("x")) == REFUSED


async def test_the_keys_of_every_body_can_stand_the_other_way_round(shop):
    def keys(body: Any) -> list[str]:
        if isinstance(body, dict):
            return [name for key in body for name in (key, *keys(body[key]))]
        return [name for item in body for name in keys(item)] if isinstance(body, list) else []

    token = await shop.access_token()
    before = [await shop.ask(), await shop.probe(token), await shop.probe("x")]
    shop.simulator.amazon_faults.switch_on("shuffled_keys")
    after = [await shop.ask(), await shop.probe(token), await shop.probe("x")]

    for one, other in zip(before, after, strict=True):
        assert keys(one.json()) != keys(other.json())
        assert sorted(keys(one.json())) == sorted(keys(other.json()))
    assert before[1].json() == after[1].json()


async def test_faults_that_change_an_answer_combine(shop):
    for name in ("shuffled_keys", "missing_store_name", "extra_marketplaces"):
        shop.simulator.amazon_faults.switch_on(name)

    payload = (await shop.check()).json()["payload"]

    assert len(payload) == 7
    assert [list(item) for item in payload] == [["participation", "marketplace"]] * 7


async def test_a_fault_in_one_region_spares_the_others(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    other = amazon.add_grant(shop.application.id, "eu", "Acme Europe", now)
    of_other = await shop.access_token(refresh_token=other.refresh_token)
    token = await shop.access_token()
    faults = shop.simulator.amazon_faults
    for name in ("storm_403", "lwa_500"):
        faults.switch_on(name, where="eu")

    assert (await shop.probe(of_other, "eu")).status_code == 403
    assert (await shop.probe(None, "eu")).json()["errors"][0]["details"] == ""
    assert (await shop.probe(token)).status_code == 200
    assert (await shop.ask(refresh_token=other.refresh_token)).status_code == 500
    assert (await shop.ask()).status_code == 200


async def test_a_fault_for_one_store_spares_the_others_and_wins_over_the_regions(shop):
    amazon, now = shop.simulator.amazon, shop.simulator.clock.now()
    other = amazon.add_grant(shop.application.id, "na", "Other", now)
    tokens = [
        await shop.access_token(refresh_token=token)
        for token in (shop.refresh_token, other.refresh_token)
    ]
    faults = shop.simulator.amazon_faults
    faults.switch_on("sp_html", where="na", value=502)
    faults.switch_on("sp_html", where="store_1", value=504)
    faults.switch_on("lwa_503", where="store_1")

    assert [(await shop.probe(token)).status_code for token in tokens] == [504, 502]
    assert (await shop.ask()).status_code == 503
    assert (await shop.ask(refresh_token=other.refresh_token)).status_code == 200


async def test_a_fault_of_lwa_spares_the_regional_hosts_and_the_reverse(shop):
    token = await shop.access_token()
    faults = shop.simulator.amazon_faults

    faults.switch_on("lwa_500")
    assert (await shop.probe(token)).status_code == 200
    faults.clear()
    faults.switch_on("sp_500")

    assert (await shop.ask()).status_code == 200


async def test_an_outage_hides_a_revocation(shop):
    shop.simulator.amazon.revoke("store_1", shop.simulator.clock.now())
    shop.simulator.amazon_faults.switch_on("lwa_503", where="store_1")

    assert (await shop.ask()).status_code == 503


async def test_a_deactivated_account_still_gets_tokens(shop):
    shop.simulator.amazon_faults.switch_on("account_deactivated", where="store_1")

    assert (await shop.ask()).status_code == 200
    assert (await shop.check()).status_code == 403


async def test_a_storm_refuses_secret_rotations_as_well(shop):
    shop.simulator.amazon_faults.switch_on("storm_403")

    assert (await shop.rotate(await shop.grantless_token())).status_code == 403
    assert not shop.simulator.amazon.queue


async def test_every_fault_is_described_in_one_line_and_takes_its_default():
    assert list(AMAZON_FAULT_KINDS) == list(AmazonFault)
    for fault, kind in AMAZON_FAULT_KINDS.items():
        assert kind.description
        assert "\n" not in kind.description
        active = Switches(AMAZON_FAULT_KINDS, "where").switch_on(fault)
        if active.value is not None:
            assert kind.takes.parse(active.value) == active.value


async def test_every_fault_is_tried_in_this_file_or_with_the_consent_page():
    tried = {name for name, *_ in LWA + SP} | {
        f"{host}_{what}" for host in ("lwa", "sp") for what in ("hang", "reset", "slow")
    }
    others = """lwa_wording extra_marketplaces missing_store_name missing_rate_header
        missing_details shuffled_keys consent_error"""

    assert tried | set(others.split()) == {fault.value for fault in AmazonFault}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lwa", None),
        ("hang", None),
        ("lwa_hang", 5),
        ("sp_html", 99),
        ("early_token_death", -1),
        ("consent_error", "MD1"),
        ("lwa_wording", "latin"),
    ],
)
async def test_unknown_faults_and_bad_values_are_refused(name, value):
    faults = Switches(AMAZON_FAULT_KINDS, "where")

    with pytest.raises(SimulatorError, match=r"^(no fault|value:)"):
        faults.switch_on(name, value=value)

    assert not faults.active()


async def test_faults_are_switched_off_in_one_place_or_wherever_they_are():
    faults = Switches(AMAZON_FAULT_KINDS, "where")
    for where in (None, "na", "store_1"):
        faults.switch_on("sp_500", where=where)

    assert faults.switch_off("sp_500", where="na") == 1
    assert [active.where for active in faults.active()] == [None, "store_1"]
    assert faults.switch_off("sp_500") == 2
    assert faults.switch_off("sp_500") == 0
    assert json.dumps(dict(faults.of("na", "store_1"))) == "{}"
