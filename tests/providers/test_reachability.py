"""
The way to a host, part by part, over real sockets.
"""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.judge.outcome import Reason
from monitor.providers.reachability import Hop, ProbeResult, probe_host
from tests.providers.wire import http_answer
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def go(url: str, ca_file: Path | None = None, *, timeout_s: float = 5) -> list[ProbeResult]:
    return [each async for each in probe_host(url, ca_file, timedelta(seconds=timeout_s))]


def closed_port() -> int:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        port: int = once.getsockname()[1]
    return port


async def hold(server, reader, writer) -> None:
    await reader.read()


async def test_a_trusted_host_is_reached_in_three_parts(serve, tls, ca_file):
    server = await serve.script(hold, tls("localhost"))
    resolved, connected, agreed = await go(f"https://localhost:{server.port}/api", ca_file)
    assert [each.hop for each in (resolved, connected, agreed)] == list(Hop)
    assert resolved.n_addresses >= 1
    assert connected.address == f"127.0.0.1:{server.port}"
    assert agreed.tls in {"TLS 1.3", "TLS 1.2"}
    assert agreed.certificate_ends_at is not None
    assert agreed.certificate_ends_at > datetime.now(UTC)
    assert all(each.took_ms is not None and each.took_ms >= 0 for each in (resolved, agreed))


async def test_plain_http_uses_no_tls_and_an_address_needs_no_lookup(serve):
    server = await serve.raw(http_answer())
    resolved, connected, agreed = await go(f"http://127.0.0.1:{server.port}")
    assert (resolved.n_addresses, resolved.failure) == (0, None)
    assert connected.address == f"127.0.0.1:{server.port}"
    assert agreed == ProbeResult(Hop.TLS)


async def test_nothing_is_sent(serve):
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(server, reader, writer) -> None:
        received.put_nowait(await reader.read())

    server = await serve.script(listen)
    await go(f"http://127.0.0.1:{server.port}")
    assert await asyncio.wait_for(received.get(), PATIENCE_S) == b""


async def test_an_unknown_name_ends_the_way_at_once():
    [resolved] = await go("https://nowhere.invalid/")
    assert resolved.failure is not None
    assert (resolved.hop, resolved.failure.reason) == (Hop.RESOLVE, Reason.DNS)
    assert "nowhere.invalid" in resolved.failure.detail


async def test_a_closed_port_refuses():
    port = closed_port()
    _, connected = await go(f"https://127.0.0.1:{port}/")
    assert connected.failure is not None
    assert connected.failure.reason is Reason.CONNECT
    assert connected.failure.detail == f"Cannot connect to 127.0.0.1:{port}: connection refused."


async def test_an_authority_of_ones_own_is_trusted_by_its_ca_file_only(serve, tls):
    server = await serve.script(hold, tls("localhost"))
    *_, agreed = await go(f"https://localhost:{server.port}/")
    assert agreed.failure is not None
    assert agreed.failure.reason is Reason.TLS
    assert "ca_file" in agreed.failure.detail


async def test_an_expired_certificate_is_named(serve, tls, ca_file):
    server = await serve.script(hold, tls("localhost", is_expired=True))
    *_, agreed = await go(f"https://localhost:{server.port}/", ca_file)
    assert agreed.failure is not None
    assert "it has expired" in agreed.failure.detail


async def test_what_does_not_speak_tls_is_told_apart(serve):
    async def greet(server, reader, writer) -> None:
        writer.write(b"220 mail.example ready\r\n" * 4)
        await reader.read()

    server = await serve.script(greet)
    *_, agreed = await go(f"https://127.0.0.1:{server.port}/")
    assert agreed.failure is not None
    assert (agreed.hop, agreed.failure.reason) == (Hop.TLS, Reason.TLS)


async def test_silence_in_the_handshake_ends_after_the_limit(serve):
    server = await serve.script(hold)
    *_, agreed = await go(f"https://127.0.0.1:{server.port}/", timeout_s=0.2)
    assert agreed.failure is not None
    assert (agreed.hop, agreed.failure.reason) == (Hop.TLS, Reason.TIMEOUT)
    assert agreed.took_ms is not None
    assert agreed.took_ms >= 200


async def test_the_next_address_is_tried_where_the_first_one_refuses(serve, monkeypatch):
    server = await serve.raw(http_answer())

    async def two_addresses(*args: object, **more: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (closed_port(), server.port)
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two_addresses)
    _, connected, _ = await go(f"http://localhost:{server.port}/")
    assert (connected.failure, connected.address) == (None, f"127.0.0.1:{server.port}")


async def test_a_name_server_that_says_nothing_is_waited_for_no_longer_than_that(monkeypatch):
    async def silent(*args: object, **more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    [resolved] = await go("https://api.example/", timeout_s=0.1)
    assert resolved.failure is not None
    assert resolved.failure.reason is Reason.TIMEOUT
    assert "the name server said nothing within 0.1 s" in resolved.failure.detail


async def test_a_ca_file_without_a_certificate_is_refused(serve, tls, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    server = await serve.script(hold, tls("localhost"))
    with pytest.raises(ValueError, match="ca_file"):
        await go(f"https://localhost:{server.port}/", tmp_path / "ca.pem")


async def test_leaving_early_closes_what_was_opened(serve):
    gone = asyncio.Event()

    async def watch(server, reader, writer) -> None:
        await reader.read()
        gone.set()

    server = await serve.script(watch)
    way = probe_host(f"http://127.0.0.1:{server.port}", None, timedelta(seconds=5))
    assert (await anext(way)).hop is Hop.RESOLVE
    assert (await anext(way)).hop is Hop.CONNECT
    assert not gone.is_set()
    await way.aclose()
    await asyncio.wait_for(gone.wait(), PATIENCE_S)
