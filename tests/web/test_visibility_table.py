"""
Every surface, and what somebody sees there who is limited to a group.

Routes, kinds of event and kinds of alert are taken from the running application: one without a
row here fails. Whoever asks has the strongest role there is, so that nothing but the group
stands between them and the others.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import iter_route_contexts

from monitor.judge.access import Role
from monitor.store import connections, invites, suppression
from monitor.web.app import build_app
from monitor.web.hub import EventKind
from tests.fakes import NOON
from tests.web.grouped import CANARY, OTHER, OWN, GroupedWeb, open_grouped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio


class Seen(Enum):
    """
    What somebody limited to a group is answered.
    """

    OPEN = "what it answers is about no connection"
    CUT = "what is answered is about their group alone"
    HIDDEN = "what is another group's is as if it were not there"
    REFUSED = "it is about all groups: 403"
    KEYED = "a secret address is what lets in; else as HIDDEN"


OPEN, CUT, HIDDEN, REFUSED, KEYED = Seen

TABLE: dict[str, Seen] = {
    # --- how the process is, coming and going
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /login": OPEN,
    "POST /login": OPEN,
    "POST /logout": OPEN,
    "GET /renew/{token}": OPEN,
    "POST /renew/{token}": OPEN,
    "GET /api/docs": OPEN,
    "GET /api/openapi.json": OPEN,
    # --- about connwatch itself, and what only one who sees all may set up
    "GET /metrics": REFUSED,
    "GET /monitor": REFUSED,
    "GET /api/v1/configuration": REFUSED,
    "GET /api/v1/channels": REFUSED,
    "GET /api/v1/channels/{name}": REFUSED,
    "PUT /api/v1/channels/{name}": REFUSED,
    "DELETE /api/v1/channels/{name}": REFUSED,
    "GET /sources": REFUSED,
    "POST /sources/{name}/refresh": REFUSED,
    "POST /sources/{name}/accept": REFUSED,
    "GET /people": REFUSED,
    "GET /people/new": REFUSED,
    "POST /people/new": REFUSED,
    "GET /people/{name}/edit": REFUSED,
    "POST /people/{name}/edit": REFUSED,
    "GET /people/{name}/delete": REFUSED,
    "POST /people/{name}/delete": REFUSED,
    "GET /channels": REFUSED,
    "GET /channels/new": REFUSED,
    "GET /channels/new/{kind}": REFUSED,
    "POST /channels/new/{kind}": REFUSED,
    "GET /channels/{name}/edit": REFUSED,
    "POST /channels/{name}/edit": REFUSED,
    "GET /channels/{name}/delete": REFUSED,
    "POST /channels/{name}/delete": REFUSED,
    "PUT /api/v1/connections/{name}": REFUSED,
    "POST /api/v1/connections:batch": REFUSED,
    "GET /new": REFUSED,
    "GET /new/{kind}": REFUSED,
    "POST /new/{kind}": REFUSED,
    "GET /new/store": REFUSED,
    "POST /new/store": REFUSED,
    "GET /oauth/amazon/new/{application}/{region}": REFUSED,
    "GET /connections/{name}/edit": REFUSED,
    "POST /connections/{name}/edit": REFUSED,
    "POST /api/v1/alerts/retry": REFUSED,
    "POST /alerts/retry": REFUSED,
    "POST /api/v1/alerts/test": REFUSED,
    "POST /alerts/test": REFUSED,
    "POST /silences/all/end": REFUSED,
    # --- lists
    "GET /": CUT,
    "GET /alerts": CUT,
    "GET /calendar": CUT,
    "GET /groups": CUT,
    "GET /calendar.ics": CUT,
    "GET /api/v1/connections": CUT,
    "GET /api/v1/alerts": CUT,
    "GET /api/v1/silences": CUT,
    "GET /api/v1/audit": CUT,
    "GET /audit": CUT,
    "GET /api/v1/groups": CUT,
    "GET /api/v1/events": CUT,
    "GET /oauth/amazon/callback": CUT,
    # --- one connection, one group, one silence
    "GET /badge/{name}.svg": KEYED,
    "GET /api/v1/connections/{name}": HIDDEN,
    "GET /api/v1/connections/{name}/history": HIDDEN,
    "GET /api/v1/connections/{name}/config": HIDDEN,
    "POST /api/v1/connections/{name}/validate": HIDDEN,
    "POST /api/v1/connections/{name}/pause": HIDDEN,
    "POST /api/v1/connections/{name}/resume": HIDDEN,
    "POST /api/v1/connections/{name}/renew": HIDDEN,
    "POST /api/v1/connections/{name}/ack": HIDDEN,
    "DELETE /api/v1/connections/{name}/ack": HIDDEN,
    "POST /api/v1/connections/{name}/invites": HIDDEN,
    "DELETE /api/v1/connections/{name}": HIDDEN,
    "DELETE /api/v1/invites/{number}": HIDDEN,
    "POST /api/v1/silences": HIDDEN,
    "DELETE /api/v1/silences/{number}": HIDDEN,
    "GET /connections/{name}": HIDDEN,
    "GET /connections/{name}/delete": HIDDEN,
    "POST /connections/{name}/delete": HIDDEN,
    "POST /connections/{name}/validate": HIDDEN,
    "POST /connections/{name}/pause": HIDDEN,
    "POST /connections/{name}/resume": HIDDEN,
    "POST /connections/{name}/renew": HIDDEN,
    "POST /connections/{name}/ack": HIDDEN,
    "POST /connections/{name}/ack/end": HIDDEN,
    "POST /connections/{name}/silence": HIDDEN,
    "POST /connections/{name}/invites": HIDDEN,
    "POST /invites/{number}/revoke": HIDDEN,
    "POST /proposals/{number}/accept": HIDDEN,
    "POST /proposals/{number}/reject": HIDDEN,
    "POST /silences": HIDDEN,
    "POST /silences/{number}/end": HIDDEN,
    "GET /groups/{name}": HIDDEN,
    "POST /groups/{name}/silence": HIDDEN,
    "GET /oauth/amazon/start/{name}": HIDDEN,
    "POST /oauth/amazon/start/{name}": HIDDEN,
}

EVENTS = {
    EventKind.STATE: "of connections of their groups",
    EventKind.ALERT: "of alerts about such connections",
    EventKind.SENT: "of such alerts on channels of their groups",
    EventKind.NOTES: "without the failures of channels and reloads",
    EventKind.RELOAD: "says nothing of anybody",
}

ENDLESS = {"GET /api/v1/events"}
"""What is answered for as long as somebody listens: `test_visibility` listens."""

NOBODY = "no-such-thing"
SENT: dict[str, dict[str, Any]] = {
    "POST /api/v1/silences": {"json": {"scope": "connection", "target": "{name}", "for": "1h"}},
    "POST /silences": {"data": {"group": "{name}", "for": "1h"}},
    "POST /connections/{name}/silence": {"data": {"for": "1h"}},
    "POST /groups/{name}/silence": {"data": {"for": "1h"}},
    "POST /api/v1/alerts/test": {"json": {"channel": "canary-ops"}},
    "POST /alerts/test": {"data": {"channel": "canary-ops"}},
    "POST /api/v1/connections:batch": {
        "content": b"{}\n",
        "headers": {"Content-Type": "application/x-ndjson"},
    },
    "PUT /api/v1/connections/{name}": {"json": {"provider": "countdown"}},
    "PUT /api/v1/channels/{name}": {"json": {"url": "json://127.0.0.1/x"}},
}


def list_routes() -> Iterator[str]:
    for each in iter_route_contexts(build_app(lambda: None).routes):  # type: ignore[arg-type, return-value]
        for method in (each.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {each.path_format}"


def test_every_route_has_a_row_and_every_row_a_route():
    assert sorted(list_routes()) == sorted(TABLE)


def test_every_kind_of_event_has_a_row():
    assert set(EVENTS) == set(EventKind)


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[GroupedWeb]:
    async with open_grouped(database, tmp_path, Role.ADMIN) as opened:
        yield opened


def fill(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: fill(each, name) for key, each in value.items()}
    return value.replace("{name}", name) if isinstance(value, str) else value


async def ask(world: GroupedWeb, route: str, name: str, number: int = 1) -> tuple[int, str]:
    """
    Ask as somebody limited to a group; return the status, and all that was answered.
    """
    method, _, path = route.partition(" ")
    for key, value in {
        "{name}": name,
        "{number}": str(number),
        "{token}": "t" * 43,
        "{kind}": "http",
        "{application}": "canary-app",
        "{region}": "eu",
    }.items():
        path = path.replace(key, value)
    sent = fill(SENT.get(route, {}), name)
    if "/api/" not in path:
        sent["headers"] = {"Accept": "text/html"} | sent.get("headers", {})
    answer = await world.limited.request(method, path, **sent)
    headers = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
    return answer.status_code, f"{headers}\n{answer.text}"


def fingerprint(world: GroupedWeb) -> Any:
    """
    Return what is known of others, to see that nothing of it was changed.
    """
    with world.database.read() as tx:
        records = [one for one in connections.list_records(tx) if one.group_name != "acme"]
        silences = suppression.list_active_silences(tx, NOON)
        given = suppression.find_acknowledgements(tx, NOON, [one.id for one in records])
        links = invites.list_invites(tx), invites.list_proposals(tx)
    own = {world.silences["own"], world.silences["group"]}
    return records, [one for one in silences if one.id not in own], given, links


@pytest.mark.parametrize("route", sorted(key for key, seen in TABLE.items() if seen is REFUSED))
async def test_what_is_about_all_groups_is_refused(world, route):
    before = fingerprint(world)
    for name in (OTHER, OWN, NOBODY):
        status, said = await ask(world, route, name)
        assert status == 403
        assert CANARY not in said
    assert fingerprint(world) == before


@pytest.mark.parametrize("route", sorted(key for key, seen in TABLE.items() if seen in {OPEN, CUT}))
async def test_no_answer_holds_a_word_of_others(world, route):
    if route in ENDLESS:
        return
    status, said = await ask(world, route, OWN)
    assert status < 500
    assert CANARY not in said.lower()


@pytest.mark.parametrize(
    "route", sorted(key for key, seen in TABLE.items() if seen in {HIDDEN, KEYED})
)
async def test_what_belongs_to_others_is_as_if_it_were_not_there(world, route):
    before = fingerprint(world)
    other = "canary-group" if "/groups/" in route or route == "POST /silences" else OTHER
    number = number_of(world, route)
    status, said = await ask(world, route, other, number)
    missing, words = await ask(world, route, NOBODY, 999)
    assert (status, missing) == (404, 404)
    assert blank(said, other, number) == blank(words, NOBODY, 999)
    assert CANARY not in said.replace(other, "")
    assert fingerprint(world) == before


def number_of(world: GroupedWeb, route: str) -> int:
    """
    Return the number of what belongs to another group.
    """
    if "/proposals/" in route:
        return world.proposal
    return world.invite if "/invites/" in route else world.silences["other"]


def blank(said: str, name: str, number: int) -> str:
    """
    Return an answer without what was asked for, and what is another each time.
    """
    said = re.sub(r"(?m)^content-length: .*$", "", said)
    said = re.sub(r"connwatch_csrf=[^;]*|[\w-]{22}\.[0-9a-f]{64}", "", said)
    return said.replace(name, "").replace(f"/{number}", "")


@pytest.mark.parametrize("route", sorted(key for key, seen in TABLE.items() if seen is HIDDEN))
async def test_what_is_theirs_holds_no_word_of_others(world, route):
    name = "acme" if "/groups/" in route or route == "POST /silences" else OWN
    status, said = await ask(world, route, name, world.silences["own"])
    is_by_number = "{number}" in route and "silences" not in route
    assert status != 404 or "DELETE" in route or "ack" in route or is_by_number
    assert status < 500
    assert CANARY not in said.lower()
