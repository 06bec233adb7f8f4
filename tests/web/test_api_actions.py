"""
What programs and pages order about being told: silences, acknowledgements, tests.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.config.model import Channel, Config
from monitor.config.secret import Secret
from monitor.judge.access import Role
from monitor.judge.outbox import NotificationState
from monitor.judge.routing import Subject
from monitor.judge.suppression import Acknowledgement
from monitor.store import credentials, suppression
from monitor.web.sessions import CSRF_COOKIE
from tests.builders import DAY, HOUR, MINUTE, OK, OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

pytestmark = pytest.mark.anyio

EU = Subject("acme", frozenset({"eu"}))
PLAN = plan_of(entry("acme"), entry("beta"), channels=[OPS], subjects=[EU])
CONFIG = Config(channels=(Channel(name="ops", url=Secret("json://127.0.0.1:9/x")),))
SILENCES = "/api/v1/silences"
ACK = "/api/v1/connections/acme/ack"
TOMORROW = f"{NOON + DAY:%Y-%m-%d}"


@pytest.fixture
def story(database) -> Story:
    """
    Two connections, of which acme is refused, and that is about to be told.
    """
    story = Story.begin(database, PLAN)
    story.evaluate(NOON - HOUR, acme=OK, beta=OK)
    story.evaluate(NOON - 2 * MINUTE, acme=REFUSED)
    story.evaluate(NOON - MINUTE, acme=REFUSED)
    return story


def states(story: Story) -> list[NotificationState]:
    return [each.state for alert in story.alerts() for each in alert.notifications]


async def send(web, path: str, **fields: str):
    await web.get("/")
    return await web.client.post(
        path, data={"csrf_token": web.client.cookies[CSRF_COOKIE]} | fields
    )


@pytest.mark.parametrize(
    ("scope", "target"), [("connection", "acme"), ("tag", "eu"), ("all", None)]
)
async def test_a_silence_holds_back_what_is_about_to_be_told_until_it_ends(story, scope, target):
    async with open_web(story.database, PLAN) as web:
        wanted = {"scope": scope, "target": target, "for": "2h", "reason": "moving"}
        begun = await web.change(SILENCES, json=wanted)
        assert begun.status_code == 201
        web.check_described("BegunSilence", begun.json())
        assert (begun.json()["held"], begun.json()["ends_at"]) == (1, "2026-11-22T14:00:00Z")
        assert states(story) == [NotificationState.HELD]
        listed = (await web.get(SILENCES)).json()
        web.check_described("SilenceList", listed)
        assert [one["reason"] for one in listed["silences"]] == ["moving"]

        ended = await web.change(f"{SILENCES}/{begun.json()['id']}", "DELETE")

        assert (ended.status_code, ended.json()) == (200, {"due": 1})
        assert states(story) == [NotificationState.DUE]
        assert (await web.get(SILENCES)).json()["silences"] == []
        assert len(web.wakes) == 1


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        pytest.param({"scope": "all", "for": "0s"}, 422, id="no time at all"),
        pytest.param({"scope": "all", "for": "soon"}, 422, id="no duration"),
        pytest.param({"scope": "all", "for": "9999999d"}, 422, id="too long"),
        pytest.param({"scope": "all", "for": 7200}, 422, id="a bare number"),
        pytest.param({"scope": "all"}, 422, id="no length"),
        pytest.param({"scope": "all", "target": "acme", "for": "2h"}, 422, id="all of one"),
        pytest.param({"scope": "connection", "for": "2h"}, 422, id="nothing named"),
        pytest.param({"scope": "everybody", "for": "2h"}, 422, id="unknown scope"),
        pytest.param({"scope": "all", "for": "2h", "x": 1}, 422, id="unknown key"),
        pytest.param({"scope": "all", "for": "2h", "reason": "x" * 501}, 422, id="a novel"),
        pytest.param({"scope": "all", "for": "2h", "reason": "\ud800"}, 422, id="no text"),
        pytest.param({"scope": "tag", "target": "us", "for": "2h"}, 404, id="unknown tag"),
        pytest.param({"scope": "connection", "target": "x", "for": "2h"}, 404, id="unknown name"),
    ],
)
async def test_a_silence_that_makes_no_sense_changes_nothing(story, wanted, status):
    import json

    async with open_web(story.database, PLAN) as web:
        headers = {"Content-Type": "application/json"}
        answer = await web.change(SILENCES, content=json.dumps(wanted), headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (
            status,
            "application/problem+json",
        )
        assert (await web.get(SILENCES)).json()["silences"] == []
    assert states(story) == [NotificationState.DUE]


@pytest.mark.parametrize(
    ("number", "status"), [("7", 404), ("0", 422), ("9" * 40, 422), ("x", 422)]
)
async def test_only_a_silence_that_lasts_can_end(story, number, status):
    async with open_web(story.database, PLAN) as web:
        assert (await web.change(f"{SILENCES}/{number}", "DELETE")).status_code == status


async def test_a_trouble_is_taken_on_and_given_back(story):
    async with open_web(story.database, PLAN) as web:
        taken = await web.change(ACK, json={"until": TOMORROW, "note": "on it"})
        assert taken.status_code == 200
        web.check_described("Acknowledgement", taken.json())
        assert taken.json() == {
            "connection": "acme",
            "trouble": "token rejected",
            "at": "2026-11-22T12:00:00Z",
            "until": "2026-11-23T00:00:00Z",
            "note": "on it",
        }
        assert kept(story) == Acknowledgement(NOON, (NOON + DAY).replace(hour=0), "on it")

        assert (await web.change(ACK, "DELETE")).status_code == 204
        assert kept(story) is None
        assert (await web.change(ACK, "DELETE")).status_code == 404


def kept(story: Story) -> Acknowledgement | None:
    with story.database.read() as tx:
        return suppression.find_acknowledgement(tx, story.record("acme").id, NOON)


async def test_there_is_nothing_to_take_on_where_nothing_is_wrong(story):
    async with open_web(story.database, PLAN) as web:
        answer = await web.change("/api/v1/connections/beta/ack")
        assert (answer.status_code, "no problem to acknowledge" in answer.text) == (409, True)
        assert (await web.change("/api/v1/connections/nobody/ack")).status_code == 404


@pytest.mark.parametrize("until", [f"{NOON:%Y-%m-%d}", "2020-01-01", "tomorrow", 5])
async def test_an_acknowledgement_ends_on_a_day_to_come(story, until):
    async with open_web(story.database, PLAN) as web:
        assert (await web.change(ACK, json={"until": until})).status_code == 422
    assert kept(story) is None


async def test_a_test_goes_to_one_channel(story):
    async with open_web(story.database, PLAN) as web:
        sent = await web.change("/api/v1/alerts/test", json={"channel": "ops"})
        assert sent.status_code == 200
        assert (await web.change("/api/v1/alerts/test", json={"channel": "x"})).status_code == 404
        assert len(web.wakes) == 1
    [alert] = [one for one in story.alerts() if one.kind == "test"]
    assert (alert.id, [one.channel for one in alert.notifications]) == (
        sent.json()["alert"],
        ["ops"],
    )


CHANGES = [
    ("POST", SILENCES, {"scope": "all", "for": "2h"}),
    ("DELETE", f"{SILENCES}/1", None),
    ("POST", ACK, {}),
    ("DELETE", ACK, None),
    ("POST", "/api/v1/alerts/test", {"channel": "ops"}),
    ("POST", "/silences", None),
    ("POST", "/silences/1/end", None),
    ("POST", "/connections/acme/silence", None),
    ("POST", "/connections/acme/ack", None),
    ("POST", "/connections/acme/ack/end", None),
    ("POST", "/alerts/test", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_who_may_only_read_or_has_no_word_changes_nothing(story, method, path, body):
    with story.database.write() as tx:
        token = credentials.add_api_token(tx, "reader", NOON, Role.VIEWER)
    async with open_web(story.database, PLAN, CONFIG) as web:
        async with web.stranger() as page:
            unsigned = await page.request(method, path, json=body)
        async with web.stranger(Authorization=f"Bearer {token}") as program:
            read_only = await program.request(method, path, json=body)
        silences = (await web.get(SILENCES)).json()["silences"]
    assert (unsigned.status_code, read_only.status_code) == (403, 403)
    assert "this API token has the role viewer" in read_only.text
    assert (silences, kept(story), len(story.alerts())) == ([], None, 1)


async def test_the_page_of_a_connection_silences_it_and_lets_it_speak_again(story):
    async with open_web(story.database, PLAN, CONFIG) as web:
        begun = await send(
            web, "/connections/acme/silence", **{"for": "8h", "reason": "<b>off</b>"}
        )
        assert begun.headers["location"] == "/connections/acme?done=silenced"
        page = (await web.get("/connections/acme")).text
        assert "Nov 22, 20:00 UTC</time>: &lt;b&gt;off&lt;/b&gt;" in page
        assert "Nov 22, 20:00" not in (await web.get("/connections/beta")).text

        ended = await send(web, "/silences/1/end", name="acme")

        assert ended.headers["location"] == "/connections/acme?done=told"
        assert "End silence" not in (await web.get("/connections/acme")).text


async def test_the_page_of_alerts_silences_tags_and_everything(story):
    async with open_web(story.database, PLAN, CONFIG) as web:
        for tag in ("eu", ""):
            begun = await send(web, "/silences", tag=tag, **{"for": "2h"})
            assert begun.headers["location"] == "/alerts?done=silenced"
        page = (await web.get("/alerts")).text
        assert "<strong>tag eu</strong>" in page
        assert "<strong>everything</strong>" in page
        assert (await send(web, "/silences/2/end")).headers["location"] == "/alerts?done=told"
        assert "<strong>everything</strong>" not in (await web.get("/alerts")).text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/connections/acme/silence", {"for": "soon"}),
        ("/connections/acme/silence", {}),
        ("/connections/acme/ack", {"until": "soon"}),
        ("/connections/acme/ack", {"note": "x" * 501}),
    ],
)
async def test_a_form_that_cannot_be_right_is_refused_on_a_page(story, path, fields):
    async with open_web(story.database, PLAN, CONFIG) as web:
        await web.get("/")
        fields |= {"csrf_token": web.client.cookies[CSRF_COOKIE]}
        answer = await web.client.post(path, data=fields, headers={"Accept": "text/html"})
        assert (answer.status_code, "</html>" in answer.text) == (422, True)
    assert kept(story) is None


async def test_an_acknowledgement_stands_on_both_pages_until_it_is_taken_back(story):
    async with open_web(story.database, PLAN, CONFIG) as web:
        before = (await web.get("/connections/acme")).text
        assert "Acknowledge …" in before
        assert "Acknowledge …" not in (await web.get("/connections/beta")).text

        taken = await send(web, "/connections/acme/ack", note="on it", until=TOMORROW)

        assert taken.headers["location"] == "/connections/acme?done=taken"
        page = (await web.get("/connections/acme")).text
        assert "Nov 22, 12:00 UTC</time></strong>, until Nov 23" in page
        assert "Acknowledge …" not in page
        assert "acme, token rejected: acknowledged" in (await web.get("/alerts")).text
        assert (await send(web, "/connections/acme/ack/end")).status_code == 303
        assert "Acknowledged " not in (await web.get("/connections/acme")).text


async def test_the_list_says_of_whom_nobody_is_told(story):
    async with open_web(story.database, PLAN, CONFIG) as web:
        before = (await web.get("/")).text
        await send(web, "/connections/acme/ack")
        await send(web, "/connections/beta/silence", **{"for": "2h"})
        acme, beta = (await web.get("/")).text.split('<li class="')[-2:]
    assert 'class="quiet held"' not in before
    assert ("acknowledged" in acme, "muted" in acme) == (True, False)
    assert ("acknowledged" in beta, "muted" in beta) == (False, True)


async def test_an_acknowledgement_of_what_is_over_is_not_shown(story):
    async with open_web(story.database, PLAN, CONFIG) as web:
        await send(web, "/connections/acme/ack")
        story.evaluate(NOON + MINUTE, acme=OK)
        web.now[0] = NOON + timedelta(minutes=2)
        assert "token rejected: acknowledged" not in (await web.get("/alerts")).text
        assert "Acknowledged at" not in (await web.get("/connections/acme")).text


async def test_who_may_only_look_sees_no_buttons(story):
    with story.database.write() as tx:
        token = credentials.add_api_token(tx, "reader", NOON, Role.VIEWER)
    async with open_web(story.database, PLAN, CONFIG) as web:
        await send(web, "/silences", **{"for": "2h"})
        await send(web, "/connections/acme/ack")
        async with web.stranger(Authorization=f"Bearer {token}") as program:
            pages = [
                (await program.get(path)).text for path in ("/", "/alerts", "/connections/acme")
            ]
    assert "Acknowledged " in pages[2]
    assert not any("<button" in page.replace("<button>Search", "") for page in pages)
