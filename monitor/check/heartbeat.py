"""
Call the outside URL that watches the watcher.

Decides how a signal becomes a request: Healthchecks, and services like it, take
`/start` and `/fail` at the end of the URL's path. When one is sent, and what it
says, is decided in `monitor.heartbeat`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from monitor.check.carry import REPEATABLE
from monitor.check.http import Failure, fetch
from monitor.config.secret import SecretUnavailable

if TYPE_CHECKING:
    import httpx

    from monitor.config.secret import Secret

PATIENCE = timedelta(seconds=8)
"""Shorter than the shortest rhythm."""


class Signal(StrEnum):
    """
    What is said; the value is what stands at the end of the path.
    """

    SUCCESS = ""
    START = "/start"
    FAIL = "/fail"


def address_of(url: str, signal: Signal) -> str:
    """
    Return where *signal* goes: at the end of the path, before the query.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + signal if signal else parts.path
    return urlunsplit(parts._replace(path=path))


async def send_signal(
    client: httpx.AsyncClient, url: Secret, signal: Signal, body: str = ""
) -> str | None:
    """
    Send *signal*; return why it did not arrive, without the URL, or None if it did.
    """
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
    answer = await fetch(client, request, PATIENCE)
    if isinstance(answer, Failure):
        return answer.detail
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return f"{request.url.host} answered {answer.status}"
    return None
