"""
People with a role, in a real browser: how they log in, and what they are offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import look_at
from tests.stage import run_daemon, set_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.stage import Stage

pytestmark = pytest.mark.slow

PASSWORDS = {"ana": "ana's own", "bob": "bob's own", "admin": "the key"}
USERS = (
    'password = "the key"\n'
    'users = [{ name = "ana", password = "ana\'s own", role = "viewer", groups = ["big"] },'
    ' { name = "bob", password = "bob\'s own", role = "operator" }]'
)
COUNTDOWN = """
[[connections]]
name = "{name}"
provider = "countdown"
authorized_on = 2026-01-15
group = "{group}"
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    A connection of each of two groups, and three who may look.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.add(COUNTDOWN.format(name="acme", group="big"))
        stage.add(COUNTDOWN.format(name="globex", group="small"))
        with run_daemon(stage, USERS):
            yield stage


def log_in(page: Page, stage: Stage, name: str, path: str = "/") -> Page:
    page.goto(stage.url + path)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORDS[name])
    page.get_by_role("button", name="Log in").click()
    return page


def test_the_login_with_a_name_is_accessible_and_keeps_the_name(stage, open_page, keep):
    page = open_page()
    page.goto(stage.url)
    found = look_at(page, keep, "login-with-name")
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("wrong")
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
    expect(page.get_by_label("Name")).to_have_value("ana")
    expect(page.get_by_label("Password")).to_be_focused()
    assert found + look_at(page, keep, "login-with-name-refused") == []


def test_without_a_name_it_is_the_admin(stage, open_page):
    page = open_page()
    page.goto(stage.url)
    page.get_by_label("Password").fill(PASSWORDS["admin"])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("signed in as admin (admin)")).to_be_visible()


OFFERED = {
    "ana": (["acme"], [], ["Validate", "Pause", "Settings", "Delete …", "Add a connection"]),
    "bob": (
        ["acme", "globex"],
        ["Validate", "Pause"],
        ["Settings", "Delete …", "Add a connection"],
    ),
    "admin": (["acme", "globex"], ["Validate", "Pause", "Settings", "Delete …"], []),
}


@pytest.mark.parametrize("name", OFFERED)
def test_people_are_offered_what_they_may_do_and_no_more(stage, open_page, keep, name):
    connections, offered, missing = OFFERED[name]
    page = log_in(open_page(), stage, name)
    expect(page.locator(".list > li")).to_have_count(len(connections))
    expect(page.get_by_text(f"signed in as {name} (")).to_be_visible()
    found = look_at(page, keep, f"list-of-{name}")
    page.goto(f"{stage.url}/connections/acme")
    for words in (*offered, *missing):
        button = page.get_by_text(words, exact=True)
        expect(button).to_have_count(1 if words in offered else 0)
    found += look_at(page, keep, f"connection-of-{name}")
    assert found == []


def test_a_page_that_needs_a_higher_role_says_so(stage, open_page, keep):
    page = log_in(open_page(), stage, "bob", "/new")
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    expect(
        page.get_by_text("This needs the role admin, and bob has the role operator.")
    ).to_be_visible()
    assert look_at(page, keep, "below-the-role") == []


def test_a_connection_of_another_group_is_not_there(stage, open_page: Callable[..., Page]):
    page = log_in(open_page(), stage, "ana", "/connections/globex")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")


def test_an_admin_adds_a_viewer_of_a_group_who_sees_that_and_nothing_else(stage, open_page, keep):
    admin = log_in(open_page(), stage, "admin", "/people")
    admin.get_by_role("link", name="Add a person").click()
    admin.get_by_label("Name").fill("eve")
    admin.get_by_label("Role").select_option("admin")
    admin.get_by_label("Groups").fill("small")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("Nothing is saved yet")
    found = look_at(admin, keep, "people-refused")
    admin.get_by_label("Role").select_option("viewer")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("eve can log in now")
    found += look_at(admin, keep, "people-added")
    password = admin.locator("#password").inner_text()

    page = open_page()
    page.goto(stage.url)
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".list")).to_contain_text("globex")
    expect(page.locator("body")).not_to_contain_text("acme")
    assert page.goto(f"{stage.url}/people").status == 403

    admin.goto(f"{stage.url}/people")
    found += look_at(admin, keep, "people-list")
    admin.get_by_role("link", name="Remove eve").click()
    found += look_at(admin, keep, "people-remove")
    admin.get_by_role("button", name="Remove").click()
    expect(admin.locator("main [role=status]")).to_contain_text("Removed")
    page.goto(stage.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert found == []
