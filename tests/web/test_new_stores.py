"""
A store is connected that there was no connection of: to the consent page, back, and named.

The daemon, the simulator and the HTTP between them are real; the browser is a client with cookies.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from monitor.config.marketplaces import Region
from monitor.web.handshake import BegunHandshake
from monitor.web.new_stores import BegunStore, propose_name
from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stage import Stage

FOUND, SEE_OTHER = HTTPStatus.FOUND, HTTPStatus.SEE_OTHER


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    An application whose endpoint leads to the simulator, and no connection at all.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.open_application(f'endpoint = "{stage.simulator.endpoint("na")}"')
        stage.add('\n[[applications]]\nname = "bare"\nclient_id = "x"\nclient_secret = "y"\n')
        with run_daemon(stage, as_configured=True):
            yield stage


@contextmanager
def open_browser(stage: Stage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stage.url, timeout=PATIENCE_S, trust_env=False) as browser:
        browser.get("/")  # which leaves a cookie
        yield browser


@pytest.fixture
def browser(stage: Stage) -> Iterator[httpx.Client]:
    with open_browser(stage) as browser:
        yield browser


def begin(browser: httpx.Client, region: str = "na", beside: str = "") -> str:
    query = f"?beside={beside}" if beside else ""
    answer = browser.get(f"/oauth/amazon/new/our-app/{region}{query}")
    assert answer.status_code == SEE_OTHER, answer.text
    return answer.headers["Location"]


def confirm(address: str, **choice: str) -> str:
    """
    Confirm as a seller; return where the browser is led.
    """
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as seller:
        page = seller.get(address)
        inputs = re.findall(r'<input [^>]*name="(\w+)"[^>]*? value="([^"]*)"', page.text)
        fields = {key: unescape(value) for key, value in inputs} | choice | {"answer": "confirm"}
        answer = seller.post(address.split("?", maxsplit=1)[0], data=fields)
    assert answer.status_code == FOUND, answer.text
    return answer.headers["Location"]


def connect(browser: httpx.Client, store_name: str) -> httpx.Response:
    """
    Have the seller of a new store confirm; return the page that asks for its name.
    """
    return browser.get(confirm(begin(browser), store="", store_name=store_name))


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page.text)
    return unescape(found[1]) if found else ""


def value_of(page: httpx.Response, key: str) -> str:
    found = re.search(rf'name="{key}"[^>]* value="([^"]*)"', page.text)
    return unescape(found[1]) if found else ""


def send(browser: httpx.Client, **fields: str) -> httpx.Response:
    fields["csrf_token"] = browser.cookies["connwatch_csrf"]
    return browser.post("/new/store", data=fields)


def add(browser: httpx.Client, store_name: str, name: str) -> None:
    page = connect(browser, store_name)
    answer = send(browser, sealed=hidden(page, "sealed"), name=name)
    assert answer.headers["Location"] == f"/connections/{name}?done=added"


def shown(browser: httpx.Client, name: str) -> Any:
    return browser.get(f"/api/v1/connections/{name}").json()


def audited(browser: httpx.Client) -> Any:
    """
    Return what was written down last of who changed what.
    """
    [row] = browser.get("/api/v1/audit?limit=1").json()["audit"]
    return row["who"], row["action"], row["connection"], row["keys"], row["count"]


def audit(browser: httpx.Client) -> Any:
    return browser.get("/api/v1/audit?limit=500").json()["audit"]


def count_connections(browser: httpx.Client) -> int:
    return len(browser.get("/api/v1/connections").json()["connections"])


def stored(stage: Stage, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(stage.folder / "connwatch.db", timeout=PATIENCE_S)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def test_the_page_offers_the_regions_of_each_application_and_says_what_is_missing(browser):
    page = browser.get("/new/store")
    for region in Region:
        assert f'href="/oauth/amazon/new/our-app/{region}"' in page.text
    assert "/oauth/amazon/new/bare/" not in page.text
    assert "Application bare has no application_id" in page.text
    assert "primary user" in page.text


def test_it_leads_to_the_consent_page_of_the_endpoint(stage, browser):
    address = urlsplit(begin(browser))
    fields = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        f"{stage.simulator.endpoint('na')}/apps/authorize/consent"
    )
    assert fields["redirect_uri"] == [stage.callback]
    assert fields["application_id"] == [
        one.application_id for one in stage.simulator.amazon.applications
    ]


def test_a_store_that_confirmed_is_named_saved_and_active(stage, browser):
    page = connect(browser, "Acme Store")
    assert page.status_code == HTTPStatus.OK
    assert "Acme Store has confirmed" in page.text
    assert "US" in page.text
    assert value_of(page, "name") == "acme-store-na"
    assert shown(browser, "acme-store-na").get("name") is None  # nothing is stored yet

    answer = send(
        browser, sealed=hidden(page, "sealed"), name="acme-store-na", tags="eu, prod", group="acme"
    )

    assert answer.headers["Location"] == "/connections/acme-store-na?done=added"
    each = shown(browser, "acme-store-na")
    assert (each["state"], each["account"], each["tags"]) == (
        "active",
        "Acme Store",
        ["eu", "prod"],
    )
    assert (each["owner"], each["authorization"]["days_left"]) == ("dashboard", 364)
    assert [one["country"] for one in each["marketplaces"]]


def test_the_token_is_in_no_page_and_encrypted_in_the_database(stage, browser):
    page = connect(browser, "Quiet Store")
    answer = send(browser, sealed=hidden(page, "sealed"), name="quiet")
    seen = page.text + answer.text + browser.get("/connections/quiet").text
    seen += browser.get("/connections/quiet/edit").text + str(dict(browser.cookies))
    raw = (stage.folder / "connwatch.db").read_bytes()
    assert "Atzr|" not in unescape(seen)
    assert b"Atzr|" not in raw
    [(seller_id,)] = stored(
        stage,
        "SELECT seller_id FROM stored_tokens JOIN connections ON id = connection_id"
        " WHERE name = 'quiet'",
    )
    assert seller_id


def test_nothing_is_stored_of_what_is_abandoned(stage, browser):
    before = count_connections(browser), stored(stage, "SELECT count(*) FROM stored_tokens")
    connect(browser, "Abandoned Store")
    after = count_connections(browser), stored(stage, "SELECT count(*) FROM stored_tokens")
    assert after == before


def test_the_same_account_is_offered_as_a_renewal_and_renews(stage, browser):
    add(browser, "Twice Store", "twice")
    grant = next(one for one in stage.simulator.amazon.grants if one.store_name == "Twice Store")
    stage.simulator.amazon.revoke(grant.id, stage.simulator.clock.now())

    page = browser.get(confirm(begin(browser), store=grant.id))

    assert "This account is connected already" in page.text
    assert "Renew twice" in page.text
    before = count_connections(browser)
    answer = send(browser, sealed=hidden(page, "sealed"), action="renew", connection="twice")
    assert answer.headers["Location"] == "/connections/twice?done=authorized"
    assert (shown(browser, "twice")["state"], count_connections(browser)) == ("active", before)


def test_another_account_cannot_be_used_to_renew(stage, browser):
    add(browser, "First Store", "first")
    page = connect(browser, "Second Store")
    assert "Renew first" not in page.text

    answer = send(browser, sealed=hidden(page, "sealed"), action="renew", connection="first")
    assert audited(browser) == ("user:local", "renew", "first", [], 0)

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "Another account" in answer.text
    assert shown(browser, "first")["account"] == "First Store"


@pytest.mark.parametrize("name", ["nobody", ""])
def test_what_is_not_there_cannot_be_renewed(browser, name):
    page = connect(browser, "Third Store")
    answer = send(browser, sealed=hidden(page, "sealed"), action="renew", connection=name)
    assert answer.status_code == HTTPStatus.NOT_FOUND


def test_a_store_of_another_region_is_proposed_with_what_its_neighbour_has(stage, browser):
    page = connect(browser, "Globex Store")
    send(browser, sealed=hidden(page, "sealed"), name="globex-na", tags="prod", group="globex")
    assert "/new/store?beside=globex-na" in browser.get("/connections/globex-na").text
    offered = browser.get("/new/store?beside=globex-na")
    assert "Add Europe" in offered.text
    assert "/our-app/na" not in offered.text

    address = begin(browser, "fe", "globex-na")
    page = browser.get(confirm(address, store="", store_name="Globex Store FE"))

    assert value_of(page, "name") == "globex-fe"
    assert (value_of(page, "tags"), value_of(page, "group")) == ("prod", "globex")


WRONG = {
    "a name that is taken": ({"name": "taken"}, "Another connection has this name"),
    "no name": ({"name": ""}, "Nothing is saved yet"),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_and_the_authorization_kept(browser, fields, words):
    if shown(browser, "taken").get("name") is None:
        add(browser, "Taken Store", "taken")
    page = connect(browser, "Wrong Store")

    answer = send(browser, sealed=hidden(page, "sealed"), notes="call Jana", **fields)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert words in answer.text
    assert "call Jana" in answer.text
    name = f"corrected-{len(fields['name'])}"
    again = send(browser, sealed=hidden(answer, "sealed"), name=name)
    assert again.headers["Location"] == f"/connections/{name}?done=added"


def altered(address: str, **changes: str) -> str:
    parts = urlsplit(address)
    fields = {key: values[0] for key, values in parse_qs(parts.query).items()} | changes
    return f"{parts.path}?{urlencode(fields)}"


def test_a_closed_consent_page_changes_nothing(browser):
    back = altered(confirm(begin(browser), store="", store_name="Closed"), spapi_oauth_code="")
    answer = browser.get(back)
    assert (answer.status_code, "Not confirmed" in answer.text) == (HTTPStatus.BAD_REQUEST, True)


def test_a_code_that_was_used_changes_nothing(browser):
    back = confirm(begin(browser), store="", store_name="Repeated")
    assert browser.get(back).status_code == HTTPStatus.OK
    answer = browser.get(back)
    assert (answer.status_code, "Already used" in answer.text) == (HTTPStatus.BAD_REQUEST, True)
    assert 'href="/new/store"' in answer.text
    assert audited(browser) == ("user:local", "renew", None, [], 0)


def test_an_answer_counts_once_whatever_code_comes_with_it(stage, browser):
    """Amazon takes a code once; a new code must not bring an old answer back to life."""
    first = confirm(begin(browser), store="", store_name="Once")
    assert browser.get(altered(first, spapi_oauth_code="")).status_code == HTTPStatus.BAD_REQUEST
    answer = browser.get(first)
    assert (answer.status_code, "Already used" in answer.text) == (HTTPStatus.BAD_REQUEST, True)


def test_another_browser_gets_nothing(stage, browser):
    back = confirm(begin(browser), store="", store_name="Foreign")
    with open_browser(stage) as other:
        answer = other.get(back)
    assert (answer.status_code, "another browser" in answer.text) == (HTTPStatus.BAD_REQUEST, True)


def test_a_state_that_was_changed_counts_for_nothing(browser):
    back = confirm(begin(browser), store="", store_name="Forged")
    state = parse_qs(urlsplit(back).query)["state"][0]
    answer = browser.get(altered(back, state=("A" if state[0] != "A" else "B") + state[1:]))
    assert (answer.status_code, "not started here" in answer.text) == (HTTPStatus.BAD_REQUEST, True)


def test_what_was_sealed_for_another_browser_or_not_at_all_is_nothing(stage, browser):
    page = connect(browser, "Sealed Store")
    before = audit(browser)
    with open_browser(stage) as other:
        answers = [send(other, sealed=hidden(page, "sealed"), name="stolen")]
    answers += [send(browser, sealed=sealed, name="stolen") for sealed in ("", "forged")]
    for answer in answers:
        assert (answer.status_code, "Too late" in answer.text) == (HTTPStatus.BAD_REQUEST, True)
    assert shown(browser, "stolen").get("name") is None
    tried = audit(browser)[: -len(before) or None]
    assert [(row["action"], row["count"]) for row in tried] == [("renew", 0)] * 3


@pytest.mark.parametrize("path", ["nobody/na", "our-app/mars", "bare/na"])
def test_what_cannot_be_begun_leads_to_the_page_that_says_why(browser, path):
    answer = browser.get(f"/oauth/amazon/new/{path}")
    assert answer.headers["Location"] == "/new/store"


def test_another_site_cannot_begin(browser):
    answer = browser.get("/oauth/amazon/new/our-app/na", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["Location"] == "/new/store"


def test_a_store_that_was_connected_is_checked_by_the_daemon_and_renewed_as_any(stage, browser):
    add(browser, "Later Store", "later")
    grant = next(one for one in stage.simulator.amazon.grants if one.store_name == "Later Store")
    stage.simulator.amazon.revoke(grant.id, stage.simulator.clock.now())
    headers = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}

    def is_noticed() -> bool:
        browser.post("/api/v1/connections/later/validate", headers=headers)
        return bool(shown(browser, "later")["state"] == "error")

    wait_until(is_noticed)
    address = browser.get("/oauth/amazon/start/later").headers["Location"]
    back = browser.get(confirm(address, store=grant.id))
    assert back.headers["Location"] == "/connections/later?done=authorized"
    assert shown(browser, "later")["state"] == "active"

    form = browser.get("/connections/later/edit")
    fields = {"name": "renamed", "application": "our-app", "region": "na"}
    fields |= {"version": hidden(form, "version"), "csrf_token": browser.cookies["connwatch_csrf"]}
    saved = browser.post("/connections/later/edit", data=fields)
    assert saved.headers["Location"] == "/connections/renamed?done=saved"
    # With the token of the renewal: the one that it was connected with was revoked.
    checked = browser.post("/api/v1/connections/renamed/validate", headers=headers).json()
    assert checked["connection"]["state"] == "active"


KEY, OTHER = b"k" * 32, b"o" * 32
BEGUN = BegunStore("our-app ü", Region.EU, datetime(2026, 12, 1, tzinfo=UTC), b"b" * 32, 7)


def test_a_state_says_what_was_begun_and_fits():
    assert BegunStore.read(KEY, BEGUN.sign(KEY)) == BEGUN
    longest = BegunStore("ü" * 100, Region.EU, BEGUN.started_at, b"b" * 32)
    assert len(longest.sign(KEY)) < 2048


@pytest.mark.parametrize("state", ["", "x", "é", "AAAA", BEGUN.sign(OTHER), BEGUN.sign(KEY)[:-4]])
def test_a_state_that_was_not_signed_is_none(state):
    assert BegunStore.read(KEY, state) is None


def test_a_state_counts_for_nothing_else_than_it_was_signed_for():
    renewal = BegunHandshake(7, BEGUN.started_at, b"b" * 32)
    assert BegunHandshake.read(KEY, renewal.sign(KEY)) == renewal
    assert BegunHandshake.read(KEY, BEGUN.sign(KEY)) is None
    assert BegunStore.read(KEY, renewal.sign(KEY)) is None


NAMES = [
    ("Acme Ltd.", None, Region.NA, "acme-ltd-na"),
    ("Acme", "acme-north-america", Region.EU, "acme-eu"),
    ("Acme", "acme-na", Region.FE, "acme-fe"),
    ("Acme EU", None, Region.EU, "acme-eu"),
    ("北京", None, Region.FE, "北京-fe"),
    ("!!", None, Region.EU, "store-eu"),
    (None, None, Region.NA, "store-na"),
]


@pytest.mark.parametrize(("account", "beside", "region", "name"), NAMES)
def test_a_name_is_proposed(account, beside, region, name):
    assert propose_name(account, beside, region) == name


def test_time_limits_are_those_of_any_handshake(stage, browser):
    back = confirm(begin(browser), store="", store_name="Late")
    key = bytes(stored(stage, "SELECT value FROM keys WHERE name = 'handshake'")[0][0])
    state = parse_qs(urlsplit(back).query)["state"][0]
    begun = BegunStore.read(key, state)
    assert begun is not None
    late = BegunStore(
        begun.application, begun.region, begun.started_at - timedelta(minutes=11), begun.browser
    )
    answer = browser.get(altered(back, state=late.sign(key)))
    assert (answer.status_code, "Link expired" in answer.text) == (HTTPStatus.BAD_REQUEST, True)
