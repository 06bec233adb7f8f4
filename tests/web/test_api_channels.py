"""
Keep channels that are not in the file, by HTTP: each answer as the contract has it.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.config.model import Channel
from monitor.engine.ciphers import Cipher
from monitor.judge.access import Role
from monitor.store import channels, credentials
from tests.fakes import NOON
from tests.sinks import run_web_hook
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from tests.sinks import WebHook
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

OK, CREATED, REFUSED = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.UNPROCESSABLE_ENTITY
SET = {"set": True}
CANARY = "hunter2-canary"
KEY = f'key = "{Fernet.generate_key().decode()}"'
ALLOWED = f'{KEY}\nallowed_hosts = ["127.0.0.1"]'
FILE = """
[web]
{web}

[[channels]]
name = "of-the-file"
url = {{ env = "NOWHERE" }}
kinds = ["error"]

[[connections]]
name = "acme"
provider = "countdown"
authorized_on = 2026-01-15
"""


def open_api(
    database: Database, folder: Path, web: str = ALLOWED, **replaced: Any
) -> AbstractAsyncContextManager[Web]:
    return open_file(database, folder, FILE.format(web=web), **replaced)


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with run_web_hook() as hook:
        yield hook


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_api(database, tmp_path) as web:
        yield web


def url_of(hook: WebHook, path: str = "/hook") -> str:
    """
    Return the URL of the hook, with a secret in it.
    """
    return f"json://user:{CANARY}@127.0.0.1:{hook.port}{path}"


async def put(web: Web, name: str, values: Any, query: str = "", **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await web.change(f"/api/v1/channels/{name}{query}", "PUT", json=values, headers=named)


async def test_a_channel_is_stored_once_its_url_took_a_test_message(web, hook):
    entry = {"url": url_of(hook), "kinds": ["error"], "connections": ["acme"], "min_severity": None}
    answer = await put(web, "ops", entry)
    assert answer.status_code == CREATED, answer.text
    [(path, sent)] = hook.posts
    assert path == "/hook"
    assert "test" in (sent["title"] + sent["message"]).lower()
    assert answer.json() == {
        "name": "ops",
        "url": SET,
        "kinds": ["error"],
        "connections": ["acme"],
        "owner": "dashboard",
        "shadowed_by": None,
    }
    web.check_described("Channel", answer.json())
    shown = await web.get("/api/v1/channels/ops")
    assert (shown.json(), shown.headers["etag"]) == (answer.json(), answer.headers["etag"])
    same = await web.get("/api/v1/channels/ops", headers={"If-None-Match": shown.headers["etag"]})
    assert same.status_code == HTTPStatus.NOT_MODIFIED


async def test_all_are_listed_those_of_the_file_first(web, hook):
    await put(web, "b", {"url": url_of(hook)}, "?untested=true")
    await put(web, "a", {"url": url_of(hook)}, "?untested=true")
    body = (await web.get("/api/v1/channels")).json()
    web.check_described("ChannelList", body)
    assert [(one["name"], one["owner"], one["url"]) for one in body["channels"]] == [
        ("of-the-file", "file", SET),
        ("a", "dashboard", SET),
        ("b", "dashboard", SET),
    ]
    assert body["next"] is None
    assert hook.posts == []


async def test_it_is_replaced_and_its_url_kept_and_tested_again(web, hook, database):
    created = await put(web, "ops", {"url": url_of(hook)})
    shown = (await web.get("/api/v1/channels/ops")).json()
    again = await put(web, "ops", shown | {"tags": ["eu"]}, if_match=created.headers["etag"])
    assert again.status_code == OK
    assert again.headers["etag"] != created.headers["etag"]
    assert hook.paths() == ["/hook", "/hook"]
    same = await put(web, "ops", again.json(), if_match=again.headers["etag"])
    assert same.headers["etag"] == again.headers["etag"]
    with database.read() as tx:
        row = channels.find_channel(tx, "ops")
    assert row is not None
    assert row.content["tags"] == ["eu"]


async def test_a_failed_test_stores_nothing_and_says_why(web, hook):
    hook.answers["/hook"] = 500
    answer = await put(web, "ops", {"url": url_of(hook)})
    assert answer.status_code == REFUSED
    [error] = answer.json()["errors"]
    assert error["place"] == "url"
    assert "500" in error["why"]
    assert CANARY not in answer.text
    web.check_described("Problem", answer.json())
    assert (await web.get("/api/v1/channels/ops")).status_code == HTTPStatus.NOT_FOUND
    untested = await put(web, "ops", {"url": url_of(hook)}, "?untested=true")
    assert untested.status_code == CREATED


async def test_of_several_targets_all_must_take_the_message(web, hook):
    hook.answers["/second"] = 403
    both = f"{url_of(hook)} {url_of(hook, '/second')}"
    answer = await put(web, "ops", {"url": both})
    assert answer.status_code == REFUSED
    assert "1 of 2 targets failed" in answer.text
    hook.answers.clear()
    assert (await put(web, "ops", {"url": both})).status_code == CREATED


async def test_a_failed_change_leaves_the_former_channel(web, hook):
    created = await put(web, "ops", {"url": url_of(hook)})
    hook.answers["/elsewhere"] = 404
    answer = await put(web, "ops", {"url": url_of(hook, "/elsewhere"), "tags": ["eu"]})
    assert answer.status_code == REFUSED
    shown = await web.get("/api/v1/channels/ops")
    assert "tags" not in shown.json()
    assert shown.headers["etag"] == created.headers["etag"]


async def test_a_dry_run_sends_and_stores_nothing(web, hook):
    answer = await put(web, "ops", {"url": url_of(hook)}, "?dry_run=true")
    assert (answer.status_code, answer.json()["name"]) == (CREATED, "ops")
    assert hook.posts == []
    assert (await web.get("/api/v1/channels/ops")).status_code == HTTPStatus.NOT_FOUND
    await put(web, "ops", {"url": url_of(hook)})
    changed = await put(web, "ops", {"url": SET, "tags": ["eu"]}, "?dry_run=true")
    assert (changed.status_code, changed.json()["tags"]) == (OK, ["eu"])
    assert "tags" not in (await web.get("/api/v1/channels/ops")).json()


CONDITIONS: dict[str, tuple[str, dict[str, str]]] = {
    "there already": ("ops", {"if_none_match": "*"}),
    "another version": ("ops", {"if_match": '"abc"'}),
    "not there": ("new", {"if_match": "*"}),
}


@pytest.mark.parametrize(("name", "headers"), CONDITIONS.values(), ids=CONDITIONS)
async def test_nothing_is_sent_or_written_against_a_condition(web, hook, name, headers):
    await put(web, "ops", {"url": url_of(hook)}, "?untested=true")
    answer = await put(web, name, {"url": url_of(hook), "tags": ["eu"]}, **headers)
    assert answer.status_code == HTTPStatus.PRECONDITION_FAILED
    assert hook.posts == []
    listed = (await web.get("/api/v1/channels")).json()["channels"]
    assert [(one["name"], one.get("tags")) for one in listed[1:]] == [("ops", None)]


BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "body"),
    "no url": ({}, "url"),
    "another name": ({"name": "other", "url": "json://8.8.8.8"}, "name"),
    "a file of the machine": ({"url": {"file": "/etc/shadow"}}, "url"),
    "a program": ({"url": {"command": ["id"]}}, "url"),
    "a url that is not stored": ({"url": SET}, "url"),
    "a template": ({"url": "json://8.8.8.8", "template": "a.j2"}, "template"),
    "an unknown key": ({"url": "json://8.8.8.8", "kidns": []}, "kidns"),
    "an unknown connection": ({"url": "json://8.8.8.8", "connections": ["x"]}, "connections[0]"),
    "an unknown service": ({"url": f"jsn://{CANARY}@8.8.8.8"}, "url"),
    "no address": ({"url": CANARY}, "url"),
    "a missing part": ({"url": "slack://"}, "url"),
    "a private address": ({"url": f"json://{CANARY}@10.1.2.3/"}, "url"),
    "another of this machine": ({"url": f"jsons://{CANARY}@127.0.0.2/"}, "url"),
    "in other figures": ({"url": "xml://2130706434/"}, "url"),
    "link-local": ({"url": "form://169.254.169.254/latest"}, "url"),
    "an inner mail server": ({"url": f"mailto://a:{CANARY}@8.8.8.8?smtp=10.0.0.1"}, "url"),
    "the second of two": ({"url": "json://8.8.8.8 json://10.1.2.3"}, "url"),
}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
@pytest.mark.parametrize("query", ["", "?untested=true", "?dry_run=true"])
async def test_a_bad_channel_names_the_field_and_changes_nothing(web, query):
    wrong = []
    for case, (values, place) in BAD.items():
        answer = await put(web, "ops", values, query)
        body = answer.json()
        web.check_described("Problem", body)
        places = [each["place"] for each in body.get("errors", [])]
        if answer.status_code != REFUSED or place not in places or CANARY in answer.text:
            wrong.append((case, answer.text))
    assert wrong == []
    assert (await web.get("/api/v1/channels/ops")).status_code == HTTPStatus.NOT_FOUND


async def test_this_machine_is_not_called_unless_it_is_let_in(database, tmp_path, hook):
    async with open_api(database, tmp_path, KEY) as web:
        answer = await put(web, "ops", {"url": url_of(hook)})
        assert answer.status_code == REFUSED
        assert "web.allowed_hosts" in answer.json()["errors"][0]["why"]
        # What a name leads to shows when it is called.
        named = await put(web, "ops", {"url": f"json://localhost.:{hook.port}/hook"})
        assert named.status_code == REFUSED
    assert hook.posts == []


KEYS = {"none": "", "no Fernet key": 'key = "abc"', "one that is not there": 'key = { env = "NO" }'}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_without_a_key_no_url_is_taken(database, tmp_path, hook, key):
    async with open_api(database, tmp_path, f'{key}\nallowed_hosts = ["127.0.0.1"]') as web:
        answer = await put(web, "ops", {"url": url_of(hook)})
        assert answer.status_code == HTTPStatus.CONFLICT
        assert answer.json()["type"].endswith("/no-key")
    assert hook.posts == []


async def test_what_the_file_has_is_left_to_the_file(web, hook):
    for answer in (
        await put(web, "of-the-file", {"url": url_of(hook)}),
        await web.change("/api/v1/channels/of-the-file", "DELETE"),
    ):
        assert answer.status_code == HTTPStatus.FORBIDDEN
        body = answer.json()
        assert (body["type"].rpartition("/")[2], body["owner"]) == ("owned-by", "file")
        web.check_described("Problem", body)
    assert hook.posts == []
    shown = await web.get("/api/v1/channels/of-the-file")
    assert shown.json() == {
        "name": "of-the-file",
        "url": SET,
        "kinds": ["error"],
        "owner": "file",
        "shadowed_by": None,
    }
    assert shown.headers["etag"]


async def test_a_channel_is_gone_for_good_and_its_name_is_free(web, hook, database):
    await put(web, "ops", {"url": url_of(hook)})
    assert (await web.change("/api/v1/channels/ops", "DELETE")).status_code == 204
    for method in ("GET", "DELETE"):
        answer = await web.change("/api/v1/channels/ops", method)
        assert answer.status_code == HTTPStatus.NOT_FOUND
    with database.read() as tx:
        assert channels.list_channels(tx) == []
    answer = await put(web, "ops", {"url": url_of(hook)}, if_none_match="*")
    assert answer.status_code == CREATED


async def test_the_file_takes_a_name_over_and_gives_it_back(database, tmp_path, hook):
    async with open_api(database, tmp_path) as web:
        await put(web, "ops", {"url": url_of(hook)}, "?untested=true")
        config = web.parts.config
        theirs = Channel.model_validate({"name": "ops", "url": url_of(hook)})
        by_file = config.model_copy(update={"channels": (*config.channels, theirs)})
        web.views.append(replace(web.parts, now=replace(web.parts.now, config=by_file)))
        shown = (await web.get("/api/v1/channels/ops")).json()
        assert (shown["owner"], shown["shadowed_by"]) == ("dashboard", "file")
        assert (await put(web, "ops", {"url": SET})).status_code == HTTPStatus.FORBIDDEN
        web.views.append(replace(web.parts, now=replace(web.parts.now, config=config)))
        assert (await web.get("/api/v1/channels/ops")).json()["shadowed_by"] is None
        assert (await put(web, "ops", {"url": SET})).status_code == OK


async def test_a_token_that_may_only_read_sees_and_writes_none(web, hook, database):
    await put(web, "ops", {"url": url_of(hook)}, "?untested=true")
    with database.write() as tx:
        reading = credentials.add_api_token(tx, "reader", NOON, Role.VIEWER)
        writing = credentials.add_api_token(tx, "writer", NOON)
    async with web.stranger(Authorization=f"Bearer {reading}") as reader:
        for answer in (
            await reader.get("/api/v1/channels"),
            await reader.get("/api/v1/channels/ops"),
            await reader.put("/api/v1/channels/ops", json={"url": url_of(hook)}),
            await reader.delete("/api/v1/channels/ops"),
        ):
            assert answer.status_code == HTTPStatus.FORBIDDEN
            assert answer.json()["type"].endswith("/role")
    async with web.stranger(Authorization=f"Bearer {writing}") as writer:
        answer = await writer.put("/api/v1/channels/ops", json={"url": SET, "tags": ["eu"]})
        assert answer.status_code == OK
    assert hook.paths() == ["/hook"]


async def test_the_url_is_nowhere_in_clear(web, hook, database, capfd):
    await put(web, "ops", {"url": url_of(hook)})
    answers = [
        await web.get("/api/v1/channels"),
        await web.get("/api/v1/channels/ops"),
        await put(web, "ops", {"url": SET, "template": "x"}),
        await put(web, "ops", {"url": SET, "kinds": ["no such"]}),
    ]
    hook.answers["/hook"] = 401
    answers.append(await put(web, "ops", {"url": SET}))
    assert not [one.text for one in answers if CANARY in one.text]
    files = list(database.path.parent.glob("*.db*"))
    assert files
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err
    with database.read() as tx:
        row = channels.find_channel(tx, "ops")
    assert row is not None
    assert row.secrets is not None
    assert CANARY in Cipher.of(web.parts.config.web).decrypt(row.secrets)


async def test_what_is_stored_is_put_in_force(database, tmp_path, hook):
    followed: list[str] = []

    async def follow() -> None:
        followed.append("followed")

    async with open_api(database, tmp_path, follow_stored=follow) as web:
        await put(web, "ops", {"url": url_of(hook)}, "?dry_run=true")
        assert followed == []
        await put(web, "ops", {"url": url_of(hook)})
        await web.change("/api/v1/channels/ops", "DELETE")
    assert followed == ["followed", "followed"]


async def test_a_url_of_a_lost_key_must_be_sent_again(database, tmp_path, hook):
    async with open_api(database, tmp_path) as web:
        await put(web, "ops", {"url": url_of(hook)}, "?untested=true")
    other = f'key = "{Fernet.generate_key().decode()}"\nallowed_hosts = ["127.0.0.1"]'
    async with open_api(database, tmp_path, other) as web:
        assert (await web.get("/api/v1/channels/ops")).json()["url"] == SET
        assert (await put(web, "ops", {"url": SET})).status_code == REFUSED
        assert (await put(web, "ops", {"url": url_of(hook)})).status_code == OK
