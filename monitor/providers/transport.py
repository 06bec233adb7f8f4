"""Keep the HTTP clients, and carry their requests over aiohttp.

Decides which certificates and versions of TLS are trusted, which addresses are called for what is
not in the file, how connections are opened, kept and shared (a client for all connections, one for
each CA file, one of our own), what is sent again when a connection was dead, and when clients are
replaced and closed. Everyone else builds and sends plain httpx requests. httpx's own pool costs 1.8
ms of processor time a request once many are under way, aiohttp's connections under httpx a tenth of
that: 500 or 5,000 checks a second on one core.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

import aiohttp
import certifi
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from monitor import __version__
from monitor.config.files import LARGEST_CA_FILE, require_file
from monitor.config.hosts import HostRefused, read_address
from monitor.config.secret import SecretUnavailable
from monitor.judge.shortage import OutOfResources, find_shortage
from monitor.providers.fetcher import LOCATION, PROXY, PROXY_PROBLEM
from monitor.providers.proxies import choose_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from monitor.config.hosts import AllowedHosts
    from monitor.config.secret import Secret
    from monitor.providers.proxies import Proxy


KEEPALIVE_S = 15.0
"""Shorter than any common load balancer's patience, long enough for a busy host."""

MAX_HEADER_BYTES = 32 * 1024
"""Content security policies and link lists outgrow the 8 KiB that are usual."""

REPEATABLE = "connwatch.repeatable"
"""Marks a request that does nothing twice, although its method does not say so."""


if TYPE_CHECKING:
    _Pair = tuple[AiohttpTransport, AiohttpTransport]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses may be called, and how names are looked up.

    Args:
        allowed: What may be called beside public addresses; None for everything.
        resolver: The system's, whatever else is installed: its errors are told from others.
    """

    allowed: AllowedHosts | None = None
    resolver: Callable[[], aiohttp.abc.AbstractResolver] = aiohttp.ThreadedResolver


ANYWHERE = Reach()
"""For what the file names."""


class PoolingTransport(httpx.AsyncBaseTransport):
    """Carry httpx requests over aiohttp connections; every error is one of httpx.

    A GET whose pooled connection turns out to be dead is sent once more, on a
    fresh connection: the server may close an idle one at any moment. So is any
    other request that is marked as `REPEATABLE`.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        limit: int,
        proxy: Secret | None = None,
        *,
        keeps_idle: bool = True,
        reach: Reach = ANYWHERE,
    ) -> None:
        self._context = context
        self._limit = limit
        self._proxy = proxy
        self._keeps_idle = keeps_idle
        self._reach = reach
        self._pairs: dict[Proxy | None, _Pair] = {}

    async def _pair_for(self, request: httpx.Request) -> _Pair:
        """Return the transports for *request*, with the proxy that it goes through."""
        if self._proxy is not None:
            await self._proxy.make_ready()
        try:
            proxy = choose_proxy(self._proxy, request.url.host, request.url.port)
        except SecretUnavailable as error:
            request.extensions[PROXY_PROBLEM] = error.explain()
            problem = "the proxy's URL cannot be read"
        else:
            if proxy is not None:
                request.extensions[PROXY] = proxy.name
            if proxy not in self._pairs:
                # A proxy is one of the file; what it is to call is examined here. A way through
                # it is of one name: no other name of that address may use it.
                reach = self._reach if proxy is None else replace(self._reach, allowed=None)
                is_examined = proxy is not None and self._reach.allowed is not None
                is_once = not self._keeps_idle or is_examined
                pooled, fresh = (
                    AiohttpTransport(
                        verify=self._context,
                        trust_env=False,
                        proxy=None if proxy is None else proxy.of_httpx,
                        client=partial(
                            _open_session,
                            self._context,
                            self._limit,
                            force_close=force_close,
                            reach=reach,
                        ),
                    )
                    for force_close in (is_once, True)
                )
                self._pairs[proxy] = pooled, fresh
            return self._pairs[proxy]
        raise httpx.ProxyError(problem)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return its answer, the body still to be read."""
        pooled, fresh = await self._pair_for(request)
        sent = request
        if self._reach.allowed is not None:
            sent = await _examine_request(request, self._reach, self._reach.allowed)
        with _speaking_httpx():
            try:
                response = await pooled.handle_async_request(sent)
            except ConnectionLostError:
                if request.method != "GET" and REPEATABLE not in request.extensions:
                    raise
                response = await fresh.handle_async_request(sent)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _PooledBody(response.stream)
        # httpx parses the target of a redirect that nobody follows, and some
        # targets make it fail.
        if "Location" in response.headers:
            response.extensions[LOCATION] = response.headers.pop("Location")
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for pair in self._pairs.values():
            for transport in pair:
                await transport.aclose()


class _PooledBody(httpx.AsyncByteStream):
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
    """The connection ended before an answer had come."""


class _PlainResponse(aiohttp.ClientResponse):
    """An answer without its reason phrase, whose bytes httpx-aiohttp cannot take as they come."""

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        await super().start(connection)
        self.reason = None
        return self


async def _examine_request(
    request: httpx.Request, reach: Reach, allowed: AllowedHosts
) -> httpx.Request:
    """Return *request* as it may be sent; raise HostRefused if its host may not be called.

    Without a proxy the connector examines what the name leads to. With one, the proxy would look it
    up for itself, perhaps to something else: it is told the address that was examined here.
    """
    host = request.url.raw_host.decode("ascii")
    why = allowed.refuse_host(host)
    if why is not None:
        raise HostRefused(host, why)
    if PROXY not in request.extensions or allowed.allows_name(host):
        return request
    address = read_address(host)
    found = str(address) if address else await _look_up(request.url, host, reach, allowed)
    return httpx.Request(
        request.method,
        request.url.copy_with(host=found),
        headers=request.headers,  # of which `Host` goes on naming the host
        content=request.content,
        extensions={**request.extensions, "sni_hostname": host},
    )


async def _look_up(url: httpx.URL, host: str, reach: Reach, allowed: AllowedHosts) -> str:
    try:
        resolved = await _Examiner(reach.resolver(), allowed).resolve(host, url.port or 0)
    except HostRefused:
        raise
    except OSError:
        raise HostRefused(host, "unexamined") from None
    return resolved[0]["host"]


class _Examiner(aiohttp.abc.AbstractResolver):
    """Look names up, and leave out what may not be called.

    Args:
        inner: What looks them up.
    """

    def __init__(self, inner: aiohttp.abc.AbstractResolver, allowed: AllowedHosts) -> None:
        self._inner = inner
        self._allowed = allowed
        self._let_in: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        refusals = [self._allowed.refuse(one["host"], host) for one in found]
        kept = [one for one, why in zip(found, refusals, strict=True) if why is None]
        if not kept:
            raise HostRefused(host, next((why for why in refusals if why), "unknown"))
        if self._allowed.allows_name(host):
            self._let_in |= {one["host"] for one in kept}
        return kept

    def open_socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """Return the socket that is about to be connected; raise HostRefused if it may not be."""
        family, kind, protocol, _, target = found
        address = str(target[0])
        why = None if address in self._let_in else self._allowed.refuse(address)
        if why is not None:
            raise HostRefused(address, why)
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        await self._inner.close()


def _open_session(
    context: ssl.SSLContext, limit: int, *, force_close: bool, reach: Reach
) -> aiohttp.ClientSession:
    resolver = reach.resolver()
    examiner = None if reach.allowed is None else _Examiner(resolver, reach.allowed)
    connector = aiohttp.TCPConnector(
        limit=limit,
        ssl=context,
        resolver=examiner or resolver,
        socket_factory=None if examiner is None else examiner.open_socket,
        **({"force_close": True} if force_close else {"keepalive_timeout": KEEPALIVE_S}),
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
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError):
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
    # The texts are for tracebacks; what people read is worded in `fetcher`.
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return httpx.ProxyError("the proxy")
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError("cannot connect")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol("not an address for HTTP")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return httpx.RemoteProtocolError("not HTTP")
        case _:
            return httpx.ReadError("connection lost")


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return what trusts *ca_file*, or the usual authorities; ValueError means no certificate.

    Raises:
        OutOfResources: They cannot be read for want of resources of our own.
    """
    try:
        return _trust(ca_file)
    except (OSError, ValueError) as error:
        short = find_shortage(error)
        if short is not None:
            raise OutOfResources(short) from None
        raise


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        context = ssl.create_default_context()
        # Slim container images come without a list of their own.
        context.load_verify_locations(certifi.where())
    else:
        try:
            require_file(ca_file, LARGEST_CA_FILE)
            context = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            problem = "it holds no certificate" if isinstance(error, ssl.SSLError) else error
            raise ValueError(f"cannot use ca_file {ca_file}: {problem}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


OWN_AT_ONCE = 10
"""More calls than the monitor makes for itself at any time."""

DEFAULT_HEADERS = {
    "User-Agent": f"connwatch/{__version__} (Language=Python)",
    "Accept": "application/json",
    # A compressed answer of 256 KiB can be one of 256 MiB.
    "Accept-Encoding": "identity",
}


class HttpClients:
    """Hold one pooled client for all connections, and one for each CA file.

    Clients are made on demand, inside the event loop, and live until `aclose`.

    Args:
        concurrency: How many requests may be under way at once, per client.
        keeps_idle: Connections are kept for the next request; where descriptors are
            scarce they must not be.
        resolver: Makes what looks names up.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        keeps_idle: bool = True,
        resolver: Callable[[], aiohttp.abc.AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> None:
        self._concurrency = concurrency
        self._keeps_idle = keeps_idle
        self._resolver = resolver
        self._clients: dict[
            tuple[Path | None, Secret | None, AllowedHosts | None], httpx.AsyncClient
        ] = {}
        self._own: dict[Secret | None, httpx.AsyncClient] = {}
        self._retired: list[tuple[float, httpx.AsyncClient]] = []

    def get(
        self,
        ca_file: Path | None = None,
        proxy: Secret | None = None,
        allowed: AllowedHosts | None = None,
    ) -> httpx.AsyncClient:
        """Return the client that trusts *ca_file*; ValueError means no certificate in it.

        Args:
            proxy: The URL of the proxy that it calls through.
            allowed: What it may call beside public addresses; None for whatever the
                file names.
        """
        key = ca_file, proxy, allowed
        client = self._clients.get(key)
        if client is None:
            client = _open_client(
                trust(ca_file),
                self._concurrency,
                proxy,
                keeps_idle=self._keeps_idle,
                reach=Reach(allowed, self._resolver),
            )
            self._clients[key] = client
        return client

    def own(self, proxy: Secret | None = None) -> httpx.AsyncClient:
        """Return the client for our own calls, link and heartbeat: hanging checks leave it free."""
        if proxy not in self._own:
            self._own[proxy] = _open_client(trust(None), OWN_AT_ONCE, proxy)
        return self._own[proxy]

    def successor(self, concurrency: int) -> HttpClients:
        """Return clients that read each CA file anew; what need not change is shared."""
        fresh = HttpClients(concurrency, keeps_idle=self._keeps_idle, resolver=self._resolver)
        usual = None, None, None
        if usual in self._clients and concurrency == self._concurrency:
            fresh._clients[usual] = self._clients[usual]
        return fresh

    async def adopt(self, fresh: HttpClients, close_after: timedelta) -> None:
        """Give out the clients of *fresh*, a successor, from now on.

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
        """Close all connections. The clients cannot be used afterwards."""
        retired, self._retired = self._retired, []
        while self._own:
            _, own = self._own.popitem()
            await own.aclose()
        for _, client in retired:
            await client.aclose()
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


def _open_client(
    context: ssl.SSLContext,
    concurrency: int,
    proxy: Secret | None,
    *,
    keeps_idle: bool = True,
    reach: Reach = ANYWHERE,
) -> httpx.AsyncClient:
    return _Client(
        transport=PoolingTransport(context, concurrency, proxy, keeps_idle=keeps_idle, reach=reach),
        headers=DEFAULT_HEADERS,
        follow_redirects=False,
        timeout=None,
        trust_env=False,
    )


class _Client(httpx.AsyncClient):
    """An httpx client that only sends: no redirects, no cookies, no login dance.

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
        """Send *request* once, as a stream; raise ValueError for what this client does not do."""
        if not stream or auth or follow_redirects is not False:
            raise ValueError("this client streams, and neither logs in nor follows redirects")
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response
