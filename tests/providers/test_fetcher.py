from __future__ import annotations

import asyncio
import gzip
import socket
import time
import zlib
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitor.clock import utc_now
from monitor.judge.outcome import Reason
from monitor.providers.fetcher import MAX_BODY, Answer, Failure, fetch
from tests.providers.wire import http_answer, reset
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    import httpx

    from monitor.providers.transport import HttpClients

pytestmark = pytest.mark.anyio

PATIENCE = timedelta(seconds=PATIENCE_S)
IMPATIENCE = timedelta(milliseconds=200)


async def get(
    client: httpx.AsyncClient, url: str, patience: timedelta = PATIENCE
) -> Answer | Failure:
    return await fetch(client, client.build_request("GET", url), patience)


async def expect_failure(
    client: httpx.AsyncClient, url: str, patience: timedelta = PATIENCE
) -> Failure:
    result = await get(client, url, patience)
    assert isinstance(result, Failure), result
    return result


async def test_an_answer_carries_status_headers_body_and_times(serve, clients: HttpClients):
    server = await serve.answers(http_answer(418, b"short", {"X-Kind": "teapot"}))
    before = utc_now()

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.status == 418
    assert answer.body == b"short"
    assert answer.headers["x-kind"] == "teapot"
    assert before <= answer.received_at <= utc_now()
    assert 0 < answer.latency_ms < 5000
    assert not answer.is_oversize


async def test_a_body_and_its_headers_stay_out_of_the_repr(serve, clients):
    server = await serve.answers(http_answer(200, b"hush-hush", {"X-Kind": "hush"}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert "hush" not in repr(answer)


async def test_a_refused_port_is_a_failure_to_connect(clients):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        failure = await expect_failure(clients.get(), f"http://127.0.0.1:{port}/")

    assert failure == Failure(
        Reason.CONNECT, f"Cannot connect to 127.0.0.1:{port}: connection refused."
    )


async def test_an_unknown_name_is_a_failure_to_resolve(clients):
    failure = await expect_failure(clients.get(), "http://api.example.invalid/")

    assert failure.reason is Reason.DNS
    assert failure.detail.startswith("Cannot resolve api.example.invalid: ")


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(serve, clients, tls):
    server = await serve.raw(http_answer(), tls())

    failure = await expect_failure(clients.get(), f"https://localhost:{server.port}/")

    assert failure.reason is Reason.TLS
    assert failure.detail.startswith("The certificate of localhost is not trusted: it was issued")
    assert "ca_file" in failure.detail
    assert server.requests == []


async def test_a_certificate_for_another_name_is_not_trusted(serve, clients, tls, ca_file):
    server = await serve.raw(http_answer(), tls("other.example"))

    failure = await expect_failure(clients.get(ca_file), f"https://localhost:{server.port}/")

    assert failure == Failure(
        Reason.TLS,
        "The certificate of localhost is not trusted: it was issued for another name.",
    )
    assert server.requests == []


async def test_an_expired_certificate_is_not_trusted(serve, clients, tls, ca_file):
    server = await serve.raw(http_answer(), tls(is_expired=True))

    failure = await expect_failure(clients.get(ca_file), f"https://localhost:{server.port}/")

    assert failure == Failure(
        Reason.TLS, "The certificate of localhost is not trusted: it has expired."
    )
    assert server.requests == []


async def test_a_trusted_certificate_is_answered(serve, clients, tls, ca_file):
    server = await serve.raw(http_answer(), tls())

    answer = await get(clients.get(ca_file), f"https://localhost:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.status == 200


async def test_plain_http_behind_https_is_a_failure_of_tls(serve, clients):
    async def script(server, reader, writer):
        await reader.read(10)
        writer.write(http_answer(400))
        await writer.drain()

    server = await serve.script(script)

    failure = await expect_failure(clients.get(), f"https://localhost:{server.port}/")

    assert failure == Failure(
        Reason.TLS,
        f"localhost:{server.port} does not speak TLS. Check the address and its port.",
    )


async def test_a_server_that_knows_only_old_tls_is_a_failure_of_tls(serve, clients):
    alert_protocol_version = bytes([0x15, 3, 1, 0, 2, 2, 70])

    async def script(server, reader, writer):
        await reader.read(10)
        writer.write(alert_protocol_version)
        await writer.drain()

    server = await serve.script(script)

    failure = await expect_failure(clients.get(), f"https://localhost:{server.port}/")

    assert failure.reason is Reason.TLS
    assert failure.detail.startswith(f"Cannot agree on TLS with localhost:{server.port}: ")
    assert "alert protocol version" in failure.detail


@pytest.mark.parametrize("end", ["FIN", "RST"])
async def test_a_connection_closed_in_the_handshake_is_a_failure_of_tls(serve, clients, end):
    async def script(server, reader, writer):
        await reader.read(4096)
        if end == "RST":
            reset(writer)

    server = await serve.script(script)

    failure = await expect_failure(clients.get(), f"https://localhost:{server.port}/")

    assert failure.reason is Reason.TLS
    assert f"localhost:{server.port}" in failure.detail


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="half a body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", id="half chunks"
        ),
    ],
)
@pytest.mark.parametrize("end", ["FIN", "RST"])
async def test_a_connection_closed_too_early_is_a_failure_of_protocol(serve, clients, sent, end):
    async def script(server, reader, writer):
        await server.read_request(reader)
        writer.write(sent)
        await writer.drain()
        if end == "RST":
            reset(writer)

    server = await serve.script(script)

    failure = await expect_failure(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert failure == Failure(
        Reason.PROTOCOL,
        f"127.0.0.1:{server.port} closed the connection before its answer was complete.",
    )
    assert server.connections <= 2


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"220 mail.example.com ESMTP\r\n", id="another protocol"),
        pytest.param(b"\x00\xff\x13garbage\r\n\r\n", id="garbage"),
        pytest.param(b"HTTP/9.9 two hundred\r\n\r\n", id="nonsense"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 100_000 + b"\r\n\r\n", id="huge header"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 1000 + b"\r\n", id="endless headers"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", id="bad chunk"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", id="bad length"),
    ],
)
async def test_what_is_not_http_is_a_failure_of_protocol(serve, clients, sent):
    server = await serve.raw(sent)

    failure = await expect_failure(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert failure.reason is Reason.PROTOCOL
    assert f"127.0.0.1:{server.port}" in failure.detail


async def test_a_header_of_16_kib_is_read(serve, clients):
    server = await serve.answers(http_answer(headers={"X-Policy": "x" * 16_384}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert len(answer.headers["x-policy"]) == 16_384


async def test_a_reason_phrase_of_odd_bytes_does_no_harm(serve, clients):
    server = await serve.raw(b"HTTP/1.1 401 \xff\xfe\xfd\r\nContent-Length: 0\r\n\r\n")

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.status == 401


async def trickle_body(server, reader, writer):
    await server.read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def trickle_head(server, reader, writer):
    await server.read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def endless_hints(server, reader, writer):
    await server.read_request(reader)
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def hang(server, reader, writer):
    await server.read_request(reader)
    await reader.read()


@pytest.mark.parametrize("script", [trickle_body, trickle_head, endless_hints, hang])
async def test_the_timeout_holds_for_the_exchange_as_a_whole(serve, clients, script):
    server = await serve.script(script)
    clock = asyncio.get_running_loop().time
    started = clock()

    failure = await expect_failure(
        clients.get(), f"http://127.0.0.1:{server.port}/", patience=IMPATIENCE
    )

    assert clock() - started < 2
    assert failure == Failure(
        Reason.TIMEOUT, f"127.0.0.1:{server.port} did not answer completely within 0.2 s."
    )


async def test_a_server_that_accepts_and_never_shakes_hands_is_a_timeout(serve, clients):
    async def script(server, reader, writer):
        while await reader.read(4096):
            pass

    server = await serve.script(script)

    failure = await expect_failure(
        clients.get(), f"https://localhost:{server.port}/", patience=IMPATIENCE
    )

    assert failure.reason is Reason.TIMEOUT


async def test_cancellation_passes_through(serve, clients):
    server = await serve.script(hang)
    task = asyncio.create_task(get(clients.get(), f"http://127.0.0.1:{server.port}/"))
    async with asyncio.timeout(PATIENCE_S):
        await server.asked.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("size", "is_oversize"), [(MAX_BODY, False), (MAX_BODY + 1, True), (50 * MAX_BODY, True)]
)
async def test_a_body_is_read_up_to_256_kib(serve, clients, size, is_oversize):
    server = await serve.raw(http_answer(401, b"x" * size))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert answer.is_oversize is is_oversize
    assert len(answer.body) == (0 if is_oversize else size)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("br", bytes),
        ("gzip", bytes),
    ],
)
async def test_a_body_compressed_unasked_is_read_all_the_same(serve, clients, coding, pack):
    """
    What is unknown or wrongly labelled stays as it came.
    """
    server = await serve.answers(http_answer(200, pack(b'{"id": 7}'), {"Content-Encoding": coding}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.body == b'{"id": 7}'


async def test_a_compressed_body_that_ends_early_stays_as_it_came(serve, clients):
    cut = gzip.compress(b'{"id": 7}' * 1000)[:-10]
    server = await serve.answers(http_answer(200, cut, {"Content-Encoding": "gzip"}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.body == cut


async def test_a_small_body_that_unpacks_to_a_huge_one_is_oversize(serve, clients):
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
    assert len(bomb) < MAX_BODY
    server = await serve.answers(http_answer(200, bomb, {"Content-Encoding": "gzip"}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert answer.is_oversize
    assert answer.body == b""


async def test_a_request_asks_for_no_compression(serve, clients):
    server = await serve.answers(http_answer())

    await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()
    assert b"user-agent: connwatch/" in server.requests[0].lower()


@pytest.mark.parametrize(
    "target", ["https://other.example/x", "http://[::1", "http://xn--a/", "//xn--", "http://x:y/"]
)
async def test_a_redirect_is_an_answer_wherever_it_points(serve, clients, target):
    """
    Some of these make httpx raise, although it follows none of them.
    """
    server = await serve.raw(http_answer(302, b"", {"Location": target}))

    answer = await get(clients.get(), f"http://127.0.0.1:{server.port}/")

    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["location"]) == (302, target)
    assert len(server.requests) == 1


WIRES = {
    "chunks of one byte": b"1\r\nx\r\n",
    "chunks with extensions": b"1;a=b\r\nx\r\n",
}


@pytest.mark.parametrize("piece", WIRES.values(), ids=WIRES)
async def test_while_a_body_in_tiny_chunks_is_read_others_have_their_turn(serve, clients, piece):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = await serve.answers(head + piece * (MAX_BODY // 2) + b"0\r\n\r\n")
    client = clients.get()
    request = client.build_request("GET", f"http://127.0.0.1:{server.port}/")
    turns = []

    async def take_turns() -> None:
        while True:
            turns.append(time.thread_time())
            await asyncio.sleep(0)

    task = asyncio.create_task(take_turns())
    answer = await fetch(client, request, timedelta(seconds=60))
    task.cancel()

    assert isinstance(answer, Answer)
    assert answer.body == b"x" * (MAX_BODY // 2)
    assert max(later - before for before, later in pairwise(turns)) < 0.25
