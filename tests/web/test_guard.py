"""
Who holds on without asking, or without reading, keeps nobody out: over a real port.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from structlog.testing import capture_logs

from monitor.web import guard
from tests.builders import Story
from tests.waiting import PATIENCE_S, until
from tests.web.test_hub import PLAN, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from monitor.store.engine import Database
    from monitor.web.server import WebServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def story(database: Database) -> Story:
    return Story.begin(database, PLAN)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(guard, "LOOK_EVERY_S", 0.02)


UNFINISHED = {
    "nothing": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
    "half a body": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na",
}


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
async def test_who_does_not_come_to_an_end_is_hung_up_on(story, monkeypatch, sent):
    monkeypatch.setattr(guard, "REQUEST_WITHIN_S", 0.1)
    async with serve(story) as (address, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        with capture_logs() as logs:
            writer.write(sent)
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionResetError):
                    await reader.read()
        writer.close()
    assert [one for one in logs if one["log_level"] == "error"] == []


async def test_who_asked_once_must_come_to_an_end_the_second_time_too(story, monkeypatch):
    async with serve(story) as (address, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b'{"status":"alive"}')
            monkeypatch.setattr(guard, "REQUEST_WITHIN_S", 0.1)
            writer.write(b"GET /h")
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_sockets_are_left_for_the_checks(story, monkeypatch):
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 1)
    async with serve(story) as (address, _):
        port = int(address.rpartition(":")[2])
        reader, first = await asyncio.open_connection("127.0.0.1", port)
        _, second = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        first.close()
        second.close()


GET = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
MUCH = 200 * GET
"""Answers that no buffer of any kernel holds."""


@asynccontextmanager
async def knock(address: str, sent: bytes, source: str = "127.0.0.2") -> AsyncIterator[Hanging]:
    """
    Send something from another address of this machine, and read nothing.
    """
    loop = asyncio.get_running_loop()
    with socket.socket() as one:
        one.settimeout(0)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.bind((source, 0))
        await loop.sock_connect(one, ("127.0.0.1", int(address.rpartition(":")[2])))
        # It may be cut off before it has said anything.
        with suppress(BlockingIOError, ConnectionError):
            one.send(sent)
        yield Hanging(one)


class Hanging:
    """
    A connection of somebody who means harm.
    """

    def __init__(self, one: socket.socket) -> None:
        self._one = one

    async def take(self, n: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._one, n)

    async def wait_for_end(self) -> None:
        with suppress(ConnectionResetError):
            while await self.take(65_536):
                pass

    @property
    def is_cut(self) -> bool:
        try:
            self._one.send(b" ")
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False


async def ask(address: str) -> int:
    """
    Ask as others do.
    """
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client:
        return (await client.get("/healthz", timeout=PATIENCE_S)).status_code


async def wait_until_cut(ones: list[Hanging]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for one in ones:
            while not one.is_cut:  # noqa: ASYNC110 - the other side is no event of ours
                await asyncio.sleep(0.02)


async def test_who_does_not_read_is_cut_off(story, monkeypatch):
    monkeypatch.setattr(guard, "TAKE_WITHIN_S", 0.3)
    async with serve(story) as (address, _), AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(knock(address, MUCH)) for _ in range(30)]
        assert await ask(address) == 200
        await wait_until_cut(slow)
        assert await ask(address) == 200


async def test_who_reads_a_byte_now_and_then_is_cut_off_too(story, monkeypatch):
    monkeypatch.setattr(guard, "TAKE_WITHIN_S", 0.5)
    async with serve(story) as (address, _), knock(address, MUCH) as one:
        async with asyncio.timeout(PATIENCE_S):
            while not one.is_cut:
                with suppress(ConnectionResetError):
                    await one.take(1)
                await asyncio.sleep(0.02)


def sole_connection(server: WebServer) -> guard.GuardedProtocol:
    """
    Return the only connection, which is not this test's own asking.
    """
    assert server._server is not None
    [one] = server._server.server_state.connections
    assert isinstance(one, guard.GuardedProtocol)
    return one


def n_taken(one: guard.GuardedProtocol) -> int:
    return one.counted.written - one.counted.n_waiting


async def test_who_reads_slowly_but_steadily_gets_all_of_it(story, monkeypatch):
    monkeypatch.setattr(guard, "LOOK_EVERY_S", 3600)  # this test looks, when something was read
    n = 40
    async with serve(story) as (address, server), knock(address, n * GET) as reader:
        await until(lambda: server._server and server._server.server_state.connections)
        one = sole_connection(server)
        now, seen, got = one.loop.time(), 0, bytearray()
        async with asyncio.timeout(PATIENCE_S):
            while got.count(b"HTTP/1.1 200") < n:
                piece = await reader.take(16_384)
                assert piece, f"cut off after {len(got)} bytes"
                got += piece
                if n_taken(one) - seen >= guard.LEAST_TAKEN:
                    now, seen = now + guard.TAKE_WITHIN_S + 1, n_taken(one)
                    one.look(now)


async def test_the_next_is_not_answered_before_the_former_answer_was_read(story):
    async with serve(story) as (address, server), knock(address, MUCH):
        await until(lambda: server._server and server._server.server_state.connections)
        one = sole_connection(server)
        await until(lambda: one.counted.n_waiting)
        async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client:
            whole = len((await client.get("/static/style.css")).content) + 2000
            for _ in range(20):
                assert (await client.get("/healthz")).status_code == 200
        assert one.counted.n_waiting < whole
        assert one.counted.written < n_taken(one) + whole


async def test_all_that_was_asked_at_once_is_answered_in_its_order(story):
    paths = ["/healthz", "/nothing", "/static/style.css"] * 10
    sent = b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
    async with serve(story) as (address, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(sent)
        kinds = []
        async with asyncio.timeout(PATIENCE_S):
            for _ in paths:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
                kinds.append((head.split()[1], head.partition("content-type: ")[2].split(";")[0]))
        writer.close()
    assert len(set(kinds[:3])) == 3
    assert kinds == kinds[:3] * 10


async def test_who_sends_too_much_ahead_is_cut_off(story, monkeypatch):
    monkeypatch.setattr(guard, "TAKE_WITHIN_S", 3600)
    monkeypatch.setattr(guard, "MOST_AHEAD", 4000)
    async with serve(story) as (address, _), knock(address, MUCH) as one:
        await wait_until_cut([one])
        assert await ask(address) == 200


async def test_hundreds_who_ask_too_early_keep_nobody_waiting(story):
    async with serve(story) as (address, server), AsyncExitStack() as stack:
        for _ in range(60):
            await stack.enter_async_context(knock(address, 40 * GET))
        assert await ask(address) == 200
        assert server._server is not None
        # Ours was answered long before all of theirs could be.
        ones: list[Any] = [*server._server.server_state.connections]
        assert sum(one.peer == "127.0.0.2" and one._n_ahead > 0 for one in ones) > 30


class Early:
    """
    A connection that asked again too early, as far as its turn is concerned.
    """

    def __init__(self, peer: str, gone_on: list[Early]) -> None:
        self.peer, self._gone_on = peer, gone_on
        self.loop = self.transport = self
        self.is_gone = False

    def is_closing(self) -> bool:
        return self.is_gone

    def call_soon(self, work: Callable[[], None]) -> None:
        work()

    def go_on(self) -> None:
        self._gone_on.append(self)


def test_turns_go_from_peer_to_peer(monkeypatch):
    monkeypatch.setattr(guard, "MOST_IN_TURN", 1)
    turns: Any = guard.Turns()
    gone_on: list[Early] = []
    ones = [Early(peer, gone_on) for peer in "aaaabbc"]
    ones[-2].is_gone = True
    for one in ones:
        turns.wait(one)
    for _ in ones:
        turns.leave(gone_on[-1])
    assert "".join(one.peer for one in gone_on) == "aabcaa"


def test_no_more_than_a_few_have_their_turn_at_once():
    turns: Any = guard.Turns()
    gone_on: list[Early] = []
    ones = [Early(str(number), gone_on) for number in range(50)]
    for one in ones:
        turns.wait(one)
    assert len(gone_on) == guard.MOST_IN_TURN
    turns.leave(ones[0])
    turns.leave(ones[0])
    assert len(gone_on) == guard.MOST_IN_TURN + 1  # who left twice leaves one place


HOLDING = {"idle": b"", "half a head": GET[:20], "slow reading": MUCH, "keep-alive": GET}


@pytest.mark.parametrize("sent", HOLDING.values(), ids=HOLDING)
@pytest.mark.parametrize("n_addresses", [1, 40])
async def test_nobody_keeps_others_out_by_holding_on(story, monkeypatch, sent, n_addresses):
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 10)
    async with serve(story) as (address, _), AsyncExitStack() as stack:
        for number in range(40):
            source = f"127.0.1.{1 + number % n_addresses}"
            await stack.enter_async_context(knock(address, sent, source))
        for _ in range(3):
            assert await ask(address) == 200


async def test_one_address_does_not_take_the_places_of_others(story, monkeypatch):
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 10)
    async with serve(story) as (address, _), AsyncExitStack() as stack:
        resting = [
            await stack.enter_async_context(knock(address, b"", f"127.0.2.{1 + number}"))
            for number in range(5)
        ]
        for _ in range(30):
            await stack.enter_async_context(knock(address, b"", "127.0.1.1"))
        assert await ask(address) == 200
        assert not any(one.is_cut for one in resting)


HALVES = {
    "a head": GET + GET[:30],
    "a body": GET + UNFINISHED["half a body"],
    "a chunk": GET
    + b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
async def test_half_a_request_behind_a_whole_one_is_hung_up_on(story, monkeypatch, sent):
    monkeypatch.setattr(guard, "REQUEST_WITHIN_S", 0.2)
    async with serve(story) as (address, _), knock(address, sent) as one:
        async with asyncio.timeout(PATIENCE_S):
            await one.wait_for_end()


NO_HTTP = {
    "huge head": GET[:-2] + b"X: " + 100_000 * b"x" + b"\r\n\r\n",
    "many heads": GET[:-2] + 5000 * b"X: x\r\n" + b"\r\n",
    "no HTTP": b"\x16\x03\x01" + 100 * b"\xff" + b"\r\n\r\n",
    "a bad chunk while events are streamed": (
        b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"zz\r\n"
    ),
    "a negative length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_no_fault_of_ours(story, sent):
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    async with serve(story) as (address, _), knock(address, sent[:40]) as one:
        await asyncio.sleep(0.1)  # the answer may have begun by then
        with suppress(OSError):  # it may have hung up before it was given all of it
            await loop.sock_sendall(one._one, sent[40:])
        async with asyncio.timeout(PATIENCE_S):
            await one.wait_for_end()
        assert await ask(address) == 200
    assert faults == []


@pytest.mark.parametrize("host", ["evil.example.com", "localhost"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_body_that_breaks_off_the_answer_is_no_fault_of_ours(story, method, host):
    # Head and body at once: what is wrong shows before the answer to the head has begun.
    head = f"{method} / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = head.encode() + b"zz\r\n"
    with capture_logs() as logs:
        async with serve(story) as (address, _), knock(address, sent) as one:
            async with asyncio.timeout(PATIENCE_S):
                await one.wait_for_end()
            assert await ask(address) == 200
    assert [one for one in logs if one["event"] == "web.fault"] == []
