"""
What is in force now: what a reload remakes, and what it carries on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.config.model import Channel, Config
from monitor.config.secret import Secret
from monitor.engine.live import Live, Snapshot
from monitor.judge.alerts import AlertKind
from monitor.notify.delivery import AlertError, Delivery, DeliveryTerms
from monitor.notify.message import Message
from tests.builders import entry, plan_of, snapshot_of
from tests.fakes import NOON, FakeOutbox, FakeSender, FixedClock
from tests.sinks import run_web_hook
from tests.waiting import until

HOUR = timedelta(hours=1)
PAGES = ("https://one.example.com/", "https://two.example.com/")


def test_our_own_link_is_asked_for_anew_only_where_its_pages_are_others():
    plan = replace(plan_of(), uplink=PAGES)
    former = snapshot_of(plan)
    same = Snapshot.of(Config(), replace(plan, group_wait=HOUR), former.calls, former)
    other = Snapshot.of(Config(), replace(plan, uplink=PAGES[:1]), former.calls, former)
    none = Snapshot.of(Config(), replace(plan, uplink=()), former.calls, former)
    assert same.connectivity is former.connectivity
    assert other.connectivity is not former.connectivity
    assert (other.connectivity.has_any, none.connectivity.has_any) == (True, False)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_who_took_a_message_before_a_reload_does_not_get_it_again_after_it():
    with run_web_hook() as hook:
        urls = Secret(f"{hook.url('/one')} {hook.url('/two')}")
        config = Config(channels=(Channel(name="ops", url=urls),))
        former = snapshot_of(plan_of())
        before = Snapshot.of(config, former.plan, former.calls)
        hook.answers["/two"] = 500
        with pytest.raises(AlertError):
            before.sender.send("ops", Message("t", "b"), "7")
        hook.answers.clear()
        after = Snapshot.of(config, former.plan, former.calls, before)
        after.sender.send("ops", Message("t", "b"), "7")
        assert hook.paths() == ["/one", "/two", "/two"]


def test_a_channel_that_a_reload_takes_out_is_not_sent_to_any_more():
    former = Snapshot.of(
        Config(channels=(Channel(name="ops", url=Secret("json://127.0.0.1:9")),)),
        plan_of(),
        snapshot_of(plan_of()).calls,
    )
    after = Snapshot.of(Config(), former.plan, former.calls, former)
    with pytest.raises(AlertError, match="not in the configuration any more"):
        after.sender.send("ops", Message("t", "b"))


@pytest.mark.anyio
async def test_a_message_under_way_ends_by_the_settings_that_it_began_with():
    outbox, former, newer = FakeOutbox(), FakeSender(hanging={"ops"}), FakeSender()
    outbox.add("ops", ("one",), born_at=NOON)
    outbox.add("ops", ("two",), born_at=NOON, kind=AlertKind.RECOVERED)
    terms = [DeliveryTerms(former, HOUR, lambda names: f"https://former.example/{names[0]}")]
    delivery = Delivery(outbox, lambda: terms[-1], clock=FixedClock())
    delivering = asyncio.create_task(delivery.deliver_due())
    await until(lambda: former.keys_begun)
    terms.append(DeliveryTerms(newer, HOUR, lambda names: f"https://newer.example/{names[0]}"))
    former.let_go.set()
    assert (await delivering).sent == 2
    assert ["former.example" in message.body for _, message in former.sent] == [True]
    assert ["newer.example" in message.body for _, message in newer.sent] == [True]


def test_the_cell_shows_what_it_holds_now():
    former, newer = snapshot_of(plan_of(entry("one"))), snapshot_of(plan_of(), config=Config())
    live = Live(former)
    live.now = newer
    assert (live.plan, live.config) == (newer.plan, newer.config)
