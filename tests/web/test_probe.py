"""
The question that a container's health check asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.web.probe import probe_daemon
from tests.loopback import Handler, serve
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def answering(status: int, body: bytes) -> AbstractContextManager[int]:
    class ProbedHandler(Handler):
        def do_GET(self) -> None:  # noqa: N802 - its name there
            self.answer(status if self.path == "/readyz" else 404, body)

    return serve(ProbedHandler)


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
    with answering(status, body) as port:
        told = probe_daemon(f"{host}:{port}")
    assert told is None if expected is None else expected in str(told)


def test_nobody_there_is_said():
    with answering(200, b"") as port:
        pass
    assert "no answer" in str(probe_daemon(f"127.0.0.1:{port}"))


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
    with answering(200, b"{}") as port:
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
