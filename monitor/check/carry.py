"""
Carry httpx requests over aiohttp: the only module that knows what is under httpx.

Decides how connections are opened and kept, and what is sent again when one was
dead. Who gets which client is decided in `client`.

httpx's own pool costs 1.8 ms of processor time a request once many are under
way, aiohttp's connections under httpx cost a tenth of that: the difference
between 500 and 5,000 checks a second on one core.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from monitor.check.http import LOCATION

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

KEEPALIVE_S = 15.0
"""Shorter than any common load balancer's patience, long enough for a busy host."""

MAX_HEADER_BYTES = 32 * 1024
"""Content security policies and link lists outgrow the 8 KiB that are usual."""

REPEATABLE = "connwatch.repeatable"
"""Marks a request that does nothing twice, although its method does not say so."""


class CarriedTransport(httpx.AsyncBaseTransport):
    """
    Carry httpx requests over aiohttp connections; every error is one of httpx.

    A GET whose pooled connection turns out to be dead is sent once more, on a
    fresh connection: the server may close an idle one at any moment. So is any
    other request that is marked as `REPEATABLE`.
    """

    def __init__(self, context: ssl.SSLContext, limit: int) -> None:
        self._pooled, self._fresh = (
            AiohttpTransport(
                verify=context,
                trust_env=False,
                client=partial(_open_session, context, limit, force_close=force_close),
            )
            for force_close in (False, True)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send *request* and return its answer, the body still to be read.
        """
        with _speaking_httpx():
            try:
                response = await self._pooled.handle_async_request(request)
            except ConnectionLostError:
                if request.method != "GET" and REPEATABLE not in request.extensions:
                    raise
                response = await self._fresh.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _CarriedBody(response.stream)
        # httpx parses the target of a redirect that nobody follows, and some
        # targets make it fail.
        if "Location" in response.headers:
            response.extensions[LOCATION] = response.headers.pop("Location")
        return response

    async def aclose(self) -> None:
        """
        Close every connection.
        """
        await self._pooled.aclose()
        await self._fresh.aclose()


class _CarriedBody(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _speaking_httpx():
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        with _speaking_httpx():
            await self._stream.aclose()


class ConnectionLostError(aiohttp.ClientError):
    """
    The connection ended before an answer had come.
    """


class _PlainResponse(aiohttp.ClientResponse):
    """
    An answer without its reason phrase, whose bytes httpx-aiohttp cannot take as they come.
    """

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        await super().start(connection)
        self.reason = None
        return self


def _open_session(
    context: ssl.SSLContext, limit: int, *, force_close: bool
) -> aiohttp.ClientSession:
    # The system's resolver, whatever else is installed: its errors are told from others.
    resolver = aiohttp.ThreadedResolver()
    connector = (
        aiohttp.TCPConnector(limit=limit, ssl=context, resolver=resolver, force_close=True)
        if force_close
        else aiohttp.TCPConnector(
            limit=limit, ssl=context, resolver=resolver, keepalive_timeout=KEEPALIVE_S
        )
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # A POST without a body has no type; Slack refuses the one that aiohttp would name.
        skip_auto_headers=("Content-Type",),
        auto_decompress=False,
        max_field_size=MAX_HEADER_BYTES,
        middlewares=(_give_up_lost_connection,),
        response_class=_PlainResponse,
        trust_env=False,
    )


async def _give_up_lost_connection(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp would try again on the next pooled connection, likely as dead.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError from error


@contextmanager
def _speaking_httpx() -> Iterator[None]:
    try:
        yield
    except (httpx.TransportError, aiohttp.ClientError, HttpProcessingError) as error:
        # httpx-aiohttp takes every lost connection for a timeout to connect.
        carried = error.__cause__ if isinstance(error, httpx.TransportError) else error
        raise _translate(carried or error) from carried


def _translate(error: BaseException) -> httpx.TransportError:
    # The texts are for tracebacks; what people read is worded in `http`.
    match error:
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError("cannot connect")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol("not an address for HTTP")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return httpx.RemoteProtocolError("not HTTP")
        case _:
            return httpx.ReadError("connection lost")
