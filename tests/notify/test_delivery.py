from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from monitor.judge.alerts import AlertKind
from monitor.notify.delivery import (
    AlertError,
    Delivery,
    DeliveryReport,
    DeliveryTerms,
    OutboxUnavailable,
)
from tests.fakes import NOON, FakeOutbox, FakeSender, FixedClock
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
RETRY_FOR = timedelta(hours=24)


class Bench:
    """
    A delivery with everything that it works with.
    """

    def __init__(self) -> None:
        self.outbox = FakeOutbox()
        self.sender = FakeSender()
        self.clock = FixedClock()
        self.delivery = self.make_delivery()

    def make_delivery(
        self, *, retry_for: timedelta = RETRY_FOR, send_timeout: timedelta = 20 * SECOND
    ) -> Delivery:
        self.terms = DeliveryTerms(
            self.sender, retry_for, lambda names: f"http://127.0.0.1/{names[0]}"
        )
        self.delivery = Delivery(
            self.outbox,
            lambda: self.terms,
            clock=self.clock,
            send_timeout=send_timeout,
            jitter=lambda: 0.0,
        )
        return self.delivery

    def expect(self, *states: str) -> None:
        assert self.outbox.states() == list(states)


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.sender.let_go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("send to "):
            thread.join(timeout=PATIENCE_S)


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_true():  # noqa: ASYNC110 - threads set no asyncio event
            await asyncio.sleep(0.005)


def are_sends_over() -> bool:
    return not any(thread.name.startswith("send to ") for thread in threading.enumerate())


async def test_what_is_due_is_sent_and_recorded(bench):
    row = bench.outbox.add()
    report = await bench.delivery.deliver_due()
    assert report == DeliveryReport(sent=1)
    assert (row.state, row.sent_at) == ("sent", NOON)
    [(channel, message)] = bench.sender.sent
    assert channel == "ops"
    assert message.title == "🔴 soldscope-production: token rejected"
    assert message.body.endswith("Open in connwatch: http://127.0.0.1/soldscope-production")


async def test_nothing_due_sends_nothing(bench):
    bench.outbox.add(born_at=NOON + SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport()
    assert bench.sender.sent == []


async def test_everything_due_on_a_channel_goes_out_in_order(bench):
    kinds = [AlertKind.ERROR, AlertKind.RECOVERED, AlertKind.ERROR, AlertKind.RECOVERED]
    for kind in kinds:
        bench.outbox.add(kind=kind)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=4)
    titles = [message.title for _, message in bench.sender.sent]
    assert ["works" in title for title in titles] == [False, True, False, True]


async def test_a_failed_send_waits_for_its_next_attempt(bench):
    row = bench.outbox.add()
    bench.sender.failures["ops"] = AlertError("the service answered 500")
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
    assert row.attempts == 1
    assert row.error == "the service answered 500"
    assert row.next_attempt_at == NOON + 5 * SECOND
    assert await bench.delivery.deliver_due() == DeliveryReport()

    bench.sender.failures.clear()
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)


async def test_a_service_that_asks_for_patience_gets_it(bench):
    row = bench.outbox.add()
    bench.sender.failures["ops"] = AlertError("429", retry_after=90 * SECOND)
    await bench.delivery.deliver_due()
    assert row.next_attempt_at == NOON + 90 * SECOND


async def test_a_channel_whose_service_asked_for_patience_rests_with_all_it_has(bench):
    bench.outbox.add("ops", ("a",))
    bench.outbox.add("ops", ("b",), kind=AlertKind.EXPIRED)
    bench.outbox.add("mail", ("a",))
    bench.sender.failures["ops"] = AlertError("429", retry_after=90 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1, failed=1)
    bench.sender.failures.clear()
    bench.clock.advance(89 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport()
    bench.clock.advance(SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2)


async def test_a_step_of_the_clock_ends_the_rest_of_a_channel(bench):
    bench.outbox.add("ops", ("a",))
    bench.sender.failures["ops"] = AlertError("429", retry_after=90 * SECOND)
    await bench.delivery.deliver_due()
    bench.sender.failures.clear()
    bench.clock.advance(-timedelta(days=30))
    bench.delivery.note_step()
    bench.outbox.add("ops", ("b",), born_at=bench.clock.now, kind=AlertKind.EXPIRED)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)


async def test_alerts_of_one_kind_are_one_message(bench):
    bench.outbox.add("ops", ("a",))
    bench.outbox.add("ops", ("b",))
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2)
    [(_, message)] = bench.sender.sent
    assert message.title == "🔴 2 connections: token rejected"
    assert "- a: token rejected (since" in message.body
    assert "- b: token rejected (since" in message.body


async def test_a_group_fails_waits_and_arrives_as_one(bench):
    bench.outbox.add("ops", ("a",))
    bench.outbox.add("ops", ("b",))
    bench.sender.failures["ops"] = AlertError("down")
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=2)
    bench.outbox.add("ops", ("c",), wait=MINUTE)
    bench.sender.failures.clear()
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2)
    bench.expect("sent", "sent", "due")
    first, again = bench.sender.keys_begun
    assert first == again
    assert first != "1"  # else a target that took another message of that name is left out


async def test_a_group_is_given_up_together(bench):
    bench.outbox.add("gone", ("a",))
    bench.outbox.add("gone", ("b",))
    bench.sender.failures["gone"] = AlertError("not in the configuration", permanent=True)
    assert await bench.delivery.deliver_due() == DeliveryReport(dead=2)
    bench.expect("dead", "dead")


async def test_a_hanging_group_that_arrived_late_says_nothing_of_a_larger_one(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=30))
    bench.outbox.add("slow", ("a",))
    bench.sender.hanging.add("slow")
    await bench.delivery.deliver_due()
    bench.sender.let_go.set()
    await until(are_sends_over)
    # As `alerts retry` does it: what comes next is another message.
    bench.outbox.rows[1].message_id = None
    bench.outbox.add("slow", ("b",))
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2)
    assert bench.sender.channels() == ["slow", "slow"]


async def test_what_waits_for_company_goes_at_the_last_look(bench):
    bench.outbox.add(wait=10 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport()
    assert await bench.delivery.deliver_due(is_final=True) == DeliveryReport(sent=1)


async def test_draining_waits_for_no_company(bench):
    bench.outbox.add(wait=10 * SECOND)
    assert await bench.delivery.drain(10 * SECOND) == DeliveryReport(sent=1)


async def test_a_failure_ends_the_round_of_its_channel_only(bench):
    for channel in ("ops", "mail"):
        bench.outbox.add(channel, ("a",))
        bench.outbox.add(channel, ("b",), kind=AlertKind.EXPIRED)
    bench.sender.failures["ops"] = AlertError("down")
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2, failed=1)
    bench.expect("due", "due", "sent", "sent")
    assert len(bench.sender.keys_begun) == 3


async def test_a_recovery_does_not_overtake_its_error(bench):
    bench.outbox.add(kind=AlertKind.ERROR)
    bench.outbox.add(kind=AlertKind.RECOVERED)
    bench.sender.failures["ops"] = AlertError("down")
    await bench.delivery.deliver_due()
    bench.sender.failures.clear()
    bench.clock.advance(SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport()
    bench.clock.advance(4 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=2)


async def test_after_the_time_for_retries_a_notification_is_dead(bench):
    bench.make_delivery(retry_for=5 * SECOND)
    bench.outbox.add()
    bench.sender.failures["ops"] = AlertError("down")
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(dead=1)
    bench.expect("dead")


async def test_time_before_the_start_is_not_held_against_a_notification(bench):
    bench.outbox.add(born_at=NOON - timedelta(days=3))
    bench.sender.failures["ops"] = AlertError("the network is not up yet")
    for _ in range(3):
        assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
        bench.clock.advance(timedelta(minutes=1))
    bench.expect("due")


async def test_a_permanent_error_kills_at_once_and_the_round_goes_on(bench):
    bench.outbox.add("gone", ("a",))
    bench.outbox.add("gone", ("b",), kind=AlertKind.EXPIRED)
    bench.sender.failures["gone"] = AlertError("not in the configuration", permanent=True)
    assert await bench.delivery.deliver_due() == DeliveryReport(dead=2)
    assert bench.outbox.rows[1].error == "not in the configuration"


async def test_each_try_of_a_notification_carries_the_same_key(bench):
    bench.outbox.add()
    bench.sender.failures["ops"] = AlertError("down")
    await bench.delivery.deliver_due()
    bench.clock.advance(5 * SECOND)
    await bench.delivery.deliver_due()
    assert bench.sender.keys_begun == ["1", "1"]


async def test_a_hanging_channel_delays_no_other(bench):
    bench.outbox.add("slow")
    bench.outbox.add("ops")
    bench.sender.hanging.add("slow")
    await bench.delivery.run_once()
    await until(lambda: bench.outbox.states() == ["due", "sent"])
    bench.outbox.add("ops")
    await bench.delivery.run_once()
    await until(lambda: bench.outbox.states() == ["due", "sent", "sent"])


async def test_a_running_round_is_not_started_twice(bench):
    bench.outbox.add("slow", ("a",))
    bench.outbox.add("slow", ("b",), kind=AlertKind.EXPIRED)
    bench.sender.hanging.add("slow")
    for _ in range(5):
        await bench.delivery.run_once()
    await until(lambda: bench.sender.keys_begun)
    assert bench.sender.keys_begun == ["1"]
    bench.sender.let_go.set()
    await until(lambda: bench.outbox.states() == ["sent", "sent"])


async def test_a_hung_send_counts_as_failed(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=30))
    row = bench.outbox.add("slow")
    bench.sender.hanging.add("slow")
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
    assert row.error == "no end of sending within 0.03 s: the service hangs or is very slow"


async def test_a_hung_send_that_may_still_arrive_is_not_doubled(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=200))
    bench.outbox.add("slow")
    bench.sender.hanging.add("slow")
    await bench.delivery.deliver_due()
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport()
    assert bench.sender.keys_begun == ["1"]


async def test_a_send_that_hangs_for_too_long_is_not_waited_for_any_more(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=5))
    bench.outbox.add("slow")
    bench.sender.hanging.add("slow")
    await bench.delivery.deliver_due()
    await until(lambda: not bench.delivery._worker.post.under_way("slow"))
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
    assert bench.sender.keys_begun == ["1", "1"]


async def test_a_hung_send_that_arrived_late_is_recorded_and_not_repeated(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=30))
    bench.outbox.add("slow")
    bench.sender.hanging.add("slow")
    await bench.delivery.deliver_due()
    bench.sender.let_go.set()
    await until(are_sends_over)
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)
    assert bench.sender.channels() == ["slow"]


async def test_a_hung_send_that_failed_late_is_repeated(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=30))
    bench.outbox.add("slow")
    bench.sender.hanging.add("slow")
    bench.sender.failures["slow"] = AlertError("broken pipe")
    await bench.delivery.deliver_due()
    bench.sender.let_go.set()
    await until(are_sends_over)
    bench.sender.failures.clear()
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)


async def test_with_three_hanging_sends_a_channel_rests(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=20))
    for name, kind in zip("abcde", AlertKind, strict=False):
        bench.outbox.add("slow", (name,), kind=kind)
    bench.sender.hanging.add("slow")
    with capture_logs() as logs:
        for _ in range(5):
            await bench.delivery.deliver_due()
    assert bench.sender.keys_begun == ["1", "2", "3"]
    assert [log["channel"] for log in logs if log["event"] == "channel.resting"] == ["slow"]

    bench.sender.let_go.set()
    await until(are_sends_over)
    bench.sender.hanging.clear()
    bench.clock.advance(5 * SECOND)
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=5)
    assert bench.sender.keys_begun == ["1", "2", "3", "4", "5"]


async def test_what_waits_behind_sends_that_hang_for_ever_is_given_up_in_time(bench):
    bench.make_delivery(send_timeout=timedelta(milliseconds=5), retry_for=MINUTE)
    rows = [
        bench.outbox.add("slow", (name,), kind=kind)
        for name, kind in zip("abcd", AlertKind, strict=False)
    ]
    bench.sender.hanging.add("slow")
    for _ in rows:
        await bench.delivery.deliver_due()
    await until(lambda: not bench.delivery._worker.post.under_way("slow"))
    assert bench.outbox.states() == ["due"] * 4
    assert "3 earlier sends hang" in (rows[3].error or "")

    bench.clock.advance(MINUTE)
    assert await bench.delivery.deliver_due() == DeliveryReport(dead=4)
    assert bench.sender.keys_begun == ["1", "2", "3"]


async def test_an_unreadable_outbox_is_reported_and_asked_again(bench):
    bench.outbox.add()
    bench.outbox.broken = {"due_channels"}
    with capture_logs() as logs:
        await bench.delivery.run_once()
    assert [log["event"] for log in logs] == ["delivery.outbox_unavailable"]
    bench.outbox.broken.clear()
    await bench.delivery.run_once()
    await until(lambda: bench.outbox.states() == ["sent"])


async def test_a_command_learns_that_the_outbox_is_unreadable(bench):
    bench.outbox.broken = {"due_channels"}
    with pytest.raises(OutboxUnavailable):
        await bench.delivery.deliver_due()


@pytest.mark.parametrize("method", ["claim_next", "mark_failed", "mark_dead"])
async def test_an_outbox_that_fails_midway_ends_the_round_and_no_more(bench, method):
    bench.outbox.add()
    bench.outbox.broken = {method}
    bench.sender.failures["ops"] = AlertError("down", permanent=method == "mark_dead")
    with capture_logs() as logs:
        assert await bench.delivery.deliver_due() == DeliveryReport()
    assert logs[-1]["event"] == "delivery.outbox_unavailable"
    bench.expect("due")


async def test_a_sent_message_that_could_not_be_recorded_is_not_sent_again(bench):
    bench.outbox.add()
    bench.outbox.broken = {"mark_sent"}
    assert await bench.delivery.deliver_due() == DeliveryReport()
    bench.outbox.broken.clear()
    bench.clock.advance(timedelta(seconds=91))
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)
    assert len(bench.sender.sent) == 1
    bench.expect("sent")


async def test_a_crash_after_the_claim_sends_again_when_the_lease_is_over(bench):
    bench.outbox.add()
    await bench.outbox.claim_next("ops", NOON, timedelta(seconds=90))
    assert await bench.delivery.deliver_due() == DeliveryReport()
    bench.clock.advance(timedelta(seconds=90))
    assert await bench.delivery.deliver_due() == DeliveryReport(sent=1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_sender_counts_as_a_failure(bench):
    row = bench.outbox.add()
    bench.sender.failures["ops"] = RuntimeError("json://user:hunter2@host")
    assert await bench.delivery.deliver_due() == DeliveryReport(failed=1)
    assert row.error == "internal fault while sending: see the log"


async def test_a_bug_in_a_round_is_logged_and_kills_no_other(bench):
    bench.outbox.add("ops", ())  # the link of this bench needs a connection
    bench.outbox.add("mail")
    with capture_logs() as logs:
        await bench.delivery.run_once()
        await until(lambda: any(log["event"] == "delivery.fault" for log in logs))
        await until(lambda: bench.outbox.states() == ["due", "sent"])
    [fault] = [log for log in logs if log["event"] == "delivery.fault"]
    assert fault["channel"] == "ops"
    assert isinstance(fault["exc_info"], IndexError)


async def test_waking_delivers_without_waiting_for_the_next_tick(bench):
    bench.outbox.add()
    for _ in range(3):
        bench.delivery.wake()
    await until(lambda: bench.outbox.states() == ["sent"])
    bench.outbox.add()
    bench.delivery.wake()
    await until(lambda: bench.outbox.states() == ["sent", "sent"])


async def test_waking_again_while_awake_misses_nothing(bench):
    """
    The second alert is born while the first look at the outbox is under way.
    """
    looked = []
    look = bench.outbox.due_channels

    async def look_slowly(now, **options):
        channels = await look(now, **options)
        looked.append(channels)
        if len(looked) == 1:
            bench.outbox.add()
            bench.delivery.wake()
        return channels

    bench.outbox.due_channels = look_slowly
    bench.delivery.wake()
    await until(lambda: bench.outbox.states() == ["sent"])
    assert looked == [[], ["ops"]]


async def test_draining_sends_what_is_due_and_starts_nothing_more(bench):
    bench.outbox.add("ops")
    bench.outbox.add("mail")
    assert await bench.delivery.drain(10 * SECOND) == DeliveryReport(sent=2)
    bench.outbox.add("ops")
    bench.delivery.wake()
    await bench.delivery.run_once()
    assert await bench.delivery.deliver_due() == DeliveryReport()
    bench.expect("sent", "sent", "due")


async def test_draining_does_not_wait_for_a_hanging_channel(bench):
    bench.outbox.add("slow")
    bench.outbox.add("ops")
    bench.sender.hanging.add("slow")
    async with asyncio.timeout(5):
        report = await bench.delivery.drain(timedelta(milliseconds=50))
    assert report == DeliveryReport(sent=1)
    slow, ops = bench.outbox.rows.values()
    assert (slow.state, ops.state) == ("due", "sent")
    assert slow.claimed_until is not None  # it may arrive: not to be sent again at once


async def test_draining_gives_back_what_was_claimed_and_not_begun(bench):
    row = bench.outbox.add()
    claim, is_time_over = bench.outbox.claim_next, asyncio.Event()

    async def claim_slowly(*args, **options):
        notification = await claim(*args, **options)
        await is_time_over.wait()
        return notification

    bench.outbox.claim_next = claim_slowly
    draining = asyncio.create_task(bench.delivery.drain(timedelta(milliseconds=30)))
    await until(lambda: row.claimed_until is not None)
    await until(lambda: bench.delivery._is_closing)
    is_time_over.set()
    assert await draining == DeliveryReport()
    assert (row.state, row.claimed_until, bench.sender.keys_begun) == ("due", None, [])


async def test_each_step_is_logged_with_its_facts_and_without_secrets(bench):
    bench.outbox.add("ops")
    bench.outbox.add("mail")
    bench.outbox.add("gone")
    bench.sender.failures |= {
        "mail": AlertError("refused"),
        "gone": AlertError("unknown", permanent=True),
    }
    with capture_logs() as logs:
        await bench.delivery.deliver_due()
    by_event = {log["event"]: log for log in logs}
    sent, failed, dead = (by_event[f"notification.{event}"] for event in ("sent", "failed", "dead"))
    assert [sent["log_level"], failed["log_level"], dead["log_level"]] == [
        "info",
        "warning",
        "error",
    ]
    assert (sent["channel"], sent["kind"], sent["alert"], sent["attempts"]) == (
        "ops",
        "error",
        101,
        1,
    )
    assert sent["took_ms"] >= 0
    assert (failed["error"], failed["next_attempt_at"]) == (
        "refused",
        "2026-11-22T12:00:05+00:00",
    )
    assert dead["error"] == "unknown"


async def test_each_channel_is_told_the_time_in_its_own_zone(bench):
    zones = {"ops": ZoneInfo("America/Denver"), "mail": ZoneInfo("Europe/Berlin")}
    bench.terms = replace(bench.terms, zone=zones.__getitem__)
    for channel in zones:
        bench.outbox.add(channel, born_at=NOON - 60 * SECOND)
    await bench.delivery.deliver_due()
    said = {channel: message.body for channel, message in bench.sender.sent}
    assert "Since Nov 22, 04:59 MST" in said["ops"]
    assert "Since Nov 22, 12:59 CET" in said["mail"]
