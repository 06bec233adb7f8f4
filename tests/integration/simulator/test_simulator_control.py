"""
The control API and its page, over real HTTP.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.anyio

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def state_of(client: httpx.AsyncClient) -> Any:
    return (await client.get("/control/state")).json()


async def test_state_tells_accounts_plans_clock_and_faults(simulator, client):
    simulator.create_token("acme", "production")
    simulator.faults.switch_on("slow", value=2)

    state = await state_of(client)

    assert [account["id"] for account in state["soldscope"]["accounts"]] == ["acme", "globex"]
    assert state["soldscope"]["url"] == simulator.soldscope_url
    assert state["soldscope"]["accounts"][0]["tokens"][0]["state"] == "live"
    assert state["faults"]["active"] == [{"name": "slow", "token": None, "value": 2}]
    assert state["clock_offset_s"] == 0


async def test_a_created_token_works_and_is_shown_only_once(simulator, client):
    created = await client.post("/control/tokens", json={"account": "acme", "name": "ci"})
    value = created.json()["token"]

    check = await client.get(
        f"{simulator.soldscope_url}/auth/check", headers={"Authorization": f"Bearer {value}"}
    )

    assert created.status_code == 201
    assert check.json()["token"] == {"name": "ci"}
    assert created.json()["last_four"] == value[-4:]
    assert value not in (await client.get("/control/state")).text
    assert value not in (await client.get("/control")).text


async def test_a_deleted_token_is_revoked_and_stays_in_the_list(simulator, client, api):
    answer = await client.delete("/control/tokens/tok_1")

    assert answer.json()["state"] == "revoked"
    assert (await api.get("/auth/check")).status_code == 401
    assert (await state_of(client))["soldscope"]["accounts"][0]["tokens"][0]["state"] == "revoked"


async def test_a_revoked_token_that_is_given_back_works_again(client, api):
    await client.delete("/control/tokens/tok_1")
    assert "/control/tokens/tok_1/restore" in (await client.get("/control")).text

    answer = await client.post("/control/tokens/tok_1/restore")

    assert answer.json()["state"] == "live"
    assert (await api.get("/auth/check")).status_code == 200
    assert "/control/tokens/tok_1/restore" not in (await client.get("/control")).text


async def test_giving_back_a_token_that_was_not_revoked_changes_nothing(client, api):
    before = await state_of(client)

    answer = await client.post("/control/tokens/tok_1/restore")

    assert answer.status_code == 200
    assert (await state_of(client))["soldscope"] == before["soldscope"]


async def test_an_unknown_token_cannot_be_given_back(client):
    answer = await client.post("/control/tokens/tok_9/restore")

    assert answer.status_code == 404
    assert "tok_9" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "spent", "remaining"),
    [
        ({"account": "acme", "n": 10}, 10, 9_990),
        ({"token": "tok_1", "n": 10}, 10, 9_990),
        ({"account": "acme"}, 1, 9_999),
        ({"account": "acme", "n": 20_000}, 10_000, 0),
    ],
)
async def test_spend_takes_from_the_account(client, api, body, spent, remaining):
    answer = await client.post("/control/spend", json=body)

    assert (spent, remaining) == (answer.json()["spent"], answer.json()["remaining"])
    seen = (await api.get("/auth/check")).headers["X-API-RateLimit-Remaining"]
    assert str(remaining) == seen


async def test_upgrade_changes_the_limit_at_once(client, api):
    answer = await client.post("/control/upgrade", json={"account": "acme", "plan": "agency"})

    assert answer.json()["limit"] == 100_000
    assert (await api.get("/auth/check")).headers["X-API-RateLimit-Limit"] == "100000"


async def test_faults_are_switched_on_and_off(client, api):
    await client.post("/control/faults", json={"name": "server_error", "value": 503})
    assert (await api.get("/auth/check")).status_code == 503

    answer = await client.delete("/control/faults/server_error")

    assert answer.json() == {"name": "server_error", "switched_off": 1}
    assert (await api.get("/auth/check")).status_code == 200


async def test_a_fault_can_be_switched_off_for_one_token_only(simulator, client, api):
    for body in ({"name": "hang"}, {"name": "hang", "token": "tok_1"}):
        await client.post("/control/faults", json=body)

    await client.delete("/control/faults/hang", params={"token": "tok_1"})

    assert [active.where for active in simulator.faults.active()] == [None]


async def test_all_faults_are_switched_off_together(simulator, client, api):
    for name in ("hang", "slow"):
        await client.post("/control/faults", json={"name": name, "token": "tok_1"})

    answer = await client.delete("/control/faults")

    assert answer.status_code == 200
    assert simulator.faults.active() == []


async def test_the_clock_is_advanced_and_reset(simulator, client):
    moved = await client.post("/control/clock", json={"advance": "3d"})
    assert moved.json()["clock_offset_s"] == 3 * 86_400

    back = await client.post("/control/clock", json={"reset": True})
    assert back.json()["clock_offset_s"] == 0
    assert not simulator.clock.offset


BAD = [
    ("tokens", {}, "account: missing"),
    ("tokens", {"account": "acme"}, "name: missing"),
    ("tokens", {"account": "nobody", "name": "x"}, "no account 'nobody'; there are: acme, globex"),
    ("tokens", {"account": "acme", "name": ""}, "name: 1 to 100"),
    ("tokens", {"account": 5, "name": "x"}, "account: must be a text"),
    ("tokens", {"account": "acme", "name": "x", "nmae": "y"}, "unknown field: 'nmae'"),
    ("spend", {}, "either token or account"),
    ("spend", {"token": "tok_1", "account": "acme"}, "either token or account"),
    ("spend", {"token": "tok_9"}, "no token with the id 'tok_9'"),
    ("spend", {"token": "tok_2"}, "revoked"),
    ("spend", {"account": "acme", "n": 0}, "n: must be"),
    ("spend", {"account": "acme", "n": -3}, "n: must be"),
    ("spend", {"account": "acme", "n": 1.5}, "n: must be"),
    ("spend", {"account": "acme", "n": True}, "n: must be"),
    ("spend", {"account": "acme", "n": 10**12}, "n: must be"),
    ("upgrade", {"account": "acme"}, "plan: missing"),
    ("upgrade", {"account": "acme", "plan": "gold"}, "no plan 'gold'; there are: free"),
    ("faults", {}, "name: missing"),
    ("faults", {"name": "earthquake"}, "no fault 'earthquake'; there are: hang"),
    ("faults", {"name": "hang", "token": "tok_9"}, "no token"),
    ("faults", {"name": "hang", "value": 3}, "takes none"),
    ("faults", {"name": "slow", "value": "soon"}, "value: seconds"),
    ("clock", {}, "either"),
    ("clock", {"advance": "3d", "reset": True}, "either"),
    ("clock", {"reset": "maybe"}, "reset: must be true or false"),
    ("clock", {"reset": []}, "reset: must be true or false"),
    ("clock", {"advance": "3 fortnights"}, "a length looks like"),
    ("clock", {"advance": "99999999w"}, "more than 100 years"),
    ("clock", {"advance": "0s"}, "forward only"),
]


@pytest.mark.parametrize(("path", "body", "reason"), BAD)
async def test_bad_input_is_400_with_the_reason_and_changes_nothing(
    simulator, client, api, path, body, reason
):
    revoked = simulator.create_token("acme", "old")
    simulator.soldscope.revoke_token(revoked.token.id, simulator.clock.now())
    before = await state_of(client)

    answer = await client.post(f"/control/{path}", json=body)

    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    after = await state_of(client)
    assert before["soldscope"] == after["soldscope"]
    assert after["faults"]["active"] == []
    assert after["clock_offset_s"] == 0


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (b"{", "application/json", "not JSON"),
        (b"\xff\xfe\xfa", "application/json", "not JSON"),
        (b"[" * 50_000, "application/json", "not JSON"),
        (b"[]", "application/json", "a JSON object"),
        (b'"acme"', "application/json", "a JSON object"),
        (b"account=acme", "text/plain", "Content-Type"),
        (b"", "application/json", "account: missing"),
        (b'{"account": "\\ud800", "name": "x"}', "application/json", "no account"),
        (b'{"account": "acme", "name": "\\ud800"}', "application/json", "name: 1 to 100"),
    ],
)
async def test_a_body_that_is_not_understood_is_400(client, content, content_type, reason):
    answer = await client.post(
        "/control/tokens", content=content, headers={"Content-Type": content_type}
    )

    assert answer.status_code == 400
    assert reason in answer.json()["error"]


@pytest.mark.parametrize("content", [b"&".join([b"a=b"] * 50), b"\xff=\xfe", b"%ff=1&account=%00"])
async def test_a_strange_form_is_400_with_the_page(client, content):
    answer = await client.post("/control/tokens", content=content, headers=FORM)

    assert answer.status_code == 400
    assert "Not done" in answer.text


@pytest.mark.parametrize("path", ["tokens/tok_9", "faults/earthquake", "faults/hang?token=tok_9"])
async def test_unknown_names_in_a_path_are_404(client, path):
    answer = await client.delete(f"/control/{path}")

    assert answer.status_code == 404
    assert "no " in answer.json()["error"]


async def test_a_huge_body_is_refused(client):
    answer = await client.post("/control/tokens", json={"account": "x" * 200_000})

    assert answer.status_code == 413


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1"])
async def test_another_sites_page_may_not_control_the_simulator(simulator, client, origin):
    answer = await client.post("/control/clock", data={"advance": "3d"}, headers={"Origin": origin})

    assert answer.status_code == 400
    assert not simulator.clock.offset


async def test_the_pages_own_forms_are_obeyed(simulator, client):
    answer = await client.post(
        "/control/clock", data={"advance": "3d"}, headers={"Origin": simulator.base_url}
    )

    assert answer.status_code == 303
    assert simulator.clock.offset.days == 3


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("tokens", {"account": "acme", "name": "ci"}, "Token “ci” created"),
        ("tokens/tok_1/revoke", {}, "Token “production” revoked"),
        ("tokens/tok_1/restore", {}, "Token “production” works again"),
        ("spend", {"account": "acme", "n": "5"}, "Acme Ltd spent 5; 9,995 left."),
        ("upgrade", {"account": "acme", "plan": "agency"}, "on the plan agency"),
        ("faults", {"name": "hang", "token": "", "value": ""}, "hang is on."),
        ("faults/slow/off", {}, "slow is off."),
        ("faults/off", {}, "All faults are off."),
        ("clock", {"reset": "true"}, "The clock shows"),
    ],
)
async def test_a_form_comes_back_to_the_page_which_says_once_what_was_done(
    client, api, path, form, told
):
    answer = await client.post(f"/control/{path}", data=form, headers=FORM)
    target = answer.headers["Location"]

    first, again = await client.get(target), await client.get(target)

    assert answer.status_code == 303
    assert told in first.text
    assert told not in again.text


async def test_a_token_made_on_the_page_is_shown_there_once_and_not_in_an_address(
    simulator, client
):
    answer = await client.post("/control/tokens", data={"account": "acme", "name": "ci"})
    first = await client.get(answer.headers["Location"])
    (value,) = re.findall(r"ss_live_[0-9a-f]{32}", first.text)

    assert simulator.soldscope.authenticate(value) is not None
    assert value not in answer.headers["Location"]
    assert value not in (await client.get(answer.headers["Location"])).text
    assert first.headers["Cache-Control"] == "no-store"


async def test_notices_that_nobody_fetches_do_not_pile_up(client):
    targets = [
        (await client.post("/control/faults/off", headers=FORM)).headers["Location"]
        for _ in range(30)
    ]

    assert "All faults are off." not in (await client.get(targets[0])).text
    assert "All faults are off." in (await client.get(targets[-1])).text


async def test_a_refused_form_shows_the_reason_on_the_page(client):
    answer = await client.post("/control/clock", data={"advance": "<b>soon</b>"})

    assert answer.status_code == 400
    assert "Not done: a length looks like" in answer.text
    assert "<b>soon" not in answer.text


class Tags(HTMLParser):
    """Collects tags, and refuses pages whose tags do not close in order."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()


async def test_the_page_is_well_formed_works_without_script_and_tells_states_by_word(
    simulator, client, api
):
    revoked = simulator.create_token("acme", "old")
    simulator.soldscope.revoke_token(revoked.token.id, simulator.clock.now())
    simulator.soldscope.spend("globex", 100, simulator.clock.now())
    simulator.faults.switch_on("slow", where="tok_1", value=2.5)
    simulator.faults.switch_on("hang")

    page = await client.get("/control")
    tags = Tags()
    tags.feed(page.text)

    assert page.headers["Content-Type"].startswith("text/html")
    assert not tags.open
    assert "script" not in tags.seen
    assert 'name="viewport"' in page.text
    for word in (">live<", ">revoked<", ">on<", ">off<", "used up", "all requests", "(2.5)"):
        assert word in page.text
    for known in (await state_of(client))["faults"]["known"]:
        assert known["name"] in page.text


async def test_the_page_escapes_markup_in_everything_it_shows(simulator, client):
    bait = '"><script>alert(1)</script>'
    simulator.soldscope.add_account('x"><i>', bait, bait)
    token = simulator.create_token('x"><i>', bait).token
    simulator.faults.switch_on("redirect", where=token.id, value="http://a/<i>'\"")

    text = (await client.get("/control")).text

    assert "<script" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text
    tags = Tags()
    tags.feed(text)
    assert not tags.open


async def test_the_pages_style_is_allowed_by_its_policy_and_scripts_are_not(client):
    page = await client.get("/control")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    policy = page.headers["Content-Security-Policy"]
    assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy


async def test_a_long_list_of_tokens_is_cut_on_the_page_but_not_in_the_state(simulator, client):
    for number in range(60):
        simulator.create_token("acme", f"job-{number:02}")

    text = (await client.get("/control")).text

    assert "job-59" in text
    assert "job-09" not in text
    assert "and 10 older ones" in text
    assert len((await state_of(client))["soldscope"]["accounts"][0]["tokens"]) == 60


async def test_the_root_leads_to_the_page(client):
    answer = await client.get("/")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/control")
