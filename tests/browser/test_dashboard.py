"""
The dashboard as people meet it, in a real browser, over a daemon and a simulated world.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.stage import PASSWORD, run_daemon, set_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.stage import Stage

pytestmark = pytest.mark.slow

AUTHORIZED = "authorized_on = {}"
PATHS = ("/", "/alerts", "/calendar", "/monitor", "/connections/acme", "/connections/initech")
MARKUP = "<img src=x onerror=alert(1)>"
DOUBTFUL = {"critical", "serious", "moderate", "minor"}


def days_ago(days: int) -> str:
    return AUTHORIZED.format((datetime.now(UTC) - timedelta(days=days)).date())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    Two stores, one of which was revoked, two tokens and a countdown.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.open_store("acme", more=days_ago(120) + '\ntags = ["production"]')
        revoked = stage.open_store("initech", more=days_ago(30))
        stage.simulator.amazon.revoke(revoked.id, stage.simulator.clock.now())
        stage.token_id = stage.open_token("soldscope-production")
        stage.open_token("soldscope-staging")
        stage.add(
            '\n[[connections]]\nname = "old"\nprovider = "countdown"\n'
            f'{days_ago(366)}\ntags = ["{MARKUP}"]\n'
        )
        stage.add('\n[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/x"\n')
        with run_daemon(stage, f'password = "{PASSWORD}"'):
            yield stage


def log_in(page: Page, stage: Stage, path: str = "/") -> Page:
    page.goto(stage.url + path)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def row(page: Page, name: str):
    return page.locator(".list > li", has=page.get_by_role("link", name=name, exact=True))


def width_of(page: Page) -> int:
    assert page.viewport_size is not None
    return page.viewport_size["width"]


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_where_one_wanted(
    stage, open_page, keep
):
    page = open_page()
    page.goto(f"{stage.url}/calendar")
    keep(page, "login")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the password")

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("What ends when")
    page.get_by_role("button", name="Log out").click()
    page.goto(stage.url)
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_store_that_needs_somebody_stands_first_with_what_to_press(stage, open_page, keep):
    page = log_in(open_page(), stage)

    first = page.locator(".list > li").first

    expect(first).to_contain_text("initech", timeout=15_000)
    expect(first).to_contain_text("Authorization revoked")
    expect(first.get_by_role("link", name="Renew initech at Amazon")).to_be_visible()
    expect(page.get_by_text("need attention")).to_be_visible()
    keep(page, "connections")


def test_a_token_that_is_revoked_goes_red_while_one_looks(stage, open_page, keep):
    page = log_in(open_page(), stage)
    expect(row(page, "soldscope-production")).to_contain_text("active", timeout=20_000)

    stage.simulator.soldscope.revoke_token(stage.token_id, stage.simulator.clock.now())

    expect(row(page, "soldscope-production")).to_contain_text("error", timeout=30_000)
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
    expect(page.get_by_text("Nothing was found")).to_be_visible()


def test_a_validation_shows_its_steps_and_what_to_do(stage, open_page, keep):
    page = log_in(open_page(), stage, "/connections/initech")

    page.get_by_role("button", name="Validate").click()

    expect(page.locator("#verdict")).to_contain_text("Authorization revoked", timeout=15_000)
    expect(page.locator(".steps .failed")).to_contain_text("authorization revoked")
    expect(page.locator("#verdict").get_by_role("link", name="Renew at Amazon")).to_be_visible()
    keep(page, "validation")


def test_pages_can_be_read_and_validated_without_scripts(stage, open_page):
    page = log_in(open_page(java_script_enabled=False), stage)

    row(page, "initech").get_by_role("button", name="Validate initech").click()

    expect(page.locator("#verdict")).to_contain_text("Authorization revoked", timeout=15_000)


def test_a_connection_is_paused_resumed_and_kept_by_who_is_asked_before_it_is_deleted(
    stage, open_page, keep
):
    page = log_in(open_page(), stage, "/connections/soldscope-staging")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#about")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status").filter(has_text="watched again")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("Its checks stop at once")).to_be_visible()
    keep(page, "delete")
    page.get_by_role("link", name="Keep it").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("soldscope-staging")


def test_a_test_message_is_sent_and_shown_with_what_came_of_it(stage, open_page, keep):
    page = log_in(open_page(), stage, "/alerts")

    page.get_by_role("button", name="Send test").click()

    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    expect(page.locator("tbody tr", has_text="test").first).to_contain_text("ops")
    keep(page, "alerts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_pages_fit_and_are_accessible(stage, open_page, keep, scheme, size):
    options = {} if size is None else {"viewport": size}
    page = log_in(open_page(color_scheme=scheme, **options), stage)
    found = []
    for path in PATHS:
        page.goto(stage.url + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= width_of(page), path
        results = Axe().run(page)
        found += [
            (path, each["id"], each["nodes"][0]["html"][:150])
            for each in results.response["violations"]
            if each["impact"] in DOUBTFUL
        ]
        where = path.strip("/").replace("/", "-") or "list"
        keep(page, f"{'desktop' if size is None else 'phone'}-{scheme}-{where}")

    assert found == []


def test_markup_from_outside_is_shown_as_text(stage, open_page):
    page = log_in(open_page(), stage)

    expect(row(page, "old").locator(".tag")).to_have_text(MARKUP)
    page.goto(f"{stage.url}/?q={MARKUP}")
    expect(page.get_by_role("searchbox")).to_have_value(MARKUP)
    assert page.locator("img").count() == 0


def test_a_page_of_a_connection_follows_what_happens_to_it(stage, open_page):
    page = log_in(open_page(), stage, "/connections/soldscope-staging")
    expect(page.locator("#about")).to_contain_text("Works", timeout=20_000)
    headers = {"X-CSRF-Token": page.evaluate("document.cookie.match(/csrf=([^;]+)/)[1]")}

    page.request.post(f"{stage.url}/api/v1/connections/soldscope-staging/pause", headers=headers)

    expect(page.locator("#about")).to_contain_text("Paused", timeout=15_000)
    page.request.post(f"{stage.url}/api/v1/connections/soldscope-staging/resume", headers=headers)
    expect(page.locator("#about")).to_contain_text("Works", timeout=15_000)


def test_the_keyboard_alone_leads_to_a_connection(stage, open_page):
    page = log_in(open_page(), stage)
    expect(page.locator(".list")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
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
    expect(page.locator("#about")).to_contain_text("Works")
    keep(page, "authorized-again")
