"""
Every fault, over real HTTP.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.simulator.base import SimulatorError
from monitor.simulator.faults import FAULT_KINDS, Fault, Switches
from monitor.simulator.misbehave import leading_fault
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

LIMIT, REMAINING, RESET = (
    "X-API-RateLimit-Limit",
    "X-API-RateLimit-Remaining",
    "X-API-RateLimit-Reset",
)
METERED = "/product-research/products"


def has_retry_after(answer: httpx.Response) -> bool:
    return answer.headers["Retry-After"] == "60"


def is_cut_json(answer: httpx.Response) -> bool:
    try:
        json.loads(answer.content)
    except ValueError:
        return answer.headers["Content-Type"] == "application/json" and bool(answer.content)
    return False


ANSWERS: list[tuple[str, object, int, Callable[[httpx.Response], bool]]] = [
    ("server_error", None, 500, lambda a: a.json()["error"] == "server_error"),
    ("server_error", 502, 502, lambda a: a.json()["error"] == "server_error"),
    ("unavailable", None, 503, has_retry_after),
    ("unavailable", 7, 503, lambda a: a.headers["Retry-After"] == "7"),
    ("throttle", None, 429, has_retry_after),
    ("throttle", "120", 429, lambda a: a.headers["Retry-After"] == "120"),
    ("firewall", None, 403, lambda a: "<h1>" in a.text and "html" in a.headers["content-type"]),
    ("no_credit", None, 429, lambda a: a.json()["error"] == "insufficient_quota"),
    ("no_credit", "403", 403, lambda a: a.json()["error"] == "insufficient_quota"),
    ("suspended", None, 403, lambda a: "suspended" in a.json()["message"]),
    ("token_expired", None, 401, lambda a: "expired" in a.json()["message"]),
    ("says_no", None, 200, lambda a: a.json()["ok"] is False),
    ("throttle_403", None, 403, lambda a: a.headers[REMAINING] == "0" and "rate limit" in a.text),
    ("forbidden", None, 403, lambda a: a.headers[REMAINING] == "10000"),
    ("not_found", None, 404, lambda a: a.json()["error"] == "not_found"),
    ("redirect", None, 302, lambda a: a.headers["Location"].startswith("https://elsewhere.")),
    ("redirect", "http://127.0.0.1:9/x", 302, lambda a: a.headers["Location"].endswith(":9/x")),
    ("html", None, 200, lambda a: a.text.startswith("<!doctype html>")),
    ("not_json", None, 200, is_cut_json),
    ("empty", None, 200, lambda a: a.content == b""),
    ("markup_error", None, 401, lambda a: "<script>" in a.json()["message"]),
    ("markup_error", "500", 500, lambda a: "<script>" in a.json()["message"]),
    ("markup_account", None, 200, lambda a: "<script>" in a.json()["name"]),
    ("oversize", 1, 200, lambda a: len(a.content) > 2**20 and a.json()["name"] == "Acme Ltd"),
]


@pytest.mark.parametrize(
    ("name", "value", "status", "is_as_told"),
    ANSWERS,
    ids=[f"{name}-{value}" for name, value, *_ in ANSWERS],
)
async def test_a_fault_takes_the_answers_place_and_costs_nothing(
    simulator, api, name, value, status, is_as_told
):
    simulator.faults.switch_on(name, value=value)

    answer = await api.get(METERED)

    assert status == answer.status_code
    assert is_as_told(answer)
    assert simulator.soldscope.quota("acme", simulator.clock.now()).used == 0


@pytest.mark.parametrize(
    ("name", "error"),
    [("reset", httpx.ReadError), ("close_early", httpx.RemoteProtocolError)],
)
async def test_a_broken_connection_is_seen_as_what_it_is(simulator, api, name, error):
    simulator.faults.switch_on(name)

    with pytest.raises(error):
        await api.get(METERED)

    assert simulator.soldscope.quota("acme", simulator.clock.now()).used == 0


async def test_hang_never_answers(simulator, api):
    simulator.faults.switch_on("hang")

    with pytest.raises(httpx.ReadTimeout):
        await api.get("/auth/check", timeout=0.3)


async def test_a_client_that_gives_up_leaves_no_request_behind(simulator, api):
    """What hangs ends with its client: its task is gone soon after."""
    simulator.faults.switch_on("hang")
    before = len(asyncio.all_tasks())

    with pytest.raises(httpx.ReadTimeout):
        await api.get("/auth/check", timeout=0.2)

    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_trickle_sends_bytes_and_never_ends(simulator, api):
    simulator.faults.switch_on("trickle", value=0.01)
    received = b""

    async with api.stream("GET", "/auth/check") as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) >= 5:
                break

    assert received.strip() == b""


async def test_slow_and_latency_answer_properly_but_late_and_add_up(simulator, api):
    simulator.faults.switch_on("slow", value=0.1)
    simulator.faults.switch_on("latency_ms", value=100)

    started = time.monotonic()
    answer = await api.get(METERED)

    assert answer.status_code == 200
    assert time.monotonic() - started >= 0.2
    assert answer.headers[REMAINING] == "9999"


async def test_no_quota_headers_leaves_the_rest_alone(simulator, api):
    simulator.faults.switch_on("no_quota_headers")

    answer = await api.get("/auth/check")

    assert answer.json()["name"] == "Acme Ltd"
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


@pytest.mark.parametrize(
    ("kind", "limit", "remaining", "reset"),
    [
        (None, "-1", "-5", "-86400"),
        ("negative", "-1", "-5", "-86400"),
        ("words", "plenty", "some", "soon"),
        ("huge", "9" * 40, "9" * 41, "9" * 42),
        ("empty", "", "", ""),
        ("reset", "10000", "10000", "when the cows come home"),
    ],
)
async def test_bad_quota_headers_are_nonsense_of_the_kind_chosen(
    simulator, api, kind, limit, remaining, reset
):
    simulator.faults.switch_on("bad_quota_headers", value=kind)

    headers = (await api.get("/auth/check")).headers

    assert (limit, remaining, reset) == (headers[LIMIT], headers[REMAINING], headers[RESET])


async def test_close_each_says_so_and_closes(simulator, api):
    simulator.faults.switch_on("close_each")

    answers = [await api.get("/auth/check") for _ in range(2)]

    assert [answer.headers["Connection"] for answer in answers] == ["close", "close"]


@pytest.mark.parametrize("name", ["html", "redirect", "markup_error"])
async def test_what_stands_before_the_account_carries_no_quota(simulator, api, name):
    simulator.faults.switch_on(name)

    assert LIMIT not in (await api.get("/auth/check")).headers


async def test_a_fault_for_one_token_spares_the_others(simulator, client, api):
    other = simulator.create_token("acme", "staging")
    simulator.faults.switch_on("server_error", where="tok_1")

    spared = await client.get(
        f"{simulator.soldscope_url}/auth/check", headers={"Authorization": f"Bearer {other.value}"}
    )

    assert (await api.get("/auth/check")).status_code == 500
    assert spared.status_code == 200


async def test_a_fault_for_all_meets_requests_without_a_token_too(simulator, client):
    simulator.faults.switch_on("unavailable")

    answer = await client.get(f"{simulator.soldscope_url}/auth/check")

    assert answer.status_code == 503
    assert LIMIT not in answer.headers


async def test_an_outage_hides_that_a_token_was_revoked(simulator, api):
    simulator.soldscope.revoke_token("tok_1", simulator.clock.now())
    simulator.faults.switch_on("server_error")
    assert (await api.get("/auth/check")).status_code == 500

    simulator.faults.clear()

    assert (await api.get("/auth/check")).status_code == 401


async def test_faults_that_change_and_faults_that_replace_combine(simulator, api):
    for name in ("throttle", "latency_ms", "reset_form", "close_each"):
        simulator.faults.switch_on(name)
    simulator.faults.switch_on("latency_ms", value=1)

    answer = await api.get("/auth/check")

    assert answer.status_code == 429
    assert answer.headers[RESET].endswith("Z")
    assert answer.headers["Connection"] == "close"


async def test_every_fault_is_described_in_one_line_and_takes_its_default():
    assert set(FAULT_KINDS) == set(Fault)
    for fault, kind in FAULT_KINDS.items():
        assert kind.description
        assert "\n" not in kind.description
        active = Switches(FAULT_KINDS, "token").switch_on(fault)
        if active.value is not None:
            assert kind.takes.parse(active.value) == active.value


async def test_every_fault_replaces_or_changes_the_answer():
    changing = [fault for fault in Fault if leading_fault({fault: None}) is None]

    assert changing == list(Fault)[-6:]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonsense", None),
        ("", None),
        ("hang", 5),
        ("slow", "soon"),
        ("slow", 0),
        ("slow", -1),
        ("slow", 1e9),
        ("slow", float("nan")),
        ("slow", True),
        ("slow", [1]),
        ("slow", 10**400),
        ("server_error", 404),
        ("oversize", 5000),
        ("reset_form", "roman"),
        ("markup_error", True),
        ("redirect", "javascript:alert(1)"),
        ("redirect", "http://"),
        ("redirect", "http://a/\r\nX-Injected: yes"),
        ("redirect", "http://a b/"),
        ("redirect", "http://[broken"),
        ("redirect", 5),
    ],
)
async def test_unknown_faults_and_bad_values_are_refused(name, value):
    faults = Switches(FAULT_KINDS, "token")

    with pytest.raises(SimulatorError, match=r"^(no fault|value:)"):
        faults.switch_on(name, value=value)

    assert not faults.active()


async def test_the_tokens_own_value_wins_over_the_one_for_all():
    faults = Switches(FAULT_KINDS, "token")
    faults.switch_on("slow", value=1)
    faults.switch_on("slow", where="tok_1", value=2)

    assert dict(faults.of("tok_1")) == {Fault.SLOW: 2}
    assert dict(faults.of("tok_2")) == {Fault.SLOW: 1}
    assert dict(faults.of(None)) == {Fault.SLOW: 1}


@pytest.mark.parametrize(
    ("token_id", "ended", "left"),
    [
        (None, 2, []),
        ("tok_1", 1, [None]),
        ("tok_2", 0, [None, "tok_1"]),
    ],
)
async def test_switching_off_ends_it_for_one_token_or_everywhere(token_id, ended, left):
    faults = Switches(FAULT_KINDS, "token")
    faults.switch_on("hang")
    faults.switch_on("hang", where="tok_1")

    assert ended == faults.switch_off("hang", where=token_id)
    assert left == [active.where for active in faults.active()]
