"""
The dashboard as people meet it, in a real browser, over a daemon and a simulated world.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from monitor.notify.times import format_date, format_time
from tests.browser.conftest import look_at
from tests.stage import PASSWORD, run_daemon, set_stage
from tests.waiting import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route

    from tests.stage import Stage

pytestmark = pytest.mark.slow

AUTHORIZED = "authorized_on = {}"
PATHS = (
    "/",
    "/?q=nobody",
    "/alerts",
    "/alerts?dead=true",
    "/calendar",
    "/groups",
    "/groups/big",
    "/groups/nobody",
    "/monitor",
    "/new",
    "/new/http",
    "/new/github",
    "/new/store",
    "/channels",
    "/sources",
    "/people",
    "/people/new",
    "/audit",
    "/audit?connection=acme",
    "/channels/new",
    "/channels/new/email",
    "/connections/acme/edit",
    "/connections/acme",
    "/connections/initech",
    "/connections/soldscope-staging",
    "/connections/old",
    "/connections/old/delete",
    "/oauth/amazon/start/old",
    "/oauth/amazon/callback?state=forged",
    "/connections/nobody",
    "/api/docs",
)
EMPTY = {
    "/": "No connections yet",
    "/alerts": "No notification channel",
    "/calendar": "No expiry known",
    "/groups": "No groups",
    "/monitor": "Checks are on time",
    "/audit": "No changes yet",
    "/sources": "No sources",
}
WITH_BUTTONS = ("/", "/alerts", "/connections/initech", "/connections/old/delete")
NUMBER_BUTTONS = """() => {
  const kinds = "button, a.button, summary, input:not([type=hidden]), select";
  const all = [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
  all.forEach((one, number) => { one.dataset.number = number; });
  return all.length;
}"""
WHERE = """() => {
  const one = document.activeElement;
  const isSeen = getComputedStyle(one).outlineStyle !== "none";
  return one.dataset.number === undefined ? null : [one.dataset.number, isSeen];
}"""
MOST_STOPS = 120
MARKUP = "<img src=x onerror=alert(1)>"


def days_ago(days: int) -> str:
    return AUTHORIZED.format((datetime.now(UTC) - timedelta(days=days)).date())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    Two stores, one of which was revoked, two tokens and a countdown.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.open_store("acme", more=days_ago(120) + '\ntags = ["production"]\ngroup = "big"')
        revoked = stage.open_store("initech", more=days_ago(30) + '\ngroup = "big"')
        stage.simulator.amazon.revoke(revoked.id, stage.simulator.clock.now())
        stage.token_id = stage.open_token("soldscope-production")
        stage.open_token("soldscope-staging")
        stage.add(
            '\n[[connections]]\nname = "old"\nprovider = "countdown"\n'
            f'{days_ago(366)}\ntags = ["{MARKUP}"]\n'
        )
        stage.add('\n[[groups]]\nname = "big"\ntitle = "Big Stores Ltd"\nnotes = "Call Ana."\n')
        stage.add('\n[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/x"\n')
        with run_daemon(stage, f'password = "{PASSWORD}"'):
            yield stage


def log_in(page: Page, stage: Stage, path: str = "/") -> Page:
    page.goto(stage.url + path)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


@pytest.fixture(scope="module")
def cookies(stage: Stage, browser: Browser) -> Any:
    """
    What a browser holds after somebody logged in.
    """
    context = browser.new_context()
    page = log_in(context.new_page(), stage)
    expect(page.locator(".list")).to_be_visible(timeout=PATIENCE_MS)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def signed_in(open_page: Callable[..., Page], cookies: Any) -> Callable[..., Page]:
    return partial(open_page, storage_state=cookies)


def row(page: Page, name: str):
    return page.locator(".list > li", has=page.get_by_role("link", name=name, exact=True))


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_where_one_wanted(
    stage, open_page, keep
):
    page = open_page()
    page.goto(f"{stage.url}/calendar")
    keep(page, "login")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong password")

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Expiry calendar")
    page.get_by_role("button", name="Log out").click()
    page.goto(stage.url)
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_store_that_needs_somebody_stands_first_with_what_to_press(stage, open_page, keep):
    page = log_in(open_page(), stage)

    first = page.locator(".list > li").first

    expect(first).to_contain_text("initech", timeout=PATIENCE_MS)
    expect(first).to_contain_text("Authorization revoked")
    expect(first.get_by_role("link", name="Renew initech at Amazon")).to_be_visible()
    expect(page.get_by_text("need attention")).to_be_visible()
    keep(page, "connections")


def test_a_token_that_is_revoked_goes_red_while_one_looks(stage, open_page, keep):
    page = log_in(open_page(), stage)
    expect(row(page, "soldscope-production")).to_contain_text("active", timeout=PATIENCE_MS)

    stage.simulator.soldscope.revoke_token(stage.token_id, stage.simulator.clock.now())

    expect(row(page, "soldscope-production")).to_contain_text("error", timeout=PATIENCE_MS)
    expect(row(page, "soldscope-production")).to_contain_text("Token rejected")
    keep(page, "gone-red")


def test_a_search_narrows_the_list_without_a_reload(stage, open_page):
    page = log_in(open_page(), stage)
    page.evaluate("window.isSamePage = true")

    page.get_by_role("searchbox").fill("initech")

    expect(page.locator(".list > li")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=initech"))
    assert page.evaluate("window.isSamePage")
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("No connection matches")).to_be_visible()


def test_a_validation_shows_its_steps_and_what_to_do(stage, open_page, keep):
    page = log_in(open_page(), stage, "/connections/initech")

    page.get_by_role("button", name="Validate").click()

    expect(page.locator("#verdict")).to_contain_text("Authorization revoked", timeout=PATIENCE_MS)
    expect(page.locator(".steps .failed")).to_contain_text("authorization revoked")
    expect(page.locator("#verdict").get_by_role("link", name="Renew at Amazon")).to_be_visible()
    keep(page, "validation")


def test_pages_can_be_read_and_validated_without_scripts(stage, open_page):
    page = log_in(open_page(java_script_enabled=False), stage)

    row(page, "initech").get_by_role("button", name="Validate initech").click()

    expect(page.locator("#verdict")).to_contain_text("Authorization revoked", timeout=PATIENCE_MS)


def test_a_connection_is_paused_resumed_and_kept_by_who_is_asked_before_it_is_deleted(
    stage, open_page, keep
):
    page = log_in(open_page(), stage, "/connections/soldscope-staging")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#about")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status").filter(has_text="Resumed; checking now")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("Its checks and alerts stop at once")).to_be_visible()
    keep(page, "delete")
    page.get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("soldscope-staging")


def test_a_test_message_is_sent_and_shown_with_what_came_of_it(stage, open_page, keep):
    page = log_in(open_page(), stage, "/alerts")

    page.get_by_role("button", name="Send test").click()

    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    expect(page.locator("tbody tr", has_text="test").first).to_contain_text("ops")
    keep(page, "alerts")


@pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: path.strip("/").replace("/", "-") or "list"
)
def test_pages_fit_and_are_accessible(stage, signed_in, keep, path, request):
    page = signed_in()
    page.goto(stage.url + path)

    found = look_at(page, keep, request.node.callspec.id)

    assert found == []


def test_the_login_is_accessible_and_so_is_its_refusal(stage, open_page, keep):
    page = open_page()
    page.goto(stage.url)
    found = look_at(page, keep, "login")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    found += look_at(page, keep, "login-refused")

    assert found == []


def test_what_opens_and_what_was_validated_is_accessible(stage, open_page, keep):
    page = log_in(open_page(), stage, "/connections/initech")
    expect(page.locator("#live")).to_be_visible()
    page.get_by_role("button", name="Validate").click()
    expect(page.locator("#verdict")).to_contain_text("Authorization revoked", timeout=PATIENCE_MS)
    found = look_at(page, keep, "validated")
    for name in ("Silence …", "Acknowledge …", "Record a renewal…"):
        page.locator("summary", has_text=name).click()
        found += look_at(page, keep, f"opened-{name.split()[0].lower()}")

    assert found == []


def test_a_monitor_that_watches_nothing_says_how_to_begin(tmp_path, open_page, keep):
    with set_stage(tmp_path) as stage, run_daemon(stage):
        page = open_page()
        found = []
        for path, words in EMPTY.items():
            page.goto(stage.url + path)
            expect(page.locator("main")).to_contain_text(words)
            found += look_at(page, keep, f"empty-{path.strip('/') or 'list'}")

    assert found == []


@pytest.mark.parametrize("path", WITH_BUTTONS)
def test_every_button_can_be_reached_by_keyboard(stage, signed_in, path):
    page = signed_in()
    # What is read again in the middle has no numbers.
    page.route("**/api/v1/events", lambda _route: None)
    page.goto(stage.url + path)
    n_buttons = page.evaluate(NUMBER_BUTTONS)

    reached = set()
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        where = page.evaluate(WHERE)
        if where is not None:
            number, is_seen = where
            assert is_seen, page.evaluate("document.activeElement.outerHTML")
            reached.add(number)
        if len(reached) == n_buttons:
            break

    assert (n_buttons > 1, len(reached)) == (True, n_buttons)


def test_every_page_says_the_same_without_scripts(stage, signed_in):
    page, bare = signed_in(), signed_in(java_script_enabled=False)
    for path in PATHS:
        for each in (page, bare):
            each.goto(stage.url + path)

        assert bare.locator("h1").inner_text() == page.locator("h1").inner_text()
        for words in bare.locator("h2, th[scope=row], .name").all()[:15]:
            assert words.is_visible(), path
        for state in bare.locator(".state").all()[:15]:
            assert state.locator("svg").count() == 1
            assert state.inner_text().strip()


def test_a_trouble_is_taken_on_and_given_back(stage, open_page, keep):
    page = log_in(open_page(), stage, "/connections/initech")
    page.locator("summary", has_text="Acknowledge …").click()
    page.locator("input[name=note]").fill("The seller is on it")
    page.get_by_role("button", name="Acknowledge").click()

    expect(
        page.get_by_role("status").filter(has_text="Acknowledged: reminders are off")
    ).to_be_visible()
    expect(page.locator("#about")).to_contain_text("The seller is on it")
    keep(page, "acknowledged")
    page.goto(f"{stage.url}/alerts")
    expect(page.locator("#about")).to_contain_text("The seller is on it")
    page.get_by_role("button", name="Undo: initech").click()
    expect(page.get_by_role("status").filter(has_text="Acknowledgement undone")).to_be_visible()
    expect(page.locator("#about")).not_to_contain_text("The seller is on it")


def test_a_connection_is_silenced_and_speaks_again(stage, open_page, keep):
    page = log_in(open_page(), stage, "/connections/acme")
    page.locator("summary", has_text="Silence …").click()
    page.locator("#actions select[name=for]").select_option("1 day")
    page.get_by_label("Reason").fill(MARKUP)
    page.get_by_role("button", name="Silence", exact=True).click()

    expect(page.locator("#about")).to_contain_text(MARKUP)
    keep(page, "silenced")
    page.get_by_role("button", name="End the silence").click()
    expect(page.get_by_role("status").filter(has_text="Mute ended")).to_be_visible()
    expect(page.locator("#about")).not_to_contain_text("Muted until")


def test_a_tag_is_silenced_without_scripts(stage, open_page):
    page = log_in(open_page(java_script_enabled=False), stage, "/alerts")
    page.locator("summary", has_text="Silence …").click()
    page.get_by_label("What").select_option("tag production")
    page.get_by_role("button", name="Silence", exact=True).click()

    expect(page.locator("#about")).to_contain_text("tag production until")
    page.get_by_role("button", name="End the silence of tag production").click()
    expect(page.get_by_role("status").filter(has_text="Mute ended")).to_be_visible()


def test_a_group_is_opened_and_silenced(stage, open_page, keep):
    page = log_in(open_page(), stage)
    page.get_by_role("link", name="Groups", exact=True).click()
    page.get_by_role("link", name="Big Stores Ltd").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Big Stores Ltd")
    expect(page.locator(".list > li")).to_have_count(2)
    page.locator("summary", has_text="Silence …").click()
    page.get_by_label("Reason").fill("works")
    page.get_by_role("button", name="Silence", exact=True).click()

    expect(page.locator("#about")).to_contain_text("Muted until")
    keep(page, "group-silenced")
    page.get_by_role("button", name="End the silence of Muted").click()
    expect(page.get_by_role("status").filter(has_text="Mute ended")).to_be_visible()


def test_a_form_is_not_taken_away_while_somebody_fills_it_in(stage, open_page):
    page = log_in(open_page(), stage, "/connections/soldscope-staging")
    expect(page.locator("#about")).to_contain_text("Healthy", timeout=PATIENCE_MS)
    page.locator("summary", has_text="Silence …").click()
    page.get_by_label("Reason").fill("half a sen")
    headers = {"X-CSRF-Token": page.evaluate("document.cookie.match(/csrf=([^;]+)/)[1]")}
    orders = f"{stage.url}/api/v1/connections/soldscope-staging"

    page.request.post(f"{orders}/pause", headers=headers)

    expect(page.locator("#about")).to_contain_text("Paused", timeout=PATIENCE_MS)
    expect(page.get_by_label("Reason")).to_have_value("half a sen")
    page.locator("summary", has_text="Silence …").click()
    page.request.post(f"{orders}/resume", headers=headers)
    expect(page.locator("#actions").get_by_role("button", name="Pause")).to_be_visible(
        timeout=PATIENCE_MS
    )


def test_markup_from_outside_is_shown_as_text(stage, open_page):
    page = log_in(open_page(), stage)

    expect(row(page, "old").locator(".tag")).to_have_text(MARKUP)
    page.goto(f"{stage.url}/?q={MARKUP}")
    expect(page.get_by_role("searchbox")).to_have_value(MARKUP)
    assert page.locator("img").count() == 0


def test_a_page_of_a_connection_follows_what_happens_to_it(stage, open_page):
    page = log_in(open_page(), stage, "/connections/soldscope-staging")
    expect(page.locator("#about")).to_contain_text("Healthy", timeout=PATIENCE_MS)
    headers = {"X-CSRF-Token": page.evaluate("document.cookie.match(/csrf=([^;]+)/)[1]")}

    page.request.post(f"{stage.url}/api/v1/connections/soldscope-staging/pause", headers=headers)

    expect(page.locator("#about")).to_contain_text("Paused", timeout=PATIENCE_MS)
    page.request.post(f"{stage.url}/api/v1/connections/soldscope-staging/resume", headers=headers)
    expect(page.locator("#about")).to_contain_text("Healthy", timeout=PATIENCE_MS)


def test_of_two_readings_under_way_the_later_one_is_shown(stage, open_page):
    page = open_page()
    path = "/connections/soldscope-staging"
    with page.expect_response(lambda each: each.request.resource_type == "fetch"):
        log_in(page, stage, path)  # it is read once more when its stream opens
    order = f"{stage.url}/api/v1/connections/soldscope-staging"
    headers = {"X-CSRF-Token": page.evaluate("document.cookie.match(/csrf=([^;]+)/)[1]")}
    kept: list[Route] = []
    page.route("**/connections/soldscope-staging", lambda route: kept.append(route))  # noqa: PLW0108 - playwright marks what it is given
    page.request.post(f"{order}/pause", headers=headers)
    wait_for_page(page, lambda: len(kept) > 0)
    first = kept[0].fetch()
    page.request.post(f"{order}/resume", headers=headers)
    wait_for_page(page, lambda: len(kept) > 1)
    kept[0].fulfill(response=first)
    expect(page.locator("#about")).to_contain_text("Paused")
    for each in list(kept)[1:]:
        each.continue_()

    expect(page.locator("#about")).not_to_contain_text("Paused", timeout=PATIENCE_MS)


def wait_for_page(page: Page, is_true: Callable[[], bool]) -> None:
    """
    Wait while the browser goes on, until something holds.
    """
    until = time.monotonic() + PATIENCE_MS / 1000
    while not is_true():
        assert time.monotonic() < until
        page.wait_for_timeout(50)


SHOW = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
CONNECTIONS_OF_A_BROWSER = 6


def test_tabs_that_nobody_sees_keep_no_other_waiting(stage, open_page):
    first = log_in(open_page(), stage)
    for _ in range(CONNECTIONS_OF_A_BROWSER):
        page = first.context.new_page()
        page.goto(stage.url, timeout=PATIENCE_MS)
        expect(page.locator("#live")).to_have_text("live")
        page.evaluate(SHOW, arg=True)
        expect(page.locator("#live")).to_have_text("not live")
    with page.expect_response(lambda answer: "limit=" in answer.url):
        page.evaluate(SHOW, arg=False)
    expect(page.locator("#live")).to_have_text("live")


def test_a_page_is_live_again_after_a_proxy_had_nobody_to_ask(stage, open_page):
    page = log_in(open_page(), stage, "/alerts")
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=502, body="nobody there")

    page.route("**/api/v1/events", refuse_once)
    page.goto(f"{stage.url}/monitor")
    page.goto(f"{stage.url}/alerts")
    expect(page.locator("#live[data-on]")).to_have_text("live", timeout=PATIENCE_MS)
    assert refused


def test_a_page_shows_what_changed_before_its_stream_opened(tmp_path, open_page):
    held: list[Route] = []
    with set_stage(tmp_path) as quiet:
        quiet.open_token("one")
        with run_daemon(quiet):
            witness = open_page()
            witness.goto(quiet.url)
            expect(row(witness, "one")).to_contain_text("active", timeout=PATIENCE_MS)
            expect(witness.locator("#live[data-on]")).to_have_text("live", timeout=PATIENCE_MS)
            page, hand = witness.context.new_page(), witness.context.new_page()
            page.route("**/api/v1/events", lambda route: held.append(route))  # noqa: PLW0108 - marked
            page.goto(quiet.url)
            expect(row(page, "one")).to_contain_text("active")
            hand.goto(f"{quiet.url}/connections/one")
            hand.get_by_role("button", name="Pause").click()
            expect(row(witness, "one")).to_contain_text("paused", timeout=PATIENCE_MS)

            for route in held:
                route.continue_()

            expect(row(page, "one")).to_contain_text("paused", timeout=PATIENCE_MS)


def test_the_keyboard_alone_leads_to_a_connection(stage, open_page):
    page = log_in(open_page(), stage)
    expect(page.locator(".list")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    link = page.get_by_role("link", name="acme", exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if link.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("acme")


def test_a_revoked_store_is_authorized_again_on_amazons_page(stage, open_page, keep):
    page = log_in(open_page(), stage)
    row(page, "initech").get_by_role("link", name="Renew initech at Amazon").click()
    expect(page.get_by_text("Seller Central, simulated")).to_be_visible()
    page.get_by_label("Signed in as").select_option(stage.grants["initech"].id)

    page.get_by_role("button", name="Confirm").click()

    expect(page.get_by_text("Authorized again")).to_be_visible()
    expect(page.locator("#about")).to_contain_text("Healthy")
    keep(page, "authorized-again")


DENVER = {"locale": "de-DE", "timezone_id": "America/Denver"}
CLOCK = r"^[A-Z][a-z]{2} \d{1,2}(, \d{4})?, \d\d:\d\d(:\d\d)? M[SD]T$"
IN_UTC = re.compile(r"^[A-Z][a-z]{2} \d{1,2}(, \d{4})?, \d\d:\d\d:\d\d UTC$")
READ_TIMES = """() => [...document.querySelectorAll("time[data-clock]")].map(
  (one) => [one.textContent, one.title, Date.parse(one.dateTime)])"""


def in_denver(milliseconds: float) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, ZoneInfo("America/Denver"))
    return format_time(at, datetime.now(UTC), at.tzinfo or UTC, is_exact=True)


def test_times_are_in_the_zone_of_the_browser_and_days_are_not(stage, signed_in, keep):
    page = signed_in(**DENVER)
    page.goto(f"{stage.url}/connections/acme")
    expect(page.locator("#zone")).to_have_text("America/Denver")
    times = page.evaluate(READ_TIMES)
    assert len(times) > 2
    for text, title, at in times:
        assert re.search(CLOCK, text)
        assert IN_UTC.fullmatch(title)
        assert text in {in_denver(at), re.sub(r":\d\d (?=M)", " ", in_denver(at))}
    now = datetime.now(UTC)
    expiry = format_date(now + timedelta(days=365 - 120), now)
    expect(page.get_by_role("cell", name=expiry)).to_be_visible()
    keep(page, "times-in-denver")


def test_times_that_come_later_are_in_the_zone_of_the_browser_too(stage, signed_in):
    page = signed_in(**DENVER)
    page.goto(f"{stage.url}/connections/acme")
    before = page.locator("#rest time[data-clock]").count()
    page.get_by_role("button", name="Validate").click()
    expect(page.locator("#verdict")).to_be_visible(timeout=PATIENCE_MS)
    # What changed is read again, and the table of checks has one more.
    expect(page.locator("#rest time[data-clock]")).not_to_have_count(before, timeout=PATIENCE_MS)
    for text, title, _ in page.evaluate(READ_TIMES):
        assert re.search(CLOCK, text)
        assert IN_UTC.fullmatch(title)


def test_without_a_script_times_are_in_the_zone_of_the_file(stage, signed_in):
    page = signed_in(**DENVER, java_script_enabled=False)
    page.goto(f"{stage.url}/connections/acme")
    expect(page.locator("#zone")).to_have_text("UTC")
    texts = page.locator("time[data-clock]").all_text_contents()
    assert texts
    assert [text for text in texts if not re.search(r"\d\d:\d\d(:\d\d)? UTC$", text)] == []
