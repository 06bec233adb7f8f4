"""
The web hook that stands in for a user's channel.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from monitor.config.secret import Secret
from monitor.judge.alerts import Severity
from monitor.notify.apprise import AppriseSender
from monitor.notify.message import Message
from monitor.simulator.inbox import ReceivedMessage, start_inbox
from tests.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]


@pytest.fixture
async def inbox(anyio_backend):
    inbox = await start_inbox()
    yield inbox
    await inbox.stop()


async def test_what_apprise_sends_arrives_as_it_was_written(inbox):
    sender = AppriseSender({"demo": Secret(inbox.url)})
    message = Message("🔴 acme: token rejected", "What happened.\n\nWhat to do.", Severity.CRITICAL)

    await asyncio.to_thread(sender.send, "demo", message)

    expected = ReceivedMessage(message.title, message.body, "failure")
    assert inbox.messages.get_nowait() == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"title": "a", "message": "b"}', b'{"title": 1}', b"[" * 60_000],
    ids=["empty", "broken", "list", "nothing", "no type", "number", "deep"],
)
async def test_what_is_no_message_is_refused_and_not_kept(inbox, body):
    url = inbox.url.replace("json:", "http:")
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        answer = await client.post(url, content=body)

    assert answer.status_code == 400
    assert inbox.messages.empty()
