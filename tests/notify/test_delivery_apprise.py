from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from monitor.clock import utc_now
from monitor.config.secret import Secret
from monitor.judge.alerts import AlertKind
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery, DeliveryReport, DeliveryTerms
from tests.fakes import FakeOutbox
from tests.sinks import run_silent_server, run_web_hook
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture
def servers():
    with ExitStack() as stack:
        yield stack.enter_context(run_web_hook()), stack.enter_context(run_silent_server())


def make_delivery(outbox: FakeOutbox, **urls: str) -> Delivery:
    sender = AppriseSender({name: Secret(url) for name, url in urls.items()})
    terms = DeliveryTerms(sender, timedelta(hours=24), lambda _: None)
    return Delivery(
        outbox,
        lambda: terms,
        clock=utc_now,
        send_timeout=timedelta(seconds=10),
    )


async def test_a_dead_a_failing_and_a_hanging_channel_delay_no_other(servers):
    hook, silent_port = servers
    hook.answers["/failing"] = 503
    outbox, now = FakeOutbox(), utc_now()
    for channel in ("dead", "failing", "hanging", "good"):
        outbox.add(channel, born_at=now)
        outbox.add(channel, born_at=now, kind=AlertKind.RECOVERED)
    with run_silent_server() as closed_port:
        pass
    delivery = make_delivery(
        outbox,
        dead=f"json://127.0.0.1:{closed_port}",
        failing=hook.url("/failing"),
        hanging=f"json://127.0.0.1:{silent_port}?rto=2",
        good=hook.url("/good"),
    )
    began = time.monotonic()
    running = asyncio.create_task(delivery.deliver_due())
    async with asyncio.timeout(PATIENCE_S):
        while outbox.states()[6:] != ["sent", "sent"]:  # noqa: ASYNC110 - a sink tells no event
            await asyncio.sleep(0.01)
    assert time.monotonic() - began < 2
    assert await running == DeliveryReport(sent=2, failed=3)
    assert outbox.states() == ["due"] * 6 + ["sent"] * 2
    good = [post["title"] for path, post in hook.posts if path == "/good"]
    assert good == [
        "🔴 soldscope-production: token rejected",
        "🟢 soldscope-production works again",
    ]
    errors = [outbox.rows[number].error for number in (1, 3, 5)]
    assert [part in str(error) for part, error in zip(
        ("refused", "error=503", "timed out"), errors, strict=True
    )] == [True, True, True]  # fmt: skip


async def test_a_channel_that_was_taken_out_dies_and_says_why():
    outbox = FakeOutbox()
    row = outbox.add("old", born_at=utc_now())
    assert await make_delivery(outbox).deliver_due() == DeliveryReport(dead=1)
    assert row.error is not None
    assert row.error.startswith("channel old is not in the configuration any more")
    assert row.error.endswith("put it in again, then `connwatch alerts retry`")


async def test_no_secret_of_a_channel_reaches_the_outbox_or_the_log(servers):
    hook, _ = servers
    hook.answers["/T0K3N"] = 404
    outbox = FakeOutbox()
    row = outbox.add("ops", born_at=utc_now())
    url = f"json://anna:hunter2@127.0.0.1:{hook.port}/T0K3N"
    with capture_logs() as logs:
        await make_delivery(outbox, ops=url).deliver_due()
    said = f"{row.error} {logs}"
    assert "error=404" in said
    assert [part for part in ("T0K3N", "hunter2", "anna") if part in said] == []
