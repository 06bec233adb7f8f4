"""
What other programs read: calendars, badges, Prometheus, supervisors.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from monitor.config.model import Config, WebSettings
from monitor.config.secret import Secret
from monitor.judge.access import Role
from monitor.judge.health import LATE_AFTER
from monitor.notify.delivery import AlertError
from monitor.notify.message import Message
from monitor.store import connections, outbox
from monitor.web.dashboard import CountedSender
from monitor.web.feeds import CalendarEvent, draw_badge, write_calendar
from monitor.web.metrics import Metrics
from monitor.web.sessions import Pass, Visitor, badge_path, calendar_path
from tests.builders import (
    DAY,
    MINUTE,
    OK,
    OPS,
    REFUSED,
    Story,
    amazon_store,
    entry,
    ok_with,
    watched_of,
    with_watched,
)
from tests.builders import plan_of as make_plan
from tests.fakes import NOON
from tests.old_schema import make_last_unreleased
from tests.web_client import open_web

if TYPE_CHECKING:
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

PROMTOOL = shutil.which("promtool")
ODD = 'a"b\\c'
PLAN = make_plan(
    entry("acme"),
    amazon_store("gamma"),
    entry(ODD),
    channels=[OPS],
    authorized_at=NOON - 340 * DAY,
    secret_created_at=NOON - 100 * DAY,
)
LOCKED = Config(web=WebSettings(password=Secret("correct horse")))
ANA = Visitor(Pass.SESSION, Role.ADMIN, "admin")


@pytest.fixture
def story(database: Database) -> Story:
    story = Story.begin(database, PLAN)
    story.evaluate(NOON, acme=ok_with(50), gamma=REFUSED)
    return story


def unfold(text: str) -> list[str]:
    assert text.endswith("\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    return text.replace("\r\n ", "").split("\r\n")[:-1]


async def test_the_calendar_has_what_ends_with_its_reminders(story):
    async with open_web(story.database, PLAN) as web:
        response = await web.get("/calendar.ics")
    lines = unfold(response.text)
    assert response.headers["content-type"].startswith("text/calendar")
    assert lines.count("BEGIN:VEVENT") == 4
    assert lines.count("BEGIN:VALARM") == lines.count("END:VALARM") == 20
    event = lines[lines.index("UID:authorization-gamma@connwatch") :]
    assert "DTSTART;VALUE=DATE:20261217" in event[:5]
    assert "URL:http://127.0.0.1:8080/connections/gamma" in event[:8]
    assert "TRIGGER:-P30D" in lines
    assert "UID:client-secret-our-app@connwatch" in lines


async def test_the_end_that_a_service_tells_of_its_token_stands_in_the_calendar(story):
    end = NOON + 20 * DAY
    story.evaluate(NOON + MINUTE, acme=replace(OK, token_ends_at=end))
    async with open_web(story.database, PLAN) as web:
        lines = unfold((await web.get("/calendar.ics")).text)
        page = (await web.get("/calendar")).text
        event = lines[lines.index("UID:token-acme@connwatch") :]
        assert "DTSTART;VALUE=DATE:20261212" in event[:5]
        assert lines.count("BEGIN:VEVENT") == 5
        assert re.search(r"Dec 12.*<td>token.*/connections/acme", page)


@pytest.mark.parametrize("days", [5, 300])
async def test_a_token_that_ends_otherwise_than_before_is_counted_anew(story, days):
    plan = make_plan(entry("acme"))
    async with open_web(story.database, plan) as web:
        story.evaluate(NOON, acme=replace(OK, token_ends_at=NOON + (305 - days) * DAY))
        before = (await web.get("/api/v1/connections")).json()["summary"]["expiring_soon"]
        story.evaluate(NOON, acme=replace(OK, token_ends_at=NOON + days * DAY))
        after = (await web.get("/api/v1/connections")).json()
    assert [before, after["summary"]["expiring_soon"]] == [int(days == 300), int(days == 5)]
    assert after["connections"][0]["expiring_soon"] == (days == 5)


async def test_a_renewal_moves_the_end_in_the_calendar(story):
    async with open_web(story.database, PLAN) as web:
        before = await web.get("/calendar.ics")
        await web.change("/api/v1/connections/acme/renew")
        after = await web.get("/calendar.ics", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert "DTSTART;VALUE=DATE:20271122" in unfold(after.text)


@given(st.text(), st.text())
def test_any_text_stands_in_one_line_of_a_calendar(title, text):
    ending = CalendarEvent("uid", title, text, NOON, (30, 1), "")
    lines = unfold(write_calendar("name", [ending], NOON))
    assert len(lines) == 9 + 9 + 2 * 5 + 1
    [summary] = [line for line in lines if line.startswith("SUMMARY:")]
    assert re.fullmatch(r"SUMMARY:(?:[^\\;,]|\\[\\;,n])*", summary)


@pytest.mark.parametrize(
    ("path_of", "kind"),
    [
        (lambda parts: calendar_path(parts, ANA), "text/calendar"),
        (lambda parts: badge_path(parts, "acme"), "image/svg+xml"),
        (lambda parts: badge_path(parts, ODD), "image/svg+xml"),
    ],
    ids=["calendar", "badge", "odd badge"],
)
async def test_a_secret_address_lets_in_to_that_one_thing(story, path_of, kind):
    async with open_web(story.database, PLAN, LOCKED) as web:
        path = path_of(web.parts)
        response = await web.get(path)
        assert (response.status_code, response.headers["content-type"][: len(kind)]) == (200, kind)
        bare = await web.get(path.partition("?")[0])
        wrong = await web.get(f"{path[:-1]}x")
        query = path.partition("?")[2]
        other = await web.get(f"/badge/gamma.svg?{query}")
        listed = await web.get(f"/api/v1/connections?{query}")
    assert [one.status_code for one in (bare, wrong, other, listed)] == [401] * 4


@pytest.mark.parametrize("name", ["acme", '<script>alert("x")</script>', "ü" * 99, "a&b"])
@pytest.mark.parametrize("state", ["active", "error", "expired", "pending", "paused"])
def test_a_badge_says_name_and_state(name, state):
    each: Any = {"name": name, "state": state, "expiring_soon": True}
    root = ET.fromstring(draw_badge(each))
    word = "expiring soon" if state == "active" else state
    left, right = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert (left, right) == (name if len(name) <= 60 else name[:59] + "…", word)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


async def test_the_page_of_a_connection_shows_the_address_of_its_badge(story):
    config = Config(web=WebSettings(public_url="https://watch.example.com/cw"))
    async with open_web(story.database, PLAN, config) as web:
        page = (await web.get("/connections/acme")).text
        path = badge_path(web.parts, "acme")
        async with web.stranger() as anyone:
            badge = await anyone.get(path)
    assert f"<pre>https://watch.example.com/cw{path}</pre>" in page
    assert badge.status_code == 200


async def test_other_sites_may_show_a_badge(story):
    async with open_web(story.database, PLAN) as web:
        response = await web.get("/badge/acme.svg")
        nobody = await web.get("/badge/nobody.svg")
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert nobody.status_code == 404


async def read_metrics(web) -> dict[str, float]:
    lines = (await web.get("/metrics")).text.splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if not line.startswith("#")
    }


async def test_metrics_say_how_connections_stand(story):
    with story.database.write() as tx:
        outbox.mark_dead(tx, [1], "gone")
        connections.pause(tx, story.record(ODD).id)
    async with open_web(story.database, PLAN) as web:
        web.now[0] = NOON + 6 * MINUTE
        found = await read_metrics(web)
    state = 'connwatch_connection_state{connection="%s",provider="%s",state="%s"}'
    assert found[state % ("acme", "soldscope", "active")] == 1
    assert found[state % ("gamma", "amazon", "error")] == 1
    assert found[state % ('a\\"b\\\\c', "soldscope", "paused")] == 1
    assert found['connwatch_quota_remaining{connection="acme"}'] == 50
    assert found['connwatch_quota_limit{connection="acme"}'] == 10_000
    expiry = found['connwatch_authorization_expiry_timestamp_seconds{connection="gamma"}']
    assert expiry == (NOON + 25 * DAY).timestamp()
    assert found["connwatch_notifications_dead"] == 1
    assert found["connwatch_check_lateness_seconds"] > 0
    assert found["connwatch_config_reload_success"] == 1


async def test_metrics_count_what_happens(story):
    async with open_web(story.database, PLAN) as web:
        metrics = web.parts.metrics
        metrics.note_checks(story.evaluate(NOON + MINUTE, acme=OK, gamma=REFUSED))
        metrics.note_sent("ops", is_sent=True)
        found = await read_metrics(web)
    checks = 'connwatch_checks_total{provider="%s",reason="%s"}'
    assert found[checks % ("soldscope", "ok")] == 1
    assert found[checks % ("amazon", "token_rejected")] == 1
    assert found['connwatch_check_duration_seconds_sum{provider="soldscope"}'] == 0.04
    assert found['connwatch_notifications_total{channel="ops",result="sent"}'] == 1


async def test_metrics_are_described_and_carry_their_units(story):
    async with open_web(story.database, PLAN) as web:
        text = (await web.get("/metrics")).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.MULTILINE))
    helped = set(re.findall(r"^# HELP (\S+) \S", text, flags=re.MULTILINE))
    assert set(kinds) == helped
    assert all(name.startswith("connwatch_") for name in kinds)
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")
    assert not any(name.endswith("_total") for name, kind in kinds.items() if kind == "gauge")
    assert "python_gc" not in text


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool is installed: apt-get install prometheus")
async def test_promtool_finds_nothing_to_mend_in_the_metrics(story):
    async with open_web(story.database, PLAN) as web:
        web.parts.metrics.note_checks(story.evaluate(NOON + MINUTE, acme=OK, gamma=REFUSED))
        web.parts.metrics.note_sent("ops", is_sent=True)
        text = (await web.get("/metrics")).content
    assert PROMTOOL is not None
    checked = await asyncio.to_thread(
        subprocess.run, [PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("is_failing", [False, True])
def test_attempts_to_send_are_counted_by_their_end(is_failing):
    class Sender:
        def send(self, _channel, _message, _key=""):
            if is_failing:
                raise AlertError("no")

    registry = CollectorRegistry()
    sender = CountedSender(Sender(), Metrics(registry, ["ops"]))
    message = Message("title", "body")
    if is_failing:
        with pytest.raises(AlertError):
            sender.send("ops", message)
    else:
        sender.send("ops", message)
    counts = [
        registry.get_sample_value(
            "connwatch_notifications_total", {"channel": "ops", "result": end}
        )
        for end in ("sent", "failed")
    ]
    assert counts == ([0, 1] if is_failing else [1, 0])


def test_a_channel_that_is_gone_is_counted_no_longer():
    registry = CollectorRegistry()
    metrics = Metrics(registry, ["ops", "old"])
    metrics.note_sent("ops", is_sent=True)
    metrics.show_channels(["ops", "new"])
    counts = {
        one.labels["channel"]: one.value
        for family in registry.collect()
        for one in family.samples
        if one.name == "connwatch_notifications_total" and one.labels["result"] == "sent"
    }
    assert counts == {"ops": 1, "new": 0}


async def test_it_is_ready_while_checks_are_on_time(story):
    async with open_web(story.database, PLAN) as web:
        web.now[0] = NOON + LATE_AFTER
        ready = {"status": "ready", "failing": [], "notes": []}
        assert (await web.get("/readyz")).json() == ready
        web.now[0] = NOON + LATE_AFTER + timedelta(minutes=5)
        late = await web.get("/readyz")
    assert (late.status_code, late.json()["failing"]) == (503, ["checks"])


async def test_what_this_daemon_does_not_know_makes_it_not_late(story):
    plan = with_watched(PLAN, {"gone": watched_of(PLAN)["acme"]})
    async with open_web(story.database, plan) as web:
        web.now[0] = NOON + DAY
        assert (await web.get("/readyz")).status_code == 200
        web.parts.store.disk_problem = "the disk of the database is full"
        assert (await web.get("/readyz")).json()["failing"] == ["database"]
        web.parts.store.disk_problem = None


async def test_a_database_that_is_gone_is_not_ready_and_says_no_path(story, caplog):
    async with open_web(story.database, PLAN) as web:
        story.database.close()
        story.database.path.write_bytes(b"not a database at all" * 100)
        ready = await web.get("/readyz")
        listed = await web.get("/api/v1/connections")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["database"])
    assert (listed.status_code, listed.headers["retry-after"]) == (503, "5")
    assert str(story.database.path) not in listed.text


async def test_a_schema_of_another_time_is_not_ready(story):
    make_last_unreleased(story.database)
    async with open_web(story.database, PLAN) as web:
        ready = await web.get("/readyz")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["migration"])
