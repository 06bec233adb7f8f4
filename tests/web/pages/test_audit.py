"""
Who changed what: each change by the API or a page is one row, without any value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.access import Role
from monitor.judge.audit import Action, AuditRow
from monitor.store import audit, connections, credentials
from monitor.store.audit import add_audit
from monitor.web.app import ROUTERS
from tests.builders import HOUR, MINUTE, REFUSED
from tests.fakes import NOON
from tests.web.test_security import routes_of
from tests.web_client import client_of, open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    import httpx

    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

CANARY = "hunter2-canary"
FILE = f"""
[web]
key = "{Fernet.generate_key().decode()}"
allowed_hosts = ["127.0.0.1"]

[[groups]]
name = "acme"

[[channels]]
name = "ops"
url = "json://127.0.0.1:9/{CANARY}"

[[connections]]
name = "store"
provider = "countdown"
authorized_on = 2026-01-15
group = "acme"
tags = ["eu"]

[[connections]]
name = "broken"
provider = "soldscope"
base_url = "http://127.0.0.1:9/v1"
token = "{CANARY}"
"""
API = "/api/v1"
ME = "user:local"
TOKEN = {"provider": "http", "url": "https://8.8.8.8/me", "token": CANARY}
DAY = {"provider": "countdown", "authorized_on": "2026-01-15"}
HOOK = {"url": f"json://8.8.8.8/{CANARY}", "min_severity": "critical"}
FORM: dict[str, str] = {}


@dataclass(frozen=True)
class Step:
    """
    A request.

    Args:
        body: JSON, or the fields of a form where it is for a page.
    """

    method: str
    path: str
    body: Any = None

    async def send(self, web: Web) -> httpx.Response:
        if isinstance(self.body, bytes):
            headers = {"Content-Type": "application/x-ndjson"}
            return await web.change(self.path, self.method, headers, content=self.body)
        kind = "json" if self.path.startswith(API) else "data"
        sent = {} if self.body is None else {kind: self.body}
        return await web.change(self.path, self.method, **sent)


@dataclass(frozen=True)
class Case:
    """
    A change, and the row that it leaves.

    Args:
        path: That of the request, where the route has parameters.
        before: What is done before it.
        status: How it is answered; 0 for what tells of no fault. Nothing can be checked here.
    """

    action: Action
    connection: str | None = "store"
    keys: tuple[str, ...] = ()
    count: int = 1
    path: str = ""
    body: Any = None
    before: tuple[Step, ...] = ()
    status: int = 0


PAUSE = Step("POST", f"{API}/connections/store/pause")
SILENCE = Step("POST", f"{API}/silences", {"scope": "connection", "target": "store", "for": "1h"})
ALL = Step("POST", f"{API}/silences", {"scope": "all", "for": "1h"})
ACK = Step("POST", f"{API}/connections/broken/ack")
MADE = Step("PUT", f"{API}/connections/made", TOKEN)
CHANNEL = Step("PUT", f"{API}/channels/chat?untested=true", HOOK)
TWO_LINES = b"\n".join(json.dumps(DAY | {"name": name}).encode() for name in ("a", "b"))
EDITED = {"url": "https://8.8.8.8/you", "token": CANARY, "action": "paused"}
TYPED = {"name": "made", "expires_on": "2027-01-15"}

CHANGES = {
    "POST /api/v1/connections/{name}/validate": Case(Action.VALIDATE, status=409),
    "POST /connections/{name}/validate": Case(Action.VALIDATE),
    "POST /api/v1/connections/{name}/pause": Case(Action.PAUSE),
    "POST /connections/{name}/pause": Case(Action.PAUSE, body=FORM),
    "POST /api/v1/connections/{name}/resume": Case(Action.RESUME, before=(PAUSE,)),
    "POST /connections/{name}/resume": Case(Action.RESUME, body=FORM, before=(PAUSE,)),
    "POST /api/v1/connections/{name}/renew": Case(Action.RENEW),
    "POST /connections/{name}/renew": Case(Action.RENEW, body={"on": "2026-11-20"}),
    "DELETE /api/v1/connections/{name}": Case(Action.DELETE),
    "POST /connections/{name}/delete": Case(Action.DELETE, body=FORM),
    "POST /api/v1/connections/{name}/ack": Case(
        Action.ACK, "broken", path=f"{API}/connections/broken/ack", body={"note": CANARY}
    ),
    "POST /connections/{name}/ack": Case(Action.ACK, "broken", path="/connections/broken/ack"),
    "DELETE /api/v1/connections/{name}/ack": Case(
        Action.ACK, "broken", ("ended",), path=f"{API}/connections/broken/ack", before=(ACK,)
    ),
    "POST /connections/{name}/ack/end": Case(
        Action.ACK, "broken", ("ended",), path="/connections/broken/ack/end", before=(ACK,)
    ),
    "POST /api/v1/silences": Case(
        Action.MUTE, body={"scope": "connection", "target": "store", "for": "1h", "reason": CANARY}
    ),
    "POST /connections/{name}/silence": Case(Action.MUTE, body={"for": "1h", "reason": CANARY}),
    "POST /groups/{name}/silence": Case(
        Action.MUTE, None, ("group",), path="/groups/acme/silence", body={"for": "1h"}
    ),
    "POST /silences": Case(Action.MUTE, None, ("tag",), body={"what": "tag eu", "for": "1h"}),
    "DELETE /api/v1/silences/{number}": Case(
        Action.MUTE, "store", ("ended",), path=f"{API}/silences/1", before=(SILENCE,)
    ),
    "POST /silences/{number}/end": Case(
        Action.MUTE, "store", ("ended",), path="/silences/1/end", body=FORM, before=(SILENCE,)
    ),
    "POST /silences/all/end": Case(
        Action.MUTE, None, ("all", "ended"), 2, body=FORM, before=(ALL, ALL)
    ),
    "POST /api/v1/alerts/test": Case(
        Action.VALIDATE, None, ("channels.ops",), body={"channel": "ops"}
    ),
    "POST /alerts/test": Case(Action.VALIDATE, None, ("channels.ops",), body={"channel": "ops"}),
    "POST /api/v1/alerts/retry": Case(Action.RESUME, None, ("alerts",), 1),
    "POST /alerts/retry": Case(Action.RESUME, None, ("alerts",), 1, body=FORM),
    "PUT /api/v1/connections/{name}": Case(
        Action.PUT,
        "made",
        ("tags", "token"),
        path=f"{API}/connections/made",
        body=TOKEN | {"token": f"{CANARY}-2", "tags": ["eu"]},
        before=(MADE,),
    ),
    "POST /api/v1/connections:batch": Case(
        Action.IMPORT, None, ("authorized_on", "provider"), 2, body=TWO_LINES
    ),
    "PUT /api/v1/channels/{name}": Case(
        Action.PUT,
        None,
        ("channels.chat", "min_severity"),
        path=f"{API}/channels/chat?untested=true",
        body=HOOK | {"min_severity": "info"},
        before=(CHANNEL,),
    ),
    "DELETE /api/v1/channels/{name}": Case(
        Action.DELETE, None, ("channels.chat",), path=f"{API}/channels/chat", before=(CHANNEL,)
    ),
    "POST /channels/{name}/delete": Case(
        Action.DELETE,
        None,
        ("channels.chat",),
        path="/channels/chat/delete",
        body=FORM,
        before=(CHANNEL,),
    ),
}
"""What each route does that changes anything."""

ELSEWHERE = {
    "POST /login": "tests/web/test_login.py",
    "POST /new/{kind}": "test_a_form_is_a_row",
    "POST /connections/{name}/edit": "test_a_form_is_a_row",
    "POST /channels/new/{kind}": "test_a_form_of_a_channel_is_a_row",
    "POST /channels/{name}/edit": "test_a_form_of_a_channel_is_a_row",
    "POST /new/store": "tests/web/test_new_stores.py",
    "GET /oauth/amazon/callback": "tests/web/test_handshake.py",
    "POST /people/new": "tests/web/pages/test_people.py",
    "POST /people/{name}/edit": "tests/web/pages/test_people.py",
    "POST /people/{name}/delete": "tests/web/pages/test_people.py",
    "POST /sources/{name}/accept": "tests/web/pages/test_sources.py",
    "POST /api/v1/connections/{name}/invites": "tests/web/test_invites.py",
    "POST /connections/{name}/invites": "tests/web/test_invites.py",
    "DELETE /api/v1/invites/{number}": "tests/web/test_invites.py",
    "POST /invites/{number}/revoke": "tests/web/test_invites.py",
    "POST /proposals/{number}/accept": "tests/web/test_invites.py",
    "POST /proposals/{number}/reject": "tests/web/test_invites.py",
    "POST /renew/{token}": "tests/web/test_invites.py",
}
"""Routes that change something, and where their rows are tested."""

NOTHING = {
    "POST /sources/{name}/refresh": "has the source read, whose own row says what that changed",
    "POST /logout": "ends a session of one's own",
    "POST /oauth/amazon/start/{name}": "leads to Amazon, and keeps nothing",
}
"""Routes that change nothing, and why."""


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_file(database, tmp_path, FILE) as web:
        yield web


def rows(database: Database, **chosen: Any) -> list[AuditRow]:
    with database.read() as tx:
        return [row for _, row in audit.list_audit(tx, **chosen)]


def break_one(web: Web, database: Database) -> None:
    for at in (NOON - HOUR, NOON - MINUTE, NOON):
        with database.write() as tx:
            record = connections.find_record(tx, "broken")
            assert record is not None
            evaluate(tx, [FinishedCheck(record.id, None, at, REFUSED)], web.parts.plan)


def kill_one(database: Database) -> None:
    from sqlalchemy import text

    with database.write() as tx:
        tx.execute(text("UPDATE notifications SET state = 'dead'"))


def test_each_route_that_changes_something_is_here():
    found = {
        f"{method} {route.path}"
        for router in ROUTERS
        for route in routes_of(router)
        for method in (route.methods or set()) - {"GET", "HEAD"}
    }
    assert found - {*CHANGES, *ELSEWHERE, *NOTHING} == set()
    assert {*CHANGES, *NOTHING} - found == set()


@pytest.mark.parametrize("route", CHANGES)
async def test_a_change_is_one_row(web, database, route):
    case = CHANGES[route]
    if case.connection == "broken" or case.keys == ("alerts",):
        break_one(web, database)
    if case.keys == ("alerts",):
        kill_one(database)
    for step in case.before:
        assert (await step.send(web)).status_code < 300
    n_before = len(rows(database))
    method, _, path = route.partition(" ")

    answer = await Step(method, case.path or path.replace("{name}", "store"), case.body).send(web)

    assert answer.status_code == case.status or answer.status_code < 400, answer.text
    after = rows(database)
    assert len(after) == n_before + 1
    group = "acme" if case.connection == "store" or case.keys == ("group",) else None
    assert after[0] == AuditRow(
        NOON, ME, case.action, case.connection, group, case.keys, case.count
    )
    assert CANARY not in repr(after)


UNCHANGED = [
    pytest.param(PAUSE, (PAUSE,), id="paused already"),
    pytest.param(Step("POST", f"{API}/connections/store/resume"), (), id="not paused"),
    pytest.param(Step("POST", f"{API}/connections/no-such/pause"), (), id="no such connection"),
    pytest.param(Step("DELETE", f"{API}/connections/no-such"), (), id="nothing to delete"),
    pytest.param(Step("DELETE", f"{API}/connections/broken/ack"), (), id="not acknowledged"),
    pytest.param(Step("POST", f"{API}/alerts/retry"), (), id="nothing failed"),
    pytest.param(Step("DELETE", f"{API}/silences/7"), (), id="no such silence"),
    pytest.param(Step("POST", "/silences/all/end", FORM), (), id="nothing muted"),
    pytest.param(MADE, (MADE,), id="put as it is"),
    pytest.param(Step("PUT", f"{API}/connections/made?dry_run=true", DAY), (), id="a dry run"),
    pytest.param(Step("PUT", f"{API}/connections/store", DAY), (), id="the file's"),
    pytest.param(Step("PUT", f"{API}/connections/made", {"provider": "x"}), (), id="bad entry"),
    pytest.param(CHANNEL, (CHANNEL,), id="a channel as it is"),
    pytest.param(Step("POST", f"{API}/connections:batch?dry_run=true", TWO_LINES), (), id="dry"),
    pytest.param(
        Step("POST", f"{API}/connections:batch", TWO_LINES),
        (Step("POST", f"{API}/connections:batch", TWO_LINES),),
        id="lines as they are",
    ),
]


@pytest.mark.parametrize(("step", "before"), UNCHANGED)
async def test_what_changes_nothing_leaves_no_row(web, database, step, before):
    for each in before:
        await each.send(web)
    n_before = len(rows(database))
    await step.send(web)
    assert len(rows(database)) == n_before


async def test_a_batch_of_many_pieces_is_one_row_with_a_count(web, database):
    lines = b"\n".join(json.dumps(DAY | {"name": f"c-{n}"}).encode() for n in range(450))
    await Step("POST", f"{API}/connections:batch", lines).send(web)
    [row] = rows(database)
    assert (row.action, row.connection, row.count) == (Action.IMPORT, None, 450)


async def test_a_batch_of_one_names_it_with_its_group(web, database):
    line = json.dumps(DAY | {"name": "one", "group": "acme"}).encode()
    await Step("POST", f"{API}/connections:batch", line).send(web)
    [row] = rows(database)
    assert (row.connection, row.group, row.count) == ("one", "acme", 1)


async def test_a_new_entry_names_its_keys(web, database):
    await MADE.send(web)
    [row] = rows(database)
    assert row.keys == ("provider", "token", "url")


async def test_a_program_is_named_by_its_token(web, database):
    with database.write() as tx:
        token = credentials.add_api_token(tx, "ci", NOON, Role.ADMIN)
    async with client_of(web.app, {"Authorization": f"Bearer {token}"}) as program:
        await program.post(f"{API}/connections/store/pause")
    assert [row.who for row in rows(database)] == ["token:ci"]
    assert str(token) not in repr(rows(database))


async def test_a_change_that_fails_leaves_no_row(web, database):
    answer = await Step("POST", f"{API}/connections/store/renew", {"on": "2099-01-01"}).send(web)
    assert answer.status_code == 422
    assert rows(database) == []


async def test_a_form_is_a_row(web, database):
    fields = {"name": "made", "authorized_on": "2026-01-15", "valid_days": "365"}
    answer = await web.change("/new/countdown", data=fields | {"action": "paused"})
    assert answer.status_code == 303, answer.text
    [row] = rows(database, connection="made")
    assert (row.who, row.action) == (ME, Action.PUT)
    page = await web.get("/connections/made/edit")
    version = re.search(r'name="version" value="([^"]*)"', page.text)
    assert version is not None
    edited = fields | {"valid_days": "300", "version": version[1], "action": "paused"}
    assert (await web.change("/connections/made/edit", data=edited)).status_code == 303
    assert rows(database, connection="made")[0].keys == ("valid_days",)


async def test_a_form_of_a_channel_is_a_row(web, database):
    fields = {"name": "chat", "address": HOOK["url"], "action": "untested"}
    answer = await web.change("/channels/new/apprise", data=fields)
    assert answer.status_code == 303, answer.text
    [row] = rows(database)
    assert (row.action, row.keys[0], "url" in row.keys) == (Action.PUT, "channels.chat", True)
    page = await web.get("/channels/chat/edit")
    version = re.search(r'name="version" value="([^"]*)"', page.text)
    assert version is not None
    edited = {"min_severity": "critical", "version": version[1]}
    assert (await web.change("/channels/chat/edit", data=edited)).status_code == 303
    assert rows(database)[0].keys == ("channels.chat", "min_severity")
    assert CANARY not in repr(rows(database))


# --- reading


ROWS = (
    AuditRow(NOON, "user:ana", Action.PUT, "store", "acme", ("token", "tags")),
    AuditRow(NOON, "file", Action.PUT, keys=("channels",), count=20),
    AuditRow(NOON, "link:12", Action.RENEW, "broken", count=0),
    AuditRow(NOON, "source:stores", Action.READING, keys=("added",), count=10_000),
    AuditRow(NOON, "cli:root", Action.PAUSE, "store", "acme"),
)


@pytest.fixture
def kept(database: Database) -> Iterable[AuditRow]:
    with database.write() as tx:
        for row in ROWS:
            add_audit(tx, row)
    return ROWS


async def test_the_api_lists_the_newest_first_page_by_page(web, kept):
    whole = (await web.get(f"{API}/audit")).json()
    web.check_described("Audit", whole)
    assert whole["next"] is None
    assert whole["audit"][-1] == {
        "at": "2026-11-22T12:00:00Z",
        "who": "user:ana",
        "action": "put",
        "connection": "store",
        "keys": ["token", "tags"],
        "count": 1,
    }
    assert [one["count"] for one in whole["audit"]] == [1, 10_000, 0, 20, 1]
    found, path = [], f"{API}/audit?limit=2"
    while path:
        answer = (await web.get(path)).json()
        assert len(answer["audit"]) <= 2
        found += answer["audit"]
        path = answer["next"] and f"{API}/audit?limit=2&cursor={answer['next']}"
    assert found == whole["audit"]


async def test_one_connection_can_be_asked_for(web, kept):
    answer = (await web.get(f"{API}/audit?connection=store")).json()
    assert [one["who"] for one in answer["audit"]] == ["cli:root", "user:ana"]


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=x"])
async def test_a_question_that_makes_no_sense_is_refused(web, kept, query):
    assert (await web.get(f"{API}/audit?{query}")).status_code in {400, 422}


async def test_who_is_limited_to_groups_reads_of_these_alone(web, database, kept):
    with database.write() as tx:
        token = credentials.add_api_token(tx, "few", NOON, Role.VIEWER, frozenset({"acme"}))
    async with client_of(web.app, {"Authorization": f"Bearer {token}"}) as program:
        answer = (await program.get(f"{API}/audit")).json()
        assert [one["connection"] for one in answer["audit"]] == ["store", "store"]
        other = (await program.get(f"{API}/audit?connection=broken")).json()
        assert other == {"audit": [], "next": None}


async def test_the_page_shows_what_the_api_lists(web, kept):
    page = await web.get("/audit")
    assert page.status_code == 200
    for text in ("user:ana", "link:12", "rejected", "10,000", "token, tags", "source:stores"):
        assert text in page.text
    of_one = await web.get("/audit?connection=broken")
    assert "link:12" in of_one.text
    assert "user:ana" not in of_one.text
    assert "/audit?connection=store" in (await web.get("/connections/store")).text


async def test_the_page_says_when_there_is_nothing_and_has_older_ones(web, database):
    assert "No changes yet" in (await web.get("/audit")).text
    with database.write() as tx:
        for n in range(51):
            add_audit(tx, AuditRow(NOON, f"user:u{n}", Action.PAUSE, "store"))
    page = await web.get("/audit")
    assert "user:u0<" not in page.text
    older = re.search(r'href="(/audit\?cursor=[^"]*)"', page.text)
    assert older is not None
    assert "user:u0<" in (await web.get(older[1])).text
