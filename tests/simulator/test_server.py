"""
Starting and stopping.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from monitor.simulator.server import start_simulator
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from monitor.simulator.server import Simulator

pytestmark = pytest.mark.anyio


async def request_until_cut(simulator: Simulator, value: str, verify: ssl.SSLContext | bool):
    """Send a request and return the error with which it ended."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False, verify=verify) as client:
        headers = {"Authorization": f"Bearer {value}"}
        with pytest.raises(httpx.HTTPError) as caught:
            await client.get(f"{simulator.soldscope_url}/auth/check", headers=headers)
        return caught.value


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


async def test_it_listens_on_loopback_and_tells_its_addresses(simulator):
    parts = urlsplit(simulator.base_url)

    assert (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
    assert simulator.soldscope_url == f"{simulator.base_url}/api/v1"
    assert simulator.control_url == f"{simulator.base_url}/control"


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost"), ("::1", "::1")]
)
async def test_the_address_told_can_be_reached(host, shown):
    simulator = await start_simulator(host)
    try:
        assert urlsplit(simulator.base_url).hostname == shown
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            answer = await client.get(f"{simulator.control_url}/state")
        assert answer.json()["soldscope"]["url"] == simulator.soldscope_url
    finally:
        await simulator.stop()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(simulator):
    port = urlsplit(simulator.base_url).port

    with pytest.raises(OSError, match="address already in use"):
        await start_simulator(port=port)


async def test_it_serves_https():
    ca = trustme.CA()
    secure = await start_simulator(ssl_context=server_context(ca))
    try:
        issued = secure.create_token("acme", "production")
        async with httpx.AsyncClient(
            verify=client_context(ca), trust_env=False, timeout=PATIENCE_S
        ) as client:
            answer = await client.get(
                f"{secure.soldscope_url}/auth/check",
                headers={"Authorization": f"Bearer {issued.value}"},
            )
        assert secure.base_url.startswith("https://")
        assert answer.status_code == 200
    finally:
        await secure.stop()


@pytest.mark.parametrize("name", ["hang", "trickle", "slow", "oversize"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_stop_is_fast_while_a_request_hangs(name, is_secure):
    ca = trustme.CA() if is_secure else None
    simulator = await start_simulator(ssl_context=server_context(ca) if ca else None)
    value = simulator.create_token("acme", "production").value
    limits = {"slow": 3600, "oversize": 4096}
    simulator.faults.switch_on(name, value=limits.get(name))
    asked = asyncio.create_task(
        request_until_cut(simulator, value, client_context(ca) if ca else False)
    )
    await _until_connected(simulator)

    started = time.monotonic()
    await simulator.stop()
    took = time.monotonic() - started

    assert took < 2
    if name == "slow":
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    else:
        async with asyncio.timeout(PATIENCE_S):
            await asked


async def _until_connected(simulator: Simulator) -> None:
    """Wait until the server has a request in its hands."""
    server = simulator._runner.server
    assert server is not None
    async with asyncio.timeout(PATIENCE_S):
        while not server.requests_count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_stopping_again_does_nothing_and_the_port_is_free(simulator):
    port = urlsplit(simulator.base_url).port
    await simulator.stop()
    await simulator.stop()

    again = await start_simulator(port=port)
    await again.stop()

    assert port == urlsplit(again.base_url).port


async def test_simulators_share_nothing(simulator):
    other = await start_simulator()
    try:
        issued = simulator.create_token("acme", "production")
        assert other.soldscope.authenticate(issued.value) is None
        assert simulator.base_url != other.base_url
    finally:
        await other.stop()


async def test_nothing_is_logged_whatever_comes_in(simulator, client, api, caplog):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx")
    port = urlsplit(simulator.base_url).port

    await api.get("/auth/check")
    for name in ("reset", "close_early"):
        simulator.faults.switch_on(name)
        with pytest.raises(httpx.TransportError):
            await api.get("/auth/check")
        simulator.faults.clear()
    for garbage in (
        b"\x16\x03\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        await reader.read()
        writer.close()
        await writer.wait_closed()

    assert caplog.records == []
