# ruff: noqa: TC001 - FastAPI reads the annotations when the program runs
"""
Tell browsers and programs what happens, as it happens (server-sent events).
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from monitor.web.documented import problems
from monitor.web.parts import Here

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from monitor.web.hub import Hub

router = APIRouter(prefix="/api/v1", tags=["reading"])

HEARTBEAT_S = 15.0
"""Proxies close what is silent for a minute."""

LONGEST_S = 3600.0
"""Browsers come back by themselves, and are looked at anew: a login may have ended."""

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
async def events(here: Here) -> Response:
    """
    Stream what happens from now on.
    """
    if here.hub.is_full:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many listen already.", {"Retry-After": "30"}
        )
    return StreamingResponse(stream(here.hub), media_type="text/event-stream")


async def stream(hub: Hub) -> AsyncGenerator[bytes, None]:
    """
    Yield events, and a comment where there are none for a while.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LONGEST_S
    with hub.listen() as queue:
        yield f"retry: {RETRY_MS}\n: connwatch\n\n".encode()
        while loop.time() < ends_at:
            try:
                event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event is None:
                return
            yield event.encode()
