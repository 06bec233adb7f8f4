"""
The pages of groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.judge.suppression import Scope
from monitor.store import suppression
from tests.fakes import NOON
from tests.web.grouped import CANARY, OTHER, OWN, SHARED, GroupedWeb, open_grouped
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

HTML = {"Accept": "text/html"}


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[GroupedWeb]:
    async with open_grouped(database, tmp_path) as opened:
        yield opened


async def test_the_groups_are_listed_with_a_way_to_each(world):
    text = (await world.full.get("/groups", headers=HTML)).text
    assert '<a href="/groups/acme">Acme Ltd</a>' in text
    assert '<a href="/groups/canary-group">Canary Ltd</a>' in text
    assert '<a href="/groups" aria-current="page">Groups</a>' in text
    assert CANARY not in (await world.limited.get("/groups", headers=HTML)).text


async def test_a_group_shows_its_connections_ends_and_history(world):
    page = await world.full.get("/groups/acme", headers=HTML)
    assert page.status_code == 200
    text = page.text
    for word in ("Acme Ltd", "Call Ana.", OWN, SHARED, "our-app", "worst state"):
        assert word in text
    assert OTHER not in text
    assert "canary-app" not in text
    assert text.count(">expired<") + text.count("expired") >= 1


async def test_another_group_is_as_if_it_were_not_there(world):
    for who, name in (
        (world.limited, "canary-group"),
        (world.limited, "no-such"),
        (world.full, "no-such"),
    ):
        answer = await who.get(f"/groups/{name}", headers=HTML)
        assert answer.status_code == 404
        assert "There is no group of this name." in answer.text
    assert CANARY not in (await world.limited.get("/groups/acme", headers=HTML)).text


async def test_a_group_without_connections_says_so(database, tmp_path):
    async with open_file(database, tmp_path, '[[groups]]\nname = "a & b"\n') as web:
        listed = (await web.get("/groups", headers=HTML)).text
        assert '<a href="/groups/a%20%26%20b">a &amp; b</a>' in listed
        page = await web.get("/groups/a%20%26%20b", headers=HTML)
        assert page.status_code == 200
        assert "No connections" in page.text


async def test_where_there_are_no_groups_nothing_leads_to_them(database, tmp_path):
    async with open_file(database, tmp_path, "") as web:
        assert 'href="/groups"' not in (await web.get("/", headers=HTML)).text
        assert "No groups" in (await web.get("/groups", headers=HTML)).text


async def test_a_group_is_muted_by_its_button(database, tmp_path):
    async with open_file(database, tmp_path, '[[groups]]\nname = "a b"\n') as web:
        answer = await web.change("/groups/a b/silence", data={"for": "1h", "reason": "works"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/groups/a%20b?done=silenced"
        with database.read() as tx:
            [one] = suppression.list_active_silences(tx, NOON)
        assert (one.scope, one.target, one.reason) == (Scope.GROUP, "a b", "works")
        text = (await web.get("/groups/a b?done=silenced", headers=HTML)).text
        assert "End silence" in text
        missing = await web.change("/groups/other/silence", data={"for": "1h"})
        assert missing.status_code == 404


@pytest.mark.parametrize(
    ("field", "scope", "target"),
    [
        ({"what": ""}, Scope.ALL, None),
        ({}, Scope.ALL, None),
        ({"what": "group a b"}, Scope.GROUP, "a b"),
        ({"group": "a b"}, Scope.GROUP, "a b"),
        ({"what": "tag x y"}, Scope.TAG, "x y"),
        ({"tag": "x y"}, Scope.TAG, "x y"),
    ],
)
async def test_what_is_muted_is_chosen_on_the_page_of_alerts(
    database, tmp_path, field, scope, target
):
    text = '[[connections]]\nname = "c"\nprovider = "countdown"\nauthorized_on = 2026-01-15\n'
    text += 'group = "a b"\ntags = ["x y"]\n'
    async with open_file(database, tmp_path, text) as web:
        answer = await web.change("/silences", data={"for": "1h"} | field)
        assert answer.status_code == 303
    with database.read() as tx:
        [one] = suppression.list_active_silences(tx, NOON)
    assert (one.scope, one.target) == (scope, target)
