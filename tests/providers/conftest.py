"""
Open servers, clients and certificates for one test.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.providers.transport import HttpClients
from tests.providers.wire import Serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import trustme


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    opened = Serve()
    yield opened
    for server in opened.servers:
        await server.close()


@pytest.fixture
async def clients() -> AsyncIterator[HttpClients]:
    async with HttpClients(concurrency=200) as opened:
        yield opened


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """
    Make a server's TLS context for a name, valid or expired.
    """

    def make(name: str = "localhost", *, is_expired: bool = False) -> ssl.SSLContext:
        until = datetime.now(UTC) - timedelta(days=1) if is_expired else None
        certificate = authority.issue_cert(name, not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    return make
