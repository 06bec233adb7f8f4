"""Fetch one answer, within its limits of time and size.

Decides when an exchange has failed and says so in plain words. A check that takes several steps
shares one `Deadline`, which waiting for one's turn counts into. What an answer means is left to the
providers; how it is carried, to `transport`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import zlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import httpx

from monitor.clock import utc_now
from monitor.config.descriptors import find_machine_shortage
from monitor.config.hosts import HostRefused
from monitor.judge.outcome import Reason
from monitor.judge.shortage import OutOfResources
from monitor.providers.exchanges import RECORDED, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


MAX_BODY = 256 * 1024
"""The most that is read of a body, compressed or not."""

LOCATION = "connwatch.location"
"""Where `transport` hides a redirect's target from httpx, which stumbles over odd ones."""

PROXY = "connwatch.proxy"
"""Where `transport` says which proxy a request goes through, by its host and port."""

PROXY_PROBLEM = "connwatch.proxy_problem"
"""Where it says why the proxy cannot be known."""

GZIP = zlib.MAX_WBITS + 16
WINDOWS = {"gzip": (GZIP,), "x-gzip": (GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}
"""What zlib calls the codings of HTTP; some servers leave out the header of `deflate`."""

CERTIFICATE_PROBLEMS = {
    10: "it has expired",
    9: "it is not valid yet",
    18: "it is self-signed; if that is intended, name it in ca_file",
    19: "it was issued by an unknown authority; if that is your own, name it in ca_file",
    20: "it was issued by an unknown authority; if that is your own, name it in ca_file",
    62: "it was issued for another name",
    64: "it was issued for another address",
}
"""OpenSSL's numbers, in words that name the next step."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, whatever its status.

    Args:
        body: Decompressed; empty if it was larger than `MAX_BODY`.
        latency_ms: From sending the request to the end of the body.
        beginning: Of a body that was larger, what was read of it.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    latency_ms: float
    received_at: datetime
    is_oversize: bool = False
    beginning: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: a reason, and a sentence that names the host."""

    reason: Reason
    detail: str


async def fetch(
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeout: timedelta,  # noqa: ASYNC109 - it is `asyncio.timeout` that gets it
) -> Answer | Failure:
    """Send *request* and read the whole answer.

    Args:
        timeout: For the exchange as a whole: a server that sends a byte now
            and then must not escape it.

    Raises:
        OutOfResources: It could not be asked for want of resources of our own.
    """
    started_at, started = utc_now(), perf_counter()
    fetched = await _fetch(client, request, timeout)
    recorded = RECORDED.get()
    if recorded is not None:
        took_ms = (perf_counter() - started) * 1000
        recorded.append(_exchange(request, fetched, started_at, took_ms))
    return fetched


def _exchange(
    request: httpx.Request, fetched: Answer | Failure, at: datetime, took_ms: float
) -> Exchange:
    answer = fetched if isinstance(fetched, Answer) else None
    return Exchange(
        at,
        request.method,
        str(request.url),
        request.headers.multi_items(),
        request.content,
        answer.status if answer else None,
        answer.headers.multi_items() if answer else (),
        (answer.body or answer.beginning) if answer else b"",
        answer is not None and answer.is_oversize,
        fetched.detail if isinstance(fetched, Failure) else "",
        took_ms,
    )


async def _fetch(
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeout: timedelta,  # noqa: ASYNC109 - it is `asyncio.timeout` that gets it
) -> Answer | Failure:
    started = perf_counter()
    try:
        async with asyncio.timeout(timeout.total_seconds()) as deadline:
            response = await client.send(request, stream=True)
            try:
                body, is_oversize = await _read_body(response)
            finally:
                await response.aclose()
    except (httpx.HTTPError, OSError) as error:
        short = find_machine_shortage(error)
        if short is not None:
            raise OutOfResources(short) from None
        if deadline.expired():
            return explain_timeout(request, timeout)
        return explain(error, request)
    headers = response.headers
    if LOCATION in response.extensions:
        headers["Location"] = response.extensions[LOCATION]
    return Answer(
        status=response.status_code,
        headers=headers,
        body=b"" if is_oversize else body,
        latency_ms=(perf_counter() - started) * 1000,
        received_at=utc_now(),
        is_oversize=is_oversize,
        beginning=body if is_oversize else b"",
    )


async def _read_body(response: httpx.Response) -> tuple[bytes, bool]:
    """Return the body, or the beginning of one that is too large, and whether it is."""
    chunks = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        chunks.append(chunk)
        if size > MAX_BODY:
            break
        if len(chunks) > 1:
            # A body in chunks of one byte each is work: others have their turn in between.
            await asyncio.sleep(0)
    body = b"".join(chunks)
    encoding = response.headers.get("content-encoding")
    is_oversize = size > MAX_BODY
    if encoding is not None:
        body, is_larger = _decompress(body, encoding)
        is_oversize = is_oversize or is_larger
    return body[:MAX_BODY] if is_oversize else body, is_oversize


def _decompress(body: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return what *body* holds, at most so much as may be read, and whether there is more."""
    # Not asked for, yet some servers compress all the same. What cannot be
    # decompressed is returned as it came: whoever reads it will say so.
    for window in WINDOWS.get(encoding.strip().lower(), ()):
        decompressor = zlib.decompressobj(window)
        try:
            plain = decompressor.decompress(body, MAX_BODY + 1)
        except zlib.error:
            continue
        if len(plain) > MAX_BODY or decompressor.eof:
            return plain, len(plain) > MAX_BODY
    return body, False


def explain_timeout(request: httpx.Request, timeout: timedelta) -> Failure:
    """Say that the whole answer to *request* had not come within *timeout*."""
    return Failure(
        Reason.TIMEOUT,
        f"{_name(request)} did not answer completely within {timeout.total_seconds():g} s"
        f"{_through(request)}.",
    )


def explain(error: Exception, request: httpx.Request) -> Failure:
    """Say in plain words what *error* stopped *request*."""
    is_proxy = isinstance(error, httpx.ProxyError)
    if PROXY in request.extensions:
        # The name of the host is looked up by the proxy.
        is_proxy = is_proxy or any(isinstance(each, socket.gaierror) for each in _causes(error))
    return _explain_proxy(error, request) if is_proxy else _explain_host(error, request)


def _explain_host(error: Exception, request: httpx.Request) -> Failure:  # noqa: PLR0911 - a table
    host = request.url.host
    for cause in _causes(error):
        match cause:
            case HostRefused():
                return Failure(Reason.PROTOCOL, f"{cause.words}.")
            case ssl.SSLCertVerificationError():
                return Failure(
                    Reason.TLS,
                    f"The certificate of {host} is not trusted: {_certificate_problem(cause)}.",
                )
            case ssl.SSLError():
                return Failure(Reason.TLS, _tls_problem(cause, request))
            case socket.gaierror():
                return Failure(Reason.DNS, f"Cannot resolve {host}: {_dns_problem(cause)}.")
            case ConnectionResetError() | ConnectionAbortedError() if _is_handshake(error, request):
                return Failure(
                    Reason.TLS,
                    f"{_name(request)} closed the connection instead of agreeing on TLS."
                    " Check the address and its port.",
                )
            case TimeoutError():
                return Failure(Reason.TIMEOUT, f"{_name(request)} did not answer in time.")
            case _:
                continue
    return _explain_connection(error, request)


def _through(request: httpx.Request) -> str:
    proxy = request.extensions.get(PROXY)
    return f" through the proxy {proxy}" if proxy else ""


def _explain_proxy(error: Exception, request: httpx.Request) -> Failure:
    """Say what the proxy did; it is named by its host and port, never with its password."""
    problem = request.extensions.get(PROXY_PROBLEM)
    if problem is not None:
        return Failure(Reason.PROTOCOL, f"The URL of the proxy cannot be used: {problem}.")
    proxy, host = request.extensions.get(PROXY, ""), _name(request)
    for cause in _causes(error):
        status = getattr(cause, "status", None)
        if status is not None:
            return explain_proxy_status(status, proxy, host)
        if isinstance(cause, socket.gaierror):
            why = f"Cannot resolve the proxy {proxy}: {_dns_problem(cause)}."
            return Failure(Reason.DNS, why)
    why = f"Cannot connect to the proxy {proxy}: {_connection_problem(error)}."
    return Failure(Reason.CONNECT, f"{why} {host} was not called.")


def explain_proxy_status(status: int, proxy: str, host: str) -> Failure:
    """Say what a proxy's answer other than 200 to CONNECT means."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Failure(
            Reason.PROTOCOL,
            f"The proxy {proxy} rejected our user or password (407). Check the proxy setting.",
        )
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return Failure(Reason.TIMEOUT, f"The proxy {proxy} got no response from {host} (504).")
    return Failure(Reason.CONNECT, f"The proxy {proxy} did not connect to {host} ({status}).")


def _explain_connection(error: Exception, request: httpx.Request) -> Failure:
    name = _name(request)
    match error:
        case httpx.ConnectError():
            return Failure(
                Reason.CONNECT, f"Cannot connect to {name}: {_connection_problem(error)}."
            )
        case httpx.TimeoutException():
            return Failure(Reason.TIMEOUT, f"{name} did not answer in time.")
        case httpx.ProtocolError():
            return Failure(
                Reason.PROTOCOL,
                f"{name} sent something that is not HTTP. Check the address and its port.",
            )
        case httpx.UnsupportedProtocol():
            return Failure(Reason.PROTOCOL, f"{name} is not an address that HTTP can reach.")
        case _:
            return Failure(
                Reason.PROTOCOL, f"{name} closed the connection before its answer was complete."
            )


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Innermost first: the outer ones repeat it with less to tell.
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return reversed(chain)


def _is_handshake(error: Exception, request: httpx.Request) -> bool:
    # A port that is closed refuses; one that resets was already talking.
    return isinstance(error, httpx.ConnectError) and request.url.scheme == "https"


def _name(request: httpx.Request) -> str:
    return request.url.netloc.decode("ascii", "replace")


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    problem = CERTIFICATE_PROBLEMS.get(getattr(error, "verify_code", 0))
    return problem or str(getattr(error, "verify_message", "")) or "it does not verify"


def _tls_problem(error: ssl.SSLError, request: httpx.Request) -> str:
    name = _name(request)
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return f"{name} does not speak TLS. Check the address and its port."
    words = (error.reason or "the handshake failed").replace("_", " ").lower()
    return f"Cannot agree on TLS with {name}: {words}."


def _dns_problem(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_NONAME:
        return "there is no such name"
    if error.errno == socket.EAI_AGAIN:
        return "the name server does not answer"
    return str(error.strerror or "the lookup failed").lower()


def _connection_problem(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return "the connection was closed"


class Deadline:
    """The end of a check that begins now and may take *timeout*."""

    def __init__(self, timeout: timedelta) -> None:
        self.timeout = timeout
        self._ends_at = monotonic() + timeout.total_seconds()

    @property
    def left(self) -> timedelta:
        """The time left; never negative."""
        return timedelta(seconds=max(0.0, self._ends_at - monotonic()))

    def resume(self, left: timedelta) -> None:
        """Go on with the time that was *left*: what came between does not count."""
        self._ends_at = monotonic() + left.total_seconds()

    def explain(self, host: str) -> Failure:
        """Say that *host* was not done in time."""
        seconds = self.timeout.total_seconds()
        return Failure(
            Reason.TIMEOUT,
            f"{host} did not answer completely within the {seconds:g} s that a check may take.",
        )


async def fetch_before(
    deadline: Deadline, client: httpx.AsyncClient, request: httpx.Request
) -> Answer | Failure:
    """Send *request* and read the whole answer, if the time left suffices."""
    host = request.url.netloc.decode("ascii", "replace")
    left = deadline.left
    if not left:
        return deadline.explain(host)
    fetched = await fetch(client, request, left)
    if isinstance(fetched, Failure) and fetched.reason is Reason.TIMEOUT and not deadline.left:
        # The seconds that were left to this request are nobody's setting.
        return replace(fetched, detail=deadline.explain(host).detail)
    return fetched
