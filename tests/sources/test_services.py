"""
A service that answers with a list: real servers on loopback.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

import pytest

from monitor.config.hosts import AllowedHosts
from monitor.providers.transport import HttpClients
from monitor.sources.rows import UnreadableSource
from monitor.sources.services import ServiceReading
from tests.providers.wire import WireServer, http_answer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json; charset=utf-8"}
LINES = {"Content-Type": "application/x-ndjson"}
TWO = [{"name": "a"}, {"name": "b"}]
TOKEN = {"Authorization": "Bearer hunter2"}


@pytest.fixture
async def clients(anyio_backend) -> AsyncIterator[HttpClients]:
    async with HttpClients(2) as clients:
        yield clients


class Service:
    """
    A server with one answer after the other, each on a connection of its own.
    """

    def __init__(self, *answers: bytes, is_silent: bool = False) -> None:
        self.server = WireServer()
        self._answers = list(answers)
        self._is_silent = is_silent

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/stores"

    async def __aenter__(self) -> Self:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.server.read_request(reader)
            writer.write(self._answers.pop(0).replace(b"PORT", str(self.server.port).encode()))
            await writer.drain()
            if self._is_silent:
                await reader.read()

        await self.server.open(serve, None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()


def answer(values: object, headers: dict[str, str] = JSON, status: int = 200) -> bytes:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    return http_answer(status, body, {"Connection": "close", **headers})


def lines(*values: object) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


async def read(reading: ServiceReading) -> list[object]:
    return [row.values async for row in reading.rows()]


def reading_of(service: Service, clients: HttpClients, etag: str = "") -> ServiceReading:
    return ServiceReading(clients.get(), service.url, TOKEN, {}, etag)


@pytest.mark.parametrize("body", [answer(TWO), answer(lines(*TWO), LINES)], ids=["JSON", "NDJSON"])
async def test_a_list_is_read_by_its_type_and_the_token_is_sent(clients, body):
    async with Service(body) as service:
        assert await read(reading_of(service, clients)) == TWO
        request = service.server.requests[0].lower()
    assert b"\r\nauthorization: bearer hunter2\r\n" in request
    assert b"if-none-match" not in request


async def test_a_list_that_has_not_changed_brings_no_row(clients):
    first = answer(TWO, {**JSON, "ETag": '"7"'})
    async with Service(first, answer(b"", {}, 304), answer(TWO)) as service:
        reading = reading_of(service, clients)
        assert await read(reading) == TWO
        assert (reading.etag, reading.is_unchanged) == ('"7"', False)
        again = reading_of(service, clients, reading.etag)
        assert await read(again) == []
        assert (again.etag, again.is_unchanged) == ('"7"', True)
        assert b'if-none-match: "7"' in service.server.requests[1].lower()
        changed = reading_of(service, clients, again.etag)
        assert await read(changed) == TWO
        assert (changed.etag, changed.is_unchanged) == ("", False)


async def test_pages_are_read_to_the_last_and_rows_are_counted_through(clients):
    pages = [
        answer([{"name": "a"}], {**JSON, "Link": '</stores?page=2>; rel="next"', "ETag": '"1"'}),
        answer([7], {**JSON, "Link": '<http://127.0.0.1:PORT/stores?page=3>; rel="next"'}),
        answer(lines({"name": "c"}), {**LINES, "Link": '</stores>; rel="first"'}),
    ]
    async with Service(*pages) as service:
        reading = reading_of(service, clients)
        rows = [row async for row in reading.rows()]
        asked = [request.split(b" ")[1] for request in service.server.requests]
    assert [row.index for row in rows] == [0, 1, 2]
    assert [row.values for row in rows] == [{"name": "a"}, None, {"name": "c"}]
    assert asked == [b"/stores", b"/stores?page=2", b"/stores?page=3"]
    assert reading.etag == ""  # of the first page alone


NEXT = {
    "another host": "http://localhost:PORT/stores",
    "another port": "http://127.0.0.1:9/stores",
    "another scheme": "https://127.0.0.1:PORT/stores",
    "a host without a scheme": "//evil.example/stores",
    "a user": "http://x:y@127.0.0.1:PORT/stores",
    "the same page": "/stores",
}


@pytest.mark.parametrize("link", NEXT.values(), ids=NEXT)
async def test_no_page_elsewhere_is_read(clients, link):
    page = answer(TWO, {**JSON, "Link": f'<{link}>; rel="next"'})
    async with Service(page, page) as service:
        with pytest.raises(UnreadableSource, match=r"another host|lead back"):
            await read(reading_of(service, clients))
        assert len(service.server.requests) == 1


REFUSED = {
    "401": (answer(b"hunter2", JSON, 401), "answered 401"),
    "500": (answer(b"hunter2", JSON, 500), "answered 500"),
    "204": (answer(b"", {}, 204), "answered 204"),
    "304 unasked": (answer(b"", {}, 304), r"\(?304"),
    "a redirect": (answer(b"", {"Location": "http://127.0.0.1:9/"}, 302), "redirects"),
    "a page": (answer(b"<html>", {"Content-Type": "text/html"}), "Content-Type is text/html"),
    "no type": (answer(TWO, {"Content-Type": ""}), "Content-Type is not given"),
    "compressed": (answer(TWO, {**JSON, "Content-Encoding": "gzip"}), "compresses"),
    "no list": (answer({"stores": TWO}), "not a JSON list"),
    "cut off": (answer(b'[{"name": "hunter2"'), "row 0"),
    "cut off by the network": (
        http_answer(200, b'[{"name": "a"}', {**JSON, "Content-Length": "999"}),
        "before its answer was complete|complete",
    ),
}


@pytest.mark.parametrize(("body", "why"), REFUSED.values(), ids=REFUSED)
async def test_an_answer_of_no_use_is_unreadable(clients, body, why):
    async with Service(body) as service:
        with pytest.raises(UnreadableSource, match=why) as caught:
            await read(reading_of(service, clients))
    assert "hunter2" not in str(caught.value)


async def test_a_service_that_is_away_is_unreadable(clients):
    reading = ServiceReading(clients.get(), "http://127.0.0.1:9/stores", {}, {})
    with pytest.raises(UnreadableSource, match="Cannot connect"):
        await read(reading)


async def test_a_service_that_falls_silent_is_unreadable(clients):
    whole = answer(TWO)
    async with Service(whole[:-5], is_silent=True) as service:
        reading = reading_of(service, clients)
        reading.patience_s = 0.3
        with pytest.raises(UnreadableSource, match=r"silent for 0\.3 s"):
            await read(reading)


async def test_a_page_has_an_end(clients, monkeypatch):
    monkeypatch.setattr("monitor.sources.services.LARGEST_PAGE", 100)
    async with Service(answer([{"name": "x" * 200}])) as service:
        with pytest.raises(UnreadableSource, match="a page is larger than"):
            await read(reading_of(service, clients))


async def test_a_confined_client_reads_nothing_inside(clients):
    async with Service(answer(TWO)) as service:
        client = clients.get(None, None, AllowedHosts())
        with pytest.raises(UnreadableSource, match="public addresses only"):
            await read(ServiceReading(client, service.url, TOKEN, {}))
        assert service.server.requests == []
