from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config
from monitor.config.secret import Secret
from monitor.judge.outcome import Reason
from monitor.providers.base import GrantLocks
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.probes import is_online
from monitor.providers.proxies import bypasses, choose_proxy
from monitor.providers.reachability import Hop, probe_host
from monitor.providers.registry import build_checker
from tests.loopback import free_port
from tests.providers.wire import http_answer

if TYPE_CHECKING:
    import httpx

    from tests.providers.wire import WireServer

pytestmark = pytest.mark.anyio

HOST = "api.service.example"
URL = f"https://{HOST}/me"
USER = b64encode(b"me:hunter2 \xc3\xa4").decode()


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@dataclass
class ProxyBench:
    """
    A proxy that knows one host, which only it can find; and that host.
    """

    target: WireServer
    wanted: str = ""
    status: int = 200
    server: WireServer = field(init=False)

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def connections(self) -> int:
        return self.server.connections

    async def connect(
        self, server: WireServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await server.read_request(reader)
        status = self.status
        login = f"Basic {self.wanted}\r\n".encode()
        if self.wanted and not (login in request and b"proxy-authorization" in request.lower()):
            status = 407
        if status != 200:
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))


@pytest.fixture
async def proxy(anyio_backend, serve, tls):
    bench = ProxyBench(await serve.answers(http_answer(), context=tls(HOST)))
    bench.server = await serve.script(bench.connect)
    return bench


def secret_of(proxy: ProxyBench | WireServer, user: str = "") -> Secret:
    return Secret(f"http://{user}127.0.0.1:{proxy.port}")


async def get(client: httpx.AsyncClient, url: str = URL) -> Answer | Failure:
    return await fetch(client, client.build_request("GET", url), timedelta(seconds=5))


async def test_host_is_called_through_the_proxy_that_alone_can_find_it(proxy, clients, ca_file):
    client = clients.get(ca_file, secret_of(proxy))
    for _ in range(2):
        answer = await get(client)
        assert isinstance(answer, Answer)
    assert proxy.server.requests[0].startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode())
    assert proxy.connections == 1


async def test_proxy_is_sent_its_user_and_the_host_is_not(proxy, clients, ca_file):
    proxy.wanted = USER
    answer = await get(clients.get(ca_file, secret_of(proxy, "me:hunter2%20%C3%A4@")))
    assert isinstance(answer, Answer)
    assert b"proxy-authorization" not in proxy.target.requests[0].lower()


@pytest.mark.parametrize("user", ["", "me:hunter2wrong@"])
async def test_wrong_password_is_said_of_the_proxy_and_not_repeated(proxy, clients, ca_file, user):
    proxy.wanted = USER
    failure = await get(clients.get(ca_file, secret_of(proxy, user)))
    assert failure == Failure(
        Reason.PROTOCOL,
        f"The proxy 127.0.0.1:{proxy.port} rejected our user or password (407)."
        " Check the proxy setting.",
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, Reason.CONNECT), (502, Reason.CONNECT), (503, Reason.CONNECT), (504, Reason.TIMEOUT)],
)
async def test_refusal_of_the_proxy_is_no_answer_of_the_host(
    proxy, clients, ca_file, status, reason
):
    proxy.status = status
    failure = await get(clients.get(ca_file, secret_of(proxy)))
    assert isinstance(failure, Failure)
    assert failure.reason is reason
    assert failure.detail.startswith(f"The proxy 127.0.0.1:{proxy.port} ")
    assert HOST in failure.detail


async def test_proxy_that_is_down_is_named(clients):
    port = free_port()
    failure = await get(clients.get(None, Secret(f"http://me:hunter2@127.0.0.1:{port}")))
    assert failure == Failure(
        Reason.CONNECT,
        f"Cannot connect to the proxy 127.0.0.1:{port}: connection refused. {HOST} was not called.",
    )


async def test_proxy_that_has_no_address_is_named(clients):
    failure = await get(clients.get(None, Secret("http://me:hunter2@proxy.invalid:3128")))
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.DNS
    assert failure.detail.startswith("Cannot resolve the proxy proxy.invalid:3128: ")


async def test_proxy_that_says_nothing_is_named_in_the_timeout(serve, clients):
    async def wait(_, reader, writer):
        await reader.read()

    silent = await serve.script(wait)
    client = clients.get(None, secret_of(silent))
    failure = await fetch(client, client.build_request("GET", URL), timedelta(seconds=0.2))
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TIMEOUT
    assert f"through the proxy 127.0.0.1:{silent.port}" in failure.detail


async def test_certificate_of_the_host_is_verified_behind_the_proxy(proxy, clients):
    failure = await get(clients.get(None, secret_of(proxy)))
    assert isinstance(failure, Failure)
    assert (failure.reason, HOST in failure.detail) == (Reason.TLS, True)


async def test_url_of_a_proxy_that_cannot_be_read_is_said(clients, monkeypatch):
    monkeypatch.delenv("PROXY", raising=False)
    failure = await get(clients.get(None, Secret({"env": "PROXY"})))
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.PROTOCOL
    assert "The URL of the proxy cannot be used: env PROXY" in failure.detail


async def test_this_machine_is_never_called_through_a_proxy(serve, proxy, clients):
    server = await serve.answers(http_answer())
    answer = await get(clients.get(None, secret_of(proxy)), f"http://127.0.0.1:{server.port}/")
    assert isinstance(answer, Answer)
    assert proxy.connections == 0


async def test_uplink_is_asked_through_the_proxy(proxy, clients):
    client = clients.own(secret_of(proxy))
    # Its certificate is no one's here; that the proxy was asked is the point.
    await is_online(client, [URL])
    assert proxy.connections >= 1


async def test_steps_of_the_way_lead_through_the_proxy(proxy, ca_file):
    proxy.wanted = USER
    secret = secret_of(proxy, "me:hunter2%20%C3%A4@")
    way = [each async for each in probe_host(URL, ca_file, timedelta(seconds=5), secret)]
    assert [each.hop for each in way] == list(Hop)
    assert [each.failure for each in way] == [None] * 3
    assert {each.proxy for each in way} == {f"127.0.0.1:{proxy.port}"}
    assert way[-1].tls is not None
    assert way[-1].certificate_ends_at is not None


async def test_steps_of_the_way_end_where_the_proxy_refuses(proxy, ca_file):
    proxy.wanted = USER
    way = [each async for each in probe_host(URL, ca_file, timedelta(seconds=5), secret_of(proxy))]
    assert [each.hop for each in way] == [Hop.RESOLVE, Hop.CONNECT]
    assert way[-1].failure is not None
    assert "rejected our user or password (407)" in way[-1].failure.detail


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "is_direct"),
    [
        ("", "a.example", None, False),
        ("*", "a.example", None, True),
        ("a.example", "a.example", None, True),
        ("A.Example", "a.EXAMPLE", None, True),
        ("a.example", "b.a.example", None, True),
        (".a.example", "b.a.example", None, True),
        ("*.a.example", "b.a.example", None, True),
        ("a.example", "ba.example", None, False),
        ("x, a.example ,y", "a.example", None, True),
        ("x a.example", "a.example", None, True),
        ("a.example:443", "a.example", 443, True),
        ("a.example:443", "a.example", 8443, False),
        ("10.0.0.0/8", "10.1.2.3", None, True),
        ("10.0.0.0/8", "11.1.2.3", None, False),
        ("10.1.2.3", "10.1.2.3", None, True),
        ("fd00::/8", "fd00::1", None, True),
        (",, ,", "a.example", None, False),
    ],
)
def test_hosts_that_are_called_without_a_proxy(no_proxy, host, port, is_direct):
    assert bypasses(no_proxy, host, port) is is_direct


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_variable_with_such_hosts_is_obeyed(monkeypatch, name):
    secret = Secret("http://proxy.example:3128")
    assert choose_proxy(secret, HOST, None) is not None
    monkeypatch.setenv(name, "service.example")
    assert choose_proxy(secret, HOST, None) is None


def test_other_variables_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert choose_proxy(None, HOST, None) is None


async def test_settings_choose_the_proxy_of_each_connection(proxy, clients, tmp_path, ca_file):
    path = tmp_path / "config.toml"
    own, other = f"http://127.0.0.1:{proxy.port}", f"http://127.0.0.1:{free_port()}"
    table = (
        f'provider = "soldscope"\nbase_url = "https://{HOST}"\ntoken = "t"\nca_file = "{ca_file}"\n'
    )
    path.write_text(
        f'[checks]\nproxy = "{other}"\ntimeout = "5s"\n'
        f'[[connections]]\nname = "common"\n{table}'
        f'[[connections]]\nname = "own"\nproxy = "{own}"\n{table}'
        f'[[connections]]\nname = "none"\nproxy = ""\n{table}'
    )
    path.chmod(0o600)
    config = load_config(path)
    seen = {}
    for connection in config.connections:
        outcome = await build_checker(connection, config, clients, GrantLocks()).check()
        seen[connection.name] = outcome.reason
    assert seen["common"] is Reason.CONNECT
    assert seen["own"] is Reason.OK
    assert seen["none"] in {Reason.DNS, Reason.TIMEOUT}
    assert "hunter2" not in json.dumps(config.model_dump(mode="json"), default=str)
