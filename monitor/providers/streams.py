"""Stream an answer that may be large, such as a list of connections, from a service.

Decides when a stream has failed and says so in plain words, and where its next page may be: on the
same scheme, host and port only, since a token goes along. What it holds is left to who reads it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from monitor.config.descriptors import find_machine_shortage
from monitor.judge.shortage import OutOfResources
from monitor.providers.fetcher import LOCATION, explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


Client = httpx.AsyncClient
"""What `HttpClients` gives out."""


class StreamFailed(Exception):  # noqa: N818 - it states a condition
    """Raised where a stream breaks, or leads where it may not; says why, never what it holds."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still to be read.

    Args:
        silence_s: How long the service may send nothing; all of it may take longer.
    """

    request: httpx.Request
    response: httpx.Response
    silence_s: float

    @property
    def host(self) -> str:
        """Return who answers."""
        return self.request.url.host

    @property
    def status(self) -> int:
        """Return the status of HTTP."""
        return self.response.status_code

    @property
    def is_redirect(self) -> bool:
        """Tell whether it leads elsewhere, which is not followed."""
        return LOCATION in self.response.extensions or self.response.is_redirect

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return str(self.response.headers.get(name, ""))

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raise StreamFailed if it breaks."""
        body = self.response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout(self.silence_s):
                    chunk = await anext(body, b"")
            except (httpx.HTTPError, OSError) as error:
                raise _explain(error, self.request, self.silence_s) from None
            if not chunk:
                return
            yield chunk

    def find_next(self) -> str | None:
        """Return the address of the page after this one; raise StreamFailed if it is elsewhere."""
        link = self.response.links.get("next", {}).get("url")
        if not link:
            return None
        here = self.request.url
        try:
            url = here.join(link)
        except (httpx.InvalidURL, ValueError):
            raise StreamFailed("the address of its next page cannot be read") from None
        origin = here.scheme, here.host, here.port, b""
        if (url.scheme, url.host, url.port, url.userinfo) != origin:
            raise StreamFailed(
                "its next page is on another host, port or scheme, where the token must not go"
            )
        return str(url.copy_with(fragment=None))


@asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str], silence_s: float
) -> AsyncIterator[Stream]:
    """Ask for *url* and yield the answer, whatever its status.

    Raises:
        OutOfResources: It could not be called for want of resources of our own.
        StreamFailed: There is no answer.
    """
    request = client.build_request("GET", url, headers=dict(headers))
    try:
        async with asyncio.timeout(silence_s):
            response = await client.send(request, stream=True)
    except (httpx.HTTPError, OSError) as error:
        raise _explain(error, request, silence_s) from None
    try:
        yield Stream(request, response, silence_s)
    finally:
        await response.aclose()


def _explain(error: Exception, request: httpx.Request, silence_s: float) -> Exception:
    short = find_machine_shortage(error)
    if short is not None:
        return OutOfResources(short)
    if isinstance(error, TimeoutError):
        return StreamFailed(f"{request.url.host} was silent for {silence_s:g} s")
    return StreamFailed(explain(error, request).detail.removesuffix("."))
