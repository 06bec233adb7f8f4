"""Our own shortage: an alert about connwatch, told apart from the loss of our own link."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from monitor.alerting.incidents import (
    announce_past_shortage,
    begin_shortage,
    end_shortage,
)
from monitor.alerting.suppression import begin_silence, end_silence
from monitor.judge.incidents import Connectivity
from monitor.judge.shortage import Shortage
from monitor.judge.suppression import Scope
from monitor.store.schema import alerts, notifications
from tests.builders import HOUR, MINUTE, OK, UNREACHED, Story, entry, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime


@pytest.fixture
def story(database) -> Story:
    """Two connections that are well, and a page that tells whether there is a link."""
    plan = replace(plan_of(entry("one"), entry("two")), uplink=("https://up.test",))
    story = Story.begin(database, plan)
    story.evaluate(NOON, one=OK, two=OK)
    return story


def begin(story: Story, at: datetime, kind: Shortage = Shortage.DESCRIPTORS) -> bool:
    with story.database.write() as tx:
        return begin_shortage(tx, story.plan, kind, at, 2, at)


def end(story: Story, at: datetime) -> bool:
    with story.database.write() as tx:
        return end_shortage(tx, story.plan, at)


def lose_link(story: Story, at: datetime) -> None:
    story.uplink = Connectivity.DOWN
    story.evaluate(at, one=UNREACHED, two=UNREACHED)


def find_link(story: Story, at: datetime) -> None:
    story.uplink = Connectivity.UP
    story.evaluate(at, one=OK, two=OK)


def unsent(story: Story) -> list[tuple[str, str | None]]:
    """Kind and shortage of what waits to be sent, or is held back."""
    with story.database.read() as tx:
        rows = tx.execute(
            select(alerts.c.kind, alerts.c.facts)
            .join(notifications, notifications.c.alert_id == alerts.c.id)
            .where(notifications.c.state.in_(("due", "held")))
            .order_by(notifications.c.id)
        )
        return [(row.kind.value, row.facts.get("shortage")) for row in rows]


OFFLINE, ONLINE = ("monitor_offline", None), ("monitor_online", None)
SHORT, ENOUGH = ("monitor_offline", "descriptors"), ("monitor_online", "descriptors")


def test_a_shortage_is_announced_once_and_so_is_its_end(story):
    assert begin(story, NOON + MINUTE)
    assert not begin(story, NOON + 2 * MINUTE, Shortage.MEMORY)
    story.send_all()
    assert end(story, NOON + HOUR)
    assert not end(story, NOON + HOUR)
    assert unsent(story) == [ENOUGH]


@pytest.mark.parametrize("first", ["link", "shortage"])
def test_the_end_of_a_lost_link_takes_no_shortage_back(story, first):
    if first == "link":
        lose_link(story, NOON + MINUTE)
        begin(story, NOON + 2 * MINUTE)
    else:
        begin(story, NOON + MINUTE)
        lose_link(story, NOON + 2 * MINUTE)
    find_link(story, NOON + 3 * MINUTE)
    assert SHORT in unsent(story)
    assert OFFLINE not in unsent(story)
    story.send_all()
    assert end(story, NOON + HOUR)
    assert unsent(story) == [ENOUGH]


@pytest.mark.parametrize("first", ["link", "shortage"])
def test_the_end_of_a_shortage_takes_no_lost_link_back(story, first):
    if first == "shortage":
        begin(story, NOON + MINUTE)
        lose_link(story, NOON + 2 * MINUTE)
    else:
        lose_link(story, NOON + MINUTE)
        begin(story, NOON + 2 * MINUTE)
    end(story, NOON + 3 * MINUTE)
    assert OFFLINE in unsent(story)
    assert SHORT not in unsent(story)


def mute(story: Story, at: datetime) -> int:
    with story.database.write() as tx:
        return begin_silence(tx, story.plan, Scope.ALL, None, HOUR, "", at).id


def unmute(story: Story, number: int, at: datetime) -> None:
    with story.database.write() as tx:
        end_silence(tx, story.plan, number, at)


def test_a_muted_shortage_that_lasts_is_told_although_the_link_came_back_meanwhile(story):
    lose_link(story, NOON + MINUTE)
    story.send_all()
    number = mute(story, NOON + 2 * MINUTE)
    begin(story, NOON + 3 * MINUTE)
    find_link(story, NOON + 4 * MINUTE)
    unmute(story, number, NOON + 5 * MINUTE)
    assert SHORT in unsent(story)
    assert ONLINE in unsent(story)


def test_a_muted_loss_of_the_link_is_told_although_a_full_disk_has_room_again(story):
    number = mute(story, NOON + MINUTE)
    lose_link(story, NOON + 2 * MINUTE)
    with story.database.write() as tx:
        at = NOON + 3 * MINUTE
        announce_past_shortage(tx, story.plan, Shortage.DISK, NOON + MINUTE, at)
    unmute(story, number, NOON + 4 * MINUTE)
    assert OFFLINE in unsent(story)


def test_a_muted_shortage_that_is_over_is_not_told_at_all(story):
    number = mute(story, NOON + MINUTE)
    begin(story, NOON + 2 * MINUTE)
    end(story, NOON + 3 * MINUTE)
    unmute(story, number, NOON + 4 * MINUTE)
    assert SHORT not in unsent(story)
