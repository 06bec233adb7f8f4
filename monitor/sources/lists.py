"""Prepare the request for a source that is a service: the token goes as for a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.http import HttpConnection
from monitor.config.secret import Secret
from monitor.providers.base import UnsendableError
from monitor.providers.http_api import address_and_headers
from monitor.sources.rows import UnreadableSource
from monitor.sources.services import ServiceReading

if TYPE_CHECKING:
    from monitor.config.sources import HttpSource
    from monitor.providers.streams import Client


async def open_list(client: Client, source: HttpSource, etag: str = "") -> ServiceReading:
    """Return a reading of *source*, not begun yet.

    Args:
        etag: That of the last reading, if what it brought is still known.

    Raises:
        OutOfResources: A secret could not be read for want of resources of our own.
        SecretUnavailable: A secret cannot be read.
        UnreadableSource: The request cannot be sent.
    """
    for secret in (source.token, *source.headers.values()):
        if isinstance(secret, Secret):
            await secret.make_ready()
    connection = HttpConnection.model_construct(
        name=source.name,
        url=source.url,
        auth=source.auth,
        token=source.token,
        headers=source.headers,
    )
    try:
        url, headers = address_and_headers(connection, client)
    except UnsendableError as error:
        raise UnreadableSource(str(error)) from None
    except ValueError:
        raise UnreadableSource("its url cannot be called; check its host") from None
    return ServiceReading(client, url, headers, source.written_defaults, etag)
