"""
Keep the HTTP clients: one for all connections, one for each CA file, one of our own.

Decides how they are shared, trusted, replaced and closed. Everyone else builds and sends
plain httpx requests; how those travel is in `carry`, the limits on an answer in `http`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import httpx

from monitor import __version__
from monitor.check.carry import CarriedTransport
from monitor.check.trust import trust

if TYPE_CHECKING:
    import ssl
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

OWN_AT_ONCE = 10
"""More calls than the monitor makes for itself at any time."""

DEFAULT_HEADERS = {
    "User-Agent": f"connwatch/{__version__} (Language=Python)",
    "Accept": "application/json",
    # A compressed answer of 256 KiB can be one of 256 MiB.
    "Accept-Encoding": "identity",
}


class HttpClients:
    """
    Hold one pooled client for all connections, and one for each CA file.

    Clients are made on demand, inside the event loop, and live until `aclose`.

    Args:
        concurrency: How many requests may be under way at once, per client.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._clients: dict[Path | None, httpx.AsyncClient] = {}
        self._own: httpx.AsyncClient | None = None
        self._retired: list[tuple[float, httpx.AsyncClient]] = []

    def get(self, ca_file: Path | None = None) -> httpx.AsyncClient:
        """
        Return the client that trusts *ca_file*, or the usual authorities.

        Raises ValueError if the file holds no certificate.
        """
        client = self._clients.get(ca_file)
        if client is None:
            client = _open_client(trust(ca_file), self._concurrency)
            self._clients[ca_file] = client
        return client

    def own(self) -> httpx.AsyncClient:
        """
        Return the client for what the monitor asks for itself: its link, its heartbeat.

        However many checks hang, there is room for that.
        """
        if self._own is None:
            self._own = _open_client(trust(None), OWN_AT_ONCE)
        return self._own

    def successor(self, concurrency: int) -> HttpClients:
        """
        Return clients that read each CA file anew; what need not change is shared.
        """
        fresh = HttpClients(concurrency)
        if None in self._clients and concurrency == self._concurrency:
            fresh._clients[None] = self._clients[None]
        return fresh

    async def adopt(self, fresh: HttpClients, close_after: timedelta) -> None:
        """
        Give out the clients of *fresh*, a successor, from now on.

        Whoever holds one from before may use it for the time *close_after*.
        """
        now = time.monotonic()
        until = now + close_after.total_seconds()
        replaced = set(self._clients.values()) - set(fresh._clients.values())
        self._retired += [(until, client) for client in replaced]
        self._clients, self._concurrency = fresh._clients, fresh._concurrency
        over = [client for until, client in self._retired if until <= now]
        self._retired = [one for one in self._retired if one[0] > now]
        for client in over:
            await client.aclose()

    async def aclose(self) -> None:
        """
        Close all connections. The clients cannot be used afterwards.
        """
        retired, self._retired = self._retired, []
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()
        for _, client in retired:
            await client.aclose()
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _open_client(context: ssl.SSLContext, concurrency: int) -> httpx.AsyncClient:
    return _Client(
        transport=CarriedTransport(context, concurrency),
        headers=DEFAULT_HEADERS,
        follow_redirects=False,
        timeout=None,
        trust_env=False,
    )


class _Client(httpx.AsyncClient):
    """
    An httpx client that only sends: no redirects, no cookies, no login dance.

    What one account's answer sets must never be sent for another; and leaving
    out what is not wanted saves a third of the processor time of a request.
    """

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: object = None,
        follow_redirects: object = False,
    ) -> httpx.Response:
        """
        Send *request* once and return the answer, its body still to be read.

        Raises ValueError if asked for what this client does not do.
        """
        if not stream or auth or follow_redirects is not False:
            raise ValueError("this client streams, and neither logs in nor follows redirects")
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response
