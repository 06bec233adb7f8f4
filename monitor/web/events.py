# ruff: noqa: TC001, TC002 - FastAPI reads the annotations when the program runs
"""
Tell browsers and programs what happens, as it happens (server-sent events).

Who listens is looked at again and again: a stream outlives neither the login nor
the token that opened it.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.store.engine import StoreError
from monitor.web.documented import problems
from monitor.web.parts import Here
from monitor.web.sessions import Doorkeeper
from monitor.web.visitors import Who

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from monitor.web.hub import Hub

router = APIRouter(prefix="/api/v1", tags=["reading"])

HEARTBEAT_S = 15.0
"""Proxies close what is silent for a minute. As often is looked at who listens."""

LONGEST_S = 3600.0
"""Browsers come back by themselves."""

RETRY_MS = 3000


@router.get(
    "/events",
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "`state`, `alert` and `sent` events, or `reload` where there were"
            " too many to tell.",
        },
        **problems(),
    },
)
async def events(request: Request, here: Here, who: Who) -> Response:
    """
    Stream what happens from now on.
    """
    if here.hub.is_full:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many listen already.", {"Retry-After": "30"}
        )
    doorkeeper = Doorkeeper()

    async def is_welcome() -> bool:
        try:
            return (await doorkeeper.recognise(request)).by is who.by
        except StoreError:
            return True  # nothing is known against them, and there is nothing to tell

    return StreamingResponse(stream(here.hub, is_welcome), media_type="text/event-stream")


async def stream(
    hub: Hub, is_welcome: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes, None]:
    """
    Yield events, and a comment where there are none for a while.

    Args:
        is_welcome: Tells whether whoever listens may still do so.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LONGEST_S
    ask_at = loop.time() + HEARTBEAT_S
    with hub.listen() as queue:
        yield f"retry: {RETRY_MS}\n: connwatch\n\n".encode()
        while loop.time() < ends_at:
            if loop.time() >= ask_at:
                if not await is_welcome():
                    return
                ask_at = loop.time() + HEARTBEAT_S
            try:
                event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event is None:
                return
            yield event.encode()
