"""
`connwatch run` on a machine that gives it too little: no connection is blamed for that.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.bench import connection
from tests.command_line import COMMAND, clean_environment
from tests.daemon_process import run_daemon
from tests.loopback import Handler, free_port, serve
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench import Bench
    from tests.daemon_process import Daemon


class Service(Handler):
    """
    Takes a moment for each answer, so that many are under way at once.
    """

    def do_GET(self) -> None:  # noqa: N802 - its name there
        time.sleep(0.05)
        self.answer(200, b'{"name": "Acme Ltd"}', {"Content-Type": "application/json"})

    def do_POST(self) -> None:  # noqa: N802 - likewise
        self.read_body()
        self.answer(200)


def few_files(n: int) -> list[str]:
    return ["bash", "-c", f'ulimit -n {n}; exec "$@"', "bash", *COMMAND]


def http_connection(name: str, port: int) -> str:
    return (
        f'name = "{name}"\nprovider = "http"\nurl = "http://127.0.0.1:{port}/me"\n'
        'token = "t0p-secret-token"\nevery = "30s"\n'
    )


@pytest.mark.slow
def test_four_hundred_connections_and_fifty_files_make_no_error(bench: Bench):
    with serve(Service) as port:
        names = [f"c{number}" for number in range(400)]
        bench.configure(
            *(http_connection(name, port) for name in names),
            more=f'[web]\nlisten = "127.0.0.1:{free_port()}"\n',
        )
        with run_daemon(bench.folder, command=few_files(50)) as daemon:
            told = daemon.wait_for("daemon.few_descriptors")
            wait_until(lambda: summary(bench)["active"] == 400)
            assert daemon.stop()[0] == 0
    assert (told["limit"], told["wanted"]) == (50, 248)
    assert summary(bench)["error"] == 0
    assert alerts(bench) == []
    assert len([one for one in daemon.events if one["event"] != "connection.changed"]) < 20
    assert [line for line in daemon.lines if "Traceback" in line] == []


def summary(bench: Bench) -> dict[str, int]:
    found: dict[str, int] = json.loads(bench.run("status", "--json").out)["summary"]
    return found


def alerts(bench: Bench) -> list[str]:
    return [one["kind"] for one in json.loads(bench.run("alerts", "list", "--json").out)["alerts"]]


def delivery_states(bench: Bench) -> list[str]:
    listed = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    return [each["state"] for one in listed for each in one["notifications"]]


@contextmanager
def limited(daemon: Daemon, soft: int) -> Iterator[None]:
    """
    Let the daemon have no more files open.
    """
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (soft, before[1]))
    yield
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)


def n_open(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))  # noqa: PTH208 - a name each


@pytest.mark.slow
def test_without_file_handles_checks_wait_and_people_are_told_of_connwatch_itself(bench: Bench):
    with serve(Service) as port:
        bench.configure(
            http_connection("acme", port).replace("30s", "10s"),
            more='[web]\nlisten = ""\n[alerts]\nretry_for = "5s"\n'
            + "".join(
                f'[[channels]]\nname = "{name}"\nurl = "json://127.0.0.1:{port}"\n'
                for name in ("ops", "boss")
            ),
        )
        with run_daemon(bench.folder) as daemon:
            wait_until(lambda: summary(bench)["active"] == 1)
            soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
            assert soft == hard
            wait_until(lambda: n_open(daemon) < 25)
            with limited(daemon, 3):
                told = daemon.wait_for("checks.wait")
                wait_until(lambda: "monitor_offline" in alerts(bench))
                daemon.wait_for("delivery.waits")
                assert summary(bench)["active"] == 1
            daemon.wait_for("checks.wait_no_more")
            wait_until(lambda: "monitor_online" in alerts(bench))
            wait_until(lambda: set(delivery_states(bench)) == {"sent"})
            assert daemon.stop()[0] == 0
    assert told["short_of"] == "descriptors"
    assert sorted(alerts(bench)) == ["monitor_offline", "monitor_online"]
    assert len(daemon.named("checks.wait")) == len(daemon.named("delivery.waits")) == 1
    assert daemon.named("notification.failed") == daemon.named("notification.dead") == []
    checks = json.loads(bench.run("history", "acme", "--json").out)["checks"]
    assert {one["reason"] for one in checks} == {"ok"}
    assert [line for line in daemon.lines if "Traceback" in line] == []


@pytest.mark.slow
def test_a_dashboard_out_of_file_handles_says_it_once_and_checks_go_on(bench: Bench):
    listen = free_port()
    with serve(Service) as port:
        bench.configure(
            http_connection("acme", port).replace("30s", "10s"),
            more=f'[web]\nlisten = "127.0.0.1:{listen}"\n',
        )
        with run_daemon(bench.folder, command=few_files(64)) as daemon, ExitStack() as stack:
            daemon.wait_for("web.started")
            for _ in range(200):
                stack.enter_context(socket.create_connection(("127.0.0.1", listen)))
            with limited(daemon, 3):  # it has more open: none is left, however many it closes
                stack.enter_context(socket.create_connection(("127.0.0.1", listen)))
                daemon.wait_for("web.cannot_accept")
            with urlopen(f"http://127.0.0.1:{listen}/healthz", timeout=PATIENCE_S) as answer:
                assert answer.status == 200
            daemon.wait_for("web.accepts_again")
            wait_until(lambda: summary(bench)["active"] == 1)
            assert daemon.stop()[0] == 0
    assert len(daemon.lines) < 40
    assert [line for line in daemon.lines if "Traceback" in line] == []


def test_doctor_says_that_there_are_too_few_files(bench: Bench, tmp_path: Path):
    bench.configure(connection("acme"), more='[web]\nlisten = ""\n[checks]\nconcurrency = 900\n')
    found = json.loads(run_limited(bench, "doctor", "--offline", "--json", files=256))
    [said] = [one for one in found["findings"] if "files can be open" in one["words"]]
    assert (said["state"], "no more than 224 checks" in said["words"]) == ("warning", True)
    assert "raise it to 932" in said["remedy"]


def run_limited(bench: Bench, *arguments: str, files: int) -> str:
    command = [*few_files(files), *arguments]
    ended = subprocess.run(
        command, cwd=bench.folder, env=clean_environment(), capture_output=True, check=False
    )
    return ended.stdout.decode()


def test_check_by_hand_says_that_it_is_short_itself(bench: Bench):
    with serve(Service) as port:
        bench.configure(*(http_connection(f"c{number}", port) for number in range(60)))
        found = json.loads(run_limited(bench, "check", "--json", files=50))
    assert found["summary"]["active"] == 60
