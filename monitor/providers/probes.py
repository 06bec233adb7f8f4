"""Call what is no service that is watched: the URLs of `checks.uplink`, and that of the heartbeat.

Decides how these are called. Healthchecks, and services like it, take `/start` and `/fail` at the
end of the URL's path. What follows from an answer of the uplink is decided in
`monitor.judge.incidents`, when a signal is sent in `monitor.engine.heartbeat`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from monitor.config.secret import SecretUnavailable
from monitor.judge.shortage import OutOfResources
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.transport import REPEATABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from monitor.config.secret import Secret


UPLINK_TIMEOUT = timedelta(seconds=4)
"""Results wait for the answer, so it must not take long."""


async def is_online(client: httpx.AsyncClient, urls: Sequence[str]) -> bool:
    """Tell whether any of *urls* gives an HTTP answer, whatever it says.

    Raises:
        OutOfResources: None did, and one could not be called for want of resources of our own:
            nothing is known of the link.
    """
    asked = [asyncio.create_task(_is_answered(client, url)) for url in urls]
    try:
        short = None
        for first in asyncio.as_completed(asked):
            try:
                if await first:
                    return True
            except OutOfResources as error:
                short = error
        if short is not None:
            raise short
        return False
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _is_answered(client: httpx.AsyncClient, url: str) -> bool:
    # The head of a page is enough, and who refuses to give that has answered.
    request = client.build_request("HEAD", url, extensions={REPEATABLE: True})
    return isinstance(await fetch(client, request, UPLINK_TIMEOUT), Answer)


HEARTBEAT_TIMEOUT = timedelta(seconds=8)
"""Shorter than the shortest rhythm."""


class Signal(StrEnum):
    """What is said; the value is what stands at the end of the path."""

    SUCCESS = ""
    START = "/start"
    FAIL = "/fail"


def address_of(url: str, signal: Signal) -> str:
    """Return where *signal* goes: at the end of the path, before the query."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + signal if signal else parts.path
    return urlunsplit(parts._replace(path=path))


async def send_signal(
    client: httpx.AsyncClient, url: Secret, signal: Signal, body: str = ""
) -> str | None:
    """Send *signal*; return why it did not arrive, without the URL, or None if it did.

    Raises:
        OutOfResources: It could not be sent for want of resources of our own.
    """
    await url.make_ready()
    try:
        address = address_of(url.reveal(), signal)
    except SecretUnavailable as error:
        return str(error)
    request = client.build_request(
        "POST" if body else "GET",
        address,
        content=body.encode() if body else None,
        headers={"Content-Type": "text/plain; charset=utf-8"} if body else None,
        extensions={REPEATABLE: True},
    )
    answer = await fetch(client, request, HEARTBEAT_TIMEOUT)
    if isinstance(answer, Failure):
        return answer.detail
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return f"{request.url.host} answered {answer.status}"
    return None
