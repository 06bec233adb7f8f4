"""
Serve raw bytes on loopback, with and without TLS.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class WireServer:
    """
    A server that does to its connections whatever a script says.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, script: Script, context: ssl.SSLContext | None) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                    await script(reader, writer)
            finally:
                self._tasks.discard(task)
                writer.close()
                with suppress(ConnectionError, ssl.SSLError):
                    await writer.wait_closed()

        self._server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=512)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        self.asked.set()
        return request

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http_answer(
    status: int = 200,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    if body is None:
        body = {"id": 7, "name": "Acme Ltd"}
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    fields |= dict(headers or {})
    lines = [f"HTTP/1.1 {status} Fine", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + payload


class Serve:
    """
    Open servers that are closed when the test ends.
    """

    def __init__(self) -> None:
        self.servers: list[WireServer] = []

    async def script(
        self, script: Callable[..., Awaitable[None]], context: ssl.SSLContext | None = None
    ) -> WireServer:
        server = WireServer()
        self.servers.append(server)

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await script(server, reader, writer)

        await server.open(run, context)
        return server

    async def raw(
        self, answer: bytes, context: ssl.SSLContext | None = None, *, close: bool = True
    ) -> WireServer:
        """
        Send *answer* to every request, whatever it is.
        """

        async def run(server, reader, writer) -> None:
            while True:
                await server.read_request(reader)
                writer.write(answer)
                await writer.drain()
                if close:
                    return

        return await self.script(run, context)

    async def answers(self, *answers: bytes, context: ssl.SSLContext | None = None) -> WireServer:
        """
        Send *answers* one after the other, the last one for ever, and keep alive.
        """

        async def run(server, reader, writer) -> None:
            while True:
                await server.read_request(reader)
                writer.write(answers[min(len(server.requests), len(answers)) - 1])
                await writer.drain()

        return await self.script(run, context)


def reset(writer: asyncio.StreamWriter) -> None:
    """
    End the connection with RST instead of FIN.
    """
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
