"""
What sets things up is for admins of all groups: others change nothing and are shown nothing.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.judge.access import Role
from monitor.judge.audit import Action
from monitor.store import credentials
from monitor.store.audit import list_audit
from monitor.web.pages import channels, entries, stores
from monitor.web.sessions import Pass, Visitor
from monitor.web.trials import seal, unseal
from tests.fakes import NOON
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

FILE = f"""
[web]
key = "{Fernet.generate_key().decode()}"

[[channels]]
name = "of-the-file"
url = "json://127.0.0.1:9/x"

[[applications]]
name = "our-app"
client_id = "x"
client_secret = "y"
"""
PLACES = {
    "name": "old",
    "kind": "countdown",
    "application": "our-app",
    "region": "na",
}
OLD = {"provider": "countdown", "authorized_on": "2026-01-15", "group": "acme"}
ROUTES = [
    (method, route.path)
    for module in (entries, channels, stores)
    for route in module.router.routes
    for method in sorted(route.methods)
]
WHO: dict[str, tuple[Role, frozenset[str] | None]] = {
    "viewer": (Role.VIEWER, None),
    "operator": (Role.OPERATOR, None),
    "operator of a group": (Role.OPERATOR, frozenset({"acme"})),
    "admin of a group": (Role.ADMIN, frozenset({"acme"})),
}


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_file(database, tmp_path, FILE) as web:
        await web.change("/api/v1/connections/old", "PUT", json=OLD)
        channel = {"url": "json://8.8.8.8/x"}
        await web.change("/api/v1/channels/old?untested=true", "PUT", json=channel)
        yield web


async def list_all(web: Web) -> Any:
    return [(await web.get(f"/api/v1/{what}")).json()[what] for what in ("connections", "channels")]


def path_of(route: str) -> str:
    kind = "email" if route.startswith("/channels/") else PLACES["kind"]
    return route.format(**PLACES | {"kind": kind})


@pytest.mark.parametrize(("role", "groups"), WHO.values(), ids=WHO)
async def test_only_admins_of_all_groups_set_things_up(web, database, role, groups):
    with database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, role, groups)
    before = await list_all(web)
    async with web.stranger(Authorization=f"Bearer {token}") as other:
        for method, route in ROUTES:
            answer = await other.request(method, path_of(route), headers={"Accept": "text/html"})
            assert answer.status_code == HTTPStatus.FORBIDDEN, (method, route, answer.status_code)
    assert await list_all(web) == before


async def test_admins_come_everywhere(web):
    for method, route in ROUTES:
        if method == "GET":
            answer = await web.get(path_of(route))
            assert answer.status_code in {HTTPStatus.OK, HTTPStatus.SEE_OTHER}, route


BUTTONS = (
    ("/", "/new"),
    ("/connections/old", "/connections/old/edit"),
    ("/connections/old", "/connections/old/delete"),
    ("/monitor", "/channels/new"),
    ("/alerts", "/alerts/test"),
)


async def test_buttons_are_there_for_those_who_may_press_them(web, database):
    with database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, Role.OPERATOR)
    async with web.stranger(Authorization=f"Bearer {token}") as other:
        for path, link in BUTTONS:
            assert f'"{link}"' in (await web.get(path)).text
            assert f'"{link}"' not in (await other.get(path)).text


async def test_who_saved_what_is_written_down_without_a_value(web, database):
    answer = await web.change(
        "/new/countdown",
        data={
            "name": "new",
            "authorized_on": "2026-01-15",
            "notes": "hunter2-canary",
            "group": "g",
        },
    )
    assert answer.headers["location"] == "/connections/new?done=added"
    with database.read() as tx:
        rows = [row for _, row in list_audit(tx, connection="new")]
    assert [(row.who, row.action, row.group, row.keys) for row in rows] == [
        ("user:local", Action.PUT, "g", ("authorized_on", "group", "notes", "provider"))
    ]
    assert "hunter2-canary" not in str(rows)


ANA = Visitor(Pass.SESSION, Role.ADMIN, "ana", session="s", csrf_token="w")
PROGRAM = Visitor(Pass.TOKEN, Role.ADMIN, "ci")
OPENERS: dict[str, tuple[Visitor, Visitor, str, bool]] = {
    "the same browser": (ANA, ANA, "entry", True),
    "for something else": (ANA, ANA, "channel", False),
    "another login": (ANA, replace(ANA, session="t"), "entry", False),
    "the same program": (PROGRAM, PROGRAM, "entry", True),
    "another program": (PROGRAM, replace(PROGRAM, name="other"), "entry", False),
    "a program for a person": (ANA, PROGRAM, "entry", False),
}


@pytest.mark.parametrize(("by", "opener", "purpose", "is_open"), OPENERS.values(), ids=OPENERS)
async def test_what_is_sealed_opens_for_the_same_visitor_and_purpose(
    database, tmp_path, by, opener, purpose, is_open
):
    async with open_file(database, tmp_path, FILE) as web:
        sealed = seal(web.parts, by, "entry", {"token": "secret"})
        found = unseal(web.parts, opener, purpose, sealed)
    assert found == ({"token": "secret"} if is_open else None)
