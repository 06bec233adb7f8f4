"""
Send requests to the dashboard and the API: whatever is asked, nothing is a fault of ours.

Well-formed ones go to the application without a port; broken HTTP goes to the real server, which
has to be well afterwards.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from monitor.store import credentials
from monitor.web.server import WebServer
from tests.builders import OK, OPS, REFUSED, entry, ok_with, plan_of
from tests.fakes import NOON
from tests.fuzz import bait
from tests.fuzz.core import FaultError
from tests.fuzz.installation import TemporaryStore
from tests.loopback import free_port
from tests.web_client import HOST, open_file

if TYPE_CHECKING:
    from random import Random

    from tests.fuzz.core import Case

PASSWORD = "correct horse"
METHODS = ("GET", "GET", "GET", "POST", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "XX")
STREAM = "/api/v1/events"
"""An answer without an end: it is asked for on the real server only."""

PATHS = (
    "/",
    "/connections/acme",
    "/connections/%2e%2e",
    "/alerts",
    "/calendar",
    "/monitor",
    "/login",
    "/logout",
    "/metrics",
    "/healthz",
    "/readyz",
    "/calendar.ics",
    "/badge/acme.svg",
    "/static/style.css",
    "/static/../../x",
    "/oauth/amazon/start/acme",
    "/oauth/amazon/callback?state=x&spapi_oauth_code=y",
    "/connections/acme/validate",
    "/connections/acme/pause",
    "//x",
    "/api/v1//connections",
)
HEADERS = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Content-Type",
    "Content-Length",
    "Cookie",
    "Host",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "Last-Event-ID",
    "Origin",
    "Range",
    "Referer",
    "X-CSRF-Token",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
)
RAW = (
    b"GET /healthz HTTP/1.1\r\n",
    b"GET / HTTP/9.9\r\n",
    b"POST /login HTTP/1.1\r\n",
    b"GET http://127.0.0.1/x HTTP/1.1\r\n",
    b"CONNECT x:1 HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    b"Host: 127.0.0.1\r\n",
    b"Host: 127.0.0.1\r\n",
    b"Host: x\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, x\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"X: " + b"y" * 70_000 + b"\r\n",
    b" folded\r\n",
    b"\r\n",
    b"zz\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"password=x",
)
RAW_MARK = "raw"
ANSWERS_WITHIN_S = 60


FILE = """
[web]
listen = "127.0.0.1:{port}"
password = "{password}"
key = "{key}"

[[channels]]
name = "ops"
url = "json://127.0.0.1:9"
""" + "".join(
    f'[[connections]]\nname = "{name}"\nprovider = "soldscope"\n'
    'base_url = "https://api.example.com"\ntoken = "abc"\n'
    for name in ("acme", "beta", "gamma")
)


class Requests:
    """
    Requests to every path that there is, by the one who may do all and by strangers.

    The pieces are who asks, the method, the path, the body and then headers, each as `Name: value`;
    or `raw` and what is sent as it is.
    """

    name = "requests"

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        plan = plan_of(entry("acme"), entry("beta"), entry("gamma"), channels=[OPS])
        self._store = TemporaryStore(plan)
        self._store.story.evaluate(NOON, acme=ok_with(100), beta=REFUSED, gamma=OK)
        with self._store.database.write() as tx:
            token = credentials.add_api_token(tx, "ci", NOON)
        self._token = f"Bearer {token}"
        self._stack = AsyncExitStack()
        self._runner.run(self._open())
        paths = {path for path in self._web.app.openapi()["paths"] if path != STREAM}
        self._paths = (*PATHS, *sorted(paths), *sorted(paths))
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()
        self._store.close()

    async def _open(self) -> None:
        self._port = free_port()
        text = FILE.format(port=self._port, password=PASSWORD, key=Fernet.generate_key().decode())
        opened = open_file(self._store.database, self._store.folder, text)
        self._web = await self._stack.enter_async_context(opened)
        server = WebServer(lambda: self._web.parts)
        await server.start()
        self._stack.push_async_callback(server.stop)

    def make(self, random: Random) -> Case:
        if random.random() < 0.15:
            return (RAW_MARK, *_make_raw(random))
        path = random.choice(self._paths)
        while "{" in path:
            before, _, after = path.partition("{")
            value = random.choice(("acme", "beta", "1", bait.text(random)))
            path = before + quote(value.encode("utf-8", "surrogatepass")) + after.partition("}")[2]
        if random.random() < 0.4:
            names = ("limit", "cursor", "state", "q", "on", "at", "done", bait.text(random))
            pairs = ((random.choice(names), bait.text(random)) for _ in range(random.randint(1, 3)))
            path += "?" + "&".join("=".join(map(_quote, pair)) for pair in pairs)
        headers = [
            f"{random.choice(HEADERS)}: {bait.text(random)}"
            for _ in range(random.choice((0, 0, 1, 2)))
        ]
        method, body = random.choice(METHODS), _make_body(random)
        who = random.choice(("token", "token", "stranger"))
        return (who, method, path, body, *headers)

    def run(self, case: Case) -> None:
        with capture_logs() as logs:
            if case[:1] == (RAW_MARK,):
                self._runner.run(self._send_raw(b"".join(x for x in case if isinstance(x, bytes))))
            elif len(case) > 3:
                self._runner.run(self._ask(case))
        faults = [one for one in logs if one["event"] in {"web.fault", "validation.fault"}]
        if faults:
            fault = faults[0].get("exc_info")
            raise fault if isinstance(fault, BaseException) else FaultError(f"logged: {faults[0]}")

    async def _ask(self, case: Case) -> None:
        who, method, path, body, *lines = case
        pairs = [str(line).partition(": ")[::2] for line in lines]
        headers = [(name.encode(), _as_header(value)) for name, value in pairs if name]
        if who == "token":
            headers.append((b"authorization", self._token.encode()))
        if not str(path).startswith("/") or not str(path).isascii() or not str(method).isalpha():
            return
        content = body if isinstance(body, bytes) else b""
        try:
            url = httpx.URL(HOST + str(path))
        except httpx.InvalidURL:
            return
        async with asyncio.timeout(ANSWERS_WITHIN_S), self._web.stranger() as client:
            answer = await client.request(str(method), url, headers=headers, content=content)
        _examine(answer)

    async def _send_raw(self, data: bytes) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            with suppress(ConnectionError, TimeoutError):
                writer.write(data)
                writer.write_eof()
                async with asyncio.timeout(0.05):  # it may rightly wait for more
                    await reader.read(65_536)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            async with httpx.AsyncClient(trust_env=False, timeout=ANSWERS_WITHIN_S) as client:
                answer = await client.get(f"http://127.0.0.1:{self._port}/healthz")
        if answer.status_code != 200:
            raise FaultError(f"not well afterwards: {answer.status_code} {answer.text}")


def _examine(answer: httpx.Response) -> None:
    if answer.status_code >= 500:
        raise FaultError(f"status {answer.status_code}: {answer.text[:500]}")
    if "json" in answer.headers.get("content-type", "") and answer.content:
        answer.json()


def _make_raw(random: Random) -> list[bytes]:
    pieces = [random.choice(RAW) for _ in range(random.randint(1, 6))]
    at = random.randrange(len(pieces))
    if random.random() < 0.3:
        pieces[at] = bait.damage(random, pieces[at])
    return pieces


def _make_body(random: Random) -> bytes:
    match random.randrange(5):
        case 0:
            return b""
        case 1:
            return bait.text(random).encode("utf-8", "surrogatepass")
        case 2:
            names = ("password", "csrf_token", "date", "note", "for", "reason")
            pairs = ((random.choice(names), bait.text(random)) for _ in range(2))
            return "&".join("=".join(map(_quote, pair)) for pair in pairs).encode()
        case _:
            fields = ("on", "until", "note", "for", "scope", "reason", "channel", "kind", "name")
            values: tuple[Any, ...] = (None, True, -1, 10**30, 1e308, [], {}, [[]])
            body = {
                random.choice(fields): random.choice((*values, *(bait.text(random),) * 8))
                for _ in range(random.randint(0, 3))
            }
            payload = json.dumps(body).encode()
            return bait.damage(random, payload) if random.random() < 0.2 else payload


def _quote(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


def _as_header(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass").translate(None, b"\r\n\x00")
