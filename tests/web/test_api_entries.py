"""
Connections that programs keep by the API: one, many, under conditions, and never their secrets.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.judge.access import Role
from monitor.judge.connections import WrittenEntry
from monitor.store import connections, credentials, entries
from monitor.web import api_entries
from tests.fakes import NOON
from tests.web_client import open_file, open_web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

OK, CREATED, REFUSED = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.UNPROCESSABLE_ENTITY
SET = {"set": True}
CANARY = "hunter2-canary"
TOKEN = {"provider": "http", "url": "https://8.8.8.8/me", "token": CANARY}
DAY = {"provider": "countdown", "authorized_on": "2026-01-15"}
FILE = """
[web]
{web}

[[connections]]
name = "of-the-file"
provider = "http"
url = "https://api.example.com/"
token = { env = "NOWHERE" }
"""
KEY = f'key = "{Fernet.generate_key().decode()}"'


def open_api(
    database: Database, folder: Path, web: str = KEY, **replaced: Any
) -> AbstractAsyncContextManager[Web]:
    """
    Open the application over a file with one connection.
    """
    return open_file(database, folder, FILE.replace("{web}", web), **replaced)


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_api(database, tmp_path) as web:
        yield web


async def put(web: Web, name: str, values: Any, query: str = "", **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    path = f"/api/v1/connections/{name}{query}"
    return await web.change(path, "PUT", json=values, headers=named)


async def test_a_connection_is_there_at_once_and_due(web, database):
    answer = await put(web, "acme", TOKEN)
    assert answer.status_code == CREATED
    body = answer.json()
    assert (body["name"], body["owner"], body["state"]) == ("acme", "dashboard", "pending")
    web.check_described("Connection", body)
    assert (await web.get("/api/v1/connections/acme")).json() == body
    with database.read() as tx:
        record = connections.find_record(tx, "acme")
    assert record is not None
    assert record.next_check_at == NOON


async def test_it_is_replaced_and_its_secret_kept(web, database):
    await put(web, "acme", TOKEN)
    answer = await put(web, "acme", TOKEN | {"token": SET, "tags": ["eu"]})
    assert answer.status_code == OK
    assert answer.json()["tags"] == ["eu"]
    with database.read() as tx:
        assert web.parts.plan.connection(tx, "acme").token.reveal() == CANARY


async def test_its_entry_can_be_read_and_put_again(web):
    await put(web, "acme", TOKEN | {"tags": ["eu"]})
    shown = await web.get("/api/v1/connections/acme/config")
    body = shown.json()
    assert body == {"name": "acme", "owner": "dashboard", "shadowed_by": None, "tags": ["eu"]} | (
        TOKEN | {"token": SET}
    )
    web.check_described("Entry", body)
    again = await put(web, "acme", body, if_match=shown.headers["etag"])
    assert again.status_code == OK
    assert again.headers["etag"] == shown.headers["etag"]
    not_modified = await web.get(
        "/api/v1/connections/acme/config", headers={"If-None-Match": shown.headers["etag"]}
    )
    assert not_modified.status_code == HTTPStatus.NOT_MODIFIED


async def test_the_entry_of_the_file_is_shown_without_where_its_secrets_are(web):
    body = (await web.get("/api/v1/connections/of-the-file/config")).json()
    assert (body["owner"], body["token"]) == ("file", SET)


CONDITIONS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "there already": ({}, {"if_none_match": "*"}),
    "another version": ({}, {"if_match": '"abc"'}),
    "not there": ({"name": "new"}, {"if_match": "*"}),
}


@pytest.mark.parametrize(("wanted", "headers"), CONDITIONS.values(), ids=CONDITIONS)
async def test_nothing_is_written_against_a_condition(web, wanted, headers):
    await put(web, "acme", TOKEN)
    name = wanted.get("name", "acme")
    answer = await put(web, name, TOKEN | {"tags": ["eu"]}, **headers)
    assert answer.status_code == HTTPStatus.PRECONDITION_FAILED
    assert answer.headers["content-type"] == "application/problem+json"
    seen = (await web.get("/api/v1/connections")).json()["connections"]
    assert [(each["name"], each["tags"]) for each in seen] == [("of-the-file", []), ("acme", [])]


async def test_a_condition_that_is_met_lets_it_be_written(web):
    created = await put(web, "acme", TOKEN, if_none_match="*")
    assert created.status_code == CREATED
    changed = await put(
        web, "acme", TOKEN | {"tags": ["eu"]}, if_match=f'"other", {created.headers["etag"]}'
    )
    assert changed.status_code == OK
    assert changed.headers["etag"] != created.headers["etag"]
    lost = await put(web, "acme", TOKEN, if_match=created.headers["etag"])
    assert lost.status_code == HTTPStatus.PRECONDITION_FAILED


async def test_a_dry_run_answers_the_same_and_stores_nothing(web):
    answer = await put(web, "acme", TOKEN, "?dry_run=true")
    assert answer.status_code == CREATED
    assert answer.json()["name"] == "acme"
    assert (await web.get("/api/v1/connections/acme")).status_code == HTTPStatus.NOT_FOUND
    await put(web, "acme", TOKEN)
    changed = await put(web, "acme", TOKEN | {"tags": ["eu"]}, "?dry_run=true")
    assert (changed.status_code, changed.json()["tags"]) == (OK, ["eu"])
    assert (await web.get("/api/v1/connections/acme")).json()["tags"] == []


BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "body"),
    "no provider": ({"token": "a"}, "provider"),
    "an unknown key": (TOKEN | {"tokn": CANARY}, "tokn"),
    "another name": (TOKEN | {"name": "other"}, "name"),
    "a file of the machine": (TOKEN | {"token": {"file": "/etc/shadow"}}, "token"),
    "a program": (TOKEN | {"token": {"command": ["id"]}}, "token"),
    "a secret that is not stored": (TOKEN | {"token": SET}, "token"),
    "a proxy": (TOKEN | {"proxy": "http://8.8.8.8:1"}, "proxy"),
    "a loopback address": (TOKEN | {"url": "http://127.0.0.1:8080/"}, "url"),
    "a private address": (TOKEN | {"url": "https://10.1.2.3/"}, "url"),
    "link-local": (TOKEN | {"url": "http://169.254.169.254/latest"}, "url"),
    "mapped": (TOKEN | {"url": "http://[::ffff:127.0.0.1]/"}, "url"),
    "in other figures": (TOKEN | {"url": "http://2130706433/"}, "url"),
    "localhost": (TOKEN | {"url": "http://localhost/"}, "url"),
    "another's name taken over": (TOKEN | {"renamed_from": "of-the-file"}, "renamed_from"),
    "a secret in the address": (TOKEN | {"url": f"https://8.8.8.8/?key={CANARY}"}, "url"),
}


@pytest.mark.parametrize(("values", "place"), BAD.values(), ids=BAD)
async def test_a_bad_entry_names_the_field_and_changes_nothing(web, values, place):
    answer = await put(web, "acme", values)
    assert answer.status_code == REFUSED
    body = answer.json()
    assert place in [each["place"] for each in body["errors"]]
    assert CANARY not in answer.text
    web.check_described("Problem", body)
    assert (await web.get("/api/v1/connections/acme")).status_code == HTTPStatus.NOT_FOUND


async def test_a_bad_entry_leaves_the_former_version(web):
    await put(web, "acme", TOKEN)
    assert (await put(web, "acme", TOKEN | {"every": "1s"})).status_code == REFUSED
    assert (await put(web, "acme", TOKEN | {"url": "https://1.1.1.1/", "token": SET})).json()[
        "errors"
    ] == [{"place": "token", "why": "must be sent again, since url was changed"}]
    shown = (await web.get("/api/v1/connections/acme/config")).json()
    assert shown["url"] == TOKEN["url"]


async def test_addresses_of_ones_own_network_can_be_let_in(database, tmp_path):
    allowed = f'{KEY}\nallowed_hosts = ["127.0.0.0/8"]'
    async with open_api(database, tmp_path, allowed) as web:
        answer = await put(web, "acme", TOKEN | {"url": "http://127.0.0.1:1/"})
        assert answer.status_code == CREATED


async def test_an_address_that_is_let_in_no_longer_is_not_even_validated(database, tmp_path):
    allowed = f'{KEY}\nallowed_hosts = ["127.0.0.0/8"]'
    connected: list[int] = []
    server = await asyncio.start_server(lambda *_: connected.append(1), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with open_api(database, tmp_path, allowed) as web:
            await put(web, "acme", TOKEN | {"url": f"http://127.0.0.1:{port}/"})
        async with open_api(database, tmp_path) as web:
            await web.change("/api/v1/connections/acme/validate")
            run = web.parts.validations.find("acme")
            assert run is not None
    assert connected == []
    assert "web.allowed_hosts" in " ".join(step.words for step in run.steps)


async def test_what_the_file_has_is_left_to_the_file(web, database):
    answer = await put(web, "of-the-file", TOKEN)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    body = answer.json()
    assert (body["type"].rpartition("/")[2], body["owner"]) == ("owned-by", "file")
    web.check_described("Problem", body)
    deleted = await web.change("/api/v1/connections/of-the-file", "DELETE")
    assert deleted.status_code == HTTPStatus.NO_CONTENT
    with database.read() as tx:
        assert connections.list_deleted(tx) == {"of-the-file"}


KEYS = {"none": "", "no Fernet key": 'key = "abc"', "one that is not there": 'key = { env = "NO" }'}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_without_a_key_no_secret_is_taken(database, tmp_path, key):
    async with open_api(database, tmp_path, key) as web:
        answer = await put(web, "acme", TOKEN)
        assert answer.status_code == HTTPStatus.CONFLICT
        assert answer.json()["type"].endswith("/no-key")
        assert "web.key" in answer.text or "[web]" in answer.text
        assert (await put(web, "day", DAY)).status_code == CREATED


async def test_a_row_of_a_source_that_means_nothing_is_not_written_over(web, database):
    row = WrittenEntry("acme", 0, "d" * 64, lambda: {"name": "acme", "provider": "gone"})
    with database.write() as tx:
        entries.put_entries(tx, "stores", 2, [row])
    answer = await put(web, "acme", TOKEN)
    assert (answer.status_code, answer.json()["owner"]) == (HTTPStatus.FORBIDDEN, "stores")
    async with await by_token(web, database) as client:
        [one] = verdicts(await batch(client, TOKEN | {"name": "acme"}))
    assert one["status"] == HTTPStatus.FORBIDDEN


async def test_what_was_made_by_the_api_is_gone_for_good(web, database, tmp_path):
    await put(web, "acme", TOKEN)
    deleted = await web.change("/api/v1/connections/acme", "DELETE")
    assert deleted.status_code == HTTPStatus.NO_CONTENT
    for path in ("", "/config", "/history"):
        answer = await web.get(f"/api/v1/connections/acme{path}")
        assert answer.status_code == HTTPStatus.NOT_FOUND
    with database.read() as tx:
        assert entries.list_owners(tx, "acme") == []
    assert (await put(web, "acme", DAY, if_none_match="*")).status_code == CREATED


async def test_it_survives_a_restart_and_gives_way_to_the_file(database, tmp_path):
    async with open_api(database, tmp_path) as web:
        await put(web, "acme", TOKEN)
        await put(web, "of-the-file-too", TOKEN)
    async with open_api(database, tmp_path) as web:
        assert (await web.get("/api/v1/connections/acme")).json()["owner"] == "dashboard"
    with database.write() as tx:
        # As a file that has it by now.
        [row] = entries.find_entries(tx, ["acme"]).values()
        entries.put_entries(tx, "file", 0, [_written(row)])
    async with open_web(database, web.parts.plan, web.parts.config) as later:
        shown = (await later.get("/api/v1/connections/acme/config")).json()
        assert (shown["owner"], shown["shadowed_by"]) == ("dashboard", "file")


def _written(row: entries.StoredEntry) -> Any:
    return WrittenEntry(row.name, 0, row.digest, lambda: row.content | {"provider": "countdown"})


async def test_a_token_that_may_only_read_sees_no_settings(web, database):
    await put(web, "acme", TOKEN)
    with database.write() as tx:
        reading = credentials.add_api_token(tx, "reader", NOON, Role.VIEWER)
    async with web.stranger(Authorization=f"Bearer {reading}") as reader:
        shown = await reader.get("/api/v1/connections/acme/config")
        assert shown.status_code == HTTPStatus.FORBIDDEN
        assert shown.json()["type"].endswith("/role")
        written = await reader.put("/api/v1/connections/acme", json=TOKEN)
        assert written.status_code == HTTPStatus.FORBIDDEN
        many = await batch(reader, TOKEN | {"name": "x"})
        assert many.status_code == HTTPStatus.FORBIDDEN


async def test_checks_under_way_count_no_longer(database, tmp_path):
    void: list[str] = []
    async with open_api(database, tmp_path, void=void.extend) as web:
        await put(web, "acme", TOKEN)
        await put(web, "acme", TOKEN, "?dry_run=true")
        await web.change("/api/v1/connections/acme", "DELETE")
    assert void == ["acme", "acme"]


# --- many


async def batch(client: httpx.AsyncClient, *lines: Any, query: str = "") -> httpx.Response:
    body = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    return await client.post(f"/api/v1/connections:batch{query}", content=body, headers=headers)


async def by_token(web: Web, database: Database) -> httpx.AsyncClient:
    with database.write() as tx:
        token = credentials.add_api_token(tx, "writer", NOON)
    return web.stranger(Authorization=f"Bearer {token}")


def verdicts(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == OK, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_each_line_stands_on_its_own(web, database):
    await put(web, "old", TOKEN)
    async with await by_token(web, database) as client:
        answer = await batch(
            client,
            TOKEN | {"name": "new"},
            TOKEN | {"name": "old", "token": SET},
            TOKEN | {"name": "bad", "url": "http://10.0.0.1/"},
            TOKEN | {"name": "of-the-file"},
            '{"name": "twice", "name": "twice"}',
            "not json",
            "",
            DAY | {"name": "new", "every": "1h"},
            "7",
            '{"name": "' + "x" * 70_000 + '"}',
        )
    found = verdicts(answer)
    assert [(one["line"], one["name"], one["status"]) for one in found] == [
        (0, "new", 201),
        (1, "old", 200),
        (2, "bad", 422),
        (3, "of-the-file", 403),
        (4, None, 422),
        (5, None, 422),
        (7, "new", 200),
        (8, None, 422),
        (9, None, 422),
    ]
    assert found[0]["errors"] == []
    assert found[2]["errors"][0]["place"] == "url"
    assert "a key stands there twice" in found[4]["errors"][0]["why"]
    assert CANARY not in answer.text
    listed = (await web.get("/api/v1/connections")).json()["connections"]
    assert {each["name"]: each["provider"] for each in listed} == {
        "of-the-file": "http",
        "old": "http",
        "new": "countdown",
    }


async def test_a_dry_run_of_many_stores_nothing(web, database):
    async with await by_token(web, database) as client:
        found = verdicts(await batch(client, DAY | {"name": "a"}, query="?dry_run=true"))
        assert [one["status"] for one in found] == [201]
    assert len((await web.get("/api/v1/connections")).json()["connections"]) == 1


async def test_too_many_lines_are_refused_as_a_whole(web, database, monkeypatch):
    monkeypatch.setattr(api_entries, "MOST_LINES", 2)
    async with await by_token(web, database) as client:
        answer = await batch(client, *(DAY | {"name": f"c{n}"} for n in range(3)))
        assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        wrong = await client.post("/api/v1/connections:batch", json=[])
        assert wrong.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert len((await web.get("/api/v1/connections")).json()["connections"]) == 1


async def test_a_page_elsewhere_can_send_no_batch(web):
    answer = await batch(web.client, DAY | {"name": "a"})
    assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_hundreds_of_lines_come_back_in_order(web, database):
    async with await by_token(web, database) as client:
        found = verdicts(await batch(client, *(DAY | {"name": f"c{n}"} for n in range(450))))
    assert [one["line"] for one in found] == list(range(450))
    assert {one["status"] for one in found} == {201}


HALF = "\ud800"
HALVES: dict[str, dict[str, Any]] = {
    "notes": DAY | {"notes": HALF},
    "tags[0]": DAY | {"tags": [HALF]},
    "token": TOKEN | {"token": HALF},
    "headers.X-A": TOKEN | {"headers": {"X-A": HALF}},
    "headers": TOKEN | {"headers": {HALF: "x"}},
    "": DAY | {HALF: "x"},
    'expect_json."/a"': TOKEN | {"expect_json": {"/a": HALF}},
}


@pytest.mark.parametrize("place", HALVES)
async def test_half_of_a_character_is_refused_and_spoils_no_list(web, place):
    answer = await web.change(
        "/api/v1/connections/acme",
        "PUT",
        content=json.dumps(HALVES[place]),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (REFUSED, place)
    for path in ("/api/v1/connections", "/"):
        assert (await web.get(path)).status_code == OK


async def test_a_line_whose_name_holds_half_of_a_character_spoils_no_other(web):
    lines = [DAY | {"name": HALF}, DAY | {"name": "acme"}]
    body = "\n".join(map(json.dumps, lines))
    answer = await web.change(
        "/api/v1/connections:batch",
        "POST",
        content=body,
        headers={"Content-Type": api_entries.NDJSON},
    )
    verdicts = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["name"], one["status"]) for one in verdicts] == [(None, 422), ("acme", 201)]
    assert verdicts[0]["errors"][0]["place"] == "name"
