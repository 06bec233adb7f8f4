"""
A reload: files change, a real daemon is signalled, and goes on with what they say now.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench import NOWHERE, connection
from tests.daemon_process import run_daemon
from tests.notify_socket import listen
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.daemon_process import Daemon


@pytest.fixture
def make(simulator):
    """
    Makes the table of a connection that works.
    """

    tokens: dict[str, str] = {}

    def make(name: str, **more: str) -> str:
        if name not in tokens:
            tokens[name] = simulator.create_token("acme", name).value
        return connection(name, simulator.soldscope_url, **{"token": f'"{tokens[name]}"', **more})

    return make


def hup(daemon: Daemon, event: str = "config.reloaded") -> dict[str, Any]:
    """
    Signal a reload, and return how it ended.
    """
    before = len(daemon.named(event))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(daemon.named(event)) > before or daemon.process.poll() is not None)
    return daemon.named(event)[before]


def started(daemon: Daemon) -> None:
    daemon.wait_for("daemon.started")


def test_connections_are_added_changed_removed_and_kept(bench, make):
    kept, removed = make("kept", every='"10m"'), make("removed")
    changed = make("changed", token='"ss_live_wrong"', every='"10m"')
    bench.configure(kept, removed, changed)
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        wait_until(lambda: bench.shown()["changed"]["state"] == "error")
        wait_until(lambda: bench.shown()["kept"]["state"] == "active")
        before = bench.shown()["kept"]
        bench.configure(kept, make("changed", every='"10m"'), make("added"))
        told = hup(daemon)
        assert (told["added"], told["changed"]) == (["added"], ["changed"])
        assert (told["removed"], told["kept"]) == (["removed"], 1)
        # Neither would be asked for minutes.
        wait_until(lambda: bench.shown()["changed"]["state"] == "active")
        wait_until(lambda: bench.shown()["added"]["state"] == "active")
        assert bench.shown().keys() == {"kept", "changed", "added"}
        assert bench.shown()["kept"] == before
        assert daemon.stop()[0] == 0


def test_an_entry_that_comes_back_continues_and_what_needs_a_restart_is_named(bench, make):
    one, two = make("one"), make("two")
    bench.configure(one, two)
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        wait_until(lambda: bench.shown()["two"]["state"] == "active")
        since = bench.shown()["two"]["since"]
        bench.configure(one)
        assert hup(daemon)["removed"] == ["two"]
        assert bench.shown().keys() == {"one"}
        bench.configure(one, two)
        assert hup(daemon)["added"] == ["two"]
        assert bench.shown()["two"]["since"] == since
        bench.configure(one, more='[monitor]\ndatabase = "sqlite:///other.db"\n')
        assert hup(daemon)["removed"] == ["two"]
        named = [each["place"] for each in daemon.named("config.needs_restart")]
        assert named == ["monitor.database"]
        assert not (bench.folder / "other.db").exists()


def test_a_bad_file_changes_nothing_and_every_mistake_is_told(bench, make, tmp_path):
    good = make("good")
    bench.configure(good)
    notify = str(tmp_path / "notify")
    with listen(notify) as systemd, run_daemon(bench.folder, NOTIFY_SOCKET=notify) as daemon:
        started(daemon)
        bench.configure(make("other", every='"5s"'), 'name = "x"\nprovider = "nobody"\n')
        told = hup(daemon, "config.not_reloaded")
        mistakes = {each["place"]: each["why"] for each in daemon.named("config.mistake")}
        assert mistakes["connections[0].every"] == "at least 10s, got 5s"
        assert told["mistakes"] == len(mistakes) >= 2
        wait_until(lambda: "former settings" in systemd.said("STATUS")[-1])
        assert systemd.said("STATUS")[-1].startswith("watching 1 connection; the file was not")
        bench.configure(good)
        assert hup(daemon)["kept"] == 1
        wait_until(lambda: systemd.said("STATUS")[-1] == "watching 1 connection")
        assert systemd.order("READY", "RELOADING") == ["READY", *2 * ["RELOADING", "READY"]]
        [first, _] = systemd.said("MONOTONIC_USEC")
        assert 0 < int(first) <= time.monotonic_ns() // 1000
        assert daemon.stop()[0] == 0


SPOILT = {
    "does not exist": None,
    "not TOML": "[[connections",
    "set web.password": '[web]\nlisten = "0.0.0.0:1"',
    "is empty": "# connwatch\n",
    "missing.j2": '[[channels]]\nname = "ops"\nurl = "json://127.0.0.1"\ntemplate = "missing.j2"',
    "is not set": '[[channels]]\nname = "ops"\nurl = { env = "NOWHERE_TO_BE_FOUND" }',
    "Apprise cannot use this URL": '[[channels]]\nname = "ops"\nurl = "nothing://x"',
}


def test_nothing_that_cannot_be_used_keeps_the_daemon_from_its_work(bench):
    bench.configure(connection("acme", NOWHERE))
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        for why, text in SPOILT.items():
            bench.config_path.unlink(missing_ok=True)
            if text is not None:
                bench.configure()
                bench.config_path.write_text(text)
            hup(daemon, "config.not_reloaded")
            assert why in daemon.named("config.mistake")[-1]["why"]
        assert daemon.stop()[0] == 0


def test_files_that_are_renamed_into_place_and_mounts_that_swap_a_link_are_read(bench, make):
    """
    Editors write another file and rename it; Kubernetes has config.toml -> ..data/config.toml,
    and ..data -> a folder of that moment.
    """

    def write_at(moment: str, *names: str) -> None:
        folder = bench.folder / moment
        folder.mkdir()
        bench.configure(*map(make, names))
        bench.config_path.rename(folder / "config.toml")

    link, data = bench.folder / "link", bench.folder / "..data"
    write_at("..1", "one")
    write_at("..2", "one", "two")
    write_at("..3", "one", "two", "three")
    data.symlink_to("..1")
    link.symlink_to("..data/config.toml")
    link.rename(bench.config_path)
    with run_daemon(bench.folder, "--config", "config.toml") as daemon:
        started(daemon)
        link.symlink_to("..2")
        link.replace(data)
        assert hup(daemon)["added"] == ["two"]
        (bench.folder / "..3" / "config.toml").replace(bench.config_path)
        assert hup(daemon)["added"] == ["three"]


def test_a_secret_in_a_file_of_its_own_is_read_again(bench, simulator):
    secret = bench.folder / "token"
    secret.write_text("ss_live_wrong")
    text = connection("acme", simulator.soldscope_url, token='{ file = "token" }', every='"10m"')
    bench.configure(text, more='[checks]\nrecheck_after = "5m"\n')
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        wait_until(lambda: bench.shown()["acme"]["state"] == "error")
        secret.write_text(simulator.create_token("acme", "fresh").value)
        assert hup(daemon)["changed"] == ["acme"]
        wait_until(lambda: bench.shown()["acme"]["state"] == "active")
        assert "ss_live" not in "".join(daemon.lines)


def test_signals_at_once_end_in_the_latest_file(bench, make):
    one, two = make("one"), make("two")
    bench.configure(one)
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
        bench.configure(one, two)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bench.shown()["two"]["state"] == "active")
        assert len(daemon.named("config.reloaded")) < 20
        assert daemon.stop()[0] == 0


def test_a_signal_during_the_start_reloads_after_it_and_one_during_the_stop_does_nothing(
    bench, make
):
    bench.configure(make("one"))
    with run_daemon(bench.folder) as daemon:
        # The first thing that a start leaves behind, well before it serves.
        wait_until((bench.folder / "connwatch.db.lock").exists)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(daemon.named("config.reloaded")))
        order = [each["event"] for each in daemon.events]
        assert order.index("daemon.started") < order.index("config.reloaded")
        daemon.process.send_signal(signal.SIGTERM)
        while daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.001)
        assert daemon.end() == 0


def test_a_channel_that_is_added_is_told_by_the_settings_of_now(bench, make, hook):
    hasty = '[checks]\nrecheck_after = "1s"\n[alerts]\ngroup_wait = "1s"\n'
    wrong = '"ss_live_wrong"'
    bench.configure(make("one"))
    with run_daemon(bench.folder) as daemon:
        started(daemon)
        channel = f'[[channels]]\nname = "ops"\nurl = "{hook.url()}"\n'
        bench.configure(make("one"), make("two", token=wrong), more=hasty + channel)
        assert hup(daemon)["tables"] == ["checks", "alerts", "channels"]
        daemon.wait_for("notification.sent")
