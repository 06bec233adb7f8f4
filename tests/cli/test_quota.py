"""
`connwatch quota`: what is used, what is foreseen, in words and for programs.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.times import format_day
from monitor.store import connections, migrate
from monitor.store.engine import Database
from tests.bench import connection
from tests.builders import entries_of, ok_with

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def use_up(bench, name, per_day, *, days=8, reset_in=None, **more) -> datetime:
    """
    Let *name* have been checked every six hours for so many days, until now.
    """
    plan = make_plan(load_config(bench.config_path))
    database = Database(f"sqlite:///{bench.database}")
    migrate.upgrade(database)
    now = utc_now()
    resets_at: datetime = (now + (reset_in or 17 * DAY)).replace(microsecond=0)
    with database.write() as tx:
        connections.sync(tx, entries_of(plan), now - days * DAY)
        for hour in range(0, days * 24 + 1, 6):
            record = connections.find_record(tx, name)
            assert record is not None
            answer = ok_with(10_000 - per_day * hour // 24, resets_at=resets_at, **more)
            at = now - days * DAY + hour * HOUR
            evaluate(tx, [FinishedCheck(record.id, None, at, answer)], plan)
    database.close()
    return resets_at


def lines(ended) -> list[str]:
    assert (ended.code, ended.err) == (0, "")
    return [line.strip() for line in ended.out.splitlines()]


def test_a_quota_that_will_not_last_says_when_and_how_long_before_the_reset(bench):
    bench.configure(connection("acme"))
    resets_at = use_up(bench, "acme", 600)
    name, bar, left, reset, end, *_ = lines(bench.run("quota"))
    exhausts_at = utc_now() + DAY * 5_200 / 600
    assert name == "acme"
    assert bar.startswith("[█")
    assert bar.count("█") / (len(bar) - 2) == pytest.approx(0.48, abs=0.02)
    assert "·" not in bar
    assert left == "5,200 of 10,000 requests left, 48 % used"
    assert reset == f"resets {format_day(resets_at, utc_now())}"
    near = {
        format_day(exhausts_at + shift, utc_now()) for shift in (-HOUR * 12, 0 * HOUR, HOUR * 12)
    }
    assert any(end.startswith(f"runs out {day}, ") for day in near), end
    assert end.endswith("days before the reset")


def test_a_quota_that_lasts_says_how_much_will_be_left(bench):
    bench.configure(connection("acme"))
    use_up(bench, "acme", 200)
    out = lines(bench.run("quota", "acme"))
    assert out[1].count("·") / (len(out[1]) - 2) == pytest.approx(0.5, abs=0.05)
    assert out[4].startswith("lasts until the reset: about 5,")


def test_it_is_the_same_for_programs(bench):
    bench.configure(connection("acme"))
    resets_at = use_up(bench, "acme", 600)
    ended = bench.run("quota", "--json")
    (each,) = json.loads(ended.out)["connections"]
    (window,) = each["windows"]
    assert (each["name"], each["provider"], each["account"]) == ("acme", "soldscope", "Acme Ltd")
    assert (window["window"], window["limit"], window["remaining"]) == ("", 10_000, 5_200)
    assert (window["unit"], window["deciding"], window["level"]) == ("requests", True, "ok")
    assert window["resets_at"] == f"{resets_at:%Y-%m-%dT%H:%M:%SZ}"
    forecast = window["forecast"]
    assert forecast["earliest"] < forecast["exhausts_at"] < forecast["latest"]
    assert forecast["left_at_reset"] == 0
    assert bench.shown()["acme"]["quota"]["exhausts_at"] == forecast["exhausts_at"]


@pytest.mark.parametrize("width", ["200", "80", "40", "24"])
def test_no_line_is_wider_than_the_terminal(bench, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    bench.configure(connection("acme"))
    use_up(bench, "acme", 600)
    body = bench.run("quota").out.split("\n\n")[0].splitlines()
    assert max(map(len, body)) <= int(width)


def test_it_can_be_read_without_unicode(bench):
    bench.configure(connection("acme"))
    use_up(bench, "acme", 200)
    ended = bench.spawn("quota", PYTHONIOENCODING="ascii", CONNWATCH_CONFIG="config.toml")
    assert ended.code == 0
    assert "[####" in ended.out
    assert "# used   + expected by the reset   . left" in ended.out


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(Reason.OK, is_payment_required=True), "used up: calls that cost quota fail"),
        (ok_with(0, resets_at=utc_now() + 5 * DAY), "used up: calls that cost quota fail"),
        (ok_with(9_000, resets_at=utc_now() + 5 * DAY), "not enough data for a forecast yet"),
        (ok_with(9_000, resets_at=utc_now() - 5 * DAY), "should have been reset 5 days ago ("),
    ],
    ids=["402", "nothing left", "seen once", "a reset in the past"],
)
def test_what_cannot_be_foreseen_is_said(bench, outcome, expected):
    bench.configure(connection("acme"))
    bench.evaluate("acme", outcome)
    assert any(expected in line for line in lines(bench.run("quota")))


def test_without_a_quota_there_is_a_word_for_it(bench):
    bench.configure(connection("acme"), connection("globex"))
    assert lines(bench.run("quota")) == ["no quota has been seen yet"]
    assert lines(bench.run("quota", "acme")) == ["acme", "no quota has been seen yet"]
    ended = bench.run("quota", "--json")
    assert [each["windows"] for each in json.loads(ended.out)["connections"]] == [[], []]


def test_an_unknown_name_is_refused(bench):
    bench.configure(connection("acme"))
    ended = bench.run("quota", "acmee")
    assert ended.code == 3
    assert 'no connection is called "acmee"; did you mean "acme"?' in ended.err
