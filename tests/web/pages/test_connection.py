"""
What the page of a connection reads of its past.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from monitor.store.schema import check_days, check_hours
from monitor.web.pages.connection import N_LISTED, load_past
from tests.builders import DAY, HOUR, OK, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

pytestmark = pytest.mark.anyio

PLAN = plan_of(entry("one"), entry("two"))
MIDNIGHT = NOON - 12 * HOUR


@pytest.fixture
def story(database) -> Story:
    story = Story.begin(database, PLAN)
    for number in range(N_LISTED + 5):
        story.evaluate(NOON - HOUR + number * HOUR / 60, one=OK, two=OK)
    return story


def live(story: Story, n_days: int, n_hours: int) -> None:
    """
    Give "one" sums of the last days and hours.
    """
    row = {
        "connection_id": story.record("one").id,
        "n_success": 12,
        "n_refusal": 0,
        "n_inconclusive": 0,
        "latency_us_sum": 480_000,
        "latency_us_max": 50_000,
        "n_latency": 12,
    }
    days = [row | {"starts_at": MIDNIGHT - n * DAY} for n in range(1, n_days + 1)]
    hours = [row | {"starts_at": NOON - n * HOUR} for n in range(1, n_hours + 1)]
    with story.database.write() as tx:
        for table, rows in ((check_days, days), (check_hours, hours)):
            if rows:
                tx.execute(insert(table), rows)


def load(story: Story) -> dict[str, Any]:
    with story.database.read() as tx:
        return load_past(tx, story.record("one").id, NOON)


def test_three_months_are_few_rows(story):
    live(story, 100, 100 * 24)
    past = load(story)
    assert len(past["sums"]) == 82 + 12 + 7 * 24
    assert len(past["checks"]) == N_LISTED


@pytest.mark.parametrize(("n_days", "n_hours"), [(0, 0), (1, 47)], ids=["new", "since yesterday"])
def test_of_a_young_connection_every_check_is_read(story, n_days, n_hours):
    live(story, n_days, n_hours)
    assert len(load(story)["checks"]) == N_LISTED + 5


@pytest.mark.parametrize(
    ("n_days", "n_hours", "said"),
    [
        (0, 0, "each check, in ms"),
        (2, 48, "hourly mean, in ms"),
        (30, 30 * 24, "daily mean, of the last week hourly, in ms"),
        (30, 0, "daily mean, of the last week hourly, in ms"),
    ],
    ids=["minutes", "two days", "a month", "paused for a week"],
)
async def test_the_page_says_what_its_line_is_made_of(story, n_days, n_hours, said):
    live(story, n_days, n_hours)
    async with open_web(story.database, PLAN) as web:
        page = await web.get("/connections/one")
    assert page.status_code == 200
    assert f'<p class="quiet">{said}; a red dot' in page.text
