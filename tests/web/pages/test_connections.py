"""
What the list says at its top, and what it offers to press.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from tests.builders import DAY, OK, REFUSED, Story, entry, ok_with, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Database
    from tests.web_client import Web

pytestmark = pytest.mark.anyio

HEADLINES: dict[str, tuple[int, dict[str, Outcome], str]] = {
    "all work": (10, {"acme": OK, "beta": OK}, "All is well: nothing needs attention."),
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


@pytest.mark.parametrize(("days", "outcomes", "expected"), HEADLINES.values(), ids=HEADLINES.keys())
async def test_the_headline_counts_whom_somebody_should_look_at(
    database: Database, days: int, outcomes: dict[str, Outcome], expected: str
):
    plan = plan_of(entry("acme"), entry("beta"), authorized_at=NOON - days * DAY)
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
    assert '<button aria-label="Validate store">' in page
