"""
What this machine has too little of is no failure of a channel.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from monitor.config.secret import Secret
from monitor.judge.alerts import Severity
from monitor.judge.shortage import OutOfResources, Shortage
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import SHORT_REST, AlertError
from monitor.notify.message import Message
from tests.loopback import Handler, free_port, serve
from tests.notify.test_delivery import RETRY_FOR, SECOND, Bench
from tests.shortage import no_descriptors
from tests.sinks import run_mail_server

pytestmark = [
    pytest.mark.anyio,
    # Apprise asks for it while it imports, prepared to do without.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

OURS = {
    "descriptors": OSError(errno.EMFILE, "Too many open files"),
    "descriptors of the machine": OSError(errno.ENFILE, "Too many open files in system"),
    "memory": MemoryError(),
    "memory of the kernel": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "threads": RuntimeError("can't start new thread"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
    "a secret that cannot be opened": OutOfResources(Shortage.DESCRIPTORS),
    "said by the sender": AlertError.short_of(Shortage.DESCRIPTORS),
}

THEIRS = {
    "refused": AlertError("Connection refused"),
    "their disk": AlertError("500: No space left on device"),
    "their files": AlertError("error=500: [Errno 24] Too many open files"),
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("error", OURS.values(), ids=OURS)
async def test_a_shortage_of_ours_is_no_attempt_and_no_failure(bench, error):
    bench.outbox.add("ops")
    bench.sender.failures["ops"] = error
    with capture_logs() as logs:
        for _ in range(3):
            await bench.delivery.deliver_due()
            bench.clock.advance(RETRY_FOR)
        [row] = bench.outbox.rows.values()
        assert (row.state, row.attempts, row.error) == ("due", 0, None)
        del bench.sender.failures["ops"]
        assert (await bench.delivery.deliver_due()).sent == 1
    assert [one["event"] for one in logs] == [
        "delivery.waits",
        "delivery.waits_no_more",
        "notification.sent",
    ]


@pytest.mark.parametrize("error", THEIRS.values(), ids=THEIRS)
async def test_what_is_short_at_the_service_is_its_failure(bench, error):
    bench.outbox.add("ops")
    bench.sender.failures["ops"] = error
    assert (await bench.delivery.deliver_due()).failed == 1
    [row] = bench.outbox.rows.values()
    assert row.attempts == 1


async def test_a_channel_rests_a_moment_and_then_tries_again(bench):
    bench.outbox.add("ops")
    bench.sender.failures["ops"] = OURS["descriptors"]
    await bench.delivery.deliver_due()
    await bench.delivery.deliver_due()
    assert len(bench.sender.keys_begun) == 1
    bench.clock.advance(SHORT_REST)
    await bench.delivery.deliver_due()
    assert len(bench.sender.keys_begun) == 2


async def test_time_without_resources_is_no_time_in_which_a_channel_failed(bench):
    bench.make_delivery(retry_for=60 * SECOND)
    bench.outbox.add("ops")
    bench.sender.failures["ops"] = OURS["memory"]
    await bench.delivery.deliver_due()
    bench.clock.advance(timedelta(hours=1))
    await bench.delivery.deliver_due()
    bench.sender.failures["ops"] = AlertError("down")
    for _ in range(2):
        bench.clock.advance(10 * SECOND)
        await bench.delivery.deliver_due()
    [row] = bench.outbox.rows.values()
    assert (row.state, row.attempts) == ("due", 2)


async def test_without_a_thread_nothing_was_tried(bench):
    bench.outbox.add("ops")
    before = threading.stack_size(1 << 46)  # more than any machine has
    try:
        await bench.delivery.deliver_due()
    finally:
        threading.stack_size(before)
    [row] = bench.outbox.rows.values()
    assert (row.state, row.attempts) == ("due", 0)
    bench.clock.advance(SHORT_REST)
    assert (await bench.delivery.deliver_due()).sent == 1


# --- what Apprise keeps to itself


class Sink(Handler):
    """
    Takes every message.
    """

    def do_POST(self) -> None:  # noqa: N802 - its name there
        self.read_body()
        self.answer(200)


@pytest.mark.parametrize("kind", ["json", "mailto"])
async def test_without_descriptors_apprise_itself_is_short(kind):
    message = Message("Title", "Text", Severity.WARNING)
    with serve(Sink) as port:
        async with run_mail_server() as mail:
            url = f"json://127.0.0.1:{port}/" if kind == "json" else mail.url()
            sender = AppriseSender({"ops": Secret(url)})
            # What is imported is there from now on.
            await asyncio.to_thread(sender.send, "ops", message)
            with no_descriptors(), pytest.raises(AlertError) as raised:
                sender.send("ops", message)
            assert raised.value.shortage is Shortage.DESCRIPTORS
            await asyncio.to_thread(sender.send, "ops", message)


def test_a_name_that_cannot_be_looked_up_without_descriptors_is_no_fault_of_its_service():
    urls = {"near": f"json://127.0.0.1:{free_port()}/", "far": "json://connwatch.invalid/"}
    sender = AppriseSender({name: Secret(url) for name, url in urls.items()})
    message = Message("Title", "Text", Severity.WARNING)
    with pytest.raises(AlertError) as raised:
        sender.send("near", message)  # what is imported is there from now on
    assert raised.value.shortage is None
    with no_descriptors(), pytest.raises(AlertError) as raised:
        sender.send("far", message)
    assert raised.value.shortage is Shortage.DESCRIPTORS
