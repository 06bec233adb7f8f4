"""
Thousands of connections fail in one tick: one message a channel, and one when it is over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import process_time
from typing import TYPE_CHECKING

import pytest

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import Rules, State
from monitor.judge.routing import ChannelRoute
from monitor.store import connections
from monitor.store.engine import StoreWorker
from tests.builders import (
    EVERY,
    MINUTE,
    OK,
    UNREACHED,
    Story,
    delivery_of,
    entry,
    plan_of,
    watched_of,
    with_watched,
)
from tests.fakes import NOON, FakeSender, FixedClock

if TYPE_CHECKING:
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

N_BATCHES = 4
SECOND = timedelta(seconds=1)
CHANNELS = (ChannelRoute("mail"), ChannelRoute("chat"))


class Storm:
    """
    Many connections to some hosts, on which one failure is an error already.
    """

    def __init__(self, database: Database, n: int, n_hosts: int = 1) -> None:
        entries = [entry(f"c{i:05}", host=f"h{i % n_hosts}.example.com") for i in range(n)]
        plan = plan_of(*entries, channels=CHANNELS)
        rules = Rules(every=EVERY, error_after_failures=1)
        watched = {name: replace(one, rules=rules) for name, one in watched_of(plan).items()}
        self.story = Story.begin(
            database, replace(with_watched(plan, watched), group_wait=10 * SECOND), NOON
        )
        with database.read() as tx:
            self.ids = [record.id for record in connections.list_records(tx)]
        self.clock = FixedClock()
        self.sender = FakeSender()
        self.store = StoreWorker(database)
        self.delivery = delivery_of(self.store, self.story.plan, self.sender, self.clock)

    async def bring(self, outcome: Outcome) -> None:
        """
        Settle one outcome for all, a batch a second, while alerts are delivered.
        """
        at_a_time = len(self.ids) // N_BATCHES
        for start in range(0, len(self.ids), at_a_time):
            self.clock.advance(SECOND)
            at = self.clock.now
            batch = [
                FinishedCheck(number, at, at, outcome) for number in self.ids[start:][:at_a_time]
            ]
            with self.story.database.write() as tx:
                evaluate(tx, batch, self.story.plan, self.story.uplink)
            await self.pass_time(SECOND, step=SECOND)

    async def pass_time(self, length: timedelta, step: timedelta = 5 * SECOND) -> None:
        end = self.clock.now + length
        while self.clock.now < end:
            self.clock.advance(step)
            self.story.sweep(self.clock.now)
            await self.delivery.deliver_due()

    def told(self) -> dict[str, list[str]]:
        """
        The titles that each channel received.
        """
        return {
            channel.name: [
                message.title for name, message in self.sender.sent if name == channel.name
            ]
            for channel in CHANNELS
        }

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.story.kinds()]


@pytest.mark.parametrize(
    ("many", "limit_s"), [(1_000, 6), pytest.param(10_000, 60, marks=pytest.mark.long)]
)
async def test_a_host_that_fails_for_thousands_is_two_messages_a_channel(database, many, limit_s):
    storm = Storm(database, many)
    try:
        await storm.bring(OK)
        await storm.pass_time(MINUTE)
        assert storm.sender.sent == []
        begun = process_time()
        await storm.bring(UNREACHED)
        await storm.pass_time(MINUTE)
        assert storm.kinds() == ["outage"]
        assert storm.story.record("c00000").standing.state is State.ERROR
        assert [len(titles) for titles in storm.told().values()] == [1, 1]
        await storm.bring(UNREACHED)
        await storm.bring(OK)
        await storm.pass_time(10 * MINUTE, step=MINUTE)
        took = process_time() - begun
    finally:
        await storm.delivery.drain(SECOND)
        storm.store.close()
    assert storm.kinds() == ["outage", "outage_over"]
    assert [len(titles) for titles in storm.told().values()] == [2, 2]
    assert took < limit_s, "all fail, once more, and succeed"


async def test_a_link_that_goes_is_two_messages_a_channel(database):
    storm = Storm(database, 1_000, n_hosts=200)
    storm.story.plan = replace(storm.story.plan, uplink=("https://up.example.com",))
    try:
        await storm.bring(OK)
        storm.story.uplink = Connectivity.DOWN
        await storm.bring(UNREACHED)
        await storm.pass_time(MINUTE)
        storm.story.uplink = Connectivity.UP
        await storm.bring(OK)
        await storm.pass_time(10 * MINUTE, step=MINUTE)
    finally:
        await storm.delivery.drain(SECOND)
        storm.store.close()
    assert storm.kinds() == ["monitor_offline", "monitor_online"]
    assert [len(titles) for titles in storm.told().values()] == [2, 2]


async def test_a_link_that_goes_without_uplink_is_two_messages_a_channel(database):
    storm = Storm(database, 1_000, n_hosts=100)
    try:
        await storm.bring(OK)
        await storm.bring(UNREACHED)
        await storm.pass_time(MINUTE)
        assert storm.kinds() == ["monitor_offline"], "the first half was told as outages"
        assert storm.story.record("c00000").standing.announced_state is None
        await storm.bring(UNREACHED)
        await storm.bring(OK)
        await storm.pass_time(10 * MINUTE, step=MINUTE)
    finally:
        await storm.delivery.drain(SECOND)
        storm.store.close()
    assert storm.kinds() == ["monitor_offline", "monitor_online"]
    assert [len(titles) for titles in storm.told().values()] == [2, 2]


def test_errors_that_nobody_has_heard_of_are_taken_back_when_an_outage_begins(database):
    story = _patient(database)
    story.evaluate(NOON, c0=UNREACHED, c1=UNREACHED)
    assert [kind for kind, _ in story.kinds()] == ["error", "error"]
    story.evaluate(NOON + SECOND, c0=UNREACHED, c2=UNREACHED)
    [alert] = story.alerts()
    assert (alert.kind, alert.connections) == ("outage", ("c0", "c1", "c2"))
    assert story.record("c0").standing.announced_state is None


def test_an_outage_is_told_although_its_members_were_told_before_it(database):
    story = _patient(database)
    for name in ("c0", "c1"):
        story.evaluate(NOON, **{name: UNREACHED})
    story.plan = with_watched(story.plan, _rules(story, 3))
    story.evaluate(NOON + SECOND, c2=UNREACHED)
    assert [kind for kind, _ in story.kinds()] == ["outage"]


def test_an_error_that_somebody_has_heard_of_stays(database):
    story = _patient(database)
    story.evaluate(NOON, c0=UNREACHED, c1=UNREACHED)
    with database.write() as tx:
        [first] = [one for one in story.alerts() if one.connections == ("c0",)]
        tx.exec_driver_sql(f"UPDATE notifications SET state = 'sent' WHERE alert_id = {first.id}")
    story.evaluate(NOON + SECOND, c2=UNREACHED)
    assert [kind for kind, _ in story.kinds()] == ["error", "outage"]
    assert story.record("c0").standing.announced_state is State.ERROR
    story.evaluate(NOON + MINUTE, c0=OK, c1=OK, c2=OK, c3=OK)
    assert story.kinds()[2:] == [
        ("outage_over", ("c0", "c1", "c2", "c3")),
        ("recovered", ("c0",)),
    ]


def _patient(database: Database) -> Story:
    """
    Four connections of one host, on which one failure is an error already.
    """
    story = Story.begin(database, plan_of(*(entry(f"c{i}") for i in range(4))))
    story.plan = with_watched(story.plan, _rules(story, 1))
    return story


def _rules(story: Story, error_after_failures: int):
    rules = Rules(every=EVERY, error_after_failures=error_after_failures)
    return {name: replace(one, rules=rules) for name, one in watched_of(story.plan).items()}
