"""Find out how far the way to a host leads: its name, its port, its TLS.

Decides how each of the three is tried, with the trust and the limits of a check. Nothing is sent.
What becomes of this in words for people is left to `monitor.report.validation`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from time import perf_counter
from typing import TYPE_CHECKING, Any

import httpx

from monitor.config.hosts import HostRefused
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Reason
from monitor.providers.fetcher import (
    PROXY,
    Failure,
    explain,
    explain_proxy_status,
    explain_timeout,
)
from monitor.providers.proxies import choose_proxy
from monitor.providers.transport import trust

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from datetime import timedelta
    from pathlib import Path

    from monitor.config.hosts import AllowedHosts
    from monitor.config.secret import Secret
    from monitor.providers.proxies import Proxy

MAX_ADDRESSES = 8
"""More than these are not tried; names with more of them have them for the load."""

HEAD_START_S = 0.25
"""What an address gets before the next one is tried beside it (RFC 8305)."""


class Hop(StrEnum):
    """A part of the way to a host."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How one part of the way went.

    Args:
        took_ms: None where there was nothing to do.
        failure: Why it ends here.
        n_addresses: How many the name has; 0 where the host is an address itself.
        address: The one that answered, with its port.
        tls: The version agreed on; None where plain HTTP is spoken.
        certificate_ends_at: When the host's certificate ends.
        proxy: The proxy that the way leads through, by its host and port; empty for none.
    """

    hop: Hop
    took_ms: float | None = None
    failure: Failure | None = None
    n_addresses: int = 0
    address: str = ""
    tls: str | None = None
    certificate_ends_at: datetime | None = None
    proxy: str = ""


async def probe_host(
    url: str,
    ca_file: Path | None,
    timeout: timedelta,  # noqa: ASYNC109 - it is `asyncio.timeout` that gets it
    proxy: Secret | None = None,
    allowed: AllowedHosts | None = None,
) -> AsyncGenerator[ProbeResult, None]:
    """Go as far as possible towards the host of *url*; tell of each part when it is done.

    Raises ValueError if *ca_file* holds no certificate.

    Args:
        timeout: For each part.
        proxy: The URL of the proxy that checks go through: it is what is looked up and connected
            to, and what then connects to the host.
        allowed: What may be called beside public addresses; None for everything.
    """
    request = httpx.Request("GET", url)
    if proxy is not None:
        await proxy.make_ready()
    try:
        chosen = choose_proxy(proxy, request.url.host, request.url.port)
    except SecretUnavailable as error:
        why = f"The URL of the proxy cannot be used: {error.explain()}."
        yield ProbeResult(Hop.RESOLVE, failure=Failure(Reason.PROTOCOL, why))
        return
    async with AsyncExitStack() as stack:
        way = _Probe(request, ca_file, timeout, stack, chosen, allowed)
        steps = {Hop.RESOLVE: way.resolve, Hop.CONNECT: way.connect, Hop.TLS: way.agree_on_tls}
        for hop, step in steps.items():
            reached = await way.time(hop, step)
            yield reached
            if reached.failure is not None:
                return


_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
_LONGEST_HEAD = 16 * 1024


class _ProxyRefusal(Exception):  # noqa: N818 - it says what the proxy did
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def _host_of(request: httpx.Request) -> str:
    return request.url.netloc.decode("ascii", "replace")


class _Probe:
    """The way to one host, as far as it was gone."""

    def __init__(
        self,
        request: httpx.Request,
        ca_file: Path | None,
        timeout: timedelta,
        stack: AsyncExitStack,
        proxy: Proxy | None,
        allowed: AllowedHosts | None = None,
    ) -> None:
        self._allowed = allowed
        self._request = request
        self._proxy = proxy
        # What is looked up and connected to.
        self._first = request if proxy is None else httpx.Request("GET", proxy.url)
        self._ca_file = ca_file
        self._timeout = timeout
        self._stack = stack
        self._host = self._first.url.raw_host.decode("ascii")
        self._is_plain = request.url.scheme != "https"
        self._found: Sequence[Any] = ()
        self._target = ""
        self._socket: socket.socket | None = None

    async def time(self, hop: Hop, step: Callable[[], Awaitable[dict[str, Any]]]) -> ProbeResult:
        """Take a *step* within the time that it has, and return how it went."""
        if hop is Hop.TLS and self._is_plain:
            return ProbeResult(hop)
        started = perf_counter()
        facts: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self._timeout.total_seconds()) as limit:
                facts = await step()
        except OSError as error:
            if limit.expired():
                facts["failure"] = self._explain_timeout(hop)
            else:
                facts["failure"] = self._explain(error, hop)
        except _ProxyRefusal as error:
            facts["failure"] = error.failure
        facts["proxy"] = self._proxy.name if self._proxy else ""
        return ProbeResult(hop, (perf_counter() - started) * 1000, **facts)

    def _explain(self, error: OSError, hop: Hop) -> Failure:
        if isinstance(error, HostRefused):
            return Failure(Reason.PROTOCOL, f"{error.words}.")
        if self._proxy is None or hop is Hop.TLS:
            return _explain(error, self._request)
        carried = httpx.ProxyError("the proxy")
        carried.__cause__ = error
        self._request.extensions[PROXY] = self._proxy.name
        return explain(carried, self._request)

    def _explain_timeout(self, hop: Hop) -> Failure:
        if hop is not Hop.RESOLVE:
            return explain_timeout(self._request, self._timeout)
        seconds = self._timeout.total_seconds()
        return Failure(
            Reason.TIMEOUT,
            f"Cannot resolve {self._host}: the name server said nothing within {seconds:g} s.",
        )

    async def resolve(self) -> dict[str, Any]:
        """Look up the host's addresses."""
        first = self._first.url
        port = first.port or (443 if first.scheme == "https" else 80)
        is_address = _is_address(self._host)
        self._found = await asyncio.get_running_loop().getaddrinfo(
            self._host,
            port,
            type=socket.SOCK_STREAM,
            flags=0 if is_address else socket.AI_ADDRCONFIG,
        )
        if self._allowed is not None:
            await self._examine(self._allowed)
        addresses = {found[-1][0] for found in self._found}
        return {"n_addresses": 0 if is_address else len(addresses)}

    async def _examine(self, allowed: AllowedHosts) -> None:
        """Leave out the addresses that may not be called; raise HostRefused if none is left."""
        url = self._request.url
        host = url.raw_host.decode("ascii")
        why = allowed.refuse_host(host)
        if why is not None:
            raise HostRefused(host, why)
        found = self._found
        if self._proxy is not None:
            if allowed.allows_name(host):
                return
            try:
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, url.port, type=socket.SOCK_STREAM
                )
            except OSError:
                raise HostRefused(host, "unexamined") from None
        refusals = [allowed.refuse(str(one[-1][0]), host) for one in found]
        kept = [one for one, why in zip(found, refusals, strict=True) if why is None]
        if not kept:
            raise HostRefused(host, next((why for why in refusals if why), "unknown"))
        if self._proxy is None:
            self._found = kept
        else:
            # The proxy would look the name up for itself, perhaps to something else.
            address = str(kept[0][-1][0])
            self._target = f"[{address}]" if ":" in address else address

    async def connect(self) -> dict[str, Any]:
        """Open a connection to the address that answers first."""
        self._socket = await _connect_to_first(self._found[:MAX_ADDRESSES])
        self._stack.callback(self._socket.close)
        if self._proxy is not None:
            await self._ask_proxy(self._proxy, self._socket)
        host, port, *_ = self._socket.getpeername()
        return {"address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}

    async def _ask_proxy(self, proxy: Proxy, opened: socket.socket) -> None:
        """Have the proxy connect to the host, or raise _ProxyRefusal."""
        url = self._request.url
        host = self._target or url.raw_host.decode("ascii")
        target = f"{host}:{url.port or (80 if self._is_plain else 443)}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(opened, "\r\n".join([*lines, "", ""]).encode("ascii"))
        head = b""
        # Byte by byte: what comes after the head is the host's.
        while not head.endswith(b"\r\n\r\n") and len(head) < _LONGEST_HEAD:
            byte = await loop.sock_recv(opened, 1)
            if not byte:
                raise ConnectionResetError
            head += byte
        found = _STATUS.match(head)
        status = int(found[1]) if found else 0
        if not 200 <= status < 300:  # noqa: PLR2004 - the successes of HTTP
            raise _ProxyRefusal(explain_proxy_status(status, proxy.name, _host_of(self._request)))

    async def agree_on_tls(self) -> dict[str, Any]:
        """Agree on TLS over that connection."""
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol,
            sock=self._socket,
            ssl=trust(self._ca_file),
            server_hostname=self._request.url.raw_host.decode("ascii"),
        )
        # Aborted, because nobody waits for the other side's goodbye.
        self._stack.callback(transport.abort)
        agreed = transport.get_extra_info("ssl_object")
        until = agreed.getpeercert()["notAfter"]
        return {
            "tls": agreed.version().replace("TLSv", "TLS "),
            "certificate_ends_at": datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC),
        }


async def _connect_to_first(found: Sequence[Any]) -> socket.socket:
    """Return a connection to the address that answers first; raise the OSError of the first."""
    tries: list[asyncio.Task[socket.socket]] = []
    won: asyncio.Task[socket.socket] | None = None
    try:
        for number, one in enumerate(found, start=1):
            tries.append(asyncio.create_task(_connect_to(one)))
            patience = HEAD_START_S if number < len(found) else None
            won = await _first_done(tries, patience)
            if won is not None:
                return won.result()
        return tries[0].result()
    finally:
        for each in tries:
            each.cancel()
        for opened in await asyncio.gather(*tries, return_exceptions=True):
            if isinstance(opened, socket.socket) and (won is None or opened is not won.result()):
                opened.close()


async def _first_done(
    tries: Sequence[asyncio.Task[socket.socket]], patience_s: float | None
) -> asyncio.Task[socket.socket] | None:
    """Return the first of *tries* to succeed; None if all failed or *patience_s* is over."""
    waiting = {each for each in tries if not each.done()}
    while waiting:
        done, waiting = await asyncio.wait(
            waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
        )
        for each in done:
            if each.exception() is None:
                return each
        if not done:
            return None
    return None


async def _connect_to(found: Any) -> socket.socket:
    family, kind, protocol, _, address = found
    opened = socket.socket(family, kind, protocol)
    try:
        opened.settimeout(0)
        await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened


def _explain(error: OSError, request: httpx.Request) -> Failure:
    # As the client would have it, so that both say the same of the same trouble.
    carried = httpx.ConnectError("cannot connect")
    carried.__cause__ = error
    return explain(carried, request)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
