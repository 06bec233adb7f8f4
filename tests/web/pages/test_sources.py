"""
The page of the sources: how each is, what is wrong with it, and what a person accepts there.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from monitor.judge.access import Role
from monitor.judge.audit import Action
from monitor.judge.sources import SourceMemory, SourceState
from monitor.store import credentials, sources
from monitor.store.audit import list_audit
from monitor.store.sources import StoredSource
from tests.fakes import NOON
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

CANARY = "hunter2-canary"
FILE = f"""
[[sources]]
name = "stores"
kind = "file"
path = "stores.jsonl"

[[sources]]
name = "shops"
kind = "http"
url = "https://lists.example.com/shops?part=1"
token = "{CANARY}"

[[sources]]
name = "orders"
kind = "sql"
url = "postgresql://reader:{CANARY}@db.example.com/x"
query = "SELECT name FROM stores"
"""
HELD = SourceMemory(
    SourceState.HELD, NOON, NOON, rows=60, pending=40, error="40 of 100 are missing", held="mark-1"
)
FAILED = SourceMemory(SourceState.FAILED, NOON, NOON, rows=5, error="no answer", failures=3)


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_file(database, tmp_path, FILE) as web:
        yield web


def remember(database: Database, name: str, memory: SourceMemory, *problems: str) -> None:
    with database.write() as tx:
        sources.save_source(tx, StoredSource(name, "file", memory, problems))


def memory_of(database: Database, name: str) -> SourceMemory:
    with database.read() as tx:
        found = sources.find_source(tx, name)
    assert found is not None
    return found.memory


def wanted(database: Database) -> set[str]:
    with database.read() as tx:
        return set(sources.list_wanted(tx))


async def test_sources_that_were_never_read_say_so_and_show_no_secret(web):
    page = await web.get("/sources")
    assert page.status_code == HTTPStatus.OK
    assert page.text.count("not read yet") == 3
    for shown in ("stores.jsonl", "lists.example.com", "a database"):
        assert shown in page.text
    assert CANARY not in page.text


@pytest.mark.parametrize(
    ("memory", "shown"),
    [
        (SourceMemory(SourceState.OK, NOON, NOON, rows=1), ["ok", "1 row<"]),
        (SourceMemory(SourceState.OK, NOON, NOON, rows=12_345, bad=2), ["12,345 rows", "2 bad"]),
        (FAILED, ["cannot be read", "no answer", "The last good list", "stays in use"]),
        (
            SourceMemory(SourceState.FAILED, None, NOON, error="no answer"),
            ["It was never read, so it has no connections yet."],
        ),
        (HELD, ["held", "40 of 100 are missing", "Remove 40 connections"]),
    ],
)
async def test_a_source_shows_how_it_is(web, database, memory, shown):
    remember(database, "stores", memory)
    page = await web.get("/sources")
    for text in shown:
        assert text in page.text
    assert ("/sources/stores/accept" in page.text) is (memory.state is SourceState.HELD)


async def test_bad_rows_and_missing_connections_are_named_as_text(web, database):
    memory = SourceMemory(SourceState.OK, NOON, NOON, rows=50, bad=25, pending=2)
    remember(database, "stores", memory, "sources.stores row 3 (a).region: <b>wrong</b>")
    with database.write() as tx:
        sources.add_missing(tx, "stores", [f"st-{n:02}" for n in range(25)], NOON)
    page = await web.get("/sources")
    assert "row 3 (a).region: &lt;b&gt;wrong&lt;/b&gt;" in page.text
    assert "and 24 more" in page.text
    assert 'href="/connections/st-00"' in page.text
    assert "and 5 more" in page.text
    assert "st-24" not in page.text


async def test_a_source_that_is_no_longer_in_the_file_says_what_becomes_of_it(web, database):
    remember(database, "old", SourceMemory(SourceState.OK, NOON, NOON, rows=5))
    page = await web.get("/sources")
    assert re.search(r"no longer in \w+\.toml: its connections are being removed", page.text)


async def test_what_the_page_showed_can_be_accepted_and_is_noted(web, database):
    remember(database, "stores", HELD)
    page = await web.get("/sources")
    [mark] = re.findall(r'name="held" value="([^"]*)"', page.text)
    answer = await web.change("/sources/stores/accept", data={"held": mark})
    assert answer.headers["location"].endswith("/sources?done=accepted")
    assert memory_of(database, "stores").accepted == "mark-1"
    assert wanted(database) == {"stores"}
    with database.read() as tx:
        [(_, row)] = list_audit(tx)
    assert (row.who, row.action, row.keys, row.count) == (
        "user:local",
        Action.ACCEPT,
        ("sources.stores",),
        40,
    )
    assert "Accepted." in (await web.get("/sources?done=accepted")).text


@pytest.mark.parametrize(
    ("memory", "fields", "done"),
    [
        (HELD, {"held": "mark-0"}, "changed"),
        (HELD, {"held": ""}, "changed"),
        (HELD, {}, "changed"),
        (FAILED, {"held": "mark-1"}, "nothing_held"),
    ],
)
async def test_what_the_page_did_not_show_is_not_accepted(web, database, memory, fields, done):
    remember(database, "stores", memory)
    answer = await web.change("/sources/stores/accept", data=fields)
    assert answer.headers["location"].endswith(f"/sources?done={done}")
    assert memory_of(database, "stores").accepted == ""
    assert wanted(database) == set()
    with database.read() as tx:
        assert list_audit(tx) == []
    assert ("nothing was removed" in (await web.get(f"/sources?done={done}")).text) is (
        done == "changed"
    )


async def test_a_source_is_read_when_somebody_wants_it(web, database):
    answer = await web.change("/sources/shops/refresh")
    assert answer.headers["location"].endswith("/sources?done=wanted")
    assert wanted(database) == {"shops"}


@pytest.mark.parametrize("order", ["accept", "refresh"])
async def test_an_unknown_source_is_not_found(web, order):
    answer = await web.change(f"/sources/nobody/{order}")
    assert answer.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("order", ["accept", "refresh"])
async def test_without_the_word_of_a_page_nothing_is_done(web, database, order):
    remember(database, "stores", HELD)
    answer = await web.client.post(f"/sources/stores/{order}", data={"held": "mark-1"})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert memory_of(database, "stores") == HELD


@pytest.mark.parametrize(
    ("role", "groups", "page", "order"),
    [
        (Role.ADMIN, None, HTTPStatus.OK, HTTPStatus.SEE_OTHER),
        (Role.OPERATOR, None, HTTPStatus.OK, HTTPStatus.FORBIDDEN),
        (Role.VIEWER, None, HTTPStatus.OK, HTTPStatus.FORBIDDEN),
        (Role.OPERATOR, frozenset({"acme"}), HTTPStatus.FORBIDDEN, HTTPStatus.FORBIDDEN),
    ],
)
async def test_who_may_see_and_accept(web, database, role, groups, page, order):
    remember(database, "stores", HELD)
    with database.write() as tx:
        token = credentials.add_api_token(tx, "one", NOON, role, groups)
    bearer = {"Authorization": f"Bearer {token}"}
    shown = await web.get("/sources", headers=bearer)
    assert shown.status_code == page
    assert ("Remove 40" in shown.text) is (role is Role.ADMIN)
    for path, fields in {"accept": {"held": "mark-1"}, "refresh": {}}.items():
        answer = await web.client.post(f"/sources/stores/{path}", headers=bearer, data=fields)
        assert answer.status_code == order, path


async def test_an_installation_without_sources_says_how_to_add_one(database, tmp_path):
    async with open_file(database, tmp_path, "") as web:
        page = await web.get("/sources")
    assert "No sources" in page.text
    assert "[[sources]]" in page.text
