from __future__ import annotations

import asyncio
import gc
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.judge.outcome import Reason
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.transport import REPEATABLE, HttpClients
from tests.providers.wire import http_answer, reset
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.anyio

PATIENCE = timedelta(seconds=PATIENCE_S)


async def get(client: httpx.AsyncClient, port: int, path: str = "/") -> Answer | Failure:
    request = client.build_request("GET", f"http://127.0.0.1:{port}{path}")
    return await fetch(client, request, PATIENCE)


def statuses(results: list[Answer | Failure]) -> set[int | Reason]:
    return {result.status if isinstance(result, Answer) else result.reason for result in results}


async def test_a_connection_is_kept_alive_and_used_again(serve, clients):
    server = await serve.answers(http_answer())

    results = [await get(clients.get(), server.port) for _ in range(10)]

    assert statuses(results) == {200}
    assert (server.connections, len(server.requests)) == (1, 10)


async def test_a_connection_with_a_body_left_unread_is_not_used_again(serve, clients):
    server = await serve.answers(http_answer(200, b"x" * 1_000_000), http_answer(204, b""))

    results = [await get(clients.get(), server.port) for _ in range(2)]

    assert [result.status for result in results if isinstance(result, Answer)] == [200, 204]
    assert server.connections == 2


@pytest.mark.parametrize("end", ["FIN", "RST"])
async def test_connections_that_died_while_idle_are_no_failure(serve, clients, end):
    """
    Each pooled connection ends as soon as it is used again, and there are several.
    """
    is_over = False
    together = asyncio.Barrier(5)

    async def script(server, reader, writer):
        await server.read_request(reader)
        if not is_over:
            await together.wait()
        writer.write(http_answer())
        await server.read_request(reader)
        if end == "RST":
            reset(writer)

    server = await serve.script(script)
    client = clients.get()
    first = await asyncio.gather(*(get(client, server.port) for _ in range(5)))
    is_over = True

    second = await get(client, server.port)

    assert statuses([*first, second]) == {200}
    assert server.connections == 6


async def test_a_post_is_never_sent_twice(serve, clients):
    async def script(server, reader, writer):
        await server.read_request(reader)

    server = await serve.script(script)
    client = clients.get()

    result = await fetch(
        client, client.build_request("POST", f"http://127.0.0.1:{server.port}/"), PATIENCE
    )

    assert isinstance(result, Failure)
    assert result.reason is Reason.PROTOCOL
    assert server.connections == 1


async def test_a_post_that_does_nothing_twice_goes_once_more_on_a_fresh_connection(serve, clients):
    is_over = False

    async def script(server, reader, writer):
        await server.read_request(reader)
        if server.connections == 1 and is_over:
            return
        writer.write(http_answer())
        if server.connections == 1:
            await server.read_request(reader)

    server = await serve.script(script)
    client = clients.get()

    async def post() -> int:
        request = client.build_request(
            "POST",
            f"http://127.0.0.1:{server.port}/",
            content=b"grant_type=refresh_token",
            extensions={REPEATABLE: True},
        )
        answer = await fetch(client, request, PATIENCE)
        assert isinstance(answer, Answer)
        return answer.status

    assert await post() == 200
    is_over = True
    assert await post() == 200
    assert server.connections == 2


async def test_200_requests_are_under_way_at_once(serve, clients):
    together = asyncio.Barrier(200)

    async def script(server, reader, writer):
        await server.read_request(reader)
        await together.wait()
        writer.write(http_answer())
        await writer.drain()

    server = await serve.script(script)

    results = await asyncio.gather(*(get(clients.get(), server.port) for _ in range(200)))

    assert statuses(results) == {200}
    assert server.connections == 200


async def test_no_more_are_under_way_than_allowed(serve):
    now = most = 0

    async def script(server, reader, writer):
        nonlocal now, most
        while True:
            await server.read_request(reader)
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            writer.write(http_answer())
            await writer.drain()

    server = await serve.script(script)
    async with HttpClients(concurrency=3) as clients:
        results = await asyncio.gather(*(get(clients.get(), server.port) for _ in range(30)))

    assert statuses(results) == {200}
    assert most <= 3
    assert server.connections == 3


async def test_a_redirect_is_not_followed(serve, clients):
    target = await serve.answers(http_answer())
    location = {"Location": f"http://127.0.0.1:{target.port}/login"}
    server = await serve.answers(http_answer(302, b"", location))

    result = await get(clients.get(), server.port)

    assert statuses([result]) == {302}
    assert target.connections == 0


async def test_cookies_are_not_kept(serve, clients):
    server = await serve.answers(http_answer(headers={"Set-Cookie": "session=1; Path=/"}))

    for _ in range(2):
        await get(clients.get(), server.port)

    assert b"cookie" not in server.requests[1].lower()
    assert len(clients.get().cookies) == 0


async def test_a_proxy_in_the_environment_is_ignored(serve, monkeypatch):
    proxy = await serve.answers(http_answer(502))
    server = await serve.answers(http_answer())
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    async with HttpClients(concurrency=1) as clients:
        result = await get(clients.get(), server.port)

    assert statuses([result]) == {200}
    assert proxy.connections == 0


async def test_connections_of_one_ca_file_share_a_client(clients, ca_file):
    assert clients.get() is clients.get()
    assert clients.get(ca_file) is clients.get(Path(ca_file))
    assert clients.get(ca_file) is not clients.get()


async def test_tls_is_verified_and_modern(usual_authorities):
    from monitor.providers.transport import trust

    context = trust(None)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] > 50


async def test_a_system_without_authorities_of_its_own_can_still_trust(
    usual_authorities, monkeypatch, tmp_path
):
    from monitor.providers.transport import trust

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert trust(None).cert_store_stats()["x509_ca"] > 50


async def test_a_ca_file_trusts_nobody_else(ca_file):
    from monitor.providers.transport import trust

    assert trust(ca_file).cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
async def test_an_unusable_ca_file_is_refused_by_name(clients, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ValueError, match=r"cannot use ca_file .*ca\.pem: "):
        clients.get(path)


@pytest.mark.parametrize("is_tls", [False, True])
async def test_closing_leaves_nothing_open(serve, tls, ca_file, is_tls):
    """
    A socket left open would be a ResourceWarning, and those are errors here.
    """
    server = await serve.answers(http_answer(), context=tls() if is_tls else None)
    clients = HttpClients(concurrency=10)
    client = clients.get(ca_file)
    scheme = "https" if is_tls else "http"
    request = client.build_request("GET", f"{scheme}://localhost:{server.port}/")
    results = await asyncio.gather(*(fetch(client, request, PATIENCE) for _ in range(5)))

    await clients.aclose()
    await clients.aclose()
    gc.collect()

    assert statuses(results) == {200}
    assert client.is_closed


async def test_a_client_that_is_replaced_stays_open_for_what_is_under_way(serve):
    server = await serve.answers(http_answer())
    async with HttpClients(concurrency=1) as clients:
        former = clients.get()
        await clients.adopt(clients.successor(2), timedelta(minutes=1))
        answered = await get(former, server.port)
        assert clients.get() is not former
        await clients.adopt(clients.successor(2), timedelta())
        is_kept = not former.is_closed

    assert statuses([answered]) == {200}
    assert is_kept
    assert former.is_closed
