from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.judge.outcome import Reason
from monitor.store.history import CheckRow, SumRow
from monitor.store.retention import KEEP_DAYS, KEEP_HOURS, KEEP_RAW
from monitor.web.charts import BOTTOM, DAYS_SHOWN, HEIGHT, RAW_SHOWN, draw_charts
from monitor.web.pages.connection import HOURLY_SHOWN
from tests.builders import DAY, HOUR, MINUTE
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import timedelta

MIDNIGHT = NOON - 12 * HOUR
EACH: Any = {"state": "active", "quota": None}


def days(n: int, mean_ms: float = 40.0) -> list[SumRow]:
    return [SumRow(MIDNIGHT - (7 + n - each) * DAY, DAY, mean_ms, 0) for each in range(n)]


def hours(n: int, mean_ms: float = 40.0) -> list[SumRow]:
    return [SumRow(NOON - (n - each) * HOUR, HOUR, mean_ms, 0) for each in range(n)]


def checks(n: int, every: timedelta = 5 * MINUTE) -> list[CheckRow]:
    return [CheckRow(NOON - (each + 1) * every, Reason.OK, 40.0, "") for each in range(n)]


def drawn(sums: list[SumRow], raw: list[CheckRow]):
    known = {"states": [], "quotas": [], "outlook": None, "sums": sums, "checks": raw}
    return draw_charts(known, EACH, NOON)["latency"]


def points(line) -> list[str]:
    return [point for piece in line.pieces for point in piece.split()]


@pytest.mark.parametrize(
    ("sums", "raw", "how", "n_points"),
    [
        ([], [], "", 0),
        ([], checks(3), "each check", 3),
        (hours(47), checks(3), "each check", 3),
        (hours(48), checks(3), "hourly mean", 48),
        (days(1), checks(3), "each check", 3),
        (days(1) + hours(5), checks(3), "daily mean, of the last week hourly", 6),
        (days(30), [], "daily mean, of the last week hourly", 30),
        (days(83) + hours(168), checks(3), "daily mean, of the last week hourly", 251),
    ],
    ids=[
        "nothing yet",
        "the first checks",
        "not two days yet",
        "two days",
        "one day, a week ago",
        "checked now and then",
        "paused for a week",
        "three months",
    ],
)
def test_the_line_shows_the_longest_that_there_is(sums, raw, how, n_points):
    line, said = drawn(sums, raw)
    assert (said, len(points(line)) if line else 0) == (how, n_points)


def test_single_checks_are_drawn_of_the_last_day_alone():
    line, _ = drawn([], checks(40, HOUR))
    assert len(points(line)) == 24


def test_the_line_fills_the_picture_and_a_sum_stands_in_the_middle_of_its_time():
    line, _ = drawn(days(83) + hours(180), [])
    xs = [float(point.split(",")[0]) for point in points(line)]
    assert xs[0] == 48
    assert xs[-1] == pytest.approx(610, abs=0.2)
    # 562 points wide; the last day's middle is half a day and half an hour before the first hour's.
    assert xs[83] - xs[82] == pytest.approx(562 * (12.5 * HOUR / (90 * DAY)), abs=0.11)
    assert xs[82] - xs[81] == pytest.approx(562 / 90, abs=0.11)


def test_a_day_in_which_something_failed_has_its_dot():
    sums = days(3)
    sums[1] = SumRow(sums[1].starts_at, DAY, 40.0, 2)
    line, _ = drawn(sums, [])
    assert len(line.dots) == 1
    assert line.dots[0][0] == float(points(line)[1].split(",")[0])


def test_a_day_without_an_answer_parts_the_line():
    sums = days(5)
    sums[2] = SumRow(sums[2].starts_at, DAY, None, 7)
    line, _ = drawn(sums, [])
    assert [len(piece.split()) for piece in line.pieces] == [2, 2]
    assert all(float(point.split(",")[1]) < HEIGHT - BOTTOM for point in points(line))


@pytest.mark.parametrize(
    ("shown", "kept"),
    [(RAW_SHOWN, KEEP_RAW), (HOURLY_SHOWN, KEEP_HOURS), (DAYS_SHOWN, KEEP_DAYS)],
    ids=["checks", "hours", "days"],
)
def test_no_chart_reaches_further_back_than_what_is_kept(shown, kept):
    assert shown <= kept
