"""
A store is authorized again: from the dashboard to Amazon's consent page and back.

The daemon, the simulator and the HTTP between them are real; the browser is a client
with cookies.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet

from monitor.web.handshake import BegunHandshake
from tests.command_line import connwatch
from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stage import Stage

SINCE = f"authorized_on = {(datetime.now(UTC) - timedelta(days=345)).date()}"
NAMES = (
    "happy",
    "wrong",
    "other",
    "cancelled",
    "replayed",
    "late",
    "stale",
    "foreign",
    "paused",
    "renamed",
    "claimed",
    "unseen",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    A store for each story.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        for name in NAMES:
            stage.open_store(name, more=SINCE)
        stage.add(f'\n[[connections]]\nname = "elsewhere"\nprovider = "countdown"\n{SINCE}\n')
        with run_daemon(stage):
            with open_browser(stage) as browser:
                wait_until(lambda: all(state_of(browser, one) == "active" for one in NAMES))
            yield stage


def open_browser(stage: Stage) -> httpx.Client:
    return httpx.Client(base_url=stage.url, timeout=PATIENCE_S, trust_env=False)


@pytest.fixture
def browser(stage: Stage) -> Iterator[httpx.Client]:
    with open_browser(stage) as browser:
        browser.get("/")  # which leaves a cookie
        yield browser


def shown(browser: httpx.Client, name: str) -> Any:
    return browser.get(f"/api/v1/connections/{name}").json()


def state_of(browser: httpx.Client, name: str) -> Any:
    return shown(browser, name)["state"]


def audited(browser: httpx.Client) -> Any:
    """
    Return what was written down last of who changed what.
    """
    [row] = browser.get("/api/v1/audit?limit=1").json()["audit"]
    return row["who"], row["action"], row["connection"], row["keys"], row["count"]


def validate(browser: httpx.Client, name: str) -> Any:
    headers = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}
    return browser.post(f"/api/v1/connections/{name}/validate", headers=headers).json()


def begin(browser: httpx.Client, name: str) -> str:
    answer = browser.get(f"/oauth/amazon/start/{name}")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


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


def stored(stage: Stage, query: str, *values: object) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(stage.folder / "connwatch.db", timeout=PATIENCE_S)
    try:
        with database:
            return database.execute(query, values).fetchall()
    finally:
        database.close()


def test_a_confirmed_authorization_is_in_use_at_once_and_its_year_starts_anew(stage, browser):
    before = shown(browser, "happy")
    stage.simulator.amazon.revoke(stage.grants["happy"].id, stage.simulator.clock.now())

    back = browser.get(confirm(stage, begin(browser, "happy"), "happy"))

    after = shown(browser, "happy")
    assert back.headers["Location"] == "/connections/happy?done=authorized"
    assert (before["authorization"]["days_left"], before["expiring_soon"]) == (19, True)
    assert (after["authorization"]["days_left"], after["expiring_soon"]) == (364, False)
    assert (after["state"], after["last_check"]["conclusive"]) == ("active", True)
    assert "Authorized again" in browser.get(back.headers["Location"]).text
    assert audited(browser) == ("user:local", "renew", "happy", ["credential"], 1)


def test_a_renewal_that_was_due_is_told_and_the_token_is_nowhere_in_the_clear(stage, browser):
    browser.get(confirm(stage, begin(browser, "stale"), "stale"))

    history = browser.get("/api/v1/connections/stale/history").json()
    kinds = [one["kind"] for one in history["alerts"]]
    [(encrypted, seller_id)] = stored(
        stage,
        "SELECT token, seller_id FROM stored_tokens JOIN connections ON id = connection_id"
        " WHERE name = 'stale'",
    )
    assert kinds.count("expiring_soon") == 1
    assert seller_id == stage.grants["stale"].seller_id
    assert encrypted.startswith(b"gAAAA")
    files = [path.read_bytes() for path in stage.folder.glob("connwatch.db*")]
    assert not any(b"Atzr|" in each for each in files)


def test_another_account_is_refused_by_its_name_and_nothing_changes(stage, browser):
    before = shown(browser, "wrong")

    back = browser.get(confirm(stage, begin(browser, "wrong"), "other"))

    assert back.status_code == 400
    assert "Other confirmed" in back.text
    assert "Wrong" in back.text
    assert audited(browser) == ("user:local", "renew", "wrong", [], 0)
    assert shown(browser, "wrong")["authorization"] == before["authorization"]
    assert not stored(
        stage,
        "SELECT * FROM stored_tokens JOIN connections ON id = connection_id WHERE name = 'wrong'",
    )


def test_a_store_of_another_name_is_taken_once_somebody_says_it_was_renamed(stage, browser):
    stage.grants["renamed"].store_name = "Renamed Since"
    refused = browser.get(confirm(stage, begin(browser, "renamed"), "renamed"))
    assert (refused.status_code, "under a new name" in refused.text) == (400, True)
    word = {"csrf_token": browser.cookies["connwatch_csrf"]}

    page = browser.post("/oauth/amazon/start/renamed", data=word)
    [target] = re.findall(r'class="button main" href="([^"]+)"', page.text)
    back = browser.get(confirm(stage, unescape(target), "renamed"))

    assert back.headers["Location"] == "/connections/renamed?done=authorized"
    assert shown(browser, "renamed")["account"] == "Renamed Since"

    # From now on the account itself is known: no other is taken, whatever is said of its name.
    page = browser.post("/oauth/amazon/start/renamed", data=word)
    [target] = re.findall(r'class="button main" href="([^"]+)"', page.text)
    other = browser.get(confirm(stage, unescape(target), "other"))
    assert (other.status_code, "Other confirmed" in other.text) == (400, True)
    assert "under a new name" not in other.text


def test_a_renamed_store_is_begun_with_the_word_of_the_page_only(stage, browser):
    assert browser.post("/oauth/amazon/start/renamed").status_code == 403
    word = {"csrf_token": browser.cookies["connwatch_csrf"]}
    assert browser.post("/oauth/amazon/start/nobody", data=word).status_code == 404
    assert browser.post("/oauth/amazon/start/elsewhere", data=word).status_code == 409


def test_a_state_cannot_be_told_renamed_on_its_way(stage, browser):
    address = confirm(stage, begin(browser, "happy"), "happy")
    back = browser.get(address.replace("state=", "state=~"))
    assert (back.status_code, "This link was not started here" in back.text) == (400, True)


def test_a_consent_page_that_was_left_changes_nothing(stage, browser):
    state = parse_qs(urlsplit(begin(browser, "cancelled")).query)["state"][0]

    back = browser.get(f"/oauth/amazon/callback?{urlencode({'state': state, 'error': 'denied'})}")

    assert (back.status_code, "Not confirmed" in back.text) == (400, True)
    assert shown(browser, "cancelled")["authorization"]["days_left"] == 19


def test_an_answer_counts_once(stage, browser):
    address = confirm(stage, begin(browser, "replayed"), "replayed")
    assert browser.get(address).status_code == 303

    again = browser.get(address)

    assert (again.status_code, "Already used" in again.text) == (400, True)
    assert state_of(browser, "replayed") == "active"


@pytest.mark.parametrize(
    "state",
    ["", "forged", "a.b", "é.ü", "x" * 5000, f"nonce.{'0' * 64}"],
    ids=["empty", "plain", "short", "not-ascii", "long", "signed-by-somebody"],
)
def test_a_forged_answer_is_refused(stage, browser, state):
    query = urlencode({"state": state, "spapi_oauth_code": "c", "selling_partner_id": "A1"})

    back = browser.get(f"/oauth/amazon/callback?{query}")

    assert (back.status_code, "This link was not started here" in back.text) == (400, True)
    assert audited(browser) == ("user:local", "renew", None, [], 0)


@pytest.mark.parametrize(
    "minutes", [-11, 11, -24 * 60, 24 * 60], ids=["late", "clock set back", "a day", "a day back"]
)
def test_an_answer_after_ten_minutes_is_refused(stage, browser, minutes):
    address = confirm(stage, begin(browser, "late"), "late")
    [(key,)] = stored(stage, "SELECT value FROM keys WHERE name = 'handshake'")
    state = parse_qs(urlsplit(address).query)["state"][0]
    begun = BegunHandshake.read(key, state)
    assert begun is not None
    moved = replace(begun, started_at=begun.started_at + timedelta(minutes=minutes))

    back = browser.get(address.replace(quote(state), quote(moved.sign(key))))

    assert (back.status_code, "Link expired" in back.text) == (400, True)


def test_however_often_it_is_begun_nothing_is_kept(stage, browser):
    """Another site can have a browser fetch this address as often as it likes."""
    before = stored(stage, "SELECT count(*) FROM handshakes")
    with open_browser(stage) as anybody:
        for _ in range(20):
            anybody.cookies.clear()
            begin(anybody, "late")
            headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
            anybody.get("/oauth/amazon/start/late", headers=headers)
    assert stored(stage, "SELECT count(*) FROM handshakes") == before


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_site_cannot_begin_an_authorization(stage, browser, site):
    answer = browser.get("/oauth/amazon/start/late", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == "/connections/late"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_pages_and_people_begin_one(stage, browser, site):
    answer = browser.get("/oauth/amazon/start/late", headers={"Sec-Fetch-Site": site})
    assert "state=" in answer.headers["Location"]


def claim(address: str, seller_id: str) -> str:
    """
    Say that somebody else confirmed: nobody has signed who it was.
    """
    before = parse_qs(urlsplit(address).query)["selling_partner_id"][0]
    return address.replace(before, seller_id)


def test_another_sellers_code_is_refused_whoever_is_said_to_have_confirmed(stage, browser):
    own = stage.grants["claimed"].seller_id
    before = shown(browser, "claimed")
    first = browser.get(claim(confirm(stage, begin(browser, "claimed"), "other"), own))
    assert (first.status_code, "Other confirmed" in first.text) == (400, True)
    assert shown(browser, "claimed")["authorization"] == before["authorization"]

    # Nor once the account is known by its id.
    assert browser.get(confirm(stage, begin(browser, "claimed"), "claimed")).status_code == 303
    [(kept,)] = stored(stage, TOKEN_OF, "claimed")
    second = browser.get(claim(confirm(stage, begin(browser, "claimed"), "other"), own))
    assert (second.status_code, "Other confirmed" in second.text) == (400, True)
    assert stored(stage, TOKEN_OF, "claimed") == [(kept,)]
    assert validate(browser, "claimed")["connection"]["account"] == "Claimed"


TOKEN_OF = "SELECT token FROM stored_tokens JOIN connections ON id = connection_id WHERE name = ?"


def test_a_code_whose_account_nobody_can_see_is_refused(stage, browser):
    """Amazon fails right after it gave the token: whose that is stays unknown."""
    address = confirm(stage, begin(browser, "unseen"), "other")
    stage.simulator.amazon_faults.switch_on("storm_403", where="na")
    try:
        back = browser.get(claim(address, stage.grants["unseen"].seller_id))
    finally:
        stage.simulator.amazon_faults.clear()
    assert (back.status_code, "Account unknown" in back.text) == (400, True)
    assert stored(stage, TOKEN_OF, "unseen") == []


def test_a_code_that_amazon_does_not_take_any_more_is_told_so(stage, browser):
    address = begin(browser, "late")
    state = parse_qs(urlsplit(address).query)["state"][0]
    query = urlencode({"state": state, "spapi_oauth_code": "gone", "selling_partner_id": "A1"})

    back = browser.get(f"/oauth/amazon/callback?{query}")

    assert (back.status_code, "five minutes only" in back.text) == (400, True)
    assert state_of(browser, "late") == "active"


def test_an_answer_that_comes_to_another_browser_is_refused(stage, browser):
    address = confirm(stage, begin(browser, "foreign"), "foreign")
    with open_browser(stage) as other:
        other.get("/")

        back = other.get(address)

    assert (back.status_code, "another browser" in back.text) == (400, True)
    assert shown(browser, "foreign")["authorization"]["days_left"] == 19


def test_a_paused_store_is_renewed_and_stays_paused(stage, browser):
    headers = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}
    browser.post("/api/v1/connections/paused/pause", headers=headers)

    browser.get(confirm(stage, begin(browser, "paused"), "paused"))

    after = shown(browser, "paused")
    assert (after["state"], after["authorization"]["days_left"]) == ("paused", 364)


def test_what_is_no_store_says_where_it_is_renewed(stage, browser):
    answer = browser.get("/oauth/amazon/start/elsewhere")

    assert (answer.status_code, "not an Amazon store" in answer.text) == (409, True)
    assert browser.get("/oauth/amazon/start/nobody").status_code == 404


def test_without_a_key_no_handshake_begins_and_the_page_says_how_to_make_one(tmp_path):
    with set_stage(tmp_path) as stage:
        stage.open_store("acme")
        with run_daemon(stage, with_key=False), open_browser(stage) as browser:
            answer = browser.get("/oauth/amazon/start/acme")

    assert answer.status_code == 409
    assert "no <code>key</code> is set" in answer.text
    assert "connwatch web key" in answer.text


def test_an_application_with_an_endpoint_is_authorized_there(tmp_path):
    with set_stage(tmp_path) as stage:
        endpoint = stage.simulator.endpoint("na")
        stage.open_application(f'endpoint = "{endpoint}"')
        stage.open_store("acme")
        stage.replace(f'endpoint = "{endpoint}"', "")
        stage.replace(
            "token_url = ",
            f'token_url = "{stage.simulator.lwa_token_url}"\nendpoint = "{endpoint}"',
        )
        amazon = stage.simulator.amazon
        with run_daemon(stage, as_configured=True), open_browser(stage) as browser:
            browser.get("/")
            wait_until(lambda: state_of(browser, "acme") == "active")
            amazon.revoke(stage.grants["acme"].id, stage.simulator.clock.now())
            assert validate(browser, "acme")["connection"]["state"] == "error"
            address = begin(browser, "acme")
            assert address.startswith(f"{endpoint}/apps/authorize/consent?")
            browser.get(confirm(stage, address, "acme"))
            assert state_of(browser, "acme") == "active"


def test_after_a_restart_the_new_token_is_used_until_the_file_has_another(tmp_path):
    with set_stage(tmp_path) as stage:
        stage.open_store("acme")
        amazon = stage.simulator.amazon
        key = ""
        with run_daemon(stage), open_browser(stage) as browser:
            browser.get("/")
            wait_until(lambda: state_of(browser, "acme") == "active")
            amazon.revoke(stage.grants["acme"].id, stage.simulator.clock.now())
            browser.get(confirm(stage, begin(browser, "acme"), "acme"))
            key = re.findall(r'key = "(.+)"', (tmp_path / "config.toml").read_text())[0]
        with run_daemon(stage, f'key = "{key}"', with_key=False), open_browser(stage) as browser:
            browser.get("/")
            assert validate(browser, "acme")["connection"]["state"] == "active"
            new = Fernet.generate_key().decode()
        # A new key, while the daemon runs with it and knows the former one.
        keys = f'key = "{new}"\nold_keys = ["{key}"]'
        with run_daemon(stage, keys, with_key=False), open_browser(stage) as browser:
            browser.get("/")
            before = stored(stage, "SELECT token FROM stored_tokens")
            ended = connwatch("keys", "rotate", cwd=tmp_path)
            assert ended.code == 0, ended.err
            assert stored(stage, "SELECT token FROM stored_tokens") != before
            assert validate(browser, "acme")["connection"]["state"] == "active"
        key = new
        with run_daemon(stage, f'key = "{key}"', with_key=False), open_browser(stage) as browser:
            browser.get("/")
            assert validate(browser, "acme")["connection"]["state"] == "active"
        # A lost key is not the seller's fault, and the file's token is an old one.
        with run_daemon(stage), open_browser(stage) as browser:
            browser.get("/")
            after = validate(browser, "acme")["connection"]
            assert (after["state"], after["last_check"]["conclusive"]) == ("active", False)
            assert "web.key is not the key" in str(validate(browser, "acme")["steps"])
        stage.replace("refresh_token = ", 'refresh_token = "Atzr|another"')
        with run_daemon(stage, f'key = "{key}"', with_key=False), open_browser(stage) as browser:
            browser.get("/")
            assert validate(browser, "acme")["connection"]["state"] == "error"
        assert not stored(stage, "SELECT * FROM stored_tokens")
