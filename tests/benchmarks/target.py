"""
Answer like the SoldScope API, as cheaply as possible, and note who asked when.

Runs as a process of its own, so that its work is not counted as the daemon's:
`python -m tests.benchmarks.target CERTIFICATE|- CLOSE LATENCY_S`. Prints its port; a line on
standard input makes it print what it saw since the last one, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

BODY = b'{"id":1,"name":"Acme Ltd","email":"owner@acme.example","plan":"business"}'


class Target(asyncio.Protocol):
    """
    One TCP connection.
    """

    arrivals: list[tuple[str, float]] = []  # noqa: RUF012 - shared by all connections, on purpose

    def __init__(self, answer: bytes, *, is_closing: bool, latency_s: float) -> None:
        self._answer = answer
        self._is_closing = is_closing
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, self._received = self._received.split(b"\r\n\r\n", 1)
            token = request.partition(b"earer ")[2].partition(b"\r\n")[0]
            self.arrivals.append((token.decode(), time.time()))
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._reply)
            else:
                self._reply()

    def _reply(self) -> None:
        self._transport.write(self._answer)
        if self._is_closing:
            self._transport.close()


def make_answer(*, is_closing: bool) -> bytes:
    head = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "X-API-RateLimit-Limit: 10000",
        "X-API-RateLimit-Remaining: 7421",
        "X-API-RateLimit-Reset: 2099-12-01",
        f"Content-Length: {len(BODY)}",
        *(["Connection: close"] if is_closing else []),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + BODY


async def serve(certificate: str, *, is_closing: bool, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    context = None
    if certificate != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    answer = make_answer(is_closing=is_closing)
    server = await loop.create_server(
        lambda: Target(answer, is_closing=is_closing, latency_s=latency_s),
        "127.0.0.1",
        0,
        ssl=context,
        backlog=1024,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        seen = Target.arrivals[:]
        Target.arrivals.clear()
        print(json.dumps(seen), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], is_closing=sys.argv[2] == "close", latency_s=float(sys.argv[3])))
