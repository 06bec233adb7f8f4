"""
Play the outside: an API that refuses every token, and a web hook that keeps what it is told.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outside:
    """
    What was asked and told.

    Args:
        told: Title and text of each message.
        victim: The process to kill when the hook is told for the *fatal*th time.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.fatal = 0
        self.victim = 0
        self.port = 0

    def take(self, post: dict[str, Any]) -> None:
        self.told.append(f"{post['title']}\n{post['message']}")
        if len(self.told) == self.fatal:
            os.kill(self.victim, signal.SIGKILL)


@contextmanager
def run_outside() -> Iterator[Outside]:
    outside = Outside()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked may be dead by now
                super().handle()

        def do_GET(self) -> None:
            outside.asked.append(self.headers["Authorization"])
            self.answer(401)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with suppress(json.JSONDecodeError):  # or dead before it had said all
                outside.take(json.loads(body))
                self.answer(200)

        def finish(self) -> None:
            with suppress(ConnectionError):
                super().finish()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    outside.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
