"""
What the list says at its top, and what it offers to press.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.judge.routing import Subject
from monitor.judge.suppression import Scope
from monitor.store import suppression
from tests.builders import DAY, OK, OPS, REFUSED, Story, entry, ok_with, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

HEADLINES: dict[str, tuple[int, dict[str, Outcome], str]] = {
    "all work": (10, {"acme": OK, "beta": OK}, "All connections are healthy."),
    "one is broken": (10, {"acme": OK, "beta": REFUSED}, "1 connection needs attention."),
    "a broken one that ends soon counts once": (
        340,
        {"acme": OK, "beta": REFUSED},
        "2 connections need attention.",
    ),
    "a quota is used up": (10, {"acme": ok_with(0), "beta": OK}, "1 connection needs attention."),
    "a quota is low": (10, {"acme": ok_with(900), "beta": OK}, "1 connection needs attention."),
    "one was not checked yet": (
        10,
        {"acme": OK},
        "Nothing needs attention so far; 1 not checked yet.",
    ),
}


async def read_headline(web: Web) -> str:
    page = (await web.get("/", headers={"Accept": "text/html"})).text
    found = re.search(r'<div id="found".*?<strong>(.*?)</strong>', page, re.DOTALL)
    assert found is not None
    return found.group(1)


async def test_nothing_is_well_while_no_alert_can_be_sent(database: Database):
    plan = plan_of(entry("acme"), channels=[])
    Story.begin(database, plan).evaluate(NOON, acme=OK)
    async with open_web(database, plan) as web:
        page = (await web.get("/")).text
    assert '<p class="headline warn"><strong>All connections are healthy, but' in page


MANY = plan_of(
    entry("broken"),
    entry("far"),
    entry("fine"),
    entry("low"),
    entry("off", is_enabled=False),
    entry("used-up"),
    channels=[OPS],
    subjects=[Subject("broken", frozenset({"eu"})), Subject("fine", frozenset({"eu"}))],
)
NUMBERS = {
    "all of them": ("", {"all": 6, "needs attention": 3, "error": 1, "low quota": 2, "active": 4}),
    "a tag": ("tag=eu", {"all": 2, "needs attention": 1, "error": 1, "active": 1}),
    "a search": ("q=low", {"all": 1, "needs attention": 1, "low quota": 1, "active": 1}),
    "a state": ("state=active", {"active": 4}),
    "those that need attention": ("state=needs_attention", {"needs attention": 3}),
    "low quotas": ("state=low_quota", {"low quota": 2}),
    "a state and a tag": ("state=active&tag=eu", {"active": 1}),
    "nothing": ("q=zzzz", {"all": 0}),
    "a state that none has": ("state=expired", {"expired": 0}),
    "muted": ("state=muted", {"muted": 1}),
}


@pytest.mark.parametrize(("query", "expected"), NUMBERS.values(), ids=NUMBERS)
async def test_every_number_of_the_list_is_about_what_matches(
    database: Database, query: str, expected: dict[str, int]
):
    story = Story.begin(database, MANY)
    story.evaluate(
        NOON, broken=REFUSED, far=OK, fine=OK, low=ok_with(900), **{"used-up": ok_with(0)}
    )
    with database.write() as tx:
        suppression.add_silence(tx, Scope.CONNECTION, "fine", "", NOON - DAY, NOON + DAY)
    async with open_web(database, MANY) as web:
        page = (await web.get(f"/?{query}")).text
    chips = re.search(r'<ul class="counts".*?</ul>', page, re.DOTALL)
    assert chips is not None
    numbers = {
        label: int(count) for count, label in re.findall(r"<b>(\d+)</b> ([a-z ]+)</a>", chips[0])
    }
    assert {key: numbers.get(key) for key in expected} == expected
    [listed] = re.findall(r'<ol class="list" aria-label="Connections, (\d+) in all"', page) or ["0"]
    shown = next(iter(expected.values()))
    assert int(listed) == shown
    headline = re.search(r'<p class="headline [a-z]+"><strong>(.*?)</strong>', page)
    assert headline is not None
    n = re.match(r"\d+", headline[1])
    needing = expected.get("needs attention", 0 if not shown else None)
    assert needing is None or (int(n[0]) if n else 0) == needing


@pytest.mark.parametrize(("days", "outcomes", "expected"), HEADLINES.values(), ids=HEADLINES.keys())
async def test_the_headline_counts_whom_somebody_should_look_at(
    database: Database, days: int, outcomes: dict[str, Outcome], expected: str
):
    plan = plan_of(entry("acme"), entry("beta"), channels=[OPS], authorized_at=NOON - days * DAY)
    Story.begin(database, plan).evaluate(NOON, **outcomes)
    async with open_web(database, plan) as web:
        assert await read_headline(web) == expected


async def test_what_ends_soon_and_has_a_page_of_its_own_leads_there(
    database: Database, tmp_path: Path
):
    path = tmp_path / "config.toml"
    path.write_text(
        '[[connections]]\nname = "store"\nprovider = "countdown"\nrenew_url = "https://a.example/?x=1&y"\n'
        f"authorized_on = {(NOON - 340 * DAY).date()}\n"
    )
    config = load_config(path)
    plan = make_plan(config)
    Story.begin(database, plan).evaluate(NOON, store=OK)
    async with open_web(database, plan, config) as web:
        page = (await web.get("/")).text
    assert '<a class="button main" href="https://a.example/?x=1&amp;y" rel="noreferrer"' in page
    assert "Record renewal</a>" in page
    assert "Validate" not in page
