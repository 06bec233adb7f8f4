"""
The SoldScope API over real HTTP, nothing being wrong.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from monitor.simulator.soldscope_api import bearer_value

pytestmark = pytest.mark.anyio

LIMIT, REMAINING, RESET = (
    "X-API-RateLimit-Limit",
    "X-API-RateLimit-Remaining",
    "X-API-RateLimit-Reset",
)


async def test_auth_check_tells_whose_token_it_is(api):
    answer = await api.get("/auth/check")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": "acme",
        "name": "Acme Ltd",
        "email": "api@acme.example",
        "plan": "business",
        "token": {"name": "production"},
    }


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="missing"),
        pytest.param({"Authorization": "Bearer ss_live_unknown"}, id="unknown"),
        pytest.param({"Authorization": "Bearer"}, id="empty"),
        pytest.param({"Authorization": "Basic c2VjcmV0"}, id="another_scheme"),
        pytest.param({"Authorization": b"Bearer \xff\xfe"}, id="not_text"),
    ],
)
@pytest.mark.parametrize("path", ["auth/check", "product-research/products", "nowhere"])
async def test_no_valid_token_is_401_without_quota(simulator, client, headers, path):
    answer = await client.get(f"{simulator.soldscope_url}/{path}", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"] == "unauthorized"
    assert LIMIT not in answer.headers


async def test_a_revoked_token_is_401_at_once(simulator, api):
    assert (await api.get("/auth/check")).status_code == 200

    simulator.soldscope.revoke_token("tok_1", simulator.clock.now())

    assert (await api.get("/auth/check")).status_code == 401


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Token abc", None),
        ("", None),
    ],
)
async def test_bearer_scheme_is_read_in_any_case(header, expected):
    assert expected == bearer_value(header)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/auth/check", 200),
        ("/account", 200),
        ("/product-research/searches", 200),
        ("/product-research/products?searchId=99", 404),
        ("/product-research/products?page=0", 422),
        ("/product-research/products?page=x", 422),
        ("/product-research/products?searchId=-1", 422),
        ("/product-research/products?page=" + "9" * 20, 422),
        ("/nowhere", 404),
    ],
)
async def test_free_and_failed_calls_carry_the_quota_and_cost_nothing(api, path, status):
    answer = await api.get(path)

    assert status == answer.status_code
    assert answer.headers[LIMIT] == "10000"
    assert answer.headers[REMAINING] == "10000"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_other_methods_than_get_are_405_and_cost_nothing(api, method):
    answer = await api.request(method, "/product-research/products")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"
    assert answer.headers[REMAINING] == "10000"


async def test_a_search_costs_one_and_its_pages_and_replays_nothing(api):
    first = await api.get("/product-research/products", params={"query": "lamps"})
    search_id = first.json()["searchId"]
    pages = [
        await api.get("/product-research/products", params={"searchId": search_id, "page": page})
        for page in (1, 2, 3, 4)
    ]

    assert first.headers[REMAINING] == "9999"
    assert {page.headers[REMAINING] for page in pages} == {"9999"}
    assert [len(page.json()["products"]) for page in pages] == [20, 20, 10, 0]
    asins = [product["asin"] for page in pages for product in page.json()["products"]]
    assert len(set(asins)) == len(asins) == 50


async def test_past_searches_are_listed_newest_first_and_can_be_replayed(api):
    for query in ("lamps", "chairs"):
        await api.get("/product-research/products", params={"query": query})

    listed = (await api.get("/product-research/searches")).json()["searches"]
    replay = await api.get("/product-research/products", params={"searchId": listed[1]["id"]})

    assert [search["query"] for search in listed] == ["chairs", "lamps"]
    assert replay.json()["searchId"] == listed[1]["id"]
    assert replay.headers[REMAINING] == "9998"


async def test_an_exhausted_quota_is_402_on_metered_calls_only(simulator, api):
    search_id = (await api.get("/product-research/products")).json()["searchId"]
    simulator.soldscope.spend("acme", 9_999, simulator.clock.now())

    metered = await api.get("/product-research/products")
    free = await api.get("/auth/check")
    replay = await api.get("/product-research/products", params={"searchId": search_id})

    assert metered.status_code == 402
    assert metered.json()["error"] == "quota_exhausted"
    assert [free.status_code, replay.status_code] == [200, 200]
    assert {answer.headers[REMAINING] for answer in (metered, free, replay)} == {"0"}


async def test_an_upgrade_ends_the_402_at_once(simulator, api):
    simulator.soldscope.spend("acme", 10_000, simulator.clock.now())

    simulator.soldscope.upgrade("acme", "agency")

    answer = await api.get("/product-research/products")
    assert (answer.status_code, answer.headers[REMAINING]) == (200, "89999")


async def test_moving_the_clock_past_the_reset_restores_the_quota(simulator, api):
    simulator.soldscope.spend("acme", 10_000, simulator.clock.now())
    before = await api.get("/auth/check")

    simulator.clock.advance(timedelta(days=31))

    after = await api.get("/auth/check")
    assert (before.headers[REMAINING], after.headers[REMAINING]) == ("0", "10000")
    assert before.headers[RESET] < after.headers[RESET]


async def test_the_quota_belongs_to_the_account_not_to_the_token(simulator, client, api):
    other = simulator.create_token("acme", "staging")
    stranger = simulator.create_token("globex", "production")
    await api.get("/product-research/products")

    remaining = [
        (
            await client.get(
                f"{simulator.soldscope_url}/auth/check",
                headers={"Authorization": f"Bearer {issued.value}"},
            )
        ).headers[REMAINING]
        for issued in (other, stranger)
    ]

    assert remaining == ["9999", "100"]


async def test_account_info_tells_the_quota(simulator, api):
    simulator.soldscope.spend("acme", 3, simulator.clock.now())

    quota = (await api.get("/account")).json()["quota"]

    assert (quota["limit"], quota["used"], quota["remaining"]) == (10_000, 3, 9_997)


def _from_delta(text: str) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=int(text))


@pytest.mark.parametrize(
    ("form", "read"),
    [
        (None, lambda text: datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)),
        ("date", lambda text: datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)),
        ("rfc3339", datetime.fromisoformat),
        ("epoch", lambda text: datetime.fromtimestamp(int(text), UTC)),
        ("http_date", parsedate_to_datetime),
        ("delta", _from_delta),
    ],
)
async def test_the_reset_is_the_start_of_the_next_cycle_in_every_form(simulator, api, form, read):
    if form is not None:
        simulator.faults.switch_on("reset_form", value=form)
    expected = simulator.soldscope.quota("acme", simulator.clock.now()).resets_at

    answer = await api.get("/auth/check")

    assert abs(read(answer.headers[RESET]) - expected) < timedelta(seconds=5)


async def test_every_header_name_is_spelled_as_documented(simulator, api):
    answer = await api.get("/auth/check")

    names = {name.decode() for name, _ in answer.headers.raw}
    assert {LIMIT, REMAINING, RESET} <= names


async def test_many_requests_at_once_are_counted_exactly(simulator, api):
    await asyncio.gather(*(api.get("/product-research/products") for _ in range(20)))

    assert simulator.soldscope.quota("acme", simulator.clock.now()).used == 20
