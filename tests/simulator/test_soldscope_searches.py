"""
Searches of the simulated SoldScope over real HTTP: long ones, replays, variations, categories.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

REMAINING = "X-API-RateLimit-Remaining"
ASINS = ["B000000001", "B000000002"]
START = "/keyword-research/searches"


async def start(api, **subject) -> Any:
    answer = await api.post(START, json=subject or {"asins": ASINS})
    assert answer.status_code == 200, answer.text
    return answer


async def progress(api, number) -> Any:
    return (await api.get(f"{START}/{number}/progress")).json()


async def test_a_long_search_is_started_and_ends_with_results(simulator, api):
    started = await start(api)
    number = started.json()["id"]
    assert started.json() == {"id": number, "status": 0}
    simulator.clock.advance(timedelta(seconds=10))
    running = await progress(api, number)
    assert running["searchStatus"] == 1
    assert 50 <= running["progress"] < 100
    early = await api.get(f"{START}/{number}")
    assert (early.status_code, early.json()["error"]) == (409, "still_running")

    simulator.clock.advance(timedelta(seconds=10))

    assert await progress(api, number) == {"id": number, "searchStatus": 2, "progress": 100}
    results = await api.get(f"{START}/{number}")
    assert results.json()["keywords"]


@pytest.mark.parametrize(
    "subject",
    [{"keyword": "nothing"}, {"asins": ["B000000000", "B000000000"]}],
    ids=["keyword", "products"],
)
async def test_a_search_that_finds_nothing_fails_with_13(simulator, api, subject):
    number = (await start(api, **subject)).json()["id"]
    simulator.clock.advance(timedelta(minutes=1))
    assert (await progress(api, number))["searchStatus"] == 13
    assert (await api.get(f"{START}/{number}")).json()["keywords"] == []


async def test_only_the_start_costs(simulator, api):
    started = await start(api, keyword="lamps")
    number = started.json()["id"]
    assert started.headers[REMAINING] == "9999"
    simulator.clock.advance(timedelta(minutes=1))
    for path in (f"{START}/{number}/progress", f"{START}/{number}"):
        assert (await api.get(path)).headers[REMAINING] == "9999"


@pytest.mark.parametrize(
    "body",
    [
        {"asins": ["B000000001"]},
        {"asins": [f"B00000000{n}" for n in range(10)] + ["B000000010"]},
        {"asins": ["B000000001", "b"]},
        {"asins": "B000000001"},
        {"keyword": " "},
        {"keyword": "x" * 201},
        {"keyword": "lamps", "asins": ASINS},
        {},
        [],
    ],
)
async def test_what_is_no_search_is_422_and_costs_nothing(api, body):
    answer = await api.post(START, json=body)
    assert answer.status_code == 422
    assert answer.headers[REMAINING] == "10000"


async def test_a_body_that_is_no_json_is_422(api):
    assert (await api.post(START, content=b"\xff{")).status_code == 422


@pytest.mark.parametrize("n_asins", [2, 10])
async def test_two_to_ten_products_are_taken(api, n_asins):
    await start(api, asins=[f"B00000{n:04}" for n in range(n_asins)])


async def test_without_quota_no_search_starts_but_progress_is_told(simulator, api):
    number = (await start(api)).json()["id"]
    simulator.soldscope.spend("acme", 9_999, simulator.clock.now())
    refused = await api.post(START, json={"keyword": "lamps"})
    assert (refused.status_code, refused.json()["error"]) == (402, "quota_exhausted")
    assert (await api.get(f"{START}/{number}/progress")).status_code == 200


async def test_another_accounts_search_is_not_found(simulator, api, client):
    number = (await start(api)).json()["id"]
    other = simulator.create_token("globex", "production").value
    answer = await client.get(
        f"{simulator.soldscope_url}{START}/{number}/progress",
        headers={"Authorization": f"Bearer {other}"},
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/keyword-research/searches/99/progress", 404),
        ("/keyword-research/searches/0/progress", 422),
        ("/keyword-research/searches/x/progress", 422),
        ("/keyword-research/searches/99", 404),
        ("/product-research/categories/99/children", 404),
        ("/product-research/products/B000000000/variations", 422),
        ("/product-research/products/B000000000/variations?searchId=9", 404),
    ],
)
async def test_what_is_not_there_costs_nothing(api, path, status):
    answer = await api.get(path)
    assert status == answer.status_code
    assert answer.headers[REMAINING] == "10000"


async def test_a_get_starts_nothing(api):
    answer = await api.get(START)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_variations_are_there_for_an_hour_and_again_after_a_replay(simulator, api):
    found = (await api.get("/product-research/products", params={"query": "lamps"})).json()
    number, asin = found["searchId"], found["products"][0]["asin"]
    path, query = f"/product-research/products/{asin}/variations", {"searchId": number}
    simulator.clock.advance(timedelta(minutes=59))
    fresh = await api.get(path, params=query)
    assert [each["asin"][:-1] for each in fresh.json()["variations"]] == [asin[:-1]] * 3
    simulator.clock.advance(timedelta(minutes=1))
    assert (await api.get(path, params=query)).status_code == 404

    await api.get("/product-research/products", params=query)

    again = await api.get(path, params=query)
    assert again.json() == fresh.json()
    assert again.headers[REMAINING] == "9999"


async def test_variations_of_a_product_that_was_not_found_are_404(api):
    found = (await api.get("/product-research/products")).json()
    path = "/product-research/products/B0NOTFOUND/variations"
    assert (await api.get(path, params={"searchId": found["searchId"]})).status_code == 404


async def test_categories_have_an_id_for_paths_and_a_node_id_for_filters(api):
    top = (await api.get("/product-research/categories")).json()["categories"]
    home = next(each for each in top if each["name"] == "Home & Kitchen")
    below = await api.get(f"/product-research/categories/{home['id']}/children")
    assert {each["name"] for each in below.json()["categories"]} >= {"Furniture"}
    by_node = await api.get(f"/product-research/categories/{home['nodeId']}/children")
    assert by_node.status_code == 404
    assert below.headers[REMAINING] == "10000"


@pytest.mark.parametrize(("field", "status"), [("nodeId", 200), ("id", 422)])
async def test_only_a_node_id_filters(api, field, status):
    top = (await api.get("/product-research/categories")).json()["categories"]
    query = {"query": "lamps", "filters[categories][]": str(top[0][field])}
    answer = await api.get("/product-research/products", params=query)
    assert status == answer.status_code
    assert answer.headers[REMAINING] == ("9999" if status == 200 else "10000")


async def test_the_control_page_shows_long_searches(api, client):
    number = (await start(api, keyword="<b>lamps")).json()["id"]
    state = (await client.get("/control/state")).json()
    (search,) = state["soldscope"]["accounts"][0]["searches"]
    # It goes on while the test looks.
    begun = {"id": number, "subject": "<b>lamps", "status": 0, "progress": 0}
    assert search | {"status": 0, "progress": 0} == begun
    page = (await client.get("/control")).text
    assert f"search {number}: &lt;b&gt;lamps" in page
