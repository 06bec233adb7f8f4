"""
What every page says, and `/readyz`, while something keeps alerts from being sent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.engine.live import ReloadStatus
from monitor.judge.suppression import Scope
from monitor.store import outbox, suppression
from monitor.store.engine import StoreError
from tests.builders import OK, OPS, REFUSED, Story, entry, plan_of, watched_of, with_watched
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
PAGES = ["/", "/alerts", "/calendar", "/monitor", "/connections/acme", "/connections/acme/delete"]
PAGES += ["/nowhere", "/?q=zzzz"]
PAGE = {"Accept": "text/html"}
PLAN = plan_of(entry("acme"), entry("beta"), channels=[OPS])
REFUSED_BY_PORT = "JSON: [Errno 111] Connection refused"


@pytest.fixture
def story(database: Database) -> Story:
    story = Story.begin(database, PLAN)
    story.evaluate(NOON, acme=OK, beta=OK)
    return story


def mute_all(story: Story, reason: str = "migration") -> None:
    with story.database.write() as tx:
        suppression.add_silence(tx, Scope.ALL, None, reason, NOON, NOON + HOUR)


def fail_channel(story: Story) -> None:
    with story.database.write() as tx:
        outbox.begin_channel_failure(tx, "ops", NOON - HOUR)


async def read_bar(web: Web, path: str = "/") -> list[str]:
    page = (await web.get(path, headers=PAGE)).text
    said = re.findall(
        r'<div class="condition \w+" role="status"><div><p class="grow">(.*?)</p>', page
    )
    return [strip_tags(one) for one in said]


def strip_tags(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_that_there_is_no_channel(story, path):
    async with open_web(story.database, replace(PLAN, channels=())) as web:
        assert await read_bar(web, path) == [
            "No notification channel: connwatch cannot alert anyone."
        ]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_that_everything_is_muted_and_can_end_it(story, path):
    mute_all(story, "<b>&")
    async with open_web(story.database, PLAN) as web:
        assert await read_bar(web, path) == [
            "All alerts are muted until 13:00 UTC (&lt;b&gt;&amp;)."
        ]
        assert 'action="/silences/all/end"' in (await web.get(path, headers=PAGE)).text
        assert (await web.change("/silences/all/end")).status_code == 303
        assert await read_bar(web, path) == []


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_at_the_first_failure_that_a_channel_fails(story, path):
    fail_channel(story)
    async with open_web(story.database, PLAN) as web:
        assert await read_bar(web, path) == ["Channel ops: failing for 1 hour."]
        page = (await web.get(path, headers=PAGE)).text
    assert '<span class="badge" title="Failing channels">1<' in page


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_that_a_reload_failed(story, path):
    reloads = ReloadStatus()
    reloads.note_failure(NOON, ())
    async with open_web(story.database, PLAN, reloads=reloads) as web:
        [said] = await read_bar(web, path)
    assert said.startswith("The configuration was not reloaded at 12:00 UTC")


async def test_nothing_is_said_while_nothing_is_wrong(story):
    async with open_web(story.database, PLAN) as web:
        assert [await read_bar(web, path) for path in PAGES] == [[]] * len(PAGES)
        assert 'badge" title' not in (await web.get("/")).text


async def test_strangers_are_told_nothing(story, tmp_path):
    mute_all(story)
    async with open_web(story.database, PLAN) as web:
        page = (await web.stranger().get("/login", headers=PAGE)).text
    assert "muted" not in page


@pytest.mark.parametrize(
    ("break_it", "tone"),
    [(lambda _: None, "good"), (mute_all, "warn"), (fail_channel, "warn")],
    ids=["nothing", "muted", "the only channel fails"],
)
async def test_the_headline_is_green_only_while_alerts_can_be_sent(story, break_it, tone):
    break_it(story)
    async with open_web(story.database, PLAN) as web:
        page = (await web.get("/")).text
    assert f'<p class="headline {tone}"><strong>All connections are healthy' in page


NOTES = {
    "nothing": (lambda _: None, PLAN, []),
    "no channel": (lambda _: None, replace(PLAN, channels=()), ["no_channel"]),
    "muted": (mute_all, PLAN, ["muted_all"]),
    "a channel fails": (fail_channel, PLAN, ["channel_failed"]),
}


@pytest.mark.parametrize(("break_it", "plan", "notes"), NOTES.values(), ids=NOTES)
async def test_readyz_notes_it_and_stays_ready(story, break_it, plan, notes):
    break_it(story)
    async with open_web(story.database, plan) as web:
        answer = await web.get("/readyz")
        web.check_described("Ready", answer.json())
    expected = {"status": "ready", "failing": [], "notes": notes}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_readyz_notes_a_failed_reload_and_all_at_once(story):
    mute_all(story)
    fail_channel(story)
    reloads = ReloadStatus()
    reloads.note_failure(NOON, ())
    async with open_web(story.database, PLAN, reloads=reloads) as web:
        notes = (await web.get("/readyz")).json()["notes"]
    assert notes == ["muted_all", "channel_failed", "reload_failed"]


async def test_a_failing_channel_is_red_on_the_monitor_page_and_says_why(story):
    story.evaluate(NOON + timedelta(minutes=1), acme=REFUSED)
    story.evaluate(NOON + timedelta(minutes=2), acme=REFUSED)
    with story.database.write() as tx:
        now = NOON + timedelta(minutes=3)
        [row] = outbox.choose_next(tx, "ops", now)
        outbox.begin_channel_failure(tx, "ops", now)
        outbox.mark_failed(tx, [row.id], REFUSED_BY_PORT, now + timedelta(minutes=11))
    async with open_web(story.database, PLAN) as web:
        web.now[0] = NOON + timedelta(minutes=18)
        page = (await web.get("/monitor")).text
        metrics = (await web.get("/metrics")).text
    assert '<tr class="failing">' in page
    assert "Failing for 15 minutes: connection refused; trying again now" in page
    assert f'<summary>Details</summary><p class="quiet">{REFUSED_BY_PORT}</p>' in page
    assert 'connwatch_channel_failing{channel="ops"} 1.0' in metrics


async def test_a_page_comes_without_the_database_and_says_what_it_can(story):
    class Broken:
        async def read(self, _work):
            raise StoreError("disk I/O error")

        def close(self) -> None:
            pass

    plan = replace(PLAN, channels=())
    async with open_web(story.database, plan, reader=Broken()) as web:
        ready = (await web.get("/readyz")).json()
    assert (ready["failing"], ready["notes"]) == (["database"], ["no_channel"])


async def test_rows_and_pages_say_what_is_muted_and_acknowledged(story):
    with story.database.write() as tx:
        suppression.add_silence(tx, Scope.CONNECTION, "acme", "", NOON, NOON + HOUR)
    async with open_web(story.database, PLAN) as web:
        pages = [(await web.get(path)).text for path in ("/", "/connections/acme")]
    assert "muted until <time" in pages[0]
    assert "muted until 13:00 UTC" in strip_tags(pages[0])
    assert "<strong>Muted</strong> until" in pages[1]


async def test_the_page_shows_the_notes_of_its_connection(story):
    noted = replace(watched_of(PLAN)["acme"], notes="Call <Ana> first\nthen Bob")
    plan = with_watched(PLAN, {**watched_of(PLAN), "acme": noted})
    async with open_web(story.database, plan) as web:
        pages = [(await web.get(f"/connections/{name}")).text for name in ("acme", "beta")]
        each = (await web.get("/api/v1/connections/acme")).json()
        web.check_described("Connection", each)
    assert "<strong>Notes:</strong> Call &lt;Ana&gt; first\nthen Bob" in pages[0]
    assert "Notes:" not in pages[1]
    assert each["notes"] == noted.notes


async def test_no_page_shows_a_backtick(story):
    said = replace(REFUSED, detail="403: `region` is not <it>")
    story.evaluate(NOON + timedelta(minutes=1), acme=said)
    async with open_web(story.database, PLAN) as web:
        page = (await web.get("/connections/acme")).text
        refused = await web.get("/connections/`acme`", headers=PAGE)
    assert page.count("403: <code>region</code> is not &lt;it&gt;") == 3  # card, change, check
    assert "`" not in strip_tags(page)
    assert (refused.status_code, "`" in strip_tags(refused.text)) == (404, False)
