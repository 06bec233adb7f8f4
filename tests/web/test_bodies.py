"""
What is sent is read strictly: whoever misspells a field is told so, and nothing is changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from monitor.store import suppression as stored
from monitor.web.bodies import FORM, MOST_NAMED
from monitor.web.sessions import CSRF_COOKIE, CSRF_HEADER
from tests.builders import HOUR, MINUTE, OK, OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON
from tests.web.test_security import list_routes
from tests.web_client import open_web

if TYPE_CHECKING:
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

API = "/api/v1/connections/acme"
PLAN = plan_of(entry("acme"), entry("beta"), channels=[OPS])

ENTRIES = ("PUT", "/api/v1/connections:batch")
"""Which fields an entry has is up to its provider: `test_api_entries.py`."""

JSON_ROUTES = [
    one
    for one in list_routes()
    if one[0] != "GET" and one[1].startswith("/api/") and not {*one} & {*ENTRIES}
]
FORM_ROUTES = [one for one in list_routes() if one[0] == "POST" and not one[1].startswith("/api/")]


@pytest.fixture
def story(database: Database) -> Story:
    story = Story.begin(database, PLAN)
    story.evaluate(NOON - HOUR, acme=OK, beta=OK)
    story.evaluate(NOON - 2 * MINUTE, acme=REFUSED)
    story.evaluate(NOON - MINUTE, acme=REFUSED)
    return story


def known(story: Story) -> object:
    """
    All that any of the orders changes.
    """
    with story.database.read() as tx:
        silences = stored.list_active_silences(tx, NOON)
        return story.record("acme"), story.alerts(), silences


async def send(web, method: str, path: str, body: bytes, kind: str | None):
    await web.get("/")
    headers = {CSRF_HEADER: web.client.cookies[CSRF_COOKIE]}
    headers |= {} if kind is None else {"Content-Type": kind}
    return await web.client.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
async def test_no_order_takes_a_field_that_it_does_not_know(story, method, path):
    before = known(story)
    async with open_web(story.database, PLAN) as web:
        body = json.dumps({"surprise": "2026-01-01"}).encode()
        answer = await send(web, method, path, body, "application/json")
        web.check_described("Problem", answer.json())
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "body.surprise" in [one["place"] for one in answer.json()["errors"]]
    assert known(story) == before


@pytest.mark.parametrize(("method", "path"), FORM_ROUTES)
async def test_no_form_takes_a_field_that_it_does_not_know(story, method, path):
    before = known(story)
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, method, path, b"surprise=2026-01-01", FORM)
    assert (answer.status_code, "body.surprise: unknown" in answer.text) == (422, True)
    assert known(story) == before


RENEW, SILENCES, ACK, TEST = f"{API}/renew", "/api/v1/silences", f"{API}/ack", "/api/v1/alerts/test"

MEANT = [
    (RENEW, {"date": "2026-11-20"}, 'date: unknown; this takes "on"'),
    (RENEW, {"On": "2026-11-20"}, 'On: unknown; did you mean "on"?'),
    (SILENCES, {"scope": "all", "for": "2h", "reasn": "x"}, 'did you mean "reason"?'),
    (SILENCES, {"scope": "all", "for": "2h", "tag": "eu"}, 'did you mean "target"?'),
    (SILENCES, {"scope": "all", "length": "2h"}, "length: unknown"),
    (ACK, {"untill": "2026-12-01"}, 'did you mean "until"?'),
    (ACK, {"notes": "x"}, 'did you mean "note"?'),
    (TEST, {"chanel": "ops"}, 'did you mean "channel"?'),
    (f"{API}/pause", {"until": "2026-12-01"}, "until: unknown; this takes no fields"),
    (f"{API}/validate", {"store": False}, "store: unknown; this takes no fields"),
    ("/api/v1/alerts/retry", {"channel": "ops"}, "channel: unknown"),
]


@pytest.mark.parametrize(("path", "sent", "words"), MEANT, ids=lambda one: str(one)[:40])
async def test_an_unknown_field_is_named_with_what_was_probably_meant(story, path, sent, words):
    async with open_web(story.database, PLAN) as web:
        answer = await web.change(path, json=sent)
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text


MANY = b"{%s}" % b",".join(b'"k%d":1' % number for number in range(6000))

BROKEN = {
    "a list": (b'[{"on": "2026-11-20"}]', 422, "must be a JSON object"),
    "a text": (b'"2026-11-20"', 422, "must be a JSON object"),
    "nothing": (b"null", 422, "must be a JSON object"),
    "a key twice": (b'{"on": "2026-11-20", "on": "2026-11-21"}', 422, "body.on: sent more than"),
    "a key twice, escaped": (b'{"on": "2026-11-20", "\\u006fn": null}', 422, "sent more than once"),
    "half": (b'{"on": "2026', 422, "not JSON"),
    "two": (b'{"on": null} {"on": null}', 422, "not JSON"),
    "no JSON": (b"on=2026-11-20", 422, "not JSON"),
    "not UTF-8": (b'{"on": "\xff"}', 422, "not UTF-8 at byte 8"),
    "UTF-16": ('{"on": null}'.encode("utf-16"), 422, "not UTF-8"),
    "NaN": (b'{"on": NaN}', 422, "NaN is no number"),
    "deep": (b'{"on": ' + b"[" * 30 + b"]" * 30 + b"}", 422, "nested deeper"),
    "deeper": (b"[" * 30_000, 422, "nested deeper"),
    "a huge number": (b'{"on": ' + b"9" * 5000 + b"}", 422, "more than 50 digits"),
    "seconds": (b'{"on": 1763596800}', 422, "body.on: a day such as 2026-01-15, as text"),
    "seconds as text": (b'{"on": "1763596800"}', 422, "a day such as 2026-01-15"),
    "an instant": (b'{"on": "2026-11-20T00:00:00Z"}', 422, "a day such as 2026-01-15"),
    "a truth": (b'{"on": true}', 422, "a day such as 2026-01-15"),
    "a day that is none": (b'{"on": "2026-02-30"}', 422, "body.on"),
    "no text for a name": (b'{"\\ud800": 1}', 422, "unknown"),
    "an empty name": (b'{"": 1}', 422, "unknown"),
    "a long name": (b'{"%s": 1}' % (b"x" * 5000), 422, "unknown"),
    "many names": (MANY, 422, "unknown"),
    "large": (b" " * 70_000, 413, "At most 64 KiB"),
}


@pytest.mark.parametrize(("body", "status", "words"), BROKEN.values(), ids=BROKEN)
async def test_what_is_no_order_changes_nothing_and_is_explained(story, body, status, words):
    before = known(story)
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, "POST", RENEW, body, "application/json")
        web.check_described("Problem", answer.json())
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json().get("errors") or []) <= MOST_NAMED
    assert len(answer.text) < 5000
    assert known(story) == before


@pytest.mark.parametrize("body", [b"true", b"[]", b"7", b'{"nope": 1}', b"{", b"\xff"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_body_that_comes_with_a_question_means_nothing(story, method, body):
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, method, "/api/v1/silences", body, "application/json")
    assert answer.status_code == 200, answer.text


KINDS = [None, "", "text/plain", FORM, "multipart/form-data; boundary=x", "application/jsonp", "x"]


@pytest.mark.parametrize("kind", KINDS)
async def test_only_json_is_taken_by_the_api(story, kind):
    before = known(story)
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, "POST", RENEW, b'{"on": "2026-11-20"}', kind)
    assert (answer.status_code, "application/json" in answer.json()["detail"]) == (415, True)
    assert known(story) == before


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/vnd.x+json"]
)
async def test_json_is_taken_by_each_of_its_names(story, kind):
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, "POST", RENEW, b'{"on": "2026-11-20"}', kind)
    assert (answer.status_code, answer.json()["authorization"]["authorized_at"]) == (
        200,
        "2026-11-20T00:00:00Z",
    )


BAD_FORMS = {
    "JSON": (b'{"on": "2026-11-20"}', "application/json", 415),
    "no type": (b"on=2026-11-20", None, 415),
    "in parts": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
    "twice": (b"on=2026-11-20&on=2026-11-21", FORM, 422),
    "unknown and empty": (b"on=2026-11-20&date=", FORM, 422),
    "not UTF-8": (b"on=%ff", FORM, 422),
    "too many": (b"&".join(b"on=1" for _ in range(30)), FORM, 422),
}


@pytest.mark.parametrize(("body", "kind", "status"), BAD_FORMS.values(), ids=BAD_FORMS)
async def test_a_form_that_is_none_changes_nothing(story, body, kind, status):
    before = known(story)
    async with open_web(story.database, PLAN) as web:
        answer = await send(web, "POST", "/connections/acme/renew", body, kind)
    assert answer.status_code == status, answer.text
    assert known(story) == before


async def test_orders_without_a_body_need_none(story):
    async with open_web(story.database, PLAN) as web:
        # A token of which no end is known must be told its day once.
        assert (await web.change(f"{API}/renew", json={"on": "2026-11-20"})).status_code == 200
        for order in ("pause", "resume", "renew"):
            assert (await web.change(f"{API}/{order}")).status_code == 200
            assert (await web.change(f"{API}/{order}", json={})).status_code == 200
            page = await web.change(f"/connections/acme/{order}")
            assert page.status_code in {200, 303}
