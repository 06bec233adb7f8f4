"""
Connections are added and edited on pages: tried, saved, refused, and never is a secret shown.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.config.http import PRESETS, HttpConnection
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.words import place_of
from monitor.store import connections, entries
from monitor.web.entry_forms import KINDS
from monitor.web.trials import describe_trial
from tests.loopback import Handler, serve
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

GOOD, BAD = "hunter2-canary", "revoked-canary"
KEY = f'key = "{Fernet.generate_key().decode()}"'
ALLOWED = 'allowed_hosts = ["127.0.0.1"]'
UNSAVED = HTTPStatus.UNPROCESSABLE_ENTITY
FILE = """
[web]
{web}

[[connections]]
name = "of-the-file"
provider = "http"
url = "https://api.example.com/"
token = {{ env = "NOWHERE" }}
tags = ["production"]
"""


class Service(Handler):
    """
    Let in who sends the good token, and quote to others what lies here.
    """

    def do_GET(self) -> None:  # noqa: N802 - its name there
        sent = self.path + self.headers.get("Authorization", "") + self.headers.get("X-Key", "")
        if GOOD in sent or b64encode(f"anna:{GOOD}".encode()).decode() in sent:
            self.answer(200, b"{}")
        else:
            self.answer(401, b'{"message": "the inner secret"}')


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(Service) as port:
        yield f"http://127.0.0.1:{port}/me"


def open_pages(
    database: Database, folder: Path, web: str = f"{KEY}\n{ALLOWED}"
) -> AbstractAsyncContextManager[Web]:
    return open_file(database, folder, FILE.format(web=web))


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_pages(database, tmp_path) as web:
        yield web


async def send(web: Web, path: str, **fields: str) -> httpx.Response:
    return await web.change(path, data=fields)


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page.text)
    return unescape(found[1]) if found else ""


def error_at(page: httpx.Response, key: str) -> str:
    found = re.search(rf'id="field-{key}-error"><strong>(.*?)</strong>', page.text)
    return unescape(re.sub(r"<[^>]+>", "", found[1])) if found else ""


async def state_of(web: Web, name: str) -> Any:
    return (await web.get(f"/api/v1/connections/{name}")).json().get("state")


async def entry_of(web: Web, name: str) -> Any:
    return (await web.get(f"/api/v1/connections/{name}/config")).json()


# --- adding


async def test_what_can_be_added_is_offered(web):
    page = await web.get("/new")
    assert page.status_code == HTTPStatus.OK
    for key in {"soldscope", "http", "countdown", *PRESETS}:
        assert f'href="/new/{key}"' in page.text
    # No application is set up, so no store can be either.
    assert "/new/store-token" not in page.text


@pytest.mark.parametrize("kind", [key for key in KINDS if key != "store-token"])
async def test_each_kind_asks_in_fields_and_refuses_an_empty_form_at_them(web, kind):
    page = await web.get(f"/new/{kind}")
    assert page.status_code == HTTPStatus.OK
    for one in KINDS[kind].all_fields:
        assert f'name="{one.key}"' in page.text

    answer = await send(web, f"/new/{kind}")

    assert answer.status_code == UNSAVED
    assert "Nothing is saved yet" in answer.text
    required = [one.key for one in KINDS[kind].all_fields if one.is_required]
    assert [key for key in required if not error_at(answer, key)] == []
    assert (await web.get("/api/v1/connections")).json()["connections"][1:] == []


async def test_a_token_is_tried_saved_and_active_at_once(web, url, database):
    answer = await send(
        web, "/new/http", name="acme", url=url, token=GOOD, tags="eu, production", group="G"
    )

    assert answer.headers["location"] == "/connections/acme?done=added"
    assert await state_of(web, "acme") == "active"
    entry = await entry_of(web, "acme")
    assert (entry["tags"], entry["group"]) == (["eu", "production"], "G")
    with database.read() as tx:
        assert web.parts.plan.connection(tx, "acme").token.reveal() == GOOD
    assert "Added." in (await web.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    ("more", "place"),
    [((), "in this form"), ((place_of(None),), "where it is configured")],
    ids=["in the form", "by an invitation"],
)
def test_what_to_do_about_settings_that_were_tried_names_where_they_are_changed(more, place):
    typed = {"name": "acme", "provider": "http", "url": "https://api.exmaple.com/", "token": "t"}
    tried = describe_trial(HttpConnection.model_validate(typed), Outcome(Reason.DNS, "No."), *more)
    assert f"the spelling of the host name {place}." in tried.remedy


async def test_a_rejected_token_is_not_saved_and_nothing_typed_is_lost_or_shown(web, url):
    answer = await send(web, "/new/http", name="acme", url=url, token=BAD, notes="call Jana")

    assert answer.status_code == UNSAVED
    assert "Token rejected" in answer.text
    assert "enter it again" in answer.text
    assert "Status 401" in answer.text
    assert (url in answer.text, "call Jana" in answer.text) == (True, True)
    assert BAD not in answer.text
    assert "the inner secret" not in answer.text  # the body is the service's own
    assert await state_of(web, "acme") is None


async def test_a_failing_one_can_be_saved_paused_with_what_was_typed_before(web, url, database):
    refused = await send(web, "/new/http", name="acme", url=url, token=BAD)

    answer = await send(
        web,
        "/new/http",
        name="acme",
        url=url,
        token="",
        sealed=hidden(refused, "sealed"),
        action="paused",
    )

    assert answer.headers["location"] == "/connections/acme?done=saved-paused"
    assert await state_of(web, "acme") == "paused"
    with database.read() as tx:
        assert web.parts.plan.connection(tx, "acme").token.reveal() == BAD


async def test_it_can_be_corrected_and_the_newer_secret_counts(web, url):
    refused = await send(web, "/new/http", name="acme", url=url, token=BAD)
    sealed = hidden(refused, "sealed")
    again = await send(web, "/new/http", name="acme", url=url, token=GOOD, sealed=sealed)
    assert again.headers["location"] == "/connections/acme?done=added"


async def test_what_was_sealed_for_one_browser_is_nothing_to_another(web, url):
    refused = await send(web, "/new/http", name="acme", url=url, token=BAD)
    sealed = hidden(refused, "sealed")
    async with web.stranger() as other:
        await other.get("/login")
        word = other.cookies["connwatch_csrf"]
        answer = await other.post(
            "/new/http",
            data={"csrf_token": word, "name": "acme", "url": url, "sealed": sealed},
        )
    assert answer.status_code == UNSAVED
    assert error_at(answer, "token").startswith("Required and missing")


@pytest.mark.parametrize("sealed", ["", "forged", "gAAAAABforged", "é"])
async def test_what_was_not_sealed_here_is_nothing(web, url, sealed):
    answer = await send(web, "/new/http", name="acme", url=url, sealed=sealed)
    assert error_at(answer, "token")


async def test_what_was_sealed_long_ago_is_nothing(web, url):
    refused = await send(web, "/new/http", name="acme", url=url, token=BAD)
    web.now[0] += timedelta(hours=1)
    answer = await send(web, "/new/http", name="acme", url=url, sealed=hidden(refused, "sealed"))
    assert error_at(answer, "token")


AUTHS = {
    "user and password": {"auth": "basic", "username": "anna", "password": GOOD},
    "query": {"auth": "query", "auth_name": "key", "token": GOOD},
    "header": {"auth": "header", "auth_name": "X-Key", "token": GOOD},
    "bearer": {"auth": "bearer", "token": GOOD},
}


@pytest.mark.parametrize("fields", AUTHS.values(), ids=AUTHS)
async def test_a_credential_is_sent_as_was_chosen(web, url, fields):
    answer = await send(web, "/new/http", name="acme", url=url, **fields)
    assert answer.headers["location"] == "/connections/acme?done=added"


WRONG: dict[str, tuple[dict[str, str], str, str]] = {
    "a private address": ({"url": "https://10.0.0.1/"}, "url", "web.allowed_hosts"),
    "no address": ({"url": "example"}, "url", ""),
    "a secret in the address": ({"url": "https://8.8.8.8/?token=x"}, "url", "auth"),
    "a header without a name": ({"auth": "header", "auth_name": ""}, "auth_name", ""),
    "a token of two lines": ({"token": "a\nb"}, "token", ""),
    "a status of words": ({"expect_status": "good"}, "expect_status", "status"),
    "too often": ({"every": "1s"}, "every", ""),
    "a day that is none": ({"authorized_on": "2026-02-31"}, "authorized_on", ""),
    "days that are none": ({"valid_days": "many"}, "valid_days", ""),
    "a user with a colon": (
        {"auth": "basic", "username": "a:b", "password": "x"},
        "username",
        "colon",
    ),
    "a name that is taken": ({"name": "of-the-file"}, "name", "Another connection"),
    "a name of control characters": ({"name": "a\x07b"}, "name", ""),
}


@pytest.mark.parametrize(("fields", "key", "why"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_said_at_its_field(web, url, fields, key, why):
    answer = await send(web, "/new/http", **({"name": "acme", "url": url, "token": GOOD} | fields))
    assert answer.status_code == UNSAVED
    assert why in error_at(answer, key)
    assert error_at(answer, key)
    assert GOOD not in answer.text
    assert await state_of(web, "acme") is None


async def test_a_service_that_does_not_answer_is_named_and_nothing_saved(web):
    answer = await send(web, "/new/http", name="acme", url="http://127.0.0.1:9/", token=GOOD)
    assert answer.status_code == UNSAVED
    assert "Save paused" in answer.text
    assert await state_of(web, "acme") is None


async def test_without_a_name_one_is_proposed_that_is_free(web, url):
    for expected in ("127-0-0-1", "127-0-0-1-2"):
        answer = await send(web, "/new/http", url=url, token=GOOD)
        assert answer.headers["location"] == f"/connections/{expected}?done=added"


async def test_a_proposed_name_stands_in_the_field(web):
    assert 'value="github"' in (await web.get("/new/github")).text


async def test_a_countdown_is_saved_without_a_trial(web):
    answer = await send(
        web, "/new/countdown", name="old", authorized_on="2026-01-15", valid_days="90"
    )
    assert answer.headers["location"] == "/connections/old?done=added"
    assert (await entry_of(web, "old"))["valid_days"] == 90


async def test_without_a_key_the_pages_say_how_to_make_one(database, tmp_path, url):
    async with open_pages(database, tmp_path, ALLOWED) as web:
        for path in ("/new", "/new/http"):
            assert "connwatch web key &gt; fernet-key" in (await web.get(path)).text
        answer = await send(web, "/new/http", name="acme", url=url, token=GOOD)
        assert answer.status_code == HTTPStatus.CONFLICT
        assert "connwatch web key" in answer.text
        # Where there is nothing to encrypt no key is needed.
        made = await send(web, "/new/countdown", name="old", authorized_on="2026-01-15")
        assert made.headers["location"] == "/connections/old?done=added"


async def test_an_unknown_kind_is_not_found(web):
    assert (await web.get("/new/nothing")).status_code == HTTPStatus.NOT_FOUND
    assert (await send(web, "/new/nothing")).status_code == HTTPStatus.NOT_FOUND


async def test_a_field_that_there_is_not_is_refused(web):
    answer = await send(web, "/new/http", endpoint="http://127.0.0.1/")
    assert answer.status_code == UNSAVED


# --- editing


async def add(web: Web, url: str, **fields: str) -> None:
    answer = await send(web, "/new/http", **({"name": "acme", "url": url, "token": GOOD} | fields))
    assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text


async def test_the_form_shows_what_is_stored_and_never_the_secret(web, url):
    await add(web, url, tags="eu", auth="header", auth_name="X-Key")
    page = await web.get("/connections/acme/edit")
    assert (f'value="{url}"' in page.text, 'value="eu"' in page.text) == (True, True)
    assert 'value="X-Key"' in page.text
    assert "Set. Leave it empty to keep it." in page.text
    assert GOOD not in page.text


async def test_a_change_keeps_the_secret_that_is_not_typed(web, url, database):
    await add(web, url, notes="old")
    page = await web.get("/connections/acme/edit")

    answer = await send(
        web,
        "/connections/acme/edit",
        name="acme",
        url=url,
        auth="bearer",
        notes="new",
        version=hidden(page, "version"),
    )

    assert answer.headers["location"] == "/connections/acme?done=saved"
    assert (await entry_of(web, "acme"))["notes"] == "new"
    with database.read() as tx:
        assert web.parts.plan.connection(tx, "acme").token.reveal() == GOOD


async def test_keys_without_a_field_stay_as_programs_wrote_them(web, url):
    put = {"provider": "http", "url": url, "token": GOOD, "expires_header": "x-ends"}
    await web.change("/api/v1/connections/acme", "PUT", json=put)
    page = await web.get("/connections/acme/edit")
    version = hidden(page, "version")
    await send(web, "/connections/acme/edit", name="acme", url=url, version=version, tags="a")
    entry = await entry_of(web, "acme")
    assert (entry["expires_header"], entry["tags"]) == ("x-ends", ["a"])


async def test_each_way_of_sending_a_credential_is_kept_by_a_change(web, url):
    for number, fields in enumerate(AUTHS.values()):
        name = f"auth-{number}"
        await add(web, url, **({"token": ""} | fields | {"name": name}))
        page = await web.get(f"/connections/{name}/edit")
        shown = {key: text for key, text in fields.items() if key not in {"token", "password"}}
        shown |= {"name": name, "url": url, "version": hidden(page, "version"), "tags": "x"}
        answer = await send(web, f"/connections/{name}/edit", **shown)
        assert answer.headers["location"] == f"/connections/{name}?done=saved"
        assert await state_of(web, name) == "active"


async def test_a_user_and_password_in_one_token_stay_one(web, url):
    put = {"provider": "http", "url": url, "auth": "basic", "token": f"anna:{GOOD}"}
    await web.change("/api/v1/connections/one", "PUT", json=put)
    version = hidden(await web.get("/connections/one/edit"), "version")
    fields = {"name": "one", "url": url, "auth": "basic", "version": version, "tags": "x"}
    answer = await send(web, "/connections/one/edit", **fields)
    assert answer.headers["location"] == "/connections/one?done=saved"
    assert (await entry_of(web, "one"))["token"] == {"set": True}


async def test_a_rename_keeps_history_and_secret(web, url, database):
    await add(web, url)
    with database.read() as tx:
        before = connections.find_record(tx, "acme")
    page = await web.get("/connections/acme/edit")

    version = hidden(page, "version")
    answer = await send(web, "/connections/acme/edit", name="globex", url=url, version=version)

    assert answer.headers["location"] == "/connections/globex?done=saved"
    assert await state_of(web, "acme") is None
    assert await state_of(web, "globex") == "active"
    with database.read() as tx:
        after = connections.find_record(tx, "globex")
        assert web.parts.plan.connection(tx, "globex").token.reveal() == GOOD
    assert before is not None
    assert after is not None
    assert (before.id, before.standing.since) == (after.id, after.standing.since)


async def test_a_renamed_one_can_be_edited_and_renamed_back(web, url):
    await add(web, url)
    for old, new in (("acme", "globex"), ("globex", "globex"), ("globex", "acme")):
        page = await web.get(f"/connections/{old}/edit")
        version = hidden(page, "version")
        answer = await send(web, f"/connections/{old}/edit", name=new, url=url, version=version)
        assert answer.headers["location"] == f"/connections/{new}?done=saved"


async def test_a_rename_is_followed_by_the_channels_that_name_it(web, url):
    await add(web, url)
    channel = {"url": "json://127.0.0.1:9/x", "connections": ["of-the-file", "acme"]}
    await web.change("/api/v1/channels/ops?untested=true", "PUT", json=channel)
    page = await web.get("/connections/acme/edit")
    version = hidden(page, "version")
    await send(web, "/connections/acme/edit", name="globex", url=url, version=version)
    kept = (await web.get("/api/v1/channels/ops")).json()
    assert kept["connections"] == ["of-the-file", "globex"]


@pytest.mark.parametrize("taken", ["of-the-file", "other"])
async def test_a_rename_to_a_name_that_is_taken_is_refused(web, url, taken):
    await add(web, url)
    await add(web, url, name="other")
    page = await web.get("/connections/acme/edit")
    version = hidden(page, "version")
    answer = await send(web, "/connections/acme/edit", name=taken, url=url, version=version)
    assert "another connection has this name" in error_at(answer, "name").lower()
    assert await state_of(web, "acme") == "active"


async def test_of_two_editors_the_second_is_asked_and_loses_nothing(web, url):
    await add(web, url)
    page = await web.get("/connections/acme/edit")
    fields = {"name": "acme", "url": url, "version": hidden(page, "version")}
    await send(web, "/connections/acme/edit", **fields, notes="of the first")

    second = await send(web, "/connections/acme/edit", **fields, notes="of the second")

    assert second.status_code == HTTPStatus.CONFLICT
    assert "changed by someone else" in second.text
    assert "of the second" in second.text
    assert (await entry_of(web, "acme"))["notes"] == "of the first"
    fields["version"] = hidden(second, "version")
    again = await send(web, "/connections/acme/edit", **fields, notes="of the second")
    assert again.headers["location"] == "/connections/acme?done=saved"


async def test_another_address_needs_the_secret_again(web, url):
    await add(web, url)
    page = await web.get("/connections/acme/edit")
    answer = await send(
        web,
        "/connections/acme/edit",
        name="acme",
        url="https://8.8.8.8/me",
        version=hidden(page, "version"),
    )
    assert "must be sent again, since url was changed" in error_at(answer, "token").lower()


async def test_a_new_secret_is_tried_before_it_replaces_the_other(web, url, database):
    await add(web, url)
    page = await web.get("/connections/acme/edit")
    version = hidden(page, "version")
    answer = await send(
        web, "/connections/acme/edit", name="acme", url=url, token=BAD, version=version
    )
    assert answer.status_code == UNSAVED
    assert "Token rejected" in answer.text
    with database.read() as tx:
        assert web.parts.plan.connection(tx, "acme").token.reveal() == GOOD


async def test_what_the_file_has_is_shown_and_cannot_be_saved(web):
    own = await web.get("/connections/of-the-file")
    assert "from config.toml" in own.text
    assert ">Settings</a>" in own.text
    page = await web.get("/connections/of-the-file/edit")
    assert "From config.toml" in page.text
    assert "production" in page.text
    assert "NOWHERE" not in page.text
    assert "<form" not in page.text.partition("<main")[2]
    answer = await send(web, "/connections/of-the-file/edit", name="of-the-file", notes="x")
    assert answer.headers["location"] == "/connections/of-the-file/edit"


async def test_an_unknown_connection_cannot_be_edited(web):
    assert (await web.get("/connections/nobody/edit")).status_code == HTTPStatus.NOT_FOUND
    assert (await send(web, "/connections/nobody/edit")).status_code == HTTPStatus.NOT_FOUND


async def test_a_connection_made_here_is_deleted_with_its_secrets(web, url, database):
    await add(web, url)
    question = await web.get("/connections/acme/delete")
    assert "Its stored secrets are deleted" in question.text
    assert "entry in the file" not in question.text
    await send(web, "/connections/acme/delete")
    with database.read() as tx:
        assert entries.find_of_owner(tx, "dashboard", "acme") is None


async def test_pages_lead_to_them(web, url):
    await add(web, url)
    assert 'href="/new"' in (await web.get("/")).text
    assert 'href="/connections/acme/edit"' in (await web.get("/connections/acme")).text


async def test_the_empty_dashboard_leads_to_them(database, tmp_path):
    async with open_file(database, tmp_path, "") as web:
        assert 'href="/new"' in (await web.get("/")).text
