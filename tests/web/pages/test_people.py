"""
People are added, edited and removed on pages, and may do at once what their role says.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from monitor.config.model import Config, WebSettings
from monitor.config.secret import Secret
from monitor.engine.people import with_stored_people
from monitor.judge.access import Role
from monitor.judge.audit import Action
from monitor.store import people
from monitor.store.audit import list_audit
from tests.fakes import NOON
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from monitor.store.people import StoredPerson
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"
CHOSEN = "hunter2-canary-long"
FILE = f"""
[web]
password = "{PASSWORD}"

[[web.users]]
name = "of-the-file"
role = "operator"
groups = ["acme"]
password = "{CHOSEN}"

[[connections]]
name = "acme-one"
provider = "countdown"
authorized_on = 2026-09-01
group = "acme"

[[connections]]
name = "globex-one"
provider = "countdown"
authorized_on = 2026-09-01
group = "globex"
"""
UNSAVED = HTTPStatus.UNPROCESSABLE_ENTITY


class People:
    """
    The pages, and what a daemon does when people were stored.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.web: Web | None = None

    async def follow(self) -> None:
        assert self.web is not None
        from dataclasses import replace

        with self.database.read() as tx:
            config = with_stored_people(tx, self.web.parts.config)
        now = replace(self.web.parts.now, config=config)
        self.web.views.append(replace(self.web.parts, now=now))


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    known = People(database)
    async with open_file(database, tmp_path, FILE, follow_stored=known.follow) as web:
        known.web = web
        await web.log_in(PASSWORD)
        yield web


async def add(web: Web, **fields: str) -> httpx.Response:
    return await web.change("/people/new", data={"name": "ana", "role": "viewer"} | fields)


def stored(database: Database) -> dict[str, StoredPerson]:
    with database.read() as tx:
        return {one.name: one for one in people.list_people(tx)}


async def log_in_as(web: Web, name: str, password: str) -> httpx.Response:
    web.client.cookies.clear()
    return await web.change("/login", data={"name": name, "password": password})


async def test_somebody_who_is_added_logs_in_with_the_password_that_was_made(web, database):
    page = await add(web, groups="acme")
    [password] = re.findall(r'<pre id="password">([^<]+)</pre>', page.text)
    assert password not in str(stored(database))
    assert (await web.get("/people")).text.count(password) == 0

    answer = await log_in_as(web, "ana", password)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    page = await web.get("/api/v1/connections")
    assert [one["name"] for one in page.json()["connections"]] == ["acme-one"]
    assert (await web.get("/people")).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_is_what_they_may_do(web, role):
    await add(web, role=role.value, password=CHOSEN)
    assert (await log_in_as(web, "ana", CHOSEN)).status_code == HTTPStatus.SEE_OTHER
    paused = await web.change("/api/v1/connections/acme-one/pause")
    assert (paused.status_code == HTTPStatus.OK) is role.covers(Role.OPERATOR)
    listed = await web.get("/people")
    assert (listed.status_code == HTTPStatus.OK) is role.covers(Role.ADMIN)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "of-the-file"}, "Another person has this name"),
        ({"name": "admin"}, "Another person has this name"),
        ({"name": "a\x01b"}, "name"),
        ({"role": "owner"}, "owner"),
        ({"role": ""}, "Nothing is saved yet"),
        ({"role": "admin", "groups": "acme"}, "An admin sees all groups"),
        ({"groups": "a\x01b"}, "Nothing is saved yet"),
        ({"password": "short"}, "At least 12 characters"),
        ({"password": "x" * 1001}, "At most 1,000 characters"),
    ],
)
async def test_what_cannot_be_saved_says_why_and_shows_no_password(web, database, fields, words):
    page = await add(web, **({"password": CHOSEN} | fields))
    assert page.status_code == UNSAVED
    assert words in page.text
    assert CHOSEN not in page.text
    assert stored(database) == {}
    with database.read() as tx:
        assert [row.action for _, row in list_audit(tx)] == [Action.LOGIN]


async def test_a_name_is_given_once(web, database):
    await add(web, password=CHOSEN)
    page = await add(web, role="admin", password=CHOSEN)
    assert page.status_code == UNSAVED
    assert stored(database)["ana"].role is Role.VIEWER


async def test_rights_that_are_taken_away_are_gone_at_the_next_request(web, database):
    await add(web, role="operator", password=CHOSEN)
    admin = dict(web.client.cookies)
    await log_in_as(web, "ana", CHOSEN)
    ana = dict(web.client.cookies)
    assert (await web.change("/api/v1/connections/acme-one/pause")).status_code == HTTPStatus.OK

    web.client.cookies = admin
    done = await web.change("/people/ana/edit", data={"role": "viewer", "groups": "globex, globex"})
    assert done.status_code == HTTPStatus.SEE_OTHER
    assert stored(database)["ana"].groups == ["globex"]

    web.client.cookies = ana
    found = await web.get("/api/v1/connections")
    assert [one["name"] for one in found.json()["connections"]] == ["globex-one"]
    resumed = await web.change("/api/v1/connections/globex-one/pause")
    assert resumed.status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("order", ["delete", "edit"])
async def test_a_session_ends_with_its_person_or_password(web, database, order):
    await add(web, password=CHOSEN)
    admin = dict(web.client.cookies)
    await log_in_as(web, "ana", CHOSEN)
    ana = dict(web.client.cookies)

    web.client.cookies = admin
    if order == "delete":
        assert "Remove ana?" in (await web.get("/people/ana/delete")).text
        await web.change("/people/ana/delete")
        assert stored(database) == {}
    else:
        await web.change("/people/ana/edit", data={"role": "viewer", "password": f"{CHOSEN}-2"})

    web.client.cookies = ana
    assert (await web.get("/api/v1/connections")).status_code == HTTPStatus.UNAUTHORIZED


async def test_an_edit_without_a_password_keeps_it(web, database):
    await add(web, password=CHOSEN)
    before = stored(database)["ana"].password_hash
    await web.change("/people/ana/edit", data={"role": "operator", "password": ""})
    after = stored(database)["ana"]
    assert (after.role, after.password_hash) == (Role.OPERATOR, before)
    assert after.created_at == NOON


async def test_the_audit_names_keys_and_no_values(web, database):
    await add(web, groups="acme", password=CHOSEN)
    await web.change("/people/ana/edit", data={"role": "operator", "groups": "acme"})
    await web.change("/people/ana/delete")
    with database.read() as tx:
        rows = [row for _, row in list_audit(tx) if row.action is not Action.LOGIN]
    assert [(row.who, row.action, row.keys) for row in reversed(rows)] == [
        (
            "user:admin",
            Action.PUT,
            tuple(f"people.ana.{k}" for k in ("role", "groups", "password")),
        ),
        ("user:admin", Action.PUT, ("people.ana.role",)),
        ("user:admin", Action.DELETE, ("people.ana",)),
    ]
    assert CHOSEN not in str(rows)


async def test_those_of_the_file_are_shown_and_edited_there(web):
    page = await web.get("/people")
    for words in ("of-the-file", "web.password in", "edit it there", "acme"):
        assert words in page.text
    assert CHOSEN not in page.text
    for path in ("/people/of-the-file/edit", "/people/of-the-file/delete", "/people/nobody/edit"):
        assert (await web.get(path)).status_code == HTTPStatus.NOT_FOUND
    for order, fields in {"edit": {"role": "viewer"}, "delete": {}}.items():
        answer = await web.change(f"/people/of-the-file/{order}", data=fields)
        assert answer.status_code == HTTPStatus.NOT_FOUND


async def test_where_nobody_signs_in_nobody_is_added(database, tmp_path):
    async with open_file(database, tmp_path, "") as web:
        assert "No one signs in here" in (await web.get("/people")).text
        assert "No one signs in here" in (await web.get("/people/new")).text
        answer = await add(web, password=CHOSEN)
        assert answer.status_code == HTTPStatus.CONFLICT
    assert stored(database) == {}


def test_the_file_counts_before_what_is_stored(database):
    with database.write() as tx:
        for name in ("admin", "ana"):
            people.put_person(tx, name, Role.VIEWER, None, "$argon2id$x", NOON)
        config = Config(web=WebSettings(password=Secret(PASSWORD)))
        found = with_stored_people(tx, config)
    assert [(one.name, one.role) for one in found.web.accounts] == [
        ("admin", Role.ADMIN),
        ("ana", Role.VIEWER),
    ]
    assert found.with_people(()).web == config.web


@pytest.mark.parametrize("groups", ["'[]'", "'{}'", "'[1]'", "'\"acme\"'"])
def test_somebody_whose_groups_are_damaged_does_not_come_in(database, groups):
    with database.write() as tx:
        people.put_person(tx, "ana", Role.ADMIN, ["acme"], None, NOON)
        tx.exec_driver_sql(f"UPDATE people SET groups = {groups}")
    with database.read() as tx:
        assert with_stored_people(tx, Config()).web.users == ()
