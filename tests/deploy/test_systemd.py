"""
The unit under a real systemd, on a machine that was booted for it.

One machine serves all tests of this file, in their order; each leaves the
service running.
"""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime

import pytest

from monitor.store.migrate import HEAD
from tests.deploy import program
from tests.deploy.cache import passing_folder
from tests.deploy.installation import CONFIG, Installation, state_file
from tests.deploy.machine import boot
from tests.deploy.old_database import write_old_database
from tests.waiting import PATIENCE_S

NOBODY_YET = "0000000000000000"
"""No capability at all, as the kernel writes it."""


@pytest.fixture(scope="module")
def machine(debian_root, wheels):
    with passing_folder("program") as folder:
        program.install(debian_root, wheels, program.build_wheel(folder), folder / "installed")
        with boot(debian_root, f"--bind-ro={folder / 'installed'}:/opt/connwatch") as running:
            yield running


@pytest.fixture(scope="module")
def unit(machine, simulator, hook):
    """
    The unit, installed and started.
    """
    installation = Installation(machine, simulator, hook)
    installation.install()
    installation.systemctl("start", "connwatch")
    return installation


def test_systemd_finds_nothing_to_complain_about(unit):
    path = "/etc/systemd/system/connwatch.service"
    assert unit.machine.run("systemd-analyze", "verify", path) == ""


def test_systemctl_start_returns_when_the_daemon_serves(unit):
    # `start` is over by now. It waits for READY=1, so nothing is waited for here.
    assert unit.machine.property("ActiveState") == "active"
    assert unit.machine.property("Type") == "notify"
    with urllib.request.urlopen(
        f"http://127.0.0.1:{unit.port}/readyz", timeout=PATIENCE_S
    ) as answer:
        assert answer.status == 200


def test_the_status_says_what_is_watched(unit):
    assert unit.machine.property("StatusText") == "watching 1 connection"


def test_the_daemon_runs_as_nobody_known_and_may_do_nothing(unit):
    told = unit.status_of(unit.main_pid)
    users = unit.machine.path("/etc/passwd").read_text(encoding="utf-8")
    uid = told["Uid"].split()[0]
    assert int(uid) >= 61184  # the range of dynamic users
    assert f":{uid}:" not in users
    assert {told["CapEff"], told["CapPrm"], told["CapBnd"], told["CapAmb"]} == {NOBODY_YET}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")


def test_a_connection_is_checked_with_a_secret_that_only_the_unit_sees(unit):
    unit.wait(lambda: unit.state_of("acme") == "active")
    environment = unit.machine.path(f"/proc/{unit.main_pid}/environ").read_bytes()
    assert unit.tokens["acme"].value.encode() not in environment
    assert "not visible from here" in unit.command("config", "check")


def test_a_refused_token_is_told_to_the_channel(unit):
    token = unit.tokens["acme"].token
    unit.simulator.soldscope.revoke_token(token.id, unit.simulator.clock.now())
    unit.wait(lambda: unit.hook.posts)
    ((_, body),) = unit.hook.posts
    assert "acme" in body["title"]
    assert unit.state_of("acme") == "error"


def test_commands_of_a_root_shell_work_beside_the_unit(unit):
    unit.command("ack", "acme", "--note", "on it")
    unit.command("silence", "acme", "--for", "2h", "--reason", "being mended")
    assert "being mended" in unit.command("silence", "list")
    past = json.loads(unit.command("history", "acme", "--json"))
    assert past["transitions"][0]["to"] == "error"


def test_commands_of_a_root_shell_leave_no_file_behind_that_the_daemon_may_not_write(unit):
    uid = int(unit.status_of(unit.main_pid)["Uid"].split()[0])
    assert unit.owners() == {uid}


def test_a_daemon_that_hangs_is_killed_and_started_anew(unit):
    hanging = unit.main_pid
    n_told = len(unit.hook.posts)
    unit.machine.run("kill", "-STOP", str(hanging))
    unit.wait(lambda: unit.machine.property("NRestarts") == "1")
    unit.wait(lambda: unit.machine.property("ActiveState") == "active")
    assert unit.main_pid not in {0, hanging}
    journal = unit.machine.run("journalctl", "--unit=connwatch.service", "--no-pager")
    assert "Watchdog timeout" in journal
    unit.wait(lambda: unit.shown()["acme"]["last_check"]["in_a_row"] > 2)
    assert len(unit.hook.posts) == n_told


def test_no_core_is_left_of_a_daemon_that_was_killed(unit):
    assert unit.status_of(unit.main_pid)["State"].startswith(("S", "R"))
    limits = unit.machine.path(f"/proc/{unit.main_pid}/limits").read_text(encoding="utf-8")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


def test_a_reload_adds_a_connection_without_a_restart(unit):
    before = unit.main_pid
    since = unit.shown()["acme"]["since"]
    unit.configure("acme", "globex")
    unit.systemctl("reload", "connwatch")
    unit.wait(lambda: unit.state_of("globex") == "active")
    assert unit.main_pid == before
    assert unit.shown()["acme"]["since"] == since


def test_a_reload_of_a_bad_file_is_shown_and_changes_nothing(unit):
    before = unit.main_pid
    unit.machine.write(CONFIG, "[checks]\nevry = '5m'\n")
    try:
        unit.systemctl("reload", "connwatch")
        unit.wait(lambda: "not reloaded" in unit.machine.property("StatusText"))
        assert "checks.evry" in [one.get("place") for one in unit.machine.journal()]
        assert (unit.machine.property("ActiveState"), unit.main_pid) == ("active", before)
    finally:
        unit.configure("acme", "globex")
    unit.systemctl("reload", "connwatch")
    unit.wait(lambda: unit.machine.property("StatusText").startswith("watching 2 connections"))
    unit.wait(lambda: "not reloaded" not in unit.machine.property("StatusText"))
    assert unit.main_pid == before


def test_a_stop_ends_it_in_good_order_and_keeps_what_it_knows(unit):
    known = unit.shown()["acme"]
    unit.systemctl("stop", "connwatch")
    told = [unit.machine.property(name) for name in ("ActiveState", "Result", "ExecMainStatus")]
    assert told == ["inactive", "success", "0"]
    assert unit.machine.journal()[-1]["event"] == "daemon.stopped"
    assert unit.shown()["acme"]["since"] == known["since"]
    unit.systemctl("start", "connwatch")
    assert unit.shown()["acme"]["since"] == known["since"]


def test_an_upgrade_takes_an_old_database_along(unit, tmp_path):
    unit.systemctl("stop", "connwatch")
    old = tmp_path / "old.db"
    write_old_database(old, "acme", datetime(2026, 1, 1, tzinfo=UTC))
    owner = state_file(unit.machine, "connwatch.db").stat()
    for name in ("connwatch.db-wal", "connwatch.db-shm"):
        state_file(unit.machine, name).unlink(missing_ok=True)
    state_file(unit.machine, "connwatch.db").write_bytes(old.read_bytes())
    unit.systemctl("start", "connwatch")
    assert HEAD in unit.command("db", "current")
    assert unit.shown()["acme"]["since"] == "2026-01-01T00:00:00Z"
    assert state_file(unit.machine, f"connwatch.db.before-{HEAD}").stat().st_uid == owner.st_uid
    assert unit.owners() == {owner.st_uid}


def test_a_daemon_that_was_killed_outright_comes_back(unit):
    killed = unit.main_pid
    n_before = int(unit.machine.property("NRestarts"))
    unit.machine.run("kill", "-KILL", str(killed))
    unit.wait(lambda: int(unit.machine.property("NRestarts")) > n_before)
    unit.wait(lambda: unit.machine.property("ActiveState") == "active")
    assert unit.main_pid != killed


def test_a_secret_that_was_replaced_counts_after_a_restart(unit):
    renewed = unit.simulator.create_token("acme", "production")
    unit.machine.write("/etc/connwatch/secrets/acme", renewed.value + "\n", 0o600)
    unit.systemctl("restart", "connwatch")
    unit.wait(lambda: unit.state_of("acme") == "active")
    journal = unit.machine.run("journalctl", "--unit=connwatch.service", "--no-pager")
    assert "ss_live_" not in journal
