from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from monitor.store import history, results, retention
from monitor.store.schema import check_days, check_hours
from tests.builders import DAY, HOUR, MINUTE, OK, REFUSED, UNREACHED

if TYPE_CHECKING:
    from sqlalchemy import Table

    from monitor.store.engine import Database

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def add(database: Database, table: Table, *starts: datetime, number: int = 1) -> None:
    row = {
        "connection_id": number,
        "n_success": 9,
        "n_refusal": 1,
        "n_inconclusive": 2,
        "latency_us_sum": 500_000,
        "latency_us_max": 90_000,
        "n_latency": 10,
    }
    with database.write() as tx:
        tx.execute(insert(table), [row | {"starts_at": start} for start in starts])


def spans(database: Database, since: datetime, hourly_since: datetime) -> list[tuple[object, ...]]:
    with database.read() as tx:
        found = history.list_sums(tx, 1, since, hourly_since)
    return [(one.starts_at, one.length) for one in found]


@pytest.mark.parametrize(
    "hourly_since",
    [MIDNIGHT, MIDNIGHT + MINUTE, MIDNIGHT + DAY - MINUTE],
    ids=["from midnight", "just after", "just before the next"],
)
def test_days_lead_to_the_day_from_which_hours_are_wanted(database, hourly_since):
    add(database, check_days, *(MIDNIGHT + n * DAY for n in range(-3, 2)))
    add(database, check_hours, *(MIDNIGHT + n * HOUR for n in range(-30, 26)))

    found = spans(database, MIDNIGHT - 2 * DAY, hourly_since)

    assert found == [
        (MIDNIGHT - 2 * DAY, DAY),
        (MIDNIGHT - DAY, DAY),
        *((MIDNIGHT + n * HOUR, HOUR) for n in range(26)),
    ]


def test_a_day_that_began_before_what_is_wanted_is_left_out(database):
    add(database, check_days, MIDNIGHT - 2 * DAY, MIDNIGHT - DAY)
    assert spans(database, MIDNIGHT - 2 * DAY + MINUTE, MIDNIGHT) == [(MIDNIGHT - DAY, DAY)]


def test_the_sums_of_others_are_not_shown(database):
    add(database, check_days, MIDNIGHT - DAY, number=2)
    add(database, check_hours, MIDNIGHT, number=2)
    assert spans(database, MIDNIGHT - 9 * DAY, MIDNIGHT) == []


def test_a_sum_has_the_mean_of_what_was_measured_and_what_failed(database):
    add(database, check_days, MIDNIGHT - DAY)
    add(database, check_hours, MIDNIGHT)
    with database.read() as tx:
        found = history.list_sums(tx, 1, MIDNIGHT - DAY, MIDNIGHT)
    assert found == [
        history.SumRow(MIDNIGHT - DAY, DAY, 50.0, 3),
        history.SumRow(MIDNIGHT, HOUR, 50.0, 3),
    ]


def test_what_the_retention_sums_is_read_as_one_line(database):
    """
    Nothing is shown twice, and nothing between the last day and the first hour is lost.
    """
    begun = MIDNIGHT + 7 * HOUR
    rows = [
        (1, begun + n * 30 * MINUTE, (OK, REFUSED, UNREACHED)[n % 3]) for n in range(2 * 24 * 10)
    ]
    now = begun + 10 * DAY
    with database.write() as tx:
        results.add_checks(tx, rows)
        retention.roll_up(tx, now)

    with database.read() as tx:
        found = history.list_sums(tx, 1, MIDNIGHT, now - 7 * DAY)

    assert [one.length for one in found] == [DAY] * 3 + [HOUR] * (7 * 24 + 6)
    for one, following in pairwise(found):
        assert following.starts_at == one.starts_at + one.length
    assert found[0].starts_at == MIDNIGHT
    summed_until = found[-1].starts_at + HOUR
    n_failed = sum(at < summed_until and outcome is not OK for _, at, outcome in rows)
    assert sum(one.n_failed for one in found) == n_failed


def test_a_sum_without_an_answer_has_no_mean(database):
    with database.write() as tx:
        results.add_checks(tx, [(1, MIDNIGHT, UNREACHED)])
        retention.roll_up(tx, MIDNIGHT + 2 * HOUR)
        [found] = history.list_sums(tx, 1, MIDNIGHT - DAY, MIDNIGHT)
    assert (found.mean_ms, found.n_failed) == (None, 1)
