"""
All is set up in the browser: a token, a store, a channel, until the first alert arrives.

The file holds `[web]` and one application whose endpoint leads to the simulator, no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, look_at
from tests.sinks import run_web_hook
from tests.stage import PASSWORD, run_daemon, set_stage
from tests.waiting import PATIENCE_MS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.sinks import WebHook
    from tests.stage import Stage

pytestmark = pytest.mark.slow

GROUP = "acme-stores"
WEB = """password = "{password}"
public_url = "{url}"
allowed_hosts = ["127.0.0.1", "localhost"]"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with set_stage(tmp_path) as stage:
        stage.open_application(f'endpoint = "{stage.simulator.endpoint("na")}"')
        with run_daemon(stage, WEB.format(password=PASSWORD, url=stage.url), as_configured=True):
            yield stage


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with run_web_hook() as hook:
        yield hook


class Newcomer:
    """
    Somebody who sets all of it up, page after page.
    """

    def __init__(self, page: Page, stage: Stage, look: Callable[[Page, str], None]) -> None:
        self.page = page
        self.stage = stage
        self.look = look

    def log_in(self) -> None:
        page = self.page
        page.goto(self.stage.url)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()

    def add_token(self, token: str, name: str) -> None:
        page = self.page
        page.get_by_role("link", name="Add a connection").click()
        self.look(page, "new")
        page.get_by_role("link", name="SoldScope API token").click()
        page.get_by_label("Base URL").fill(self.stage.simulator.soldscope_url)
        page.get_by_label("API token").fill("mistyped")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Tags").fill("production")
        page.get_by_role("button", name="Test and save").click()

        expect(page.get_by_role("alert")).to_contain_text("Token rejected", timeout=PATIENCE_MS)
        expect(page.get_by_role("button", name="Save paused")).to_be_visible()
        expect(page.get_by_label("Tags")).to_have_value("production")
        self.look(page, "token-rejected")

        page.get_by_label("API token").fill(token)
        page.get_by_role("button", name="Test and save").click()
        expect(page.get_by_role("status").filter(has_text="Added.")).to_be_visible(
            timeout=PATIENCE_MS
        )
        expect(page.locator("#about .state").first).to_have_text("active")

    def connect_store(self, store: str, name: str) -> None:
        page = self.page
        page.goto(f"{self.stage.url}/new")
        page.get_by_role("link", name="Connect an Amazon store").click()
        self.look(page, "store-region")
        page.get_by_role("link", name="North America").click()
        expect(page.get_by_role("heading", name="Seller Central, simulated")).to_be_visible()
        page.get_by_label("Signed in as").select_option("")
        page.get_by_label("Name of a new store").fill(store)
        page.get_by_role("button", name="Confirm").click()

        expect(page.get_by_role("heading", level=1)).to_have_text(f"{store} has confirmed")
        expect(page.get_by_label("Name", exact=True)).to_have_value(name)
        # Read again, the page would use up the code of the consent page once more.
        expect(page).to_have_url(f"{self.stage.url}/new/store")
        page.get_by_label("Group").fill(GROUP)
        self.look(page, "store-name")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=PATIENCE_MS)
        expect(page.locator("#about .state").first).to_have_text("active")
        self.look(page, "store-added")

    def add_viewer(self, name: str) -> str:
        """
        Let somebody in who sees the stores of the group; return the password that was made.
        """
        page = self.page
        page.goto(f"{self.stage.url}/people")
        page.get_by_role("link", name="Add a person").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Groups").fill(GROUP)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{name} can log in now")
        self.look(page, "person-added")
        return page.locator("#password").inner_text()

    def add_channel(self, address: str) -> None:
        page = self.page
        page.get_by_role("link", name="Add a channel").click()
        self.look(page, "channel-kinds")
        page.get_by_role("link", name="Webhook", exact=True).click()
        page.get_by_label("URL", exact=False).first.fill("http://127.0.0.1:9/nowhere")
        page.get_by_role("button", name="Send test and save").click()
        expect(page.get_by_role("alert")).to_contain_text("not delivered", timeout=PATIENCE_MS)
        expect(page.get_by_role("button", name="Save without a test")).to_be_visible()
        self.look(page, "channel-failed")

        page.get_by_label("URL", exact=False).first.fill(address)
        page.get_by_role("button", name="Send test and save").click()
        expect(page.get_by_role("status").filter(has_text="delivered")).to_be_visible(
            timeout=PATIENCE_MS
        )
        self.look(page, "channels")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everything_is_set_up_in_the_browser_until_the_first_alert(
    stage: Stage,
    hook: WebHook,
    open_page: Callable[..., Page],
    keep: Callable[..., None],
    viewport: Any,
    request: pytest.FixtureRequest,
):
    found: list[Any] = []
    is_wide = viewport == DESKTOP

    def look(page: Page, name: str) -> None:
        if is_wide:  # which looks at both widths, light and dark
            found.extend(look_at(page, keep, f"setup-{name}"))
            page.set_viewport_size(viewport)

    issued = stage.simulator.create_token("acme", "production")
    newcomer = Newcomer(open_page(viewport=viewport), stage, look)
    newcomer.log_in()
    newcomer.add_token(issued.value, "acme")
    newcomer.connect_store("Acme Store", "acme-store-na")
    password = newcomer.add_viewer("owner")
    newcomer.page.goto(f"{stage.url}/")
    newcomer.add_channel(f"http://127.0.0.1:{hook.port}/alerts")
    assert len(hook.posts) == 1  # the test

    stage.simulator.soldscope.revoke_token(issued.token.id, stage.simulator.clock.now())

    wait_until(lambda: len(hook.posts) > 1)
    assert "acme: token rejected" in str(hook.posts[1]).lower()
    page = newcomer.page
    page.goto(f"{stage.url}/")
    expect(page.locator(".list > li", has_text="acme").first).to_contain_text("oken rejected")

    owner = open_page(viewport=viewport)
    owner.goto(stage.url)
    owner.get_by_label("Name").fill("owner")
    owner.get_by_label("Password").fill(password)
    owner.get_by_role("button", name="Log in").click()
    expect(owner.locator(".list > li")).to_have_count(1)
    expect(owner.locator(".list > li")).to_contain_text("acme-store-na")
    assert found == []


def test_a_connection_is_edited_renamed_and_deleted_with_the_keyboard_alone(
    stage: Stage, open_page: Callable[..., Page]
):
    issued = stage.simulator.create_token("acme", "production")
    newcomer = Newcomer(open_page(), stage, lambda _page, _name: None)
    newcomer.log_in()
    newcomer.add_token(issued.value, "acme")
    page = newcomer.page

    page.get_by_role("link", name="Edit", exact=True).focus()
    page.keyboard.press("Enter")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_have_value("acme")
    name.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("globex")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("globex", timeout=PATIENCE_MS)
    expect(page.locator("#about .state").first).to_have_text("active")
    page.get_by_role("link", name="Delete …").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()
