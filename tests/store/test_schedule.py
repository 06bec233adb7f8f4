"""
Which instants of next checks hold after a step of the clock.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from monitor.judge.verdict import STARTS_PER_SECOND
from monitor.store import connections, schedule, schema
from tests.builders import (
    DAY,
    EVERY,
    HOUR,
    MINUTE,
    OK,
    Story,
    entries_of,
    entry,
    plan_of,
    throttled,
)
from tests.fakes import NOON

SECOND = timedelta(seconds=1)


def put(story: Story, next_check_at, *names: str) -> None:
    table = schema.connections
    with story.database.write() as tx:
        tx.execute(update(table).where(table.c.name.in_(names)).values(next_check_at=next_check_at))


def reslot_of(tx, entries, now) -> int:
    rhythms = {one.name: one.every for one in entries}
    return schedule.reslot(
        tx,
        lambda names: {name: rhythms[name] for name in names if name in rhythms},
        min(rhythms.values(), default=timedelta()),
        now,
    )


def reslot(story: Story, now=NOON) -> int:
    with story.database.write() as tx:
        return reslot_of(tx, entries_of(story.plan), now)


PLACES = {
    "overdue by hours": (-3 * HOUR, timedelta()),
    "due now": (timedelta(), timedelta()),
    "soon": (MINUTE, MINUTE),
    "a whole round ahead": (EVERY, EVERY),
    "further ahead than a round": (EVERY + SECOND, timedelta()),
    "hours ahead": (3 * HOUR, timedelta()),
}


@pytest.mark.parametrize(("ahead", "expected"), PLACES.values(), ids=PLACES)
def test_what_cannot_have_been_meant_is_due_at_once(database, ahead, expected):
    story = Story.begin(database, plan_of(entry("one")))
    put(story, NOON + ahead, "one")
    assert reslot(story) == (ahead != expected or ahead == timedelta())
    assert story.record("one").next_check_at == NOON + expected


@pytest.mark.parametrize("ahead", [-3 * HOUR, 3 * HOUR], ids=["overdue", "too far ahead"])
def test_many_are_spread_out_in_order(database, ahead):
    names = [f"c{number:03}" for number in range(2 * STARTS_PER_SECOND)]
    story = Story.begin(database, plan_of(*map(entry, names)))
    put(story, NOON + ahead, *names)
    assert reslot(story) == len(names)
    at = [story.record(name).next_check_at or NOON - DAY for name in names]
    assert at == sorted(at)
    assert (at[0], at[STARTS_PER_SECOND]) == (NOON, NOON + SECOND)
    assert len(set(at)) == len(names)


def test_those_that_keep_their_place_take_none_from_the_others(database):
    names = [f"c{number}" for number in range(9)]
    story = Story.begin(database, plan_of(*map(entry, names)))
    put(story, NOON + MINUTE, *names)
    put(story, NOON + DAY, "c8")
    assert reslot(story) == 1
    assert story.record("c8").next_check_at == NOON


def test_each_is_measured_by_its_own_rhythm(database):
    story = Story.begin(database, plan_of(entry("often"), entry("seldom", every=DAY)))
    put(story, NOON + 3 * HOUR, "often", "seldom")
    reslot(story)
    assert story.record("often").next_check_at == NOON
    assert story.record("seldom").next_check_at == NOON + 3 * HOUR


def test_who_was_asked_to_wait_waits(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two")))
    story.evaluate(NOON, one=throttled(NOON + 3 * HOUR), two=OK)
    put(story, NOON + 3 * HOUR, "one", "two")
    reslot(story)
    assert story.record("one").next_check_at == NOON + 3 * HOUR
    assert story.record("two").next_check_at == NOON
    reslot(story, NOON - 2 * DAY)
    assert story.record("one").next_check_at == NOON - 2 * DAY


@pytest.mark.parametrize("how", ["paused", "disabled", "hidden"])
def test_what_is_not_called_stays_so(database, how):
    story = Story.begin(database, plan_of(entry("one")))
    with database.write() as tx:
        if how == "paused":
            connections.pause(tx, story.record("one").id)
        else:
            entries = [entry("one", is_enabled=False)] * (how == "disabled")
            connections.sync(tx, entries, NOON)
    assert reslot(story, NOON + DAY) == 0
    assert story.record("one").next_check_at is None


def test_what_only_a_newer_file_knows_is_left_to_the_next_start(database):
    story = Story.begin(database, plan_of(entry("one"), entry("new")))
    put(story, NOON + DAY, "one", "new")
    with database.write() as tx:
        assert reslot_of(tx, [entry("one")], NOON) == 1
    assert story.record("new").next_check_at == NOON + DAY


def test_without_connections_nothing_is_moved(database):
    with database.write() as tx:
        assert reslot_of(tx, [], NOON) == 0
