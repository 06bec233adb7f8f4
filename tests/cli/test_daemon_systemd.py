"""
`connwatch run` as a service of `Type=notify`: what a real daemon tells its starter.
"""

from __future__ import annotations

import signal

import pytest

from tests.bench import NOWHERE, connection
from tests.daemon_process import run_daemon
from tests.notify_socket import abstract_name, listen
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _configured(bench):
    bench.configure(connection("acme", NOWHERE))


def test_a_daemon_tells_that_it_is_ready_alive_and_about_to_end(bench, tmp_path):
    environment = {"WATCHDOG_USEC": "300000", "NOTIFY_SOCKET": str(tmp_path / "notify")}
    with listen(tmp_path / "notify") as systemd, run_daemon(bench.folder, **environment) as daemon:
        wait_until(lambda: systemd.has("READY") and len(systemd.said("WATCHDOG")) >= 3)
        n_alive = len(systemd.said("WATCHDOG"))
        wait_until(lambda: len(systemd.said("WATCHDOG")) > n_alive)
        assert daemon.stop(signal.SIGTERM)[0] == 0
        order = systemd.order("STATUS", "READY", "WATCHDOG", "STOPPING")
        said = systemd.said("STATUS")
    # On a busy machine it is alive before it is ready, which systemd passes over.
    assert [each for each in order if each != "WATCHDOG"][:2] == ["STATUS", "READY"]
    assert "WATCHDOG" in order[order.index("READY") :]
    assert order.index("STOPPING") > order.index("READY")
    assert (said[0], said[-1]) == ("watching 1 connection", "stopping")


def test_a_daemon_whose_start_fails_never_says_that_it_is_ready(bench):
    (bench.folder / "connwatch.db").write_bytes(b"this is no database" * 100)
    with listen(abstract_name()) as systemd:
        with run_daemon(bench.folder, NOTIFY_SOCKET=systemd.address) as daemon:
            assert daemon.end() == 3
        assert not systemd.has("READY")


def test_a_daemon_goes_on_when_the_socket_vanishes(bench, tmp_path):
    address = tmp_path / "notify"
    environment = {"WATCHDOG_USEC": "300000", "NOTIFY_SOCKET": str(address)}
    with listen(address) as systemd, run_daemon(bench.folder, **environment) as daemon:
        wait_until(lambda: systemd.has("READY"))
        systemd.close()
        address.unlink()
        daemon.wait_for("systemd.unreached")
        assert daemon.stop()[0] == 0
        assert len(daemon.named("systemd.unreached")) == 1
