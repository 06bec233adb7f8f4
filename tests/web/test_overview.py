"""
What is known of all connections at a glance follows the clock, forward and back.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.store import connections
from monitor.web.overview import Overview, Query
from tests.builders import OK, Story, entry, plan_of
from tests.fakes import NOON, FixedClock

if TYPE_CHECKING:
    from monitor.store.engine import Database

DAY = timedelta(days=1)
PLAN = plan_of(entry("acme"), authorized_at=NOON, valid_days=100)
SOON = frozenset({"expiring_soon"})


def look(database: Database, overview: Overview) -> tuple[int, int | None]:
    """
    Return how many expire soon, and in how many days the connection does.
    """
    with database.read() as tx:
        counted = overview.counts(tx)["expiring_soon"]
        assert overview.find(tx, Query(states=SOON)).total == counted
        [shown] = overview.find(tx, Query()).connections
    authorization = shown["authorization"]
    return counted, authorization and authorization["days_left"]


@pytest.mark.parametrize("back", [timedelta(seconds=1), DAY, 60 * DAY], ids=str)
def test_a_clock_that_was_set_back_takes_back_what_it_said(database: Database, back: timedelta):
    Story.begin(database, PLAN).evaluate(NOON, acme=OK)
    clock = FixedClock(NOON + 70 * DAY)
    overview = Overview(PLAN, clock)
    assert look(database, overview) == (1, 30)
    clock.advance(-back)
    left = (NOON + 100 * DAY - clock.now) // DAY
    assert look(database, overview) == (0, left)
    clock.advance(back)
    assert look(database, overview) == (1, 30)


def test_what_was_shown_in_between_is_told_even_if_it_is_as_before_by_then(database: Database):
    Story.begin(database, PLAN).evaluate(NOON, acme=OK)
    overview = Overview(PLAN, FixedClock(NOON))
    with database.read() as tx:
        overview.take_changes(tx)
        [record] = connections.list_records(tx)
    with database.write() as tx:
        connections.pause(tx, record.id)
    with database.read() as tx:
        [shown] = overview.describe(tx, [record.id])
    assert shown["state"] == "paused"
    with database.write() as tx:
        connections.resume(tx, record, NOON)
    with database.read() as tx:
        [changed] = overview.take_changes(tx)
        assert (changed.name, changed.entry and changed.entry.state) == ("acme", "active")
        assert overview.take_changes(tx) == []
        overview.describe(tx, [record.id])
        assert overview.take_changes(tx) == []
