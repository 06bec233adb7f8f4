"""
Channels are added and edited on pages: tested, saved, refused, and never is an address shown.
"""

from __future__ import annotations

import re
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from monitor.store import channels
from monitor.web.channel_forms import CHANNEL_KINDS, fields_of, name_service
from tests.sinks import run_mail_server, run_web_hook
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from tests.sinks import WebHook
    from tests.web_client import Web

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

CANARY = "hunter2-canary"
KEY = f'key = "{Fernet.generate_key().decode()}"'
ALLOWED = 'allowed_hosts = ["127.0.0.1"]'
UNSAVED = HTTPStatus.UNPROCESSABLE_ENTITY
FILE = """
[web]
{web}

[[channels]]
name = "of-the-file"
url = "json://127.0.0.1:9/hunter2-canary"
min_severity = "critical"
"""


def open_pages(
    database: Database, folder: Path, web: str = f"{KEY}\n{ALLOWED}"
) -> AbstractAsyncContextManager[Web]:
    return open_file(database, folder, FILE.format(web=web))


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_pages(database, tmp_path) as web:
        yield web


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with run_web_hook() as hook:
        yield hook


def address(hook: WebHook, path: str = f"/{CANARY}") -> str:
    return f"http://127.0.0.1:{hook.port}{path}"


async def send(web: Web, path: str, **fields: str) -> httpx.Response:
    return await web.change(path, data=fields)


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page.text)
    return unescape(found[1]) if found else ""


def error_at(page: httpx.Response, key: str) -> str:
    found = re.search(rf'id="field-{key}-error"><strong>(.*?)</strong>', page.text)
    return unescape(re.sub(r"<[^>]+>", "", found[1])) if found else ""


async def stored(web: Web, name: str) -> dict[str, object] | None:
    answer = await web.get(f"/api/v1/channels/{name}")
    return answer.json() if answer.status_code == HTTPStatus.OK else None


async def test_each_kind_asks_in_fields_and_refuses_an_empty_form_at_them(web):
    offered = await web.get("/channels/new")
    for key, kind in CHANNEL_KINDS.items():
        assert f'href="/channels/new/{key}"' in offered.text
        page = await web.get(f"/channels/new/{key}")
        for one in fields_of(kind):
            assert f'name="{one.key}"' in page.text

        answer = await send(web, f"/channels/new/{key}")

        assert answer.status_code == UNSAVED
        required = [one.key for one in fields_of(kind) if one.is_required]
        assert [field for field in required if not error_at(answer, field)] == []


async def test_a_webhook_is_saved_once_it_took_a_message(web, hook):
    answer = await send(
        web,
        "/channels/new/webhook",
        name="ops",
        address=address(hook),
        min_severity="warning",
        groups="acme, globex",
        digest="daily",
        quiet_from="22:00",
        quiet_to="07:00",
    )

    assert answer.headers["location"] == "/channels?done=added"
    assert hook.paths() == [f"/{CANARY}"]
    assert await stored(web, "ops") == {
        "name": "ops",
        "url": {"set": True},
        "min_severity": "warning",
        "groups": ["acme", "globex"],
        "digest": "daily",
        "quiet_hours": {"from": "22:00", "to": "07:00"},
        "owner": "dashboard",
        "shadowed_by": None,
    }


async def test_an_e_mail_channel_is_saved_once_the_server_took_a_mail(web):
    async with run_mail_server() as box:
        answer = await send(
            web,
            "/channels/new/email",
            name="mail",
            recipients="boss@example.com",
            user="anna@example.com",
            password="hunter2",
            server="127.0.0.1",
            port=str(box.port),
            security="insecure",
        )
        assert answer.headers["location"] == "/channels?done=added"
        assert [mail["To"] for mail in box.mails] == ["boss@example.com"]


async def test_a_message_that_is_not_taken_is_named_and_nothing_lost_or_shown(web, hook):
    hook.answers[f"/{CANARY}"] = 404

    answer = await send(
        web, "/channels/new/webhook", name="ops", address=address(hook), tags="production"
    )

    assert answer.status_code == UNSAVED
    assert "The test message was not delivered" in answer.text
    assert "Address not found: check its URL" in answer.text
    assert 'value="production"' in answer.text
    assert CANARY not in answer.text
    assert await stored(web, "ops") is None


async def test_it_can_be_saved_all_the_same_with_what_was_typed_before(web, hook, database):
    hook.answers[f"/{CANARY}"] = 500
    refused = await send(web, "/channels/new/webhook", name="ops", address=address(hook))
    sealed = hidden(refused, "sealed")

    answer = await send(web, "/channels/new/webhook", name="ops", sealed=sealed, action="untested")

    assert answer.headers["location"] == "/channels?done=untested"
    assert len(hook.posts) == 1
    with database.read() as tx:
        assert channels.find_channel(tx, "ops") is not None


WRONG: dict[str, tuple[str, dict[str, str], str, str]] = {
    "a private address": (
        "webhook",
        {"address": "http://10.0.0.1/x"},
        "address",
        "web.allowed_hosts",
    ),
    "no such service": ("apprise", {"address": f"nothing://{CANARY}"}, "address", "Apprise"),
    "a file": ("webhook", {"address": f"file:///{CANARY}"}, "address", "https"),
    "not of slack": ("slack", {"address": f"https://8.8.8.8/{CANARY}"}, "address", "hooks.slack"),
    "a bot without a chat": ("telegram", {"token": "1:abc"}, "chats", "Required"),
    "an unknown kind": ("webhook", {"kinds": "nothing"}, "kinds", "Unknown kind"),
    "an unknown severity": ("webhook", {"min_severity": "loud"}, "min_severity", ""),
    "an unknown connection": ("webhook", {"connections": "x"}, "connections", "not the name"),
    "half of the quiet hours": ("webhook", {"quiet_from": "22:00"}, "quiet_to", ""),
    "hours that are none": (
        "webhook",
        {"quiet_from": "late", "quiet_to": "07:00"},
        "quiet_from",
        "",
    ),
    "no time zone": ("webhook", {"timezone": "Mars/Base"}, "timezone", ""),
    "a name that is taken": ("webhook", {"name": "of-the-file"}, "name", "Another channel"),
}


@pytest.mark.parametrize(("kind", "fields", "key", "why"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_said_at_its_field(web, hook, kind, fields, key, why):
    whole = {"name": "ops", "address": address(hook)} if kind == "webhook" else {"name": "ops"}
    answer = await send(web, f"/channels/new/{kind}", **(whole | fields))
    assert answer.status_code == UNSAVED
    assert error_at(answer, key)
    assert why in error_at(answer, key)
    assert CANARY not in answer.text
    assert (await stored(web, "ops"), hook.posts) == (None, [])


async def test_a_private_address_is_refused_untested_too(web):
    answer = await send(
        web, "/channels/new/webhook", name="x", address="http://10.0.0.1/", action="untested"
    )
    assert error_at(answer, "address")


async def test_without_a_key_the_pages_say_how_to_make_one(database, tmp_path, hook):
    async with open_pages(database, tmp_path, ALLOWED) as web:
        for path in ("/channels/new", "/channels/new/email"):
            assert "connwatch web key &gt; fernet-key" in (await web.get(path)).text
        answer = await send(web, "/channels/new/webhook", name="ops", address=address(hook))
        assert (answer.status_code, hook.posts) == (HTTPStatus.CONFLICT, [])


async def test_the_list_names_services_and_shows_no_address(web, hook):
    await send(web, "/channels/new/webhook", name="ops", address=address(hook), tags="eu")
    page = await web.get("/channels")
    assert "from config.toml: edit it there" in page.text
    assert "critical alerts only" in page.text
    assert 'href="/channels/ops/edit"' in page.text
    assert 'href="/channels/of-the-file/edit"' not in page.text
    assert CANARY not in page.text


async def test_a_change_of_what_it_receives_keeps_the_address_and_sends_nothing(web, hook):
    await send(web, "/channels/new/webhook", name="ops", address=address(hook), tags="eu")
    page = await web.get("/channels/ops/edit")
    assert 'value="eu"' in page.text

    version = hidden(page, "version")
    answer = await send(web, "/channels/ops/edit", version=version, min_severity="critical")

    assert answer.headers["location"] == "/channels?done=saved"
    found = await stored(web, "ops")
    assert found is not None
    assert (found["min_severity"], "tags" in found, len(hook.posts)) == ("critical", False, 1)


async def test_a_new_address_is_tested_before_it_replaces_the_other(web, hook):
    await send(web, "/channels/new/webhook", name="ops", address=address(hook))
    hook.answers["/other"] = 500
    page = await web.get("/channels/ops/edit?kind=webhook")
    fields = {"version": hidden(page, "version"), "min_severity": "info"}

    path = "/channels/ops/edit?kind=webhook"
    refused = await send(web, path, **fields, address=address(hook, "/other"))
    taken = await send(web, path, **fields, address=address(hook, "/third"))

    assert refused.status_code == UNSAVED
    assert "The test message was not delivered" in refused.text
    assert taken.headers["location"] == "/channels?done=added"
    assert hook.paths() == [f"/{CANARY}", "/other", "/third"]


async def test_of_two_editors_the_second_is_asked(web, hook):
    await send(web, "/channels/new/webhook", name="ops", address=address(hook))
    version = hidden(await web.get("/channels/ops/edit"), "version")
    await send(web, "/channels/ops/edit", version=version, tags="first")
    second = await send(web, "/channels/ops/edit", version=version, tags="second")
    assert second.status_code == HTTPStatus.CONFLICT
    assert "changed by someone else" in second.text
    again = await send(web, "/channels/ops/edit", version=hidden(second, "version"), tags="second")
    assert again.headers["location"] == "/channels?done=saved"


async def test_it_is_deleted_after_a_question(web, hook):
    await send(web, "/channels/new/webhook", name="ops", address=address(hook))
    assert "Delete the channel ops?" in (await web.get("/channels/ops/delete")).text
    answer = await send(web, "/channels/ops/delete")
    assert answer.headers["location"] == "/channels?done=deleted"
    assert await stored(web, "ops") is None


@pytest.mark.parametrize("name", ["nobody", "of-the-file"])
@pytest.mark.parametrize("what", ["edit", "delete"])
async def test_what_is_not_here_or_of_the_file_is_not_found(web, name, what):
    assert (await web.get(f"/channels/{name}/{what}")).status_code == HTTPStatus.NOT_FOUND
    assert (await send(web, f"/channels/{name}/{what}")).status_code == HTTPStatus.NOT_FOUND


async def test_a_channel_may_be_called_new(web, hook):
    await send(web, "/channels/new/webhook", name="new", address=address(hook))
    assert "Edit new" in (await web.get("/channels/new/edit")).text


async def test_an_unknown_kind_is_not_found(web):
    assert (await web.get("/channels/new/pigeon")).status_code == HTTPStatus.NOT_FOUND
    assert (await web.get("/channels/of-the-file/edit?kind=x")).status_code == HTTPStatus.NOT_FOUND


SERVICES = {
    "mailtos://anna:x@example.com": "E-mail",
    "https://hooks.slack.com/services/x": "Slack",
    "https://prod.westus.logic.azure.com:443/workflows/x": "Microsoft Teams",
    "tgram://1:x/2": "Telegram",
    "jsons://example.com": "Webhook",
    "ntfys://ntfy.sh/x": "ntfys",
    "hunter2-canary": "unknown",
    "": "unknown",
}


@pytest.mark.parametrize(("url", "service"), SERVICES.items())
def test_a_service_is_named_and_nothing_else_of_its_url(url, service):
    assert name_service(url) == service
