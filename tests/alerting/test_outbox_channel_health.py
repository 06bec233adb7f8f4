"""
A channel that takes nothing is told on the others, once, and its return as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.judge.alerts import AlertDue, AlertKind, Severity
from monitor.judge.routing import ChannelRoute
from monitor.notify.delivery import AlertError, DeliveryReport
from monitor.store import alerts, outbox
from tests.builders import HOUR, MINUTE, OPS, Story, delivery_of, entry, plan_of
from tests.fakes import NOON, FakeSender, FixedClock

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.store.engine import StoreWorker

pytestmark = pytest.mark.anyio

BOSS, MAIL = ChannelRoute("boss"), ChannelRoute("mail")


class Bench:
    """
    A delivery over channels of which some are down.
    """

    def __init__(self, database, store: StoreWorker, *channels: ChannelRoute) -> None:
        self.story = Story.begin(database, plan_of(entry("one"), channels=channels))
        self.clock = FixedClock()
        self.sender = FakeSender()
        self.delivery = delivery_of(store, self.story.plan, self.sender, self.clock, retry_for=HOUR)

    def bear(self, *channels: str, kind: AlertKind = AlertKind.ERROR) -> None:
        ids = [self.story.record("one").id]
        alert = AlertDue.of(kind, reason="timeout")
        with self.story.database.write() as tx:
            alerts.add_alert(tx, alert, ids, channels, self.clock())

    def break_(self, *channels: str, permanent: bool = True) -> None:
        for channel in channels:
            self.sender.failures[channel] = AlertError("error=404", permanent=permanent)

    async def deliver(self, after: timedelta = MINUTE) -> DeliveryReport:
        self.clock.advance(after)
        return await self.delivery.deliver_due(is_final=True)

    def told(self, kind: AlertKind) -> list[list[str]]:
        """
        The channels of each alert of *kind*.
        """
        return [
            [one.channel for one in alert.notifications]
            for alert in self.story.alerts()
            if alert.kind == kind
        ]


async def test_the_others_hear_once_that_a_channel_fails(database, store):
    bench = Bench(database, store, OPS, BOSS, MAIL)
    bench.break_("ops")
    for kind in (AlertKind.ERROR, AlertKind.EXPIRED, AlertKind.QUOTA_LOW):
        bench.bear("ops", kind=kind)
        await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_FAILED) == [["boss", "mail"]]
    await bench.deliver()
    titles = [(channel, message.title) for channel, message in bench.sender.sent]
    assert sorted(titles) == [
        ("boss", "🔴 channel ops: alerts are not delivered"),
        ("mail", "🔴 channel ops: alerts are not delivered"),
    ]
    assert "\n\nDetails: " in bench.sender.sent[0][1].body


async def test_a_channel_counts_as_failing_from_its_first_failure_on(database, store):
    bench = Bench(database, store, OPS, BOSS)
    bench.bear("ops")
    bench.break_("ops", permanent=False)
    await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_FAILED) == []
    await bench.deliver(HOUR)
    [failed] = [each for each in bench.story.alerts() if each.kind == "channel_failed"]
    assert failed.facts["since"] == (NOON + MINUTE).isoformat()


async def test_a_failure_that_passes_is_told_nobody(database, store):
    bench = Bench(database, store, OPS, BOSS)
    bench.bear("ops")
    bench.break_("ops", permanent=False)
    await bench.deliver()
    bench.sender.failures.clear()
    assert await bench.deliver() == DeliveryReport(sent=1)
    bench.break_("ops")
    bench.bear("ops", kind=AlertKind.EXPIRED)
    await bench.deliver(HOUR)
    [failed] = [each for each in bench.story.alerts() if each.kind.startswith("channel")]
    assert failed.facts["since"] == (NOON + 2 * MINUTE + HOUR).isoformat()


async def test_its_return_is_told_to_the_others_and_it_may_fail_again(database, store):
    bench = Bench(database, store, OPS, BOSS)
    bench.break_("ops")
    bench.bear("ops")
    await bench.deliver()
    bench.sender.failures.clear()
    with database.write() as tx:
        assert outbox.retry_dead(tx, bench.clock()) == 1
    await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_RESTORED) == [["boss"]]
    bench.bear("ops", kind=AlertKind.EXPIRED)
    await bench.deliver()
    assert len(bench.told(AlertKind.CHANNEL_RESTORED)) == 1
    bench.break_("ops")
    bench.bear("ops")
    await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_FAILED) == [["boss"], ["boss"]]


async def test_the_only_channel_has_nobody_to_tell(database, store):
    bench = Bench(database, store, OPS)
    bench.break_("ops")
    bench.bear("ops")
    await bench.deliver()
    bench.sender.failures.clear()
    bench.bear("ops", kind=AlertKind.EXPIRED)
    assert await bench.deliver() == DeliveryReport(sent=1)
    assert [each.kind for each in bench.story.alerts()] == ["error", "expired"]


async def test_channels_that_fail_all_do_not_tell_each_other_for_ever(database, store):
    bench = Bench(database, store, OPS, BOSS, MAIL)
    bench.break_("ops", "boss")
    bench.bear("ops")
    for _ in range(4):
        await bench.deliver()
    # The boss's channel died of the news about the first, and only the mail hears of that.
    assert bench.told(AlertKind.CHANNEL_FAILED) == [["boss", "mail"], ["mail"]]
    assert len(bench.sender.sent) == 2


async def test_who_hears_of_it_is_a_matter_of_kinds_and_severity(database, store):
    kinds = frozenset({AlertKind.CHANNEL_RESTORED})
    bench = Bench(
        database,
        store,
        OPS,
        ChannelRoute("ends", kinds=kinds, min_severity=Severity.CRITICAL),
        ChannelRoute("loud", min_severity=Severity.CRITICAL),
        ChannelRoute("tagged", tags=frozenset({"nothing-has-it"})),
    )
    bench.break_("ops")
    bench.bear("ops")
    await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_FAILED) == [["loud", "tagged"]]
    bench.sender.failures.clear()
    bench.bear("ops", kind=AlertKind.EXPIRED)
    await bench.deliver()
    assert bench.told(AlertKind.CHANNEL_RESTORED) == [["ends", "tagged"]]


async def test_a_channel_that_was_taken_out_is_no_channel_that_fails(database, store):
    bench = Bench(database, store, OPS, BOSS)
    bench.break_("old")
    bench.bear("old")
    assert await bench.deliver() == DeliveryReport(dead=1)
    assert bench.told(AlertKind.CHANNEL_FAILED) == []
