"""
Measure how soon others are answered while hundreds do not read their answers.

`python -m tests.benchmarks slow_readers [--readers N] [--requests N] [--times N]` starts a daemon,
opens the connections, each with one request whose answer nobody reads, then anew with many, and
asks `/healthz` beside them. It must answer within 100 ms, in the middle of all tries; the worst is
printed as well, and says as much of what else the machine does. Ends with 1 if it does not.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.daemon_process import run_daemon
from tests.loopback import free_port

WITHIN_MS = 100
SENT = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"

CONFIG = """
[web]
listen = "127.0.0.1:{port}"

[[connections]]
name = "acme"
provider = "countdown"
authorized_on = 2026-01-15
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks slow_readers")
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--times", type=int, default=100)
    chosen = parser.parse_args(arguments)
    is_late = False
    for n_requests in (1, chosen.requests):
        took_ms = measure_daemon(chosen.readers, n_requests, chosen.times)
        each = "a request" if n_requests == 1 else f"{n_requests} requests"
        print(
            f"/healthz beside {chosen.readers} slow readers of {each} each:"
            f" {median(took_ms):.1f} ms in the middle (at most {WITHIN_MS}),"
            f" {max(took_ms):.1f} ms at worst of {chosen.times}"
        )
        is_late |= median(took_ms) > WITHIN_MS
    if is_late:
        sys.exit(1)


def measure_daemon(n_readers: int, n_requests: int, times: int) -> list[float]:
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = folder / "config.toml"
        config.write_text(CONFIG.format(port=port))
        with run_daemon(folder, command=[sys.executable, "-m", "monitor"]) as daemon:
            daemon.wait_for("web.started")
            return measure(port, n_readers, n_requests, times)


def measure(port: int, n_readers: int, n_requests: int, times: int) -> list[float]:
    """
    Return how long each answer took for somebody who reads.
    """
    took_ms = []
    with ExitStack() as stack:
        for _ in range(n_readers):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.settimeout(0)
            one.send(n_requests * SENT)
        ask(port)  # once, so that what was sent above is begun
        for _ in range(times):
            began = perf_counter()
            ask(port)
            took_ms.append((perf_counter() - began) * 1000)
    return took_ms


def ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status":"alive"}')
    finally:
        connection.close()
