"""Receive alerts like a web hook of the user's, on loopback.

Decides what counts as a message: the JSON that Apprise posts to a `json://`
URL. What is done with a message is left to whoever waits for it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from monitor.simulator.base import MAX_BODY, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as it came.

    Args:
        kind: Apprise's word for how urgent it is: failure, warning, info or success.
    """

    title: str
    body: str
    kind: str


class Inbox:
    """A web hook that listens.

    Args:
        url: The Apprise URL that leads here.
        messages: What came and nobody took yet.
    """

    def __init__(
        self, root: str, runner: web.AppRunner, messages: asyncio.Queue[ReceivedMessage]
    ) -> None:
        self.url = f"json{root.removeprefix('http')}/inbox"
        self.messages = messages
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


async def start_inbox() -> Inbox:
    """Start a web hook on any free port and return it once it listens."""
    messages: asyncio.Queue[ReceivedMessage] = asyncio.Queue()

    async def receive(request: web.Request) -> web.StreamResponse:
        try:
            message = _read_message(json.loads(await request.read()))
        except (ValueError, RecursionError):
            return web.Response(status=HTTPStatus.BAD_REQUEST, text="no message of Apprise")
        messages.put_nowait(message)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/inbox", receive)
    runner, root = await serve(app, HOST, 0, None)
    return Inbox(root, runner, messages)


def _read_message(posted: object) -> ReceivedMessage:
    if not isinstance(posted, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the content that is wrong
    return ReceivedMessage(_text(posted, "title"), _text(posted, "message"), _text(posted, "type"))


def _text(posted: Mapping[str, object], name: str) -> str:
    value = posted.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: missing, or not a text")  # noqa: TRY004 - as above
    return value
