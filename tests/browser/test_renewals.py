"""
A store owner renews from a link on a phone: in a real browser, without a login and without scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, look_at
from tests.stage import PASSWORD, run_daemon, set_stage
from tests.waiting import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.stage import Stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    A store whose owner can confirm at the simulator's consent page, and a token.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.open_store("acme")
        stage.open_store("globex")
        stage.open_token("soldscope")
        with run_daemon(stage, f'password = "{PASSWORD}"\npublic_url = "{stage.url}"'):
            yield stage


@pytest.fixture
def operator(stage: Stage, open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.goto(f"{stage.url}/login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Connections").first).to_be_visible()
    return page


@pytest.fixture
def owner(open_page: Callable[..., Page]) -> Page:
    return open_page(viewport=PHONE, java_script_enabled=False)


def invite(stage: Stage, operator: Page, name: str) -> str:
    """
    Make a link on the page of a connection; return the address that is shown once.
    """
    operator.goto(f"{stage.url}/connections/{name}")
    operator.get_by_text("Invite the owner …").click()
    operator.get_by_role("button", name="Make a link").click()
    return operator.get_by_label("Address").input_value()


def confirm(stage: Stage, owner: Page, name: str) -> None:
    owner.get_by_role("button", name="Renew at Amazon").click()
    owner.get_by_label("Signed in as").select_option(stage.grants[name].id)
    owner.get_by_role("button", name="Confirm").click()


def test_a_store_owner_renews_from_a_link_on_a_phone_without_scripts(stage, operator, owner, keep):
    url = invite(stage, operator, "acme")
    owner.goto(url)
    expect(owner.get_by_role("heading", name="acme")).to_be_visible()
    expect(owner.get_by_text("primary user of Acme")).to_be_visible()
    keep(owner, "phone-renewal")

    confirm(stage, owner, "acme")

    # Nothing was known of the account but the store's name: an operator has to look.
    expect(owner.get_by_role("heading", name="Waiting for approval")).to_be_visible()
    keep(owner, "phone-renewal-waits")
    operator.goto(f"{stage.url}/connections/acme")
    expect(operator.get_by_role("heading", name="waits for approval")).to_be_visible()
    assert look_at(operator, keep, "proposed") == []
    operator.get_by_role("button", name="Accept").click()
    expect(operator.get_by_text("the new credential is in use")).to_be_visible()

    owner.goto(invite(stage, operator, "acme"))
    confirm(stage, owner, "acme")
    expect(owner.get_by_role("heading", name="Renewed")).to_be_visible()
    owner.goto(url)
    expect(owner.get_by_role("heading", name="Link already used")).to_be_visible()


def test_a_token_is_renewed_on_a_phone_without_scripts(stage, operator, owner):
    owner.goto(invite(stage, operator, "soldscope"))
    owner.get_by_label("New token").fill("wrong")
    owner.get_by_role("button", name="Renew").click()
    expect(owner.get_by_role("alert")).to_contain_text("Nothing was changed")

    owner.get_by_label("New token").fill(stage.simulator.create_token("acme", "newer").value)
    owner.get_by_role("button", name="Renew").click()

    expect(owner.get_by_role("heading", name="Renewed")).to_be_visible(timeout=PATIENCE_MS)


def test_these_pages_can_be_used_by_all(stage, operator, open_page, keep):
    page = open_page(viewport=DESKTOP)
    found = []
    for name in ("globex", "soldscope"):
        page.goto(invite(stage, operator, name))
        found += look_at(page, keep, f"renewal-{name}")
    found += look_at(operator, keep, "invited")
    operator.goto(f"{stage.url}/connections/globex")
    found += look_at(operator, keep, "connection-with-links")
    page.goto(f"{stage.url}/renew/unknown")
    expect(page.get_by_role("heading", name="Link not found")).to_be_visible()
    found += look_at(page, keep, "renewal-unknown")
    assert found == []


def test_the_address_is_copied_at_a_press(stage, operator):
    operator.context.grant_permissions(["clipboard-read", "clipboard-write"])
    url = invite(stage, operator, "globex")
    operator.get_by_role("button", name="Copy").click()
    expect(operator.get_by_role("button", name="Copied")).to_be_visible()
    assert operator.evaluate("navigator.clipboard.readText()") == url
