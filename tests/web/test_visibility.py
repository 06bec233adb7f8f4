"""
What people see who are limited to groups.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet

from monitor.judge.access import Access, Role
from monitor.judge.suppression import Scope
from monitor.store import connections, invites, suppression
from monitor.web import hub
from tests.builders import HOUR
from tests.fakes import NOON
from tests.web.grouped import (
    CANARY,
    FREE,
    OTHER,
    OWN,
    OWN_TOO,
    SHARED,
    TEXT,
    GroupedWeb,
    open_grouped,
)
from tests.web_client import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

ALL = {OWN, OWN_TOO, OTHER, FREE, SHARED, "canary-na", "canary-eu"}
MINE = {OWN, OWN_TOO, SHARED}


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[GroupedWeb]:
    async with open_grouped(database, tmp_path) as opened:
        yield opened


def names(answer: Any) -> set[str]:
    return {one["name"] for one in answer.json()["connections"]}


async def test_the_list_has_their_connections_and_the_summary_counts_these(world):
    path = "/api/v1/connections"
    seen, all_of_it = await world.limited.get(path), await world.full.get(path)
    assert names(seen) == MINE
    assert names(all_of_it) == ALL
    states = ("active", "error", "expired", "pending", "paused")
    assert sum(seen.json()["summary"][each] for each in states) == len(MINE)
    assert {one["group"] for one in seen.json()["connections"]} == {"acme"}
    assert (await world.limited.get(f"{path}?q=canary")).json()["connections"] == []
    assert (await world.limited.get(f"{path}?group=canary-group")).json()["connections"] == []
    assert names(await world.full.get(f"{path}?group=canary-group")) == {OTHER, "canary-na"}


async def test_pages_of_the_list_are_of_theirs_alone(world):
    found: list[str] = []
    path: str | None = "/api/v1/connections?limit=1"
    while path:
        answer = (await world.limited.get(path)).json()
        found += [one["name"] for one in answer["connections"]]
        path = answer["next"] and f"/api/v1/connections?limit=1&cursor={answer['next']}"
    assert set(found) == MINE
    assert len(found) == len(MINE)


async def test_who_asks_after_another_gets_nothing_of_theirs(world):
    """
    What was found for one is kept for nobody else: not the entry, not its fingerprint.
    """
    path = "/api/v1/connections"
    for first, second in ((world.full, world.limited), (world.limited, world.full)):
        tag = (await first.get(path)).headers["etag"]
        again = await second.get(path, headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert again.headers["etag"] != tag
        assert "private" in again.headers["cache-control"]


async def test_alerts_are_cut_to_theirs_in_names_and_channels(world):
    listed = (await world.limited.get("/api/v1/alerts")).json()["alerts"]
    by_id = {one["id"]: one for one in listed}
    assert set(by_id) >= {world.ids[key] for key in ("own", "both", "secret")}
    hidden = {world.ids[key] for key in ("other", "free", "channel", "source", "offline")}
    assert not hidden & set(by_id)
    assert by_id[world.ids["both"]]["connections"] == [SHARED]
    for one in listed:
        assert {each["channel"] for each in one["notifications"]} <= {"acme-mail"}
    full = (await world.full.get("/api/v1/alerts")).json()["alerts"]
    assert hidden <= {one["id"] for one in full}


async def test_alerts_are_paged_as_if_there_were_no_others(world):
    found: list[int] = []
    path: str | None = "/api/v1/alerts?limit=1"
    while path:
        answer = (await world.limited.get(path)).json()
        assert len(answer["alerts"]) == 1
        found += [one["id"] for one in answer["alerts"]]
        path = answer["next"] and f"/api/v1/alerts?limit=1&cursor={answer['next']}"
    whole = (await world.limited.get("/api/v1/alerts")).json()["alerts"]
    assert found == [one["id"] for one in whole]


async def test_silences_are_those_of_their_connections_and_groups(world):
    seen = (await world.limited.get("/api/v1/silences")).json()["silences"]
    assert {one["id"] for one in seen} == {world.silences["own"], world.silences["group"]}
    full = (await world.full.get("/api/v1/silences")).json()["silences"]
    assert {one["id"] for one in full} == set(world.silences.values())


SILENCES = [
    pytest.param({"scope": "connection", "target": OWN}, 201, id="their connection"),
    pytest.param({"scope": "group", "target": "acme"}, 201, id="their group"),
    pytest.param({"scope": "connection", "target": OTHER}, 404, id="another connection"),
    pytest.param({"scope": "connection", "target": FREE}, 404, id="one without a group"),
    pytest.param({"scope": "connection", "target": "no-such"}, 404, id="none"),
    pytest.param({"scope": "group", "target": "canary-group"}, 404, id="another group"),
    pytest.param({"scope": "group", "target": "no-such"}, 404, id="no group"),
    pytest.param({"scope": "tag", "target": "eu"}, 403, id="a tag"),
    pytest.param({"scope": "all"}, 403, id="everything"),
    pytest.param({"scope": "group"}, 422, id="a group without a name"),
]


@pytest.mark.parametrize(("wanted", "status"), SILENCES)
async def test_they_silence_by_connection_or_group_only(world, wanted, status):
    answer = await world.limited.post("/api/v1/silences", json=wanted | {"for": "1h"})
    assert answer.status_code == status
    assert CANARY not in answer.text.replace(OTHER, "").replace(FREE, "")


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("own", 200),
        ("group", 200),
        ("other", 404),
        ("other group", 404),
        ("tag", 404),
        ("all", 404),
    ],
)
async def test_they_end_only_silences_that_they_see(world, key, status):
    answer = await world.limited.delete(f"/api/v1/silences/{world.silences[key]}")
    assert answer.status_code == status
    with world.database.read() as tx:
        left = {one.id for one in suppression.list_active_silences(tx, NOON)}
    assert (world.silences[key] in left) is (status == 404)


async def test_a_silence_of_a_group_mutes_its_connections_and_no_others(world):
    for number in world.silences.values():
        await world.full.delete(f"/api/v1/silences/{number}")
    wanted = {"scope": "group", "target": "canary-group", "for": "1h", "reason": "works"}
    begun = (await world.full.post("/api/v1/silences", json=wanted)).json()
    assert (begun["scope"], begun["target"]) == ("group", "canary-group")
    listed = (await world.full.get("/api/v1/connections")).json()["connections"]
    muted = {one["name"] for one in listed if one["muted_until"]}
    assert muted == {OTHER, "canary-na"}
    assert names(await world.full.get("/api/v1/connections?state=muted")) == muted


async def test_the_calendar_has_their_ends_and_the_applications_they_use(world):
    text = (await world.limited.get("/calendar.ics")).text
    assert OWN in text
    assert "our-app" in text
    assert CANARY not in text
    assert "canary-app" in (await world.full.get("/calendar.ics")).text


async def test_what_they_may_see_of_what_happens(world):
    """
    Of a change, an alert and a message each is told to those who may know of it.
    """
    parts = world.web.parts
    limited = Access(Role.VIEWER, frozenset({"acme"}))
    with (
        parts.hub.listen() as full,
        parts.hub.listen(limited, frozenset({"acme-mail"})) as seen,
    ):
        looking = asyncio.create_task(parts.hub.run())
        try:
            await parts.hub.wait_until_looking()
            for name in (OWN_TOO, OTHER):
                path = f"/api/v1/connections/{name}/pause"
                assert (await world.full.post(path)).status_code == 200
            heard = [await take(full), await take(full)]
            assert {event.facts["name"] for event in heard} == {OWN_TOO, OTHER}
            event = await take(seen)
            assert event.facts["name"] == OWN_TOO
            assert seen.empty()
        finally:
            looking.cancel()


async def take(queue: hub.Queue) -> hub.Event:
    event = await asyncio.wait_for(queue.get(), 20)
    assert event is not None
    return event


EVENTS = [
    pytest.param(hub.Event(hub.EventKind.STATE, {}, frozenset({"acme"})), True, id="theirs"),
    pytest.param(
        hub.Event(hub.EventKind.STATE, {}, frozenset({"globex"})), False, id="another group's"
    ),
    pytest.param(
        hub.Event(hub.EventKind.STATE, {}, frozenset({None})), False, id="one without a group"
    ),
    pytest.param(
        hub.Event(hub.EventKind.ALERT, {}, frozenset({"acme", "globex"})), True, id="of both"
    ),
    pytest.param(
        hub.Event(hub.EventKind.ALERT, {}, hub.NOBODYS), False, id="about connwatch itself"
    ),
    pytest.param(
        hub.Event(hub.EventKind.SENT, {}, frozenset({"acme"}), "mine"), True, id="their channel"
    ),
    pytest.param(
        hub.Event(hub.EventKind.SENT, {}, frozenset({"acme"}), "ops"), False, id="another channel"
    ),
    pytest.param(hub.RELOAD, True, id="look again"),
]


@pytest.mark.parametrize(("event", "is_heard"), EVENTS)
async def test_an_event_is_told_to_those_who_may_know_of_it(event, is_heard):
    limited = hub.Listener(Access(Role.VIEWER, frozenset({"acme"})), frozenset({"mine"}))
    assert limited.hear([event]) == [event] * is_heard
    assert hub.Listener(Access(Role.VIEWER), None).hear([event]) == [event]


async def test_conditions_name_no_channel_of_others_to_them():
    event = hub.Event(hub.EventKind.NOTES, {"notes": ["channel_failed"]}, limited={"notes": []})
    limited = hub.Listener(Access(Role.VIEWER, frozenset({"acme"})), frozenset())
    assert [one.facts for one in limited.hear([event])] == [{"notes": []}]


async def test_a_connection_that_changes_groups_is_gone_for_one_and_new_for_the_other(world):
    text = (world.web.parts.config.path).read_text()
    moved = text.replace('group = "acme"\ntags', 'group = "canary-group"\ntags')
    assert moved != text
    async with reopened(world, moved) as web:
        with world.database.read() as tx:
            record = connections.find_record(tx, OWN)
            assert record is not None
            assert record.group_name == "canary-group"
        client = client_of(web.app, dict(world.limited.headers))
        async with client:
            assert (await client.get(f"/api/v1/connections/{OWN}")).status_code == 404
            assert names(await client.get("/api/v1/connections")) == MINE - {OWN}


@asynccontextmanager
async def reopened(world: GroupedWeb, text: str) -> AsyncIterator[Any]:
    from tests.web_client import open_file

    path = world.web.parts.config.path
    async with open_file(world.database, path.parent, text) as web:
        yield web


async def test_badges_are_for_those_who_may_see_them_and_for_their_secret_address(world):
    assert (await world.limited.get(f"/badge/{OTHER}.svg")).status_code == 404
    assert (await world.limited.get(f"/badge/{OWN}.svg")).status_code == 200
    page = (await world.full.get(f"/connections/{OTHER}")).text
    address = page.split("/badge/")[1].split('"')[0].replace("&amp;", "&")
    async with world.web.stranger() as stranger:
        assert (await stranger.get(f"/badge/{address}")).status_code == 200


async def test_the_words_above_every_page_name_nothing_of_others(world):
    for path in ("/", "/alerts", "/calendar", f"/connections/{OWN}"):
        text = (await world.limited.get(path, headers={"Accept": "text/html"})).text
        assert CANARY not in text
        assert "All alerts are muted" in text
    full = (await world.full.get("/", headers={"Accept": "text/html"})).text
    assert "canary-ops" in full


async def test_other_owners_entries_of_their_names_are_not_shown(world):
    answer = await world.limited.get(f"/api/v1/connections/{OWN}/config")
    assert answer.status_code == 200
    assert answer.json()["group"] == "acme"
    assert answer.json()["channels"] == ["acme-mail"]
    assert (await world.limited.get(f"/api/v1/connections/{OTHER}/config")).status_code == 404


def invite_and_propose(world: GroupedWeb, name: str) -> tuple[int, int]:
    with world.database.write() as tx:
        record = connections.find_record(tx, name)
        assert record is not None
        made, _ = invites.add_invite(tx, record.id, "user:ana", timedelta(days=1), NOON)
        number = invites.add_proposal(
            tx,
            record.id,
            invite_id=made.id,
            at=NOON,
            sealed=b"sealed",
            account=CANARY,
            authorized_at=None,
            fingerprint="",
        )
    return made.id, number


async def test_invites_to_others_and_what_they_brought_are_not_theirs(world):
    invite, proposed = invite_and_propose(world, OTHER)
    for method, path in (
        ("DELETE", f"/api/v1/invites/{invite}"),
        ("POST", f"/invites/{invite}/revoke"),
        ("POST", f"/proposals/{proposed}/accept"),
        ("POST", f"/proposals/{proposed}/reject"),
    ):
        answer = await world.limited.request(method, path)
        assert answer.status_code == 404
        assert CANARY not in answer.text
    with world.database.read() as tx:
        known = invites.find_invite(tx, invite)
        assert known is not None
        assert known.revoked_at is None
        assert invites.find_proposal(tx, proposed) is not None
    own, own_proposed = invite_and_propose(world, OWN)
    assert (await world.limited.delete(f"/api/v1/invites/{own}")).status_code == 204
    rejected = await world.limited.post(f"/proposals/{own_proposed}/reject")
    assert rejected.status_code == 303


USERS = """
[[web.users]]
name = "ana"
password = "correct horse battery"
role = "viewer"
groups = ["acme"]
"""


async def test_a_person_of_a_group_sees_it_after_the_login_and_in_a_calendar_of_their_own(world):
    text = TEXT.replace('[web]\npassword = "correct horse battery"\n', USERS)
    async with reopened(world, text) as web:
        fields = {"name": "ana", "password": "correct horse battery"}
        assert (await web.change("/login", data=fields)).status_code == 303
        assert names(await web.get("/api/v1/connections")) == MINE
        page = (await web.get("/calendar", headers={"Accept": "text/html"})).text
        assert CANARY not in page
        address = page.split('href="/calendar.ics')[1].split('"')[0].replace("&amp;", "&")
        async with web.stranger() as program:
            calendar = await program.get(f"/calendar.ics{address}")
        assert OWN in calendar.text
        assert CANARY not in calendar.text
    # The address goes with the person.
    async with reopened(world, TEXT) as web, web.stranger() as program:
        assert (await program.get(f"/calendar.ics{address}")).status_code == 401


async def test_a_person_called_local_has_a_calendar_without_others(world):
    async with reopened(world, TEXT + USERS.replace("ana", "local")) as web:
        fields = {"name": "local", "password": "correct horse battery"}
        assert (await web.change("/login", data=fields)).status_code == 303
        page = (await web.get("/calendar", headers={"Accept": "text/html"})).text
        address = page.split('href="/calendar.ics')[1].split('"')[0].replace("&amp;", "&")
        async with web.stranger() as program:
            calendar = await program.get(f"/calendar.ics{address}")
    assert OWN in calendar.text
    assert CANARY not in calendar.text


STORES = """
[[web.users]]
name = "ana"
password = "correct horse battery"
role = "operator"
groups = ["acme"]

[[applications]]
name = "ours"
client_id = "id"
client_secret = "secret"
application_id = "amzn1.sp.solution.1"
redirect_url = "https://connwatch.example/oauth/amazon/callback"
endpoint = "http://127.0.0.1:9"

[[connections]]
name = "begun"
provider = "amazon"
application = "ours"
region = "eu"
refresh_token = "r"
group = "acme"
"""


async def test_an_authorization_ends_for_who_lost_its_group_while_it_was_confirmed(world):
    key = f'[web]\nkey = "{Fernet.generate_key().decode()}"\n'
    async with reopened(world, key + STORES) as web:
        fields = {"name": "ana", "password": "correct horse battery"}
        assert (await web.change("/login", data=fields)).status_code == 303
        begun = await web.get("/oauth/amazon/start/begun")
        assert begun.status_code == 303, begun.text
        [state] = parse_qs(urlsplit(begun.headers["Location"]).query)["state"]
        before = web.parts.config
        [ana] = before.web.users
        elsewhere = ana.model_copy(update={"groups": ("canary-group",)})
        people = before.web.model_copy(update={"users": (elsewhere,)})
        config = before.model_copy(update={"web": people})
        web.views.append(replace(web.parts, now=replace(web.parts.now, config=config)))
        back = await web.get(f"/oauth/amazon/callback?state={state}")
        assert (back.status_code, "begun" in back.text) == (404, False), back.text


async def test_what_a_mute_holds_and_its_end_sends_is_counted_of_theirs_alone(world):
    """
    Others begin to be held at the same instant: their own mute was ended by nobody's word.
    """
    wanted = {"scope": "group", "target": "acme", "for": "1h"}
    for number in world.silences.values():
        await world.full.delete(f"/api/v1/silences/{number}")
    with world.database.write() as tx:
        until = NOON + HOUR
        suppression.add_silence(tx, Scope.GROUP, "canary-group", "", NOON - HOUR, until)
    begun = (await world.limited.post("/api/v1/silences", json=wanted)).json()
    with world.database.read() as tx:
        held = suppression.list_suppressed(tx)
    mine = [one for one in held if MINE & set(one.about.values())]
    assert 0 < len(mine) < len(held)
    assert begun["held"] == len(mine)
    ended = await world.limited.delete(f"/api/v1/silences/{begun['id']}")
    assert 0 < ended.json()["due"] <= len(mine)


async def test_a_connection_that_is_put_into_another_group_goes_while_they_listen(world):
    path, parts = "/api/v1/connections/moving", world.web.parts
    entry = {"provider": "countdown", "authorized_on": "2026-01-15", "notes": "canary-notes"}
    limited = Access(Role.VIEWER, frozenset({"acme"}))
    with parts.hub.listen(limited, frozenset()) as seen, parts.hub.listen() as full:
        looking = asyncio.create_task(parts.hub.run())
        try:
            await parts.hub.wait_until_looking()
            for group, state in (("acme", "pending"), ("canary-group", None), ("acme", "pending")):
                answer = await world.full.put(path, json=entry | {"group": group})
                assert answer.status_code in {200, 201}
                event = await take(seen)
                assert (event.facts["name"], event.facts["state"]) == ("moving", state)
                status = (await world.limited.get(path)).status_code
                assert status == (404 if state is None else 200)
                assert seen.empty()
                while not full.empty():
                    full.get_nowait()
        finally:
            looking.cancel()
