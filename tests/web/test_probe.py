"""
The question that a container's health check asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from monitor.web.probe import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30


@contextmanager
def serve(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"status": "ready", "failing": []}', None),
        (503, b'{"status": "not ready", "failing": ["checks", "database"]}', "checks, database"),
        (404, b"nothing here", "another program"),
        (503, b"[]", "another program"),
        (503, b'{"failing": 7}', "another program"),
    ],
    ids=["at work", "two troubles", "no such page", "a list", "a number"],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_the_answer_says_what_is_wrong(host, status, body, expected):
    with serve(status, body) as port:
        told = ask(f"{host}:{port}")
    assert told is None if expected is None else expected in str(told)


def test_nobody_there_is_said():
    with serve(200, b"") as port:
        pass
    assert "no answer" in str(ask(f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("listen", "code", "told"),
    [
        ("127.0.0.1:{port}", 0, "ready"),
        ("", 0, "nothing to ask"),
        ("127.0.0.1:http", 1, "web.listen"),
    ],
    ids=["at work", "switched off", "unusable file"],
)
def test_the_command_reads_the_file_and_ends_with_the_answer(tmp_path, listen, code, told):
    with serve(200, b"{}") as port:
        file = tmp_path / "config.toml"
        file.write_text(f'[web]\nlisten = "{listen.format(port=port)}"\n', encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "monitor.web.probe"],
            env=os.environ | {"CONNWATCH_CONFIG": str(file)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == code
    assert told in done.stdout + done.stderr
