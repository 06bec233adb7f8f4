"""
Every route, and the least role that may use it: taken from the running application, so that a
new route without a row here fails. What people see who are limited to groups is in
`test_visibility_table`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import iter_route_contexts

from monitor.config.model import Config, WebSettings
from monitor.config.secret import Secret
from monitor.judge.access import Role
from monitor.store import credentials
from monitor.web.access import LISTED, least_role
from monitor.web.app import build_app
from monitor.web.problems import ROLE
from tests.builders import OPS, Story, entry, plan_of
from tests.fakes import NOON
from tests.web.grouped import open_grouped
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

CALLBACK = "GET /oauth/amazon/callback"
"""Its route asks for the role: who came by a renewal link needs none."""

PUBLIC = None
"""Open to all, without a login."""

KEYED = "keyed"
"""Open to whoever knows its secret address, and to a viewer."""

VIEWER, OPERATOR, ADMIN = Role


TABLE: dict[str, Role | str | None] = {
    # --- how the process is
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": VIEWER,
    # --- coming and going
    "GET /login": PUBLIC,
    "POST /login": PUBLIC,
    "POST /logout": VIEWER,
    # --- elsewhere
    "GET /renew/{token}": PUBLIC,
    "POST /renew/{token}": PUBLIC,
    "GET /badge/{name}.svg": KEYED,
    "GET /calendar.ics": KEYED,
    # --- the API, reading
    "GET /api/docs": VIEWER,
    "GET /api/openapi.json": VIEWER,
    "GET /api/v1/connections": VIEWER,
    "GET /api/v1/connections/{name}": VIEWER,
    "GET /api/v1/connections/{name}/history": VIEWER,
    "GET /api/v1/connections/{name}/config": OPERATOR,
    "GET /api/v1/alerts": VIEWER,
    "GET /api/v1/audit": VIEWER,
    "GET /api/v1/silences": VIEWER,
    "GET /api/v1/groups": VIEWER,
    "GET /api/v1/configuration": VIEWER,
    "GET /api/v1/events": VIEWER,
    "GET /api/v1/channels": ADMIN,
    "GET /api/v1/channels/{name}": ADMIN,
    # --- the API, changing
    "POST /api/v1/connections/{name}/validate": OPERATOR,
    "POST /api/v1/connections/{name}/pause": OPERATOR,
    "POST /api/v1/connections/{name}/resume": OPERATOR,
    "POST /api/v1/connections/{name}/renew": OPERATOR,
    "POST /api/v1/connections/{name}/ack": OPERATOR,
    "DELETE /api/v1/connections/{name}/ack": OPERATOR,
    "POST /api/v1/silences": OPERATOR,
    "DELETE /api/v1/silences/{number}": OPERATOR,
    "POST /api/v1/connections/{name}/invites": OPERATOR,
    "DELETE /api/v1/invites/{number}": OPERATOR,
    "PUT /api/v1/connections/{name}": ADMIN,
    "DELETE /api/v1/connections/{name}": ADMIN,
    "POST /api/v1/connections:batch": ADMIN,
    "PUT /api/v1/channels/{name}": ADMIN,
    "DELETE /api/v1/channels/{name}": ADMIN,
    "POST /api/v1/alerts/retry": ADMIN,
    "POST /api/v1/alerts/test": ADMIN,
    # --- pages, reading
    "GET /": VIEWER,
    "GET /alerts": VIEWER,
    "GET /audit": VIEWER,
    "GET /calendar": VIEWER,
    "GET /monitor": VIEWER,
    "GET /connections/{name}": VIEWER,
    "GET /sources": VIEWER,
    "GET /groups": VIEWER,
    "GET /groups/{name}": VIEWER,
    # --- pages, what runs day by day
    "POST /connections/{name}/validate": OPERATOR,
    "POST /connections/{name}/pause": OPERATOR,
    "POST /connections/{name}/resume": OPERATOR,
    "POST /connections/{name}/renew": OPERATOR,
    "POST /connections/{name}/ack": OPERATOR,
    "POST /connections/{name}/ack/end": OPERATOR,
    "POST /connections/{name}/silence": OPERATOR,
    "POST /groups/{name}/silence": OPERATOR,
    "POST /silences": OPERATOR,
    "POST /silences/all/end": OPERATOR,
    "POST /silences/{number}/end": OPERATOR,
    "POST /connections/{name}/invites": OPERATOR,
    "POST /invites/{number}/revoke": OPERATOR,
    "POST /proposals/{number}/accept": OPERATOR,
    "POST /proposals/{number}/reject": OPERATOR,
    "GET /oauth/amazon/start/{name}": OPERATOR,
    "POST /oauth/amazon/start/{name}": OPERATOR,
    CALLBACK: OPERATOR,
    # --- pages, setting up
    "GET /new": ADMIN,
    "GET /new/store": ADMIN,
    "POST /new/store": ADMIN,
    "GET /oauth/amazon/new/{application}/{region}": ADMIN,
    "GET /new/{kind}": ADMIN,
    "POST /new/{kind}": ADMIN,
    "GET /connections/{name}/edit": ADMIN,
    "POST /connections/{name}/edit": ADMIN,
    "GET /connections/{name}/delete": ADMIN,
    "POST /connections/{name}/delete": ADMIN,
    "GET /people": ADMIN,
    "GET /people/new": ADMIN,
    "POST /people/new": ADMIN,
    "GET /people/{name}/edit": ADMIN,
    "POST /people/{name}/edit": ADMIN,
    "GET /people/{name}/delete": ADMIN,
    "POST /people/{name}/delete": ADMIN,
    "GET /channels": ADMIN,
    "GET /channels/new": ADMIN,
    "GET /channels/new/{kind}": ADMIN,
    "POST /channels/new/{kind}": ADMIN,
    "GET /channels/{name}/edit": ADMIN,
    "POST /channels/{name}/edit": ADMIN,
    "GET /channels/{name}/delete": ADMIN,
    "POST /channels/{name}/delete": ADMIN,
    "POST /sources/{name}/refresh": ADMIN,
    "POST /sources/{name}/accept": ADMIN,
    "POST /alerts/retry": ADMIN,
    "POST /alerts/test": ADMIN,
}

ENDLESS = {"GET /api/v1/events"}
"""What is answered for as long as somebody listens."""

LOCKED = Config(web=WebSettings(password=Secret("correct horse")))
PLAN = plan_of(entry("acme"), channels=[OPS])


def list_routes() -> Iterator[str]:
    """
    Yield the routes that the application has, as `GET /path`.
    """
    for each in iter_route_contexts(build_app(lambda: None).routes):  # type: ignore[arg-type, return-value]
        for method in (each.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {each.path_format}"


PLACEHOLDERS = {
    "name": "acme",
    "number": "1",
    "kind": "token",
    "application": "our-app",
    "region": "na",
    "token": "no-such-token",
}


def path_of(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    for key, value in PLACEHOLDERS.items():
        path = path.replace(f"{{{key}}}", value)
    assert "{" not in path, "PLACEHOLDERS has nothing to put there"
    return method, path


def test_every_route_has_a_row_and_every_row_a_route():
    assert sorted(list_routes()) == sorted(TABLE)


def test_every_role_that_is_listed_is_one_of_a_route():
    assert set(LISTED) <= set(TABLE)


@pytest.mark.parametrize("route", TABLE)
def test_the_role_of_a_route_is_that_of_its_row(route):
    method, path = path_of(route)
    wanted = TABLE[route]
    if wanted is not PUBLIC and route != CALLBACK:
        assert least_role(method, path) == (VIEWER if wanted == KEYED else wanted)


@pytest.fixture
def filled(database: Database) -> Database:
    Story.begin(database, PLAN)
    return database


@pytest.mark.parametrize("role", Role)
async def test_nobody_may_do_what_needs_a_higher_role(filled, role):
    with filled.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, role)
    refused = {}
    async with (
        open_web(filled, PLAN, LOCKED) as web,
        web.stranger(Authorization=f"Bearer {token}") as program,
    ):
        for route in TABLE:
            method, path = path_of(route)
            if route in ENDLESS and role.covers(least_role(method, path)):
                continue
            answer = await program.request(method, path)
            is_refused = answer.status_code == 403 and answer.json().get("type") == ROLE
            refused[route] = is_refused
    wanted = {
        route: isinstance(TABLE[route], Role) and not role.covers(TABLE[route]) for route in refused
    }
    assert refused == wanted


OFFERING = (
    "/",
    "/alerts",
    "/calendar",
    "/monitor",
    "/sources",
    "/groups",
    "/groups/acme",
    "/connections/acme-store",
    "/connections/acme-token",
    "/connections/acme-na",
    "/connections/canary-store",
    "/connections/canary-eu",
)
_FORM = re.compile(r'<form\b(?=[^>]*method="post")[^>]*action="([^"]*)"')
_LINK = re.compile(r'<a\b[^>]*href="(/[^"]*)"')


@pytest.mark.parametrize("role", Role)
async def test_pages_offer_nothing_that_the_role_does_not_cover(database, tmp_path, role):
    offered = set()
    async with open_grouped(database, tmp_path) as world:
        with database.write() as tx:
            token = credentials.add_api_token(tx, "ci", NOON, role)
        for path in OFFERING:
            headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
            page = await world.web.get(path, headers=headers)
            assert page.status_code == 200
            offered |= {("POST", to) for to in _FORM.findall(page.text)}
            offered |= {("GET", to.partition("?")[0]) for to in _LINK.findall(page.text)}
    assert {each for each in offered if not role.covers(least_role(*each))} == set()
    needed = {least_role(*each) for each in offered}
    assert needed == {one for one in Role if role.covers(one)}


async def test_a_stranger_gets_what_is_open_to_all_and_nothing_else(filled):
    async with open_web(filled, PLAN, LOCKED) as web:
        await web.get("/login")
        statuses = {route: await ask(web, route) for route in TABLE}
    closed = {route for route, status in statuses.items() if status == 401}
    assert closed == {route for route, least in TABLE.items() if least is not PUBLIC} | {
        "POST /login"  # without the password
    }


async def ask(web, route: str) -> int:
    method, path = path_of(route)
    return int((await web.change(path, method)).status_code)
