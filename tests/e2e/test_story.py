"""
The whole story with real processes: works, revoked, told, renewed, told, restarted.
"""

from __future__ import annotations

import json

import pytest

from tests.bench import Bench, connection, run_simulator
from tests.daemon_process import run_daemon
from tests.sinks import run_web_hook
from tests.waiting import wait_until

SETTINGS = """
[web]
listen = ""

[alerts]
group_wait = "1s"

[checks]
every = "10s"
recheck_after = "1s"

[[channels]]
name = "ops"
url = "{url}"
"""


@pytest.mark.slow
def test_a_revoked_token_is_told_once_and_so_is_its_successor(tmp_path):
    bench = Bench(tmp_path)
    token_file = tmp_path / "token"

    def story() -> tuple[str, str]:
        each = bench.shown()["acme"]
        return each["state"], each["reason"]

    with run_simulator() as simulator, run_web_hook() as hook:
        revoked = simulator.create_token("acme", "production")
        token_file.write_text(revoked.value + "\n")
        table = connection("acme", simulator.soldscope_url, token='{ file = "token" }')
        bench.configure(table, more=SETTINGS.format(url=hook.url()))

        # It works, and nobody hears of that.
        with run_daemon(tmp_path) as daemon:
            daemon.wait_for("daemon.started")
            wait_until(lambda: story() == ("active", "ok"))

            # Revoked. Looked at by hand, to save the wait; the daemon confirms and tells.
            simulator.soldscope.revoke_token(revoked.token.id, simulator.clock.now())
            assert bench.spawn("check").code == 2
            wait_until(lambda: len(hook.posts) == 1)
            assert story() == ("error", "token_rejected")

            # A new one in the same file is found without a restart.
            renewed = simulator.create_token("acme", "production")
            token_file.write_text(renewed.value + "\n")
            assert bench.spawn("check").code == 0
            wait_until(lambda: len(hook.posts) == 2)
            wait_until(lambda: last_checks(bench)[:2] == ["ok", "ok"])  # the daemon's own

            code, took_s = daemon.stop()
            assert (code, took_s < 10) == (0, True)

        before = bench.shown()["acme"]
        n_checks = len(last_checks(bench))

        # Started again, it knows where it was and tells nothing twice.
        with run_daemon(tmp_path) as daemon:
            daemon.wait_for("daemon.started")
            wait_until(lambda: len(last_checks(bench)) > n_checks)
            assert daemon.stop()[0] == 0
        after = bench.shown()["acme"]
        assert (after["state"], after["since"]) == ("active", before["since"])
        assert after["last_check"]["in_a_row"] > before["last_check"]["in_a_row"]

    past = json.loads(bench.run("history", "acme", "--json").out)
    assert [each["to"] for each in past["transitions"]] == ["active", "error", "active"]
    assert [each["kind"] for each in past["alerts"]] == ["recovered", "error"]
    titles = [body["title"] for _, body in hook.posts]
    assert ["rejected" in titles[0], "works again" in titles[1]] == [True, True]
    assert len(titles) == 2
    assert "ss_live_" not in json.dumps(hook.posts) + "".join(daemon.lines)


def last_checks(bench: Bench) -> list[str]:
    past = json.loads(bench.run("history", "acme", "--json").out)
    return [each["reason"] for each in past["checks"]]
