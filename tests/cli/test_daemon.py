"""
`connwatch run`: what must be right before it starts, and how it ends.
"""

from __future__ import annotations

import json
import signal
import socket
import sys

import pytest

from tests.bench import Bench, connection
from tests.daemon_process import run_daemon
from tests.waiting import wait_until


@pytest.fixture
def silent():
    """The address of a service that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_all_missing_secrets_are_told_at_once_and_nothing_is_made(bench):
    bench.configure(
        connection("one", token='{ env = "NOT_SET" }'),
        connection("two", token='{ credential = "two" }'),
        connection("off", token='{ env = "NOT_SET_EITHER" }', enabled="false"),
        more='[[channels]]\nname = "ops"\nurl = { file = "no-such-file" }\n',
    )
    ended = bench.spawn("run")
    assert (ended.code, ended.out) == (3, "")
    places = sorted(line.split(": ")[1] for line in ended.err.splitlines())
    assert places == ["channels[0].url", "connections[0].token", "connections[1].token"]
    assert list(bench.folder.iterdir()) == [bench.config_path]


def test_an_unusable_channel_is_told_without_its_url(bench):
    channels = "".join(
        f'[[channels]]\nname = "{name}"\nurl = "{url}"\n'
        for name, url in (("ops", "slak://T0KEN/hunter2/x"), ("fine", "json://127.0.0.1:9/"))
    )
    bench.configure(connection("acme"), more=channels)
    ended = bench.spawn("run")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("connwatch: channels[0].url: ")
    assert '(channel "ops")' in ended.err
    assert "hunter2" not in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_folder_for_the_database_that_is_not_there_is_told(bench):
    bench.configure(connection("acme"), more='[monitor]\ndatabase = "sqlite:///no/such.db"\n')
    ended = bench.spawn("run")
    assert (ended.code, ended.out) == (3, "")
    assert "no/such.db" in ended.err
    assert "create its folder" in ended.err
    assert "Traceback" not in ended.err


def test_a_second_daemon_is_refused_and_the_first_goes_on(bench, live):
    bench.configure(live)
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        ended = bench.spawn("run")
        assert (ended.code, ended.out) == (3, "")
        assert "in use by another `connwatch run`" in ended.err
        assert daemon.process.poll() is None
        assert daemon.stop()[0] == 0
    # The lock went with the process.
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order_and_says_what_was_finished(bench, live, number):
    bench.configure(live)
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        code, took_s = daemon.stop(number)
    assert (code, took_s < 5) == (0, True)
    # A job that was under way is cut short, and says so.
    events = [each["event"] for each in daemon.events if each["event"] != "job.cut_short"]
    assert events[-4:] == [
        "daemon.stopping",
        "daemon.checks_finished",
        "daemon.alerts_sent",
        "daemon.stopped",
    ]
    assert not bench.database.with_name("connwatch.db-wal").exists()


@pytest.mark.slow
def test_a_check_that_hangs_holds_the_end_for_a_while_only(bench, silent):
    bench.configure(connection("acme", url_of(silent), timeout='"60s"'))
    with run_daemon(bench.folder) as daemon:
        silent.settimeout(20)
        asked, _ = silent.accept()
        code, took_s = daemon.stop()
        asked.close()
    assert (code, took_s < 10) == (0, True)
    assert daemon.named("daemon.checks_finished")[0]["let_go"] == 1
    assert bench.shown()["acme"]["state"] == "pending"


def test_a_second_signal_ends_it_at_once(bench, silent):
    bench.configure(connection("acme", url_of(silent), timeout='"60s"'))
    with run_daemon(bench.folder) as daemon:
        silent.settimeout(20)
        asked, _ = silent.accept()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("daemon.stopping")
        code, took_s = daemon.stop()
        asked.close()
    assert code == -signal.SIGTERM
    assert took_s < 3
    assert daemon.named("daemon.stopped") == []


DEAF_RESOLVER = """
import socket, sys, time
def wait(*_, **__): time.sleep(60)
socket.getaddrinfo = wait
from monitor.cli import main
main()
"""


@pytest.mark.slow
def test_a_name_server_that_never_answers_does_not_hold_the_end(bench):
    """Nothing stops a thread that waits for a name; the process must not wait for it."""
    bench.configure(connection("acme", "https://api.example.com"))
    command = (sys.executable, "-P", "-c", DEAF_RESOLVER)
    with run_daemon(bench.folder, command=command) as daemon:
        daemon.wait_for("daemon.started")
        code, took_s = daemon.stop()
    assert (code, took_s < 10) == (0, True)
    assert daemon.named("daemon.stopped") != []


def test_what_has_no_effect_yet_is_logged_once(bench, live):
    bench.configure(live, more='[heartbeat]\nevery = "1m"\n')
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        daemon.stop()
    (event,) = daemon.named("config.no_effect")
    assert (event["level"], event["place"]) == ("warning", "heartbeat")


def test_without_connections_it_runs_and_warns(bench):
    bench.configure()
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        assert daemon.stop()[0] == 0
    assert daemon.named("config.no_connection")[0]["level"] == "warning"


def test_verbose_logs_every_check_and_no_secret(bench, live):
    bench.configure(live)
    with run_daemon(bench.folder, "--verbose") as daemon:
        event = daemon.wait_for("check.finished")
        daemon.stop()
    assert (event["connection"], event["reason"]) == ("acme", "ok")
    assert "ss_live_" not in "".join(daemon.lines)


def test_commands_work_beside_a_running_daemon(bench, live):
    bench.configure(live)
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        assert bench.spawn("check").code == 0
        assert bench.run("pause", "acme").code == 0
        assert bench.shown()["acme"]["state"] == "paused"
        n_checks = count_checks(bench)
        assert bench.run("resume", "acme").code == 0  # due at once, and the daemon sees it
        wait_until(lambda: count_checks(bench) > n_checks)
        assert bench.run("delete", "acme").code == 0
        assert bench.run("resume", "acme").code == 0
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        assert daemon.stop()[0] == 0
    assert [each for each in daemon.events if each["level"] == "error"] == []


def count_checks(bench: Bench) -> int:
    return len(json.loads(bench.run("history", "acme", "--json").out)["checks"])
