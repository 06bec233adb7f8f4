"""
A store owner renews one connection by a link, without a login, and can do nothing else.

The daemon, the simulator and the HTTP between them are real; browsers are clients with cookies.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from monitor.web import invites
from tests.command_line import connwatch
from tests.sinks import run_web_hook
from tests.stage import PASSWORD, run_daemon, set_stage
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sinks import WebHook
    from tests.stage import Stage

SINCE = f"authorized_on = {(datetime.now(UTC) - timedelta(days=345)).date()}"
STORES = (
    "happy",
    "unknown",
    "claimed",
    "other",
    "twice",
    "revoked",
    "late",
    "strange",
    "stalled",
    "alerted",
)
TOKENS = ("token", "token-bad", "token-other", "token-tried", "token-file", "token-paused")
PAGE = {"Accept": "text/html"}
HOOKS: list[WebHook] = []
FILE_TOKENS: dict[str, str] = {}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with run_web_hook() as hook, set_stage(folder) as stage:
        HOOKS.append(hook)
        for name in ("ops", "public"):
            stage.add(f'\n[[channels]]\nname = "{name}"\nurl = "{hook.url("/" + name)}"\n')
        stage.add("renewal_links = false\n")
        for name in STORES:
            stage.open_store(name, more=SINCE)
        for name in TOKENS:
            FILE_TOKENS[name] = stage.open_token(name)
        web = f'password = "{PASSWORD}"\npublic_url = "{stage.url}"\nallowed_hosts = ["127.0.0.1"]'
        with run_daemon(stage, web):
            with open_browser(stage) as browser:
                log_in(browser)
                names = (*STORES, *TOKENS)
                wait_until(lambda: all(shown(browser, one)["state"] == "active" for one in names))
            yield stage


@contextmanager
def open_browser(stage: Stage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stage.url, timeout=PATIENCE_S, trust_env=False) as browser:
        yield browser


def log_in(browser: httpx.Client) -> None:
    browser.get("/login")
    word = {"csrf_token": browser.cookies["connwatch_csrf"]}
    assert browser.post("/login", data=word | {"password": PASSWORD}).status_code == 303


@pytest.fixture
def operator(stage: Stage) -> Iterator[httpx.Client]:
    with open_browser(stage) as browser:
        log_in(browser)
        yield browser


@pytest.fixture
def owner(stage: Stage) -> Iterator[httpx.Client]:
    with open_browser(stage) as browser:
        yield browser


def shown(browser: httpx.Client, name: str) -> Any:
    return browser.get(f"/api/v1/connections/{name}").json()


def change(browser: httpx.Client, path: str, method: str = "POST", **more: Any) -> httpx.Response:
    headers = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}
    return browser.request(method, path, headers=headers, **more)


def invite(operator: httpx.Client, name: str, **more: Any) -> Any:
    answer = change(operator, f"/api/v1/connections/{name}/invites", json=more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def press(owner: httpx.Client, url: str, **fields: str) -> httpx.Response:
    """
    Open the page, and press its button.
    """
    page = owner.get(url, headers=PAGE)
    assert page.status_code == 200, page.text
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return owner.post(url, data=dict(hidden) | fields, headers=PAGE)


def confirm(stage: Stage, address: str, name: str) -> str:
    """
    Confirm as the seller of *name*; return where the browser is led.
    """
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as seller:
        page = seller.get(address)
        inputs = re.findall(r'<input [^>]*name="(\w+)"[^>]*? value="([^"]*)"', page.text)
        fields = {key: unescape(value) for key, value in inputs}
        fields |= {"store": stage.grants[name].id, "answer": "confirm"}
        answer = seller.post(address.split("?", maxsplit=1)[0], data=fields)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def renew(stage: Stage, owner: httpx.Client, url: str, seller: str) -> httpx.Response:
    begun = press(owner, url)
    assert begun.status_code == 303, begun.text
    return owner.get(confirm(stage, begun.headers["Location"], seller))


def know(stage: Stage, operator: httpx.Client, name: str) -> None:
    """
    Authorize a store from the dashboard, so that it is known whose it is.
    """
    begun = operator.get(f"/oauth/amazon/start/{name}")
    back = operator.get(confirm(stage, begun.headers["Location"], name))
    assert back.status_code == 303, back.text


def stored(stage: Stage, query: str, *values: object) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(stage.folder / "connwatch.db", timeout=PATIENCE_S)
    try:
        with database:
            return database.execute(query, values).fetchall()
    finally:
        database.close()


def is_stored(stage: Stage, text: str) -> bool:
    """
    Tell whether *text* stands anywhere in the database, in the clear.

    Not by reading its file: that would give up the locks that the daemon in this process has.
    """
    database = sqlite3.connect(stage.folder / "connwatch.db", timeout=PATIENCE_S)
    try:
        dump = "\n".join(database.iterdump())
    finally:
        database.close()
    return text in dump or text.encode().hex() in dump.lower()


def token_of(stage: Stage, name: str) -> Any:
    rows = stored(
        stage,
        "SELECT token FROM stored_tokens JOIN connections ON id = connection_id WHERE name = ?",
        name,
    )
    return rows[0][0] if rows else None


def audited(stage: Stage, name: str) -> list[tuple[str, str, list[str]]]:
    rows = stored(stage, "SELECT who, action, keys FROM audit WHERE connection = ?", name)
    return [(who.partition(":")[0], action, json.loads(keys)) for who, action, keys in rows]


# --- at Amazon


def test_a_store_owner_renews_at_amazon_without_a_login_and_the_link_works_once(
    stage, operator, owner
):
    know(stage, operator, "happy")
    before = token_of(stage, "happy")
    made = invite(operator, "happy")

    page = owner.get(made["url"], headers=PAGE)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert page.headers["Cache-Control"] == "no-store"
    assert "happy" in page.text
    assert "primary user of Happy" in page.text
    assert "script" not in page.text
    assert not [name for name in STORES if name != "happy" and name in page.text]
    back = renew(stage, owner, made["url"], "happy")

    assert (back.status_code, "Renewed" in back.text) == (200, True)
    assert token_of(stage, "happy") != before
    assert shown(operator, "happy")["state"] == "active"
    assert owner.get(made["url"], headers=PAGE).status_code == 410
    assert (
        owner.post(made["url"], data={"csrf_token": owner.cookies["connwatch_csrf"]}).status_code
        == 410
    )
    assert owner.get("/", headers=PAGE).status_code == 303
    assert ("link", "renew", ["credential"]) in audited(stage, "happy")
    assert ("link", "renew", ["used"]) in audited(stage, "happy")


def test_where_nothing_can_be_compared_an_operator_accepts(stage, operator, owner):
    made = invite(operator, "unknown")

    back = renew(stage, owner, made["url"], "unknown")

    assert "Waiting for approval" in back.text
    assert token_of(stage, "unknown") is None
    page = operator.get("/connections/unknown")
    [path] = re.findall(r'action="(/proposals/\d+/accept)"', page.text)
    answer = change(operator, path)
    assert answer.headers["Location"] == "/connections/unknown?done=accepted"
    assert token_of(stage, "unknown") is not None
    assert owner.get(made["url"], headers=PAGE).status_code == 410
    wait_until(lambda: shown(operator, "unknown")["authorization"]["days_left"] > 300)
    # Whose it is is known from now on.
    again = renew(stage, owner, invite(operator, "unknown")["url"], "unknown")
    assert "Renewed" in again.text
    assert {("link", "propose"), ("user", "accept"), ("link", "renew")} <= {
        (who, action) for who, action, _ in audited(stage, "unknown")
    }


def test_another_sellers_account_is_not_taken(stage, operator, owner):
    know(stage, operator, "claimed")
    before = token_of(stage, "claimed")

    back = renew(stage, owner, invite(operator, "claimed")["url"], "other")

    assert "Waiting for approval" in back.text
    assert token_of(stage, "claimed") == before
    page = operator.get("/connections/claimed")
    assert "Other" in page.text
    [path] = re.findall(r'action="(/proposals/\d+/reject)"', page.text)
    assert change(operator, path).status_code == 303
    assert change(operator, path).status_code == 404
    assert token_of(stage, "claimed") == before
    assert stored(stage, "SELECT * FROM proposals WHERE account = 'Other'") == []


def test_what_one_browser_began_another_cannot_end(stage, operator, owner):
    know(stage, operator, "strange")
    before = token_of(stage, "strange")
    url = invite(operator, "strange")["url"]
    address = confirm(stage, press(owner, url).headers["Location"], "strange")

    with open_browser(stage) as another:
        another.get(url)
        back = another.get(address)

    assert (back.status_code, "Started in another browser" in back.text) == (400, True)
    assert token_of(stage, "strange") == before
    assert audited(stage, "strange").count(("link", "renew", ["rejected"])) == 1


def test_a_link_that_is_withdrawn_while_the_seller_confirms_renews_nothing(stage, operator, owner):
    know(stage, operator, "late")
    before = token_of(stage, "late")
    made = invite(operator, "late")
    address = confirm(stage, press(owner, made["url"]).headers["Location"], "late")

    assert change(operator, f"/api/v1/invites/{made['id']}", "DELETE").status_code == 204

    for _ in range(3):
        assert owner.get(address).status_code in {400, 410}
    assert token_of(stage, "late") == before
    # Whoever has the address can repeat it without a login: one row says that somebody tried.
    assert audited(stage, "late").count(("link", "renew", ["rejected"])) == 1


def test_an_answer_of_the_consent_page_counts_once(stage, operator, owner):
    know(stage, operator, "twice")
    url = invite(operator, "twice")["url"]
    address = confirm(stage, press(owner, url).headers["Location"], "twice")
    assert "Renewed" in owner.get(address).text
    assert owner.get(address).status_code in {400, 410}


def test_a_stranger_gets_no_further_with_what_was_begun_with_a_login(stage, operator, owner):
    begun = operator.get("/oauth/amazon/start/stalled")
    address = confirm(stage, begun.headers["Location"], "stalled")
    answer = owner.get(address, headers=PAGE)
    assert (answer.status_code, answer.headers["Location"][:12]) == (303, "/login?next=")


# --- in alerts


def read_messages(path: str) -> str:
    return "\n".join(json.dumps(post) for at, post in HOOKS[-1].posts if at == path)


def test_an_alert_carries_a_link_that_works_and_that_is_kept_nowhere(stage, operator, owner):
    know(stage, operator, "alerted")
    wait_until(lambda: "alerted" in read_messages("/ops") and "alerted" in read_messages("/public"))
    [token] = set(re.findall(r"alerted[^:]*: [^ ]+/renew/([\w-]+)", read_messages("/ops")))
    assert "/renew/" not in read_messages("/public")
    assert "apps/authorize/consent" in read_messages("/public")
    assert not is_stored(stage, token)
    assert ("channel", "invite", []) in audited(stage, "alerted")

    assert "Renewed" in renew(stage, owner, f"{stage.url}/renew/{token}", "alerted").text

    assert owner.get(f"/renew/{token}", headers=PAGE).status_code == 410


# --- links that are over, and who may make them


def test_a_revoked_link_is_over_and_says_so(stage, operator, owner):
    made = invite(operator, "revoked")
    assert change(operator, f"/api/v1/invites/{made['id']}", "DELETE").status_code == 204
    assert change(operator, f"/api/v1/invites/{made['id']}", "DELETE").status_code == 404
    page = owner.get(made["url"], headers=PAGE)
    assert (page.status_code, "withdrawn" in page.text) == (410, True)
    assert "revoked" not in page.text  # the name of the connection


def test_an_expired_link_is_over(stage, operator, owner):
    made = invite(operator, "revoked", valid="1s")
    wait_until(lambda: owner.get(made["url"], headers=PAGE).status_code == 410)
    assert "expired" in owner.get(made["url"], headers=PAGE).text


@pytest.mark.parametrize("token", ["forged", "x" * 3000, "..%2f", "%00", "é"])
def test_an_unknown_link_is_not_found(stage, owner, token):
    page = owner.get(f"/renew/{token}", headers=PAGE)
    assert page.status_code == 404
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Connections" not in page.text


def test_the_link_of_a_test_message_is_over(owner):
    assert owner.get("/renew/sample").status_code == 410


@pytest.mark.parametrize(
    ("name", "wanted", "status"),
    [
        pytest.param("nobody", {}, 404, id="unknown"),
        pytest.param("happy", {"valid": "0s"}, 422, id="no time"),
        pytest.param("happy", {"valid": "9999d"}, 422, id="too long"),
        pytest.param("happy", {"valid": 5}, 422, id="a number"),
        pytest.param("happy", {"vaild": "5d"}, 422, id="misspelled"),
    ],
)
def test_a_bad_invitation_is_refused(operator, name, wanted, status):
    answer = change(operator, f"/api/v1/connections/{name}/invites", json=wanted)
    assert answer.status_code == status


def test_a_page_elsewhere_cannot_press_the_button(stage, operator, owner):
    url = invite(operator, "token")["url"]
    owner.get(url)
    word = {"csrf_token": owner.cookies["connwatch_csrf"], "token": "x"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert owner.post(url, data=word, headers=headers).status_code == 403
    assert owner.post(url, data={"token": "x"}).status_code == 403
    # As browsers send it from a page that names no referrer.
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert owner.post(url, data=word, headers=own).status_code == 422


# --- tokens


def make_token(stage: Stage, account: str = "acme") -> str:
    return stage.simulator.create_token(account, "another").value


def test_a_new_token_of_the_same_account_is_used_at_once(stage, operator, owner):
    url = invite(operator, "token")["url"]
    page = owner.get(url, headers=PAGE)
    assert shown(operator, "token")["account"] in page.text

    answer = press(owner, url, token=make_token(stage))

    assert (answer.status_code, "Renewed" in answer.text) == (200, True)
    assert token_of(stage, "token") is not None
    # The one in the file is of no use any more, and nothing asks with it, commands included.
    stage.simulator.soldscope.revoke_token(FILE_TOKENS["token"], stage.simulator.clock.now())
    assert connwatch("check", "token", cwd=stage.folder).code == 0
    assert connwatch("searches", "token", cwd=stage.folder).code == 0
    checked = change(operator, "/api/v1/connections/token/validate").json()
    assert checked["connection"]["state"] == "active"


def test_a_token_that_does_not_work_changes_nothing(stage, operator, owner):
    url = invite(operator, "token-bad")["url"]
    for token, words in (("wrong-token", "Nothing was changed"), ("", "Enter"), ("a b", "space")):
        answer = press(owner, url, token=token)
        assert (answer.status_code, words in answer.text) == (422, True), answer.text
        assert token not in answer.text or not token
    assert token_of(stage, "token-bad") is None
    assert shown(operator, "token-bad")["state"] == "active"
    assert ("link", "renew", ["rejected"]) in audited(stage, "token-bad")


def test_who_has_a_link_is_not_shown_where_the_token_is_sent(stage, operator, owner):
    entry = {
        "provider": "soldscope",
        "base_url": "http://127.0.0.1:9/v1",
        "token": make_token(stage),
    }
    assert change(operator, "/api/v1/connections/hidden", "PUT", json=entry).status_code == 201
    answer = press(owner, invite(operator, "hidden")["url"], token="new-token")
    assert (answer.status_code, "Nothing was changed" in answer.text) == (422, True), answer.text
    assert "127.0.0.1:9" not in answer.text


def test_a_link_withdrawn_while_its_token_is_tried_is_over(stage, operator, owner, monkeypatch):
    made = invite(operator, "token-bad")
    real = invites._try_token

    async def withdraw_first(*about: Any) -> Any:
        # From another thread: the daemon answers in this one.
        path = f"/api/v1/invites/{made['id']}"
        ended = await asyncio.to_thread(change, operator, path, "DELETE")
        assert ended.status_code == 204
        return await real(*about)

    monkeypatch.setattr(invites, "_try_token", withdraw_first)
    answer = press(owner, made["url"], token="wrong-token")

    assert (answer.status_code, "Link withdrawn" in answer.text) == (410, True), answer.text


def test_a_token_of_another_account_waits(stage, operator, owner):
    answer = press(owner, invite(operator, "token-other")["url"], token=make_token(stage, "globex"))
    assert "Waiting for approval" in answer.text
    assert token_of(stage, "token-other") is None
    # Another process accepts, and the daemon follows.
    listed = json.loads(connwatch("proposed", "list", "--json", cwd=stage.folder).out)["proposed"]
    [one] = [each for each in listed if each["connection"] == "token-other"]
    done = connwatch("proposed", "accept", str(one["id"]), cwd=stage.folder)
    assert done.code == 0, done.err
    assert token_of(stage, "token-other") is not None
    wait_until(lambda: shown(operator, "token-other")["account"] == one["account"])
    assert connwatch("proposed", "accept", str(one["id"]), cwd=stage.folder).code == 3


def test_a_link_is_tried_five_times_an_hour(stage, operator, owner):
    url = invite(operator, "token-tried")["url"]
    for _ in range(5):
        assert press(owner, url, token="wrong").status_code == 422
    answer = press(owner, url, token=make_token(stage))
    assert answer.status_code == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3601
    assert token_of(stage, "token-tried") is None


def test_a_paused_connection_is_renewed_and_stays_paused(stage, operator, owner):
    change(operator, "/api/v1/connections/token-paused/pause")
    answer = press(owner, invite(operator, "token-paused")["url"], token=make_token(stage))
    assert "Renewed" in answer.text
    assert shown(operator, "token-paused")["state"] == "paused"


def test_an_entry_of_the_dashboard_keeps_the_new_token_itself(stage, operator, owner):
    entry = {
        "provider": "soldscope",
        "base_url": stage.simulator.soldscope_url,
        "token": make_token(stage),
    }
    assert change(operator, "/api/v1/connections/made", "PUT", json=entry).status_code == 201
    wait_until(lambda: shown(operator, "made")["state"] == "active")
    before = stored(stage, "SELECT secrets, digest FROM entries WHERE name = 'made'")
    url = invite(operator, "made")["url"]

    assert "Renewed" in press(owner, url, token=make_token(stage)).text

    assert stored(stage, "SELECT secrets, digest FROM entries WHERE name = 'made'") != before
    assert token_of(stage, "made") is None
    assert shown(operator, "made")["state"] == "active"
    # A link outlives a new name, and ends with the connection.
    url = invite(operator, "made")["url"]
    renamed = entry | {"renamed_from": "made"}
    assert change(operator, "/api/v1/connections/newly", "PUT", json=renamed).status_code == 201
    assert "newly" in owner.get(url, headers=PAGE).text
    assert change(operator, "/api/v1/connections/newly", "DELETE").status_code == 204
    assert owner.get(url, headers=PAGE).status_code == 410


def test_a_token_that_was_tried_elsewhere_is_not_accepted(stage, operator, owner):
    entry = {
        "provider": "soldscope",
        "base_url": stage.simulator.soldscope_url,
        "token": make_token(stage),
    }
    assert change(operator, "/api/v1/connections/moved", "PUT", json=entry).status_code == 201
    wait_until(lambda: shown(operator, "moved")["state"] == "active")
    url = invite(operator, "moved")["url"]
    assert "Waiting for approval" in press(owner, url, token=make_token(stage, "globex")).text
    entry |= {"base_url": "http://127.0.0.1:9/v1", "token": "of-another-service"}
    assert change(operator, "/api/v1/connections/moved", "PUT", json=entry).status_code == 200
    before = stored(stage, "SELECT secrets, digest FROM entries WHERE name = 'moved'")

    page = operator.get("/connections/moved")
    [path] = re.findall(r'action="(/proposals/\d+/accept)"', page.text)
    answer = change(operator, path)

    assert (answer.status_code, "changed since" in answer.text) == (409, True), answer.text
    assert stored(stage, "SELECT secrets, digest FROM entries WHERE name = 'moved'") == before
    [number] = re.findall(r"\d+", path)
    by_command = connwatch("proposed", "accept", number, cwd=stage.folder)
    assert (by_command.code, "changed since" in by_command.err) == (3, True)
    assert connwatch("proposed", "reject", number, cwd=stage.folder).code == 0


def test_a_token_is_not_stored_for_a_service_that_it_was_not_tried_at(
    stage, operator, owner, monkeypatch
):
    entry = {
        "provider": "soldscope",
        "base_url": stage.simulator.soldscope_url,
        "token": make_token(stage),
    }
    assert change(operator, "/api/v1/connections/moving", "PUT", json=entry).status_code == 201
    wait_until(lambda: shown(operator, "moving")["state"] == "active")
    url = invite(operator, "moving")["url"]
    really_try = invites._try_token

    async def move_meanwhile(here: Any, connection: Any, value: str) -> Any:
        outcome = await really_try(here, connection, value)
        other = entry | {"base_url": "http://127.0.0.1:9/v1", "token": "of-another-service"}
        moved = await asyncio.to_thread(
            change, operator, "/api/v1/connections/moving", "PUT", json=other
        )
        assert moved.status_code == 200, moved.text
        return outcome

    monkeypatch.setattr(invites, "_try_token", move_meanwhile)
    answer = press(owner, url, token=make_token(stage))

    assert (answer.status_code, "Link withdrawn" in answer.text) == (410, True), answer.text
    listed = operator.get("/connections/moving").text
    assert "/proposals/" not in listed


# --- commands


def test_the_command_prints_the_address_alone_and_lists_and_revokes(stage, owner):
    made = connwatch("invite", "token-file", "--valid", "7d", cwd=stage.folder)
    assert made.code == 0, made.err
    [address] = made.out.splitlines()
    assert owner.get(address, headers=PAGE).status_code == 200
    listed = json.loads(connwatch("invite", "list", "--json", cwd=stage.folder).out)["invites"]
    one = listed[0]
    assert one.keys() == {"id", "connection", "created_at", "valid_until", "by", "state"}
    assert (one["connection"], one["state"], one["by"][:4]) == ("token-file", "open", "cli:")
    assert connwatch("invite", "revoke", str(one["id"]), cwd=stage.folder).code == 0
    assert connwatch("invite", "revoke", str(one["id"]), cwd=stage.folder).code == 3
    assert owner.get(address, headers=PAGE).status_code == 410


@pytest.mark.parametrize(
    "arguments",
    [
        ("invite", "nobody"),
        ("invite", "token", "--valid", "soon"),
        ("invite", "token", "--valid", "0s"),
        ("invite", "token", "5"),
        ("invite", "revoke"),
        ("invite", "revoke", "999999"),
        ("proposed", "accept", "999999"),
        ("proposed", "reject", "x"),
    ],
)
def test_what_cannot_be_done_exits_with_3(stage, arguments):
    done = connwatch(*arguments, cwd=stage.folder)
    assert (done.code, done.out) == (3, "")


def test_no_token_of_a_link_and_no_credential_is_in_the_clear(stage, operator, owner):
    made = invite(operator, "token")
    new = make_token(stage)
    press(owner, made["url"], token=new)
    assert not is_stored(stage, made["url"].rpartition("/")[2])
    assert not is_stored(stage, new)
