"""
Secrets that commands print, used by a real daemon and by the commands beside it.
"""

from __future__ import annotations

import json
import stat

import httpx
import pytest

from tests.bench import connection
from tests.daemon_process import run_daemon
from tests.loopback import free_port
from tests.waiting import wait_until


@pytest.fixture
def vault(bench):
    """
    A program that prints the files of a folder, fails without one, and counts how often.
    """
    folder = bench.folder / "vault"
    folder.mkdir()
    path = bench.folder / "read-vault"
    path.write_text(
        '#!/bin/sh\necho x >> "$(dirname "$0")/asked-$1"\necho hunter2 >&2\n'
        '[ -z "$NOTIFY_SOCKET$WATCHDOG_USEC" ] || exit 9\ncat "$(dirname "$0")/vault/$1"\n'
    )
    path.chmod(stat.S_IRWXU)
    return folder


def command(item: str) -> str:
    return f'{{ command = ["./read-vault", "{item}"] }}'


def test_a_rotated_token_is_read_again_after_the_rejection(bench, vault, simulator):
    old = simulator.create_token("acme", "old")
    (vault / "acme").write_text(old.value)
    bench.configure(
        connection("acme", simulator.soldscope_url, token=command("acme"), every='"10s"')
    )
    with run_daemon(bench.folder, NOTIFY_SOCKET="", WATCHDOG_USEC="") as daemon:
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        (vault / "acme").write_text(simulator.create_token("acme", "new").value)
        simulator.soldscope.revoke_token(old.token.id, simulator.clock.now())
        checked = bench.shown()["acme"]["checked_at"]
        wait_until(lambda: bench.shown()["acme"]["checked_at"] != checked)
        assert bench.shown()["acme"]["state"] == "active"
        assert "hunter2" not in "".join(daemon.lines)


def test_a_vault_that_is_away_costs_that_connection_alone(bench, vault, simulator, live):
    bench.configure(
        connection("lost", simulator.soldscope_url, token=command("lost"), every='"10s"'), live
    )
    with run_daemon(bench.folder) as daemon:
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        wait_until(lambda: bench.shown()["lost"]["checked_at"] is not None)
        lost = bench.shown()["lost"]
        assert (lost["state"], lost["last_check"]["reason"]) == ("pending", "protocol")
        assert lost["last_check"]["conclusive"] is False
        assert "command: exit 1" in bench.run("history", "lost", "--json").out
        (vault / "lost").write_text(simulator.create_token("acme", "found").value)
        wait_until(lambda: bench.shown()["lost"]["state"] == "active")
        assert daemon.stop()[0] == 0


def test_a_channel_and_the_dashboard_start_without_their_commands(bench, vault, live):
    more = (
        f'[web]\nlisten = "127.0.0.1:0"\npassword = {command("password")}\n'
        f"[heartbeat]\nurl = {command('heartbeat')}\n"
        f'[[channels]]\nname = "ops"\nurl = {command("ops")}\n'
    ).replace('"127.0.0.1:0"', '""')
    bench.configure(live, more=more)
    with run_daemon(bench.folder) as daemon:
        daemon.wait_for("daemon.started")
        places = {each["place"]: each["why"] for each in daemon.named("secret.unavailable")}
        assert places == dict.fromkeys(
            ("web.password", "heartbeat.url", "channels[0].url"), "command: exit 1"
        )
        assert "hunter2" not in "".join(daemon.lines)


def test_without_its_password_the_dashboard_lets_no_one_in_until_it_is_there(bench, vault, live):
    port = free_port()
    bench.configure(
        live, more=f'[web]\nlisten = "127.0.0.1:{port}"\npassword = {command("password")}\n'
    )
    with (
        run_daemon(bench.folder) as daemon,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser,
    ):
        daemon.wait_for("daemon.started")
        assert browser.get("/healthz").status_code == 200
        assert browser.get("/").status_code == 401
        # Who knows the password hangs on it.
        refused = log_in(browser)
        assert (refused.status_code, "cannot be read" in refused.text) == (503, True)
        assert browser.get("/healthz").status_code == 200
        assert "hunter2" not in "".join(daemon.lines)
        (vault / "password").write_text("correct horse")
        wait_until(lambda: log_in(browser).status_code == 303)
        assert browser.get("/").status_code == 200


def log_in(browser: httpx.Client) -> httpx.Response:
    browser.get("/login")
    word = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}
    return browser.post("/login", headers=word, data={"password": "correct horse"})


def test_config_check_runs_each_once_and_says_so(bench, vault, simulator):
    for item in ("one", "two"):
        (vault / item).write_text(simulator.create_token("acme", item).value)
    tables = [
        connection(name, simulator.soldscope_url, token=command(item))
        for name, item in (("a", "one"), ("b", "one"), ("c", "two"))
    ]
    bench.configure(*tables)
    ended = bench.spawn("config", "check")
    assert ended.code == 0, ended.err
    [note] = [line for line in ended.err.splitlines() if "its command" in line]
    assert note.startswith("note: connections[0].token: its command (./read-vault) was run once")
    assert "and so was 1 more" in note
    assert (bench.folder / "asked-one").read_text() == "x\n"
    (vault / "two").unlink()
    ended = bench.spawn("config", "check")
    assert ended.code == 3
    assert "connections[2].token: command: exit 1" in ended.err
    assert "hunter2" not in ended.out + ended.err
    shown = bench.spawn("config", "show").out
    assert "(command ./read-vault)" in shown
    assert "one)" not in shown


def test_the_commands_beside_the_daemon_use_them_too(bench, vault, simulator):
    (vault / "acme").write_text(simulator.create_token("acme", "x").value)
    bench.configure(
        connection("acme", simulator.soldscope_url, token=command("acme")),
        connection("lost", simulator.soldscope_url, token=command("lost")),
    )
    ended = bench.spawn("check", "--json")
    states = {each["name"]: each["state"] for each in json.loads(ended.out)["connections"]}
    assert states == {"acme": "active", "lost": "pending"}
    assert bench.spawn("validate", "acme").code == 0
    assert "command: exit 1" in bench.spawn("validate", "lost").out
