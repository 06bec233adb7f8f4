"""
Kill the daemon at every step between a check and the record that people were told.

Whatever was due is delivered by the next run: nothing is lost, and only what was on its way
when the daemon died may arrive twice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from monitor.store import alert_tables, columns, connections, history, tables
from monitor.store.engine import Database
from tests.e2e.dying_daemon import STEPS
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

NAMES = ("alpha", "beta", "gamma")

CONFIG = """
[checks]
every = "1h"
alert_after_refusals = 1
[web]
listen = ""
[[channels]]
name = "hook"
url = "json://127.0.0.1:{port}/hook"
"""

CONNECTION = """
[[connections]]
name = "{name}"
provider = "soldscope"
base_url = "http://127.0.0.1:{port}"
token = "token-of-{name}"
"""


class Outside:
    """
    An API that refuses every token, and a web hook that keeps what it is told.

    Args:
        victim: The process to kill when the hook was told for the *fatal*th time.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.fatal = 0
        self.victim = 0
        self.port = 0

    def take(self, post: dict[str, Any]) -> None:
        [name] = [name for name in NAMES if name in post["title"]]
        self.told.append(name)
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

        def do_GET(self) -> None:
            outside.asked.append(self.headers["Authorization"])
            self.answer(401)

        def do_POST(self) -> None:
            outside.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            with suppress(ConnectionError):  # whoever asked may be dead by now
                self.answer(200)

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


class Daemon:
    """
    The daemon over three connections that are refused, run after run.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._config = folder / "config.toml"
        parts = [CONFIG, *(CONNECTION.replace("{name}", name) for name in NAMES)]
        self._config.touch(mode=0o600)
        self._config.write_text("".join(parts).replace("{port}", str(port)))
        self.database = Database(f"sqlite:///{folder / 'connwatch.db'}")

    @contextmanager
    def run(self, *step: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.dying_daemon", str(self._config), *step], cwd=ROOT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def is_everyone_told(self, outside: Outside) -> bool:
        if set(outside.told) != set(NAMES):
            return False
        with self.database.read() as tx:
            alerts = history.list_alerts(tx, 100)
        sent = [all(one.sent_at for one in alert.notifications) for alert in alerts]
        return len(sent) == len(NAMES) and all(sent)

    def run_until_everyone_is_told(self, outside: Outside) -> None:
        """
        Start again; what is due goes out long before a lease would end.
        """
        with self.run() as process:
            wait_until(lambda: self.is_everyone_told(outside), within_s=30)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


@pytest.fixture
def outside():
    with run_outside() as outside:
        yield outside


@pytest.fixture
def daemon(outside, tmp_path):
    daemon = Daemon(tmp_path, outside.port)
    yield daemon
    daemon.database.close()


def expect_everyone_told(daemon: Daemon, outside: Outside, n_twice: int) -> None:
    """
    One alert each, sent and recorded; nobody told three times, and few twice.
    """
    with daemon.database.read() as tx:
        alerts = history.list_alerts(tx, 100)
        claims = tx.execute(
            select(alert_tables.notifications.c.id).where(
                alert_tables.notifications.c.claimed_by.is_not(None)
            )
        ).all()
        checked = [record.standing.checked_at for record in connections.list_records(tx)]
    assert sorted((alert.kind, alert.connections) for alert in alerts) == [
        ("error", (name,)) for name in NAMES
    ]
    assert [one.state for alert in alerts for one in alert.notifications] == ["sent"] * len(NAMES)
    assert claims == []
    assert all(checked)
    times = Counter(outside.told)
    assert set(times) == set(NAMES)
    assert sorted(times.values()) == [1] * (len(NAMES) - n_twice) + [2] * n_twice


# The second of three, so that some were told before and some are left; but batches
# may be one only. What was sent and not recorded is sent again: rather twice than never.
CASES = [
    (
        step,
        1 if step.startswith("batch") else 2,
        step in {"sent", "arrival recorded, not committed"},
    )
    for step in STEPS
]


@pytest.mark.parametrize(("step", "nth", "is_sent_twice"), CASES, ids=list(STEPS))
def test_a_daemon_that_dies_loses_nothing(daemon, outside, step, nth, is_sent_twice):
    with daemon.run(step, str(nth)) as process:
        assert process.wait(timeout=30) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=int(is_sent_twice))


def test_a_daemon_that_dies_while_a_message_is_on_its_way_loses_nothing(daemon, outside):
    outside.fatal = 2
    with daemon.run() as process:
        outside.victim = process.pid
        assert process.wait(timeout=30) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=1)


def test_a_daemon_that_dies_again_and_again_loses_nothing(daemon, outside):
    for step in ("batch judged, not committed", "claim committed", "sent", "not sent yet"):
        with daemon.run(step, "1") as process:
            assert process.wait(timeout=30) == -signal.SIGKILL
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=1)


def test_a_daemon_that_lives_tells_everyone_once(daemon, outside):
    daemon.run_until_everyone_is_told(outside)
    expect_everyone_told(daemon, outside, n_twice=0)
    # Nothing is told again by the next run, although it is refused again.
    with daemon.database.write() as tx:
        tx.execute(update(tables.connections).values(next_check_at=columns.EPOCH))
    outside.asked.clear()
    with daemon.run() as process:
        wait_until(lambda: len(outside.asked) == len(NAMES), within_s=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    expect_everyone_told(daemon, outside, n_twice=0)
