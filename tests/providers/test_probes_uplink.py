"""
Whether our own link is there, asked of real servers.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import certifi
import pytest

from monitor.judge.shortage import OutOfResources
from monitor.providers.probes import is_online
from monitor.providers.transport import HttpClients, trust
from tests.shortage import no_descriptors

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def server(answer: bytes | None):
    """
    Give the address of a server that sends *answer* to everybody; None: nothing, ever.
    """
    heard: list[bytes] = []
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                await is_over.wait()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/", heard
    finally:
        is_over.set()
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def client():
    async with HttpClients(10) as clients:
        yield clients.get()


@pytest.fixture
def closed_url():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.mark.parametrize("status", ["200 OK", "405 Not Allowed", "302 Found", "503 Out"])
async def test_any_http_answer_counts_as_up(client, status):
    async with server(f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\n".encode()) as (url, heard):
        assert await is_online(client, [url])
    assert heard[0].startswith(b"HEAD / HTTP/1.1\r\n")


@pytest.mark.parametrize("ca_file", [None, Path(certifi.where())])
def test_certificates_that_cannot_be_opened_for_want_of_descriptors_are_not_to_blame(ca_file):
    with no_descriptors(), pytest.raises(OutOfResources):
        trust(ca_file)
    trust(ca_file)


async def test_without_descriptors_the_link_is_neither_up_nor_down(client, closed_url):
    with no_descriptors(), pytest.raises(OutOfResources):
        await is_online(client, [closed_url])


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n"], ids=["nothing", "not http"])
async def test_what_is_not_http_is_no_answer(client, answer):
    async with server(answer) as (url, _):
        assert not await is_online(client, [url])


async def test_a_refused_connection_is_no_answer(client, closed_url):
    assert not await is_online(client, [closed_url])


async def test_one_answer_is_enough_and_nobody_slower_is_waited_for(client, closed_url):
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    async with server(None) as (silent, _), server(answer) as (url, _):
        begun = perf_counter()
        assert await is_online(client, [closed_url, silent, url])
        assert perf_counter() - begun < 2
