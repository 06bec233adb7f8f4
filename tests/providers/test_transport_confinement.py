"""
What people and rows name is called at public addresses only: real servers, real proxies, and
resolvers that change their minds.

Loopback stands in for both: 127.0.0.2 is let in, 127.0.0.1 is the inner network.
"""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from monitor.config.connections import AmazonConnection
from monitor.config.hosts import AllowedHosts
from monitor.config.load import load_config
from monitor.config.secret import Secret
from monitor.judge.outcome import Reason
from monitor.providers.base import GrantLocks
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.reachability import probe_host
from monitor.providers.registry import build_checker
from monitor.providers.transport import HttpClients
from tests.providers.test_proxies import pump
from tests.providers.wire import http_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.providers.wire import WireServer

pytestmark = pytest.mark.anyio

HOST = "api.service.example"
NOTHING_MORE = AllowedHosts()
OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
ONE_MORE = AllowedHosts.of([OUTSIDE])
BAIT = b"the secrets of the inner network"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


class Fickle(aiohttp.abc.AbstractResolver):
    """
    A resolver with one answer after the other; the last one stays.
    """

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.n_asked = 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
        self.n_asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            aiohttp.abc.ResolveResult(
                hostname=host, host=each, port=port, family=family, proto=0, flags=0
            )
            for each in answer
        ]

    async def close(self) -> None:
        pass


class Absent(aiohttp.abc.AbstractResolver):
    """
    A resolver that knows no name, as behind a proxy.
    """

    async def resolve(self, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def close(self) -> None:
        pass


class Listener:
    """
    A server on an address and a port that several share, which counts who comes.
    """

    def __init__(self, body: bytes = BAIT) -> None:
        self.n_connections = 0
        self.lines: list[bytes] = []
        self._body = body

    async def open(self, address: str, port: int = 0, context: Any = None) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.n_connections += 1
            try:
                self.lines.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(http_answer(200, self._body, {"Connection": "close"}))
                await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            writer.close()

        self.server = await asyncio.start_server(serve, address, port, ssl=context)
        number: int = self.server.sockets[0].getsockname()[1]
        return number


@pytest.fixture
async def inside(anyio_backend) -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener()
    port = await listener.open(INSIDE)
    yield listener, port
    listener.server.close()


async def get(client: httpx.AsyncClient, url: str) -> Answer | Failure:
    return await fetch(client, client.build_request("GET", url), timedelta(seconds=5))


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "localhost",
    "LOCALHOST.",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "0",
    "[::]",
    "[::1]",
]


@pytest.mark.parametrize("host", SPELLINGS)
async def test_this_machine_is_not_called_however_it_is_written(inside, clients, host):
    listener, port = inside
    client = clients.get(None, None, NOTHING_MORE)
    failure = await get(client, f"http://{host}:{port}/")
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.PROTOCOL
    assert "may reach public addresses only" in failure.detail
    assert "web.allowed_hosts" in failure.detail
    assert listener.n_connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_what_the_file_names_is_called_as_ever(inside, clients, host):
    listener, port = inside
    answer = await get(clients.get(), f"http://{host}:{port}/")
    assert isinstance(answer, Answer)
    assert listener.n_connections == 1


@pytest.mark.parametrize("allowed", ["localhost", "127.0.0.0/8", "127.0.0.1"])
async def test_what_is_let_in_is_called(inside, clients, allowed):
    _, port = inside
    client = clients.get(None, None, AllowedHosts.of([allowed, "::1"]))
    host = "localhost" if allowed == "localhost" else "127.0.0.1"
    assert isinstance(await get(client, f"http://{host}:{port}/"), Answer)


async def test_a_name_that_leads_inside_is_not_called(inside):
    listener, port = inside
    async with HttpClients(2, resolver=lambda: Fickle([INSIDE])) as clients:
        failure = await get(clients.get(None, None, ONE_MORE), f"http://{HOST}:{port}/")
    assert isinstance(failure, Failure)
    assert (failure.reason, INSIDE in failure.detail) == (Reason.PROTOCOL, False)
    assert f'"{HOST}" is not called: it has a loopback address' in failure.detail
    assert listener.n_connections == 0


async def test_of_several_addresses_only_those_that_may_be_are_called(inside):
    listener, port = inside
    outside = Listener(b"{}")
    await outside.open(OUTSIDE, port)
    async with HttpClients(2, resolver=lambda: Fickle([INSIDE, OUTSIDE, "10.0.0.1"])) as clients:
        answer = await get(clients.get(None, None, ONE_MORE), f"http://{HOST}:{port}/")
    outside.server.close()
    assert isinstance(answer, Answer)
    assert (outside.n_connections, listener.n_connections) == (1, 0)


async def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(inside):
    """
    Each connection goes to the address that was examined, and each is examined.
    """
    listener, port = inside
    outside = Listener(b"{}")
    await outside.open(OUTSIDE, port)
    answers = [[OUTSIDE], [INSIDE]] * 10
    resolver = Fickle(*answers)
    results = []
    for _ in range(8):
        async with HttpClients(2, resolver=lambda: resolver) as clients:
            results.append(await get(clients.get(None, None, ONE_MORE), f"http://{HOST}:{port}/"))
    outside.server.close()
    assert [type(one) for one in results] == [Answer, Failure] * 4
    assert resolver.n_asked == 8  # once each: nothing is looked up between examining and calling
    assert (outside.n_connections, listener.n_connections) == (4, 0)


async def test_a_name_that_is_let_in_may_lead_anywhere(inside):
    _, port = inside
    allowed = AllowedHosts.of([HOST])
    async with HttpClients(2, resolver=lambda: Fickle([INSIDE])) as clients:
        client = clients.get(None, None, allowed)
        assert isinstance(await get(client, f"http://{HOST}:{port}/"), Answer)
        refused = await get(client, f"http://other.example:{port}/")
    assert isinstance(refused, Failure)


async def test_a_redirect_inside_is_not_followed(inside):
    listener, port = inside
    outside = Listener()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http_answer(302, b"", {"Location": f"http://{INSIDE}:{port}/"}))
        await writer.drain()
        writer.close()

    outside.server = await asyncio.start_server(serve, OUTSIDE, 0)
    target = outside.server.sockets[0].getsockname()[1]
    async with HttpClients(2) as clients:
        answer = await get(clients.get(None, None, ONE_MORE), f"http://{OUTSIDE}:{target}/")
    outside.server.close()
    assert isinstance(answer, Answer)
    assert (answer.status, listener.n_connections) == (302, 0)


# --- through a proxy


class Proxy:
    """
    A proxy that connects wherever it is told, and keeps what it was told.
    """

    def __init__(self, target: int) -> None:
        self.told: list[bytes] = []
        self._target = target

    async def connect(
        self, server: WireServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.told.append(await server.read_request(reader))
        theirs, ours = await asyncio.open_connection(OUTSIDE, self._target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))


async def open_proxy(serve: Any, target: int) -> tuple[Proxy, Secret]:
    proxy = Proxy(target)
    server = await serve.script(proxy.connect)
    return proxy, Secret(f"http://{INSIDE}:{server.port}")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param([[OUTSIDE], [INSIDE]], OUTSIDE, id="the address that was examined"),
        pytest.param([[INSIDE]], None, id="inside"),
        pytest.param([["169.254.169.254"]], None, id="a cloud's own"),
        pytest.param(None, None, id="a name that only the proxy knows"),
    ],
)
async def test_a_proxy_is_told_the_address_that_was_examined(serve, tls, ca_file, answers, told):
    outside = Listener(b"{}")
    port = await outside.open(OUTSIDE, context=tls(HOST))
    proxy, secret = await open_proxy(serve, port)
    resolver = Absent() if answers is None else Fickle(*answers)
    async with HttpClients(2, resolver=lambda: resolver) as clients:
        result = await get(clients.get(ca_file, secret, ONE_MORE), f"https://{HOST}/me")
    outside.server.close()
    if told is None:
        assert isinstance(result, Failure)
        assert (result.reason, proxy.told) == (Reason.PROTOCOL, [])
        assert HOST in result.detail
        return
    # The certificate is that of the name, and so is the header.
    assert isinstance(result, Answer), result
    assert proxy.told[0].startswith(f"CONNECT {told}:443 HTTP/1.1\r\n".encode())
    assert f"\r\nHost: {HOST}\r\n".lower().encode() in outside.lines[0].lower()


async def test_a_proxy_may_look_up_a_name_that_is_let_in(serve, tls, ca_file):
    outside = Listener(b"{}")
    port = await outside.open(OUTSIDE, context=tls(HOST))
    proxy, secret = await open_proxy(serve, port)
    async with HttpClients(2, resolver=Absent) as clients:
        client = clients.get(ca_file, secret, AllowedHosts.of([HOST]))
        answer = await get(client, f"https://{HOST}/me")
    outside.server.close()
    assert isinstance(answer, Answer)
    assert proxy.told[0].startswith(f"CONNECT {HOST}:443".encode())


@pytest.mark.parametrize("host", ["10.0.0.1", "[fd00::1]", "0xa000001", "169.254.169.254"])
async def test_a_proxy_is_not_told_an_address_inside(serve, host):
    proxy, secret = await open_proxy(serve, 9)
    async with HttpClients(2) as clients:
        result = await get(clients.get(None, secret, NOTHING_MORE), f"https://{host}/")
    assert isinstance(result, Failure)
    assert proxy.told == []


# --- what uses it


async def test_the_steps_of_a_validation_stop_there_too(inside):
    listener, port = inside
    steps = [
        step
        async for step in probe_host(
            f"http://localhost:{port}", None, timedelta(seconds=5), None, NOTHING_MORE
        )
    ]
    [failed] = [step for step in steps if step.failure is not None]
    assert failed.failure is not None
    assert "public addresses only" in failed.failure.detail
    assert listener.n_connections == 0


FILE = """
[[applications]]
name = "app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "s"
token_url = "http://127.0.0.1:{port}/token"
endpoint = "http://127.0.0.1:{port}/na"

[[connections]]
name = "any"
provider = "http"
url = "http://127.0.0.1:{port}/me"
token = "t"

[[connections]]
name = "scout"
provider = "soldscope"
base_url = "http://127.0.0.1:{port}/api"
token = "t"

[[connections]]
name = "store"
provider = "amazon"
application = "app"
region = "na"
refresh_token = "Atzr|x"
"""


@pytest.mark.parametrize(
    ("name", "is_confined", "is_called"),
    [
        ("any", True, False),
        ("any", False, True),
        ("scout", True, False),
        ("scout", False, True),
        pytest.param("store", True, True, id="a store, whose addresses are the file's"),
    ],
)
async def test_a_checker_is_confined_where_its_connection_is_not_in_the_file(
    inside, clients, tmp_path, name, is_confined, is_called
):
    listener, port = inside
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    path.write_text(FILE.format(port=port))
    config = load_config(path)
    connection = config.connection(name)
    assert connection is not None
    assert isinstance(connection, AmazonConnection) is (name == "store")
    allowed = config.web.reachable if is_confined else None
    checker = build_checker(connection, config, clients, GrantLocks(), allowed=allowed)
    outcome = await checker.check()
    assert (listener.n_connections > 0) is is_called
    assert ("public addresses only" in outcome.detail) is not is_called
    if not is_called:
        assert outcome.reason is Reason.PROTOCOL
