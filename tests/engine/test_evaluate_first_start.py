"""
The first start of an agency with a backlog: ninety connections in trouble, and no ninety messages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.judge.authorizations import Declared
from monitor.judge.routing import ChannelRoute
from tests.builders import DAY, OK, OPS, REFUSED, Story, delivery_of, entry, plan_of
from tests.fakes import NOON, FakeSender, FixedClock

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
BOSS = ChannelRoute("boss")

BROKEN = [f"broken-{number}" for number in range(60)]
ENDED = [f"ended-{number}" for number in range(30)]
FINE = [f"fine-{number}" for number in range(110)]


async def test_ninety_in_trouble_at_the_first_start_are_one_message_a_kind(database, store):
    over = Declared(NOON - 400 * DAY, 365)
    entries = [
        replace(one, declared=over) if one.name in ENDED else one
        for one in map(entry, [*BROKEN, *ENDED, *FINE])
    ]
    plan = replace(plan_of(*entries, channels=(OPS, BOSS)), group_wait=10 * SECOND)
    story = Story.begin(database, plan)
    clock, sender = FixedClock(), FakeSender()
    delivery = delivery_of(store, plan, sender, clock)
    names = [*BROKEN, *ENDED, *FINE]
    for second in range(60):
        clock.now = NOON + second * SECOND
        # All of them are checked in the first seconds, and what was refused again after 30.
        first = second % 30 * 20
        batch = names[first : first + 20]
        story.evaluate(clock.now, **{name: OK if name in FINE else REFUSED for name in batch})
        await delivery.deliver_due()

    titles = Counter((channel, message.title) for channel, message in sender.sent)
    assert titles == {
        (channel, title): 1
        for channel in ("ops", "boss")
        for title in ("🔴 60 connections are failing", "🟡 30 connections have expired")
    }
    error = next(message for _, message in sender.sent if "60" in message.title)
    assert error.body.count("- broken-") == 20
    assert "and 40 more" in error.body
