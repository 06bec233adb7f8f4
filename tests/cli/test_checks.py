"""
`connwatch check`: ask now, judge and store as the daemon does.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli.runner import check_now
from monitor.config.load import load_config
from monitor.engine.checkers import StoredAccess
from tests.bench import NOWHERE, OK, REFUSED, connection
from tests.command_line import converse
from tests.sinks import run_web_hook

if TYPE_CHECKING:
    from tests.command_line import Ended


def reported(ended: Ended) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(ended.out)["connections"]}


def test_a_live_token_is_active_and_stored(bench, live):
    bench.configure(live)
    ended = bench.spawn("check", "--json")
    assert (ended.code, ended.err) == (0, "")
    each = reported(ended)["acme"]
    assert (each["state"], each["reason"], each["account"]) == ("active", "ok", "Acme Ltd")
    assert each["latency_ms"] > 0
    assert each["quota"]["limit"] == 10_000
    assert each["last_check"]["in_a_row"] == 1
    assert bench.shown()["acme"] == each


def test_rows_go_on_from_check_to_check_and_make_alerts_due(bench, live, simulator):
    simulator.faults.switch_on("forbidden")
    bench.configure(live, more='[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/"\n')
    codes = [bench.spawn("check").code for _ in range(2)]
    assert codes == [2, 2]
    past = json.loads(bench.run("history", "acme", "--json").out)
    assert [each["reason"] for each in past["checks"]] == ["permission_denied"] * 2
    assert [each["kind"] for each in past["alerts"]] == ["error"]
    assert past["alerts"][0]["notifications"][0]["state"] == "due"


INCONCLUSIVE = {"throttled": "throttle", "server_error": "server_error"}


@pytest.mark.parametrize(("reason", "fault"), INCONCLUSIVE.items(), ids=INCONCLUSIVE)
def test_no_answer_is_3_although_the_state_stands(bench, live, simulator, reason, fault):
    bench.configure(live)
    bench.evaluate("acme", OK)
    simulator.faults.switch_on(fault)
    ended = bench.spawn("check", "--json")
    each = reported(ended)["acme"]
    assert (ended.code, each["state"], each["last_check"]["reason"]) == (3, "active", reason)
    assert bench.run("status").code == 0


BODIES = {
    "firewall": (3, "active", "ok", "unexpected_response", "ok", ""),
    "no_credit": (2, "active", "ok", "ok", "exhausted", ""),
    "suspended": (
        2,
        "error",
        "permission_denied",
        "permission_denied",
        None,
        "suspended or closed",
    ),
    "token_expired": (
        2,
        "error",
        "token_rejected",
        "token_rejected",
        None,
        "The token has expired",
    ),
    "says_no": (3, "active", "ok", "unexpected_response", "ok", ""),
}


@pytest.mark.parametrize("fault", BODIES)
def test_what_a_body_says_decides(bench, live, simulator, fault):
    code, state, reason, last, level, words = BODIES[fault]
    bench.configure(live)
    assert bench.spawn("check").code == 0
    simulator.faults.switch_on(fault)
    ended = bench.spawn("check", "--json")
    each = reported(ended)["acme"]
    assert (ended.code, each["state"], each["reason"]) == (code, state, reason)
    assert each["last_check"]["reason"] == last
    assert words in each["detail"]
    assert level is None or each["quota"]["level"] == level


def test_the_detail_blames_the_host_that_was_called_last(bench):
    """
    The address is corrected after an error, and the new host does not answer either.
    """
    bench.configure(connection("acme", "http://localhost:9"), more='[checks]\ntimeout = "1s"\n')
    for _ in range(3):
        bench.spawn("check")
    before = bench.shown()["acme"]
    bench.configure(connection("acme", "http://localhost:11"), more='[checks]\ntimeout = "1s"\n')
    bench.spawn("check")
    after = bench.shown()["acme"]
    assert (before["state"], after["state"]) == ("error", "error")
    assert (before["reason"], before["since"]) == (after["reason"], after["since"])
    assert ":9" in before["detail"]
    assert ":11" in after["detail"]
    assert ":9" not in after["detail"]


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_a_failure_counts_only_while_our_own_link_is_there(bench, simulator, is_up):
    url = simulator.soldscope_url if is_up else NOWHERE
    bench.configure(connection("acme"), more=f'[checks]\nuplink = ["{url}"]\n')
    each = reported(bench.spawn("check", "--json"))["acme"]
    assert each["last_check"]["in_a_row"] == (1 if is_up else 0)
    told = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    assert [one["kind"] for one in told] == ([] if is_up else ["monitor_offline"])


def test_only_the_named_ones_are_asked_and_shown(bench, live):
    bench.configure(live, connection("globex"))
    ended = bench.spawn("check", "acme", "--json")
    assert (ended.code, list(reported(ended))) == (0, ["acme"])
    assert bench.shown()["globex"]["checked_at"] is None


def test_what_is_switched_off_is_listed_and_not_called(bench, live, simulator):
    off = connection("off", enabled="false", token='{ env = "NOT_SET" }')
    bench.configure(live, off, connection("paused", simulator.soldscope_url))
    bench.run("pause", "paused")
    bench.configure(
        live, off, connection("paused", simulator.soldscope_url, token='{ env = "NOT_SET" }')
    )
    ended = bench.spawn("check", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert {name: each["state"] for name, each in reported(ended).items()} == {
        "acme": "active",
        "off": "paused",
        "paused": "paused",
    }
    assert bench.shown()["paused"]["checked_at"] is None


def test_a_deleted_one_is_neither_called_nor_listed(bench, live):
    bench.configure(live, connection("globex", token='{ env = "NOT_SET" }'))
    bench.run("delete", "globex")
    ended = bench.spawn("check", "--json")
    assert (ended.code, list(reported(ended))) == (0, ["acme"])
    assert ended.err.count('"globex" was deleted') == 1


def test_a_missing_secret_is_named_before_any_call(bench, live):
    bench.configure(
        live,
        connection("one", token='{ env = "NOT_SET" }'),
        connection("two", token='{ file = "no-such-file" }'),
    )
    ended = bench.spawn("check")
    assert (ended.code, ended.out) == (3, "")
    one, two = ended.err.splitlines()
    assert one.startswith("connwatch: connections[1].token: env NOT_SET: ")
    assert '(needed for "one")' in one
    assert two.startswith("connwatch: connections[2].token: file ")
    assert not bench.database.exists()
    assert bench.spawn("check", "acme").code == 0


def test_a_certificate_that_is_none_is_told_before_any_call(bench, live):
    (bench.folder / "ca.pem").write_text("no certificate")
    bench.configure(live, connection("one", ca_file='"ca.pem"'))
    ended = bench.spawn("check")
    assert (ended.code, ended.out) == (3, "")
    assert "connections[1].ca_file: " in ended.err
    assert bench.spawn("check", "acme").code == 0


def test_the_table_says_how_long_each_took(bench, live):
    bench.configure(live, connection("nowhere", NOWHERE))
    ended = bench.spawn("check")
    first, second, *_ = [line for line in ended.out.splitlines() if line[:1] in ("⚪", "🟢")]
    assert ended.code == 3
    assert "pending  nowhere" in first
    assert second.endswith(" ms")
    assert "2 connections: 1 active, 1 pending" in ended.out


def test_no_secret_is_in_anything_that_is_printed(bench, live, simulator):
    simulator.faults.switch_on("markup_error")
    bench.configure(live)
    ended = bench.spawn("--verbose", "check", "--json")
    assert "ss_live_" not in ended.out + ended.err


# --no-store


def test_no_store_without_a_database_makes_none(bench, live):
    bench.configure(live)
    ended = bench.spawn("check", "--no-store", "--json")
    assert (ended.code, reported(ended)["acme"]["state"]) == (0, "active")
    assert list(bench.folder.iterdir()) == [bench.config_path]


def test_no_store_judges_by_what_is_known_and_leaves_it(bench, live, simulator):
    bench.configure(live)
    bench.evaluate("acme", OK, OK)
    before = bench.database.read_bytes(), bench.shown()
    ended = bench.spawn("check", "--no-store", "--json")
    assert reported(ended)["acme"]["last_check"]["in_a_row"] == 3
    simulator.faults.switch_on("forbidden")
    ended = bench.spawn("check", "--no-store", "--json")
    assert (ended.code, reported(ended)["acme"]["state"]) == (2, "error")
    assert (bench.database.read_bytes(), bench.shown()) == before


def test_no_store_does_not_call_what_is_paused(bench, live):
    bench.configure(live)
    bench.run("pause", "acme")
    each = reported(bench.spawn("check", "--no-store", "--json"))["acme"]
    assert (each["state"], each["checked_at"]) == ("paused", None)


# --send


def test_send_delivers_before_it_exits(bench, live, simulator):
    with run_web_hook() as hook:
        bench.configure(live, more=f'[[channels]]\nname = "ops"\nurl = "{hook.url()}"\n')
        bench.evaluate("acme", OK, REFUSED)
        simulator.faults.switch_on("forbidden")
        bench.evaluate("acme", REFUSED)
        ended = bench.spawn("check", "--send")
    assert (ended.code, ended.err) == (2, "connwatch: notifications: 1 sent\n")
    assert len(hook.posts) == 1
    past = json.loads(bench.run("history", "acme", "--json").out)
    (notification,) = past["alerts"][0]["notifications"]
    assert (notification["state"], notification["attempts"]) == ("sent", 1)


def test_without_send_nothing_is_sent(bench, live):
    with run_web_hook() as hook:
        bench.configure(live, more=f'[[channels]]\nname = "ops"\nurl = "{hook.url()}"\n')
        bench.evaluate("acme", OK, REFUSED, REFUSED)
        assert bench.spawn("check").code == 0
    assert hook.posts == []


def test_send_says_what_failed_and_keeps_the_exit_code(bench, live):
    with run_web_hook() as hook:
        hook.answers["/hook"] = 500
        bench.configure(live, more=f'[[channels]]\nname = "ops"\nurl = "{hook.url()}"\n')
        bench.evaluate("acme", OK, REFUSED, REFUSED)
        ended = bench.spawn("check", "--send")
    assert ended.code == 0
    assert "connwatch: notifications: 1 failed, will be retried\n" in ended.err
    past = json.loads(bench.run("history", "acme", "--json").out)
    assert [each["kind"] for each in past["alerts"]] == ["recovered", "error"]
    assert past["alerts"][1]["notifications"][0]["attempts"] == 1


def test_send_with_nothing_due_says_so(bench, live):
    bench.configure(live)
    ended = bench.spawn("check", "--send")
    assert (ended.code, ended.err) == (0, "connwatch: notifications: 0 sent\n")


def test_send_needs_the_secrets_of_the_channels_first(bench, live):
    bench.configure(live, more='[[channels]]\nname = "ops"\nurl = { env = "NOT_SET" }\n')
    ended = bench.spawn("check", "--send")
    assert (ended.code, ended.out) == (3, "")
    assert "channels[0].url: env NOT_SET" in ended.err
    assert not bench.database.exists()
    assert bench.spawn("check").code == 0


# The bar


@pytest.mark.parametrize(("n", "is_shown"), [(20, False), (21, True)])
def test_a_bar_is_shown_for_many_connections_on_a_terminal(bench, n, is_shown, simulator):
    tables = [connection(f"connection-{number}", simulator.soldscope_url) for number in range(n)]
    bench.configure(*tables)
    terminal = {"TERM": "xterm-256color"}
    code, seen = converse("check", "--no-store", cwd=bench.folder, answers=[], env=terminal)
    assert (code, "checking" in seen) == (2, is_shown)


def test_no_bar_is_shown_where_stderr_is_no_terminal(bench, simulator):
    tables = [connection(f"connection-{number}", simulator.soldscope_url) for number in range(21)]
    bench.configure(*tables)
    assert bench.spawn("check", "--no-store").err == ""


def test_no_more_checks_run_at_once_than_the_file_allows(bench, simulator):
    simulator.faults.switch_on("latency_ms", value=200)
    names = [f"connection-{number}" for number in range(5)]
    tables = [connection(name, simulator.soldscope_url) for name in names]
    bench.configure(*tables, more="[checks]\nconcurrency = 1\n")
    began = time.monotonic()
    answers = check_now(load_config(bench.config_path), names, {}, StoredAccess())
    assert time.monotonic() - began >= 5 * 0.2
    # Waiting for one's turn is not the service's latency.
    latencies = [outcome.latency_ms for _, outcome in answers.values()]
    assert max(latency for latency in latencies if latency is not None) < 4 * 200
    assert None not in latencies


@pytest.mark.parametrize("options", [(), ("--no-store",)], ids=["stored", "not stored"])
def test_a_first_check_without_an_answer_says_what_to_look_at(bench, options):
    bench.configure(connection("acme"))
    ended = bench.run("check", *options)
    assert ended.code == 3
    assert "Cannot connect to 127.0.0.1:9" in " ".join(ended.out.split())
