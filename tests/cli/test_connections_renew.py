"""
`connwatch renew`, and how clocks look in `status` and `check`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from monitor.clock import utc_now
from monitor.judge.outcome import name_day
from monitor.notify.times import format_date, format_day
from tests.bench import OK, Bench, connection
from tests.daemon_process import run_daemon
from tests.waiting import wait_until

CHANNEL = '[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/"\n'


def day(ago: int = 0) -> str:
    return (utc_now() - timedelta(days=ago)).date().isoformat()


def countdown(name: str, ago: int, **more: str) -> str:
    lines = [f'name = "{name}"', 'provider = "countdown"', f"authorized_on = {day(ago)}"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"


def kinds(bench: Bench) -> list[str]:
    alerts = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    return [alert["kind"] for alert in alerts][::-1]


def facts_of(bench: Bench, kind: str) -> dict[str, Any]:
    with closing(sqlite3.connect(bench.database)) as database:
        [(facts,)] = database.execute("select facts from alerts where kind = ?", (kind,))
    return dict(json.loads(facts))


def test_a_countdown_is_checked_when_it_is_judged(bench):
    bench.configure(countdown("store", 100))
    before = utc_now().replace(microsecond=0)
    ended = bench.spawn("check", "--json")
    [each] = json.loads(ended.out)["connections"]
    assert (ended.code, each["state"], each["reason"]) == (0, "active", "ok")
    assert datetime.fromisoformat(each["checked_at"]) >= before
    assert each["latency_ms"] is None
    assert each["authorization"]["days_left"] == 264
    assert each["clocks"][0]["ends_at"] == each["authorization"]["expires_at"]


def test_the_history_of_a_countdown_claims_no_check_that_was_not_made(bench):
    bench.configure(countdown("store", 100))
    bench.run("check")
    said = bench.run("history", "store").out
    assert "on schedule" in said
    assert "works" not in said


def test_a_countdown_past_its_end_has_expired_and_needs_no_network_to_say_so(bench):
    bench.configure(countdown("store", 366), more=CHANNEL)
    assert [bench.spawn("check").code for _ in range(2)] == [2, 2]
    each = bench.shown()["store"]
    assert (each["state"], each["reason"]) == ("expired", "authorization_expired")
    assert (
        each["detail"] == f"The authorization expired on {name_day(utc_now() - timedelta(days=1))}."
    )
    assert each["authorization"]["days_left"] == -2
    assert facts_of(bench, "expired")["provider"] == "countdown"
    assert kinds(bench) == ["expired"]


def test_a_step_is_told_by_a_check_and_its_flag_is_code_1(bench):
    bench.configure(countdown("store", 355), more=CHANNEL)
    assert [bench.spawn("check").code for _ in range(2)] == [1, 1]
    assert bench.shown()["store"]["expiring_soon"] is True
    assert kinds(bench) == ["expiring_soon"]


def test_a_renewal_today_is_told_at_once_and_ends_in_a_year(bench):
    bench.configure(countdown("store", 366), more=CHANNEL)
    for _ in range(2):
        bench.spawn("check")
    ended = bench.spawn("renew", "store")
    assert (ended.code, ended.err) == (0, "")
    now = utc_now()
    recorded, expires = format_date(now, now), format_day(now + timedelta(days=365), now)
    assert f"recorded as renewed on {recorded}; it expires {expires}" in ended.out
    assert "active" in ended.out
    each = bench.shown()["store"]
    assert each["state"] == "active"
    assert each["authorization"] == {
        "authorized_at": f"{day()}T00:00:00Z",
        "expires_at": f"{day(-365)}T00:00:00Z",
        "days_left": 364,
        "source": "declared",
    }
    assert kinds(bench) == ["expired", "renewed"]
    assert "recorded already" in bench.spawn("renew", "store").out
    assert kinds(bench) == ["expired", "renewed"]


def test_the_day_of_a_renewal_may_be_named_and_corrected(bench):
    bench.configure(countdown("store", 300))
    assert "recorded as renewed" in bench.spawn("renew", "store", "--on", day(5)).out
    assert "corrected: authorized on" in bench.spawn("renew", "store", "--on", day(9)).out
    assert bench.shown()["store"]["authorization"]["authorized_at"] == f"{day(9)}T00:00:00Z"


def test_an_instant_with_its_zone_is_a_date_too(bench):
    bench.configure(countdown("store", 300))
    bench.spawn("renew", "store", "--on", "2026-06-01T12:00:00+02:00")
    assert bench.shown()["store"]["authorization"]["authorized_at"] == "2026-06-01T10:00:00Z"


BAD = {
    "a day in the future": (day(-1), "is in the future"),
    "no date": ("yesterday", 'a date such as 2026-01-15, got "yesterday"'),
    "no day of any month": ("2026-02-30", "a date such as 2026-01-15"),
    "too long ago": ("1026-01-15", "too long ago"),
    "an instant without its zone": ("2026-01-15T10:00", "needs its zone"),
}


@pytest.mark.parametrize(("on", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_the_day_of_a_renewal_is_refused(bench, on, said):
    bench.configure(countdown("store", 300))
    ended = bench.run("renew", "store", "--on", on)
    assert (ended.code, ended.out) == (3, "")
    assert f"--on: {said}" in ended.err or said in ended.err
    assert not bench.database.exists()


def test_an_unknown_or_deleted_name_is_not_renewed(bench):
    bench.configure(countdown("store", 300))
    assert 'no connection is called "stor"' in bench.run("renew", "stor").err
    bench.run("delete", "store")
    ended = bench.run("renew", "store")
    assert (ended.code, ended.out) == (3, "")
    assert "was deleted" in ended.err


def test_the_file_speaks_again_only_when_its_date_changes(bench):
    bench.configure(countdown("store", 300))
    bench.spawn("renew", "store", "--on", day(5))
    bench.spawn("check")
    assert bench.shown()["store"]["authorization"]["authorized_at"] == f"{day(5)}T00:00:00Z"
    bench.configure(countdown("store", 200))
    assert bench.shown()["store"]["authorization"]["authorized_at"] == f"{day(200)}T00:00:00Z"
    bench.spawn("check")
    assert bench.shown()["store"]["authorization"]["authorized_at"] == f"{day(200)}T00:00:00Z"


def test_a_paused_one_is_renewed_without_a_word(bench):
    bench.configure(countdown("store", 366), more=CHANNEL)
    bench.run("pause", "store")
    ended = bench.run("renew", "store")
    assert ended.code == 0
    assert "is checked when it is resumed" in ended.out
    each = bench.shown()["store"]
    assert (each["state"], each["authorization"]["days_left"]) == ("paused", 364)
    assert kinds(bench) == []


def test_without_its_secret_a_renewal_is_recorded_and_left_to_the_daemon(bench):
    table = connection("acme", token='{ env = "NOT_SET" }', authorized_on=day(360))
    bench.configure(table)
    ended = bench.run("renew", "acme")
    assert ended.code == 0
    assert "recorded as renewed" in ended.out
    assert "not checked from here" in ended.err
    assert bench.shown()["acme"]["authorization"]["days_left"] == 364


WITHOUT_END = {
    "soldscope": connection("acme"),
    "http": 'name = "acme"\nprovider = "http"\nurl = "http://127.0.0.1:9/me"\ntoken = "t"\n',
    "preset": 'name = "acme"\nprovider = "http"\npreset = "openai"\ntoken = "t"\n',
}


@pytest.mark.parametrize("table", WITHOUT_END.values(), ids=WITHOUT_END)
def test_today_is_no_renewal_of_a_token_without_a_known_expiry(bench, table):
    bench.configure(table)
    ended = bench.run("renew", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert "acme has no known expiry" in ended.err
    assert "connwatch renew acme --on DATE" in ended.err
    assert bench.shown()["acme"]["authorization"] is None

    assert "expires in 362 days" in bench.run("renew", "acme", "--on", day(3)).out


@pytest.mark.parametrize("line", ["valid_days = 0", f"authorized_on = {day(20)}"])
def test_a_renewal_today_is_taken_where_it_invents_nothing(bench, line):
    bench.configure(connection("acme") + line + "\n")
    assert bench.run("renew", "acme").code == 0


def test_a_connection_that_can_be_called_is_checked_and_then_told(bench, simulator):
    issued = simulator.create_token("acme", "production")
    table = connection(
        "acme", simulator.soldscope_url, token=f'"{issued.value}"', authorized_on=day(400)
    )
    bench.configure(table, more=CHANNEL)
    assert bench.spawn("check").code == 1
    each = bench.shown()["acme"]
    assert (each["state"], each["renewal_unrecorded"]) == ("active", True)
    assert (each["authorization"]["expires_at"], each["clocks"]) == (None, [])
    assert kinds(bench) == ["renewal_unrecorded"]
    command = "connwatch renew acme --on DATE"
    assert command in " ".join(bench.run("status").out.split())
    assert facts_of(bench, "renewal_unrecorded")["connection"] == "acme"

    simulator.faults.switch_on("forbidden")
    assert bench.spawn("renew", "acme", "--on", day(3)).code == 0
    assert kinds(bench) == ["renewal_unrecorded"]
    simulator.faults.clear()
    bench.spawn("check")
    assert kinds(bench) == ["renewal_unrecorded", "renewed"]
    assert bench.shown()["acme"]["renewal_unrecorded"] is False


def test_status_sorts_by_what_ends_first(bench):
    bench.configure(
        countdown("late", 10), connection("endless"), countdown("soon", 350), countdown("next", 300)
    )
    bench.evaluate("endless", OK)
    names = [
        each["name"]
        for each in json.loads(bench.run("status", "--json", "--sort", "expiry").out)["connections"]
    ]
    assert names == ["soon", "next", "late", "endless"]
    lines = bench.run("status", "--sort", "expiry").out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("🟢", "⚪"))]
    assert [row[2] for row in rows] == names
    assert "🟠 15 days" in "\n".join(lines)
    assert bench.run("status", "--sort", "name").code == 3


def test_a_day_begins_in_utc(bench):
    bench.configure(countdown("store", 300))
    bench.spawn("renew", "store")
    at = datetime.fromisoformat(bench.shown()["store"]["authorization"]["authorized_at"])
    assert (at.utcoffset(), at.time()) == (timedelta(0), time())
    assert at.tzinfo == UTC


def test_the_daemon_tells_a_step_although_no_check_gets_an_answer(bench):
    bench.configure(connection("acme", authorized_on=day(355)), more=CHANNEL)
    with run_daemon(bench.folder) as daemon:
        wait_until(lambda: "expiring_soon" in kinds(bench))
        assert daemon.named("job.failed") == []


def test_the_daemon_looks_at_the_instant_of_the_end(bench):
    ends_at = utc_now() + timedelta(seconds=3)
    authorized_at = (ends_at - timedelta(days=365)).isoformat()
    table = f'name = "store"\nprovider = "countdown"\nauthorized_on = {authorized_at}\n'
    bench.configure(table, more=CHANNEL + '[checks]\nevery = "1h"\nrecheck_after = "1s"\n')
    with run_daemon(bench.folder) as daemon:
        wait_until(lambda: "expired" in kinds(bench))
    # A start on a busy machine may take longer than that.
    started_at = datetime.fromisoformat(daemon.named("daemon.started")[0]["timestamp"])
    past = json.loads(bench.run("history", "store", "--json").out)
    expired = next(each for each in past["transitions"] if each["to"] == "expired")
    looked_after = datetime.fromisoformat(expired["at"]) - max(ends_at, started_at)
    assert looked_after < timedelta(seconds=10)
