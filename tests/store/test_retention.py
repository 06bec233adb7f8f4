from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from monitor.judge.audit import Action, AuditRow
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.store import audit, incidents, results, retention, schema
from monitor.store.schema import check_days, check_hours, checks, offline_times
from tests.builders import DAY, HOUR, MINUTE, OK, REFUSED, UNREACHED, throttled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from monitor.store.engine import Database

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)

Sums = tuple[int, int, int, int, int, int]


def add(database: Database, *rows: tuple[int, datetime, Outcome]) -> None:
    with database.write() as tx:
        results.add_checks(tx, rows)


def roll_up(database: Database, now: datetime) -> None:
    with database.write() as tx:
        retention.roll_up(tx, now)


def sums(database: Database, table: Table) -> dict[tuple[datetime, int], Sums]:
    with database.read() as tx:
        return {
            (row.starts_at, row.connection_id): (
                row.n_success,
                row.n_refusal,
                row.n_inconclusive,
                row.latency_us_sum,
                row.latency_us_max,
                row.n_latency,
            )
            for row in tx.execute(select(table))
        }


def instants(database: Database) -> list[datetime]:
    with database.read() as tx:
        return list(tx.execute(select(checks.c.at).order_by(checks.c.id)).scalars())


def took(outcome: Outcome, latency_ms: float) -> Outcome:
    return Outcome(outcome.reason, outcome.detail, latency_ms)


def test_an_hour_is_summed_by_class_and_latency(database):
    add(
        database,
        (1, MIDNIGHT, took(OK, 40.0)),
        (1, MIDNIGHT + MINUTE, took(OK, 60.5)),
        (1, MIDNIGHT + 2 * MINUTE, took(REFUSED, 10.0)),
        (1, MIDNIGHT + 3 * MINUTE, UNREACHED),
        (2, MIDNIGHT + 59 * MINUTE + 59 * SECOND, UNREACHED),
        (1, MIDNIGHT + HOUR, took(OK, 7.0)),
    )
    roll_up(database, MIDNIGHT + 2 * HOUR + 5 * MINUTE)
    assert sums(database, check_hours) == {
        (MIDNIGHT, 1): (2, 1, 1, 110_500, 60_500, 3),
        (MIDNIGHT, 2): (0, 0, 1, 0, 0, 0),
        (MIDNIGHT + HOUR, 1): (1, 0, 0, 7_000, 7_000, 1),
    }


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_counted_by_its_class(database, reason):
    add(database, (1, MIDNIGHT, Outcome(reason)))
    roll_up(database, MIDNIGHT + 2 * HOUR)
    expected = {
        OutcomeClass.SUCCESS: (1, 0, 0),
        OutcomeClass.REFUSAL: (0, 1, 0),
        OutcomeClass.INCONCLUSIVE: (0, 0, 1),
        OutcomeClass.THROTTLED: (0, 0, 0),
    }[reason.outcome_class]
    assert sums(database, check_hours) == {(MIDNIGHT, 1): (*expected, 0, 0, 0)}


def test_a_reason_of_another_release_counts_as_inconclusive(database):
    add(database, (1, MIDNIGHT, OK))
    with database.write() as tx:
        tx.execute(checks.update().values(reason="solar_flare"))
    roll_up(database, MIDNIGHT + 2 * HOUR)
    assert sums(database, check_hours)[MIDNIGHT, 1][:3] == (0, 0, 1)


def test_a_throttled_check_still_has_a_latency(database):
    add(database, (1, MIDNIGHT, took(throttled(), 5.0)))
    roll_up(database, MIDNIGHT + 2 * HOUR)
    assert sums(database, check_hours) == {(MIDNIGHT, 1): (0, 0, 0, 5_000, 5_000, 1)}


def test_an_hour_is_summed_when_nothing_can_come_any_more(database):
    add(database, (1, MIDNIGHT, OK))
    roll_up(database, MIDNIGHT + HOUR + 4 * MINUTE)
    assert sums(database, check_hours) == {}
    # A batch that waited for the database; its checks are older than the last ones stored.
    add(database, (1, MIDNIGHT + HOUR + MINUTE, OK), (1, MIDNIGHT + 59 * MINUTE, OK))
    roll_up(database, MIDNIGHT + HOUR + 5 * MINUTE)
    assert {key: found[0] for key, found in sums(database, check_hours).items()} == {
        (MIDNIGHT, 1): 2
    }
    roll_up(database, MIDNIGHT + 2 * HOUR + 5 * MINUTE)
    assert {key: found[0] for key, found in sums(database, check_hours).items()} == {
        (MIDNIGHT, 1): 2,
        (MIDNIGHT + HOUR, 1): 1,
    }


def test_a_day_is_the_sum_of_its_hours(database):
    add(
        database,
        (1, MIDNIGHT, took(OK, 40.0)),
        (2, MIDNIGHT + 12 * HOUR, UNREACHED),
        (1, MIDNIGHT + 23 * HOUR, took(REFUSED, 60.0)),
        (1, MIDNIGHT + DAY, took(OK, 7.0)),
    )
    roll_up(database, MIDNIGHT + DAY + 4 * MINUTE)
    assert sums(database, check_days) == {}
    roll_up(database, MIDNIGHT + DAY + 5 * MINUTE)
    assert sums(database, check_days) == {
        (MIDNIGHT, 1): (1, 1, 0, 100_000, 60_000, 2),
        (MIDNIGHT, 2): (0, 0, 1, 0, 0, 0),
    }


def test_rolling_up_again_changes_nothing(database):
    now = MIDNIGHT + 30 * HOUR + 5 * MINUTE
    add(database, *((1, MIDNIGHT + number * 7 * MINUTE, took(OK, 40.0)) for number in range(400)))
    roll_up(database, now)
    before = sums(database, check_hours), sums(database, check_days), instants(database)
    for seconds in (0, 1, 3_599):
        roll_up(database, now + seconds * SECOND)
        assert (
            sums(database, check_hours),
            sums(database, check_days),
            instants(database),
        ) == before


def test_a_clock_that_goes_back_harms_nothing(database):
    add(database, (1, MIDNIGHT, OK), (1, MIDNIGHT + HOUR, OK))
    roll_up(database, MIDNIGHT + 3 * HOUR)
    before = sums(database, check_hours)
    roll_up(database, MIDNIGHT + HOUR)
    roll_up(database, MIDNIGHT + 3 * HOUR)
    assert sums(database, check_hours) == before


def test_nothing_to_roll_up_is_fine(database):
    roll_up(database, MIDNIGHT)
    assert sums(database, check_hours) == {}


def test_raw_checks_stay_two_days(database):
    now = MIDNIGHT + 2 * DAY + HOUR
    kept = [MIDNIGHT + HOUR, MIDNIGHT + HOUR + SECOND, now]
    add(database, *((1, at, OK) for at in (MIDNIGHT, MIDNIGHT + HOUR - SECOND, *kept)))
    roll_up(database, now)
    assert instants(database) == kept


def test_checks_are_pruned_in_whatever_order_they_came(database):
    now = MIDNIGHT + 3 * DAY
    late = MIDNIGHT + DAY - SECOND
    add(database, (1, MIDNIGHT, OK), (1, MIDNIGHT + DAY + SECOND, OK), (1, late, OK), (1, now, OK))
    roll_up(database, now)
    # What came late goes with those that came before it, a little later.
    assert instants(database) == [MIDNIGHT + DAY + SECOND, late, now]
    roll_up(database, now + HOUR)
    assert instants(database) == [now]


def test_a_daemon_that_was_off_for_days_sums_before_it_prunes(database):
    add(database, (1, MIDNIGHT, OK), (1, MIDNIGHT + HOUR, REFUSED))
    roll_up(database, MIDNIGHT + 30 * DAY)
    assert instants(database) == []
    assert {key: found[:3] for key, found in sums(database, check_hours).items()} == {
        (MIDNIGHT, 1): (1, 0, 0),
        (MIDNIGHT + HOUR, 1): (0, 1, 0),
    }
    assert {key: found[:3] for key, found in sums(database, check_days).items()} == {
        (MIDNIGHT, 1): (1, 1, 0)
    }


def test_hours_stay_ninety_days_and_days_two_years(database):
    add(database, (1, MIDNIGHT, OK), (1, MIDNIGHT + HOUR, OK))
    roll_up(database, MIDNIGHT + 90 * DAY)
    assert len(sums(database, check_hours)) == 2
    roll_up(database, MIDNIGHT + 90 * DAY + SECOND)
    assert list(sums(database, check_hours)) == [(MIDNIGHT + HOUR, 1)]
    roll_up(database, MIDNIGHT + 730 * DAY)
    assert sums(database, check_hours) == {}
    assert list(sums(database, check_days)) == [(MIDNIGHT, 1)]
    roll_up(database, MIDNIGHT + 730 * DAY + SECOND)
    assert sums(database, check_days) == {}


def sum_up(
    rows: Iterable[tuple[int, datetime, Outcome]], length: timedelta
) -> dict[tuple[datetime, int], Sums]:
    """
    The same, the simple way.
    """
    groups = defaultdict(list)
    for number, at, outcome in rows:
        groups[at - (at - MIDNIGHT) % length, number].append(outcome)
    found = {}
    for key, outcomes in groups.items():
        classes = [one.reason.outcome_class for one in outcomes]
        latencies = [round(one.latency_ms * 1000) for one in outcomes if one.latency_ms is not None]
        found[key] = (
            classes.count(OutcomeClass.SUCCESS),
            classes.count(OutcomeClass.REFUSAL),
            classes.count(OutcomeClass.INCONCLUSIVE),
            sum(latencies),
            max(latencies, default=0),
            len(latencies),
        )
    return found


@pytest.mark.parametrize("seed", range(2))
def test_no_check_is_lost_or_counted_twice_whenever_it_is_rolled_up(database, seed):
    """
    Four days of checks that come up to five minutes late, rolled up at any instant.
    """
    chance = random.Random(seed)
    now, written, waiting = MIDNIGHT, [], []
    while now < MIDNIGHT + 4 * DAY:
        now += chance.choice([1, 5, 20]) * MINUTE
        for _ in range(chance.randrange(4)):
            outcome = took(chance.choice([OK, REFUSED, UNREACHED, throttled()]), chance.random())
            waiting.append((chance.randrange(1, 4), now, outcome))
        if chance.random() < 0.8 or any(now - at >= 5 * MINUTE for _, at, _ in waiting):
            # What is older than that when time leaps was written before the leap.
            add(database, *waiting)
            written += waiting
            waiting = []
        if chance.random() < 0.3 and not waiting:
            roll_up(database, now)
    add(database, *waiting)
    written += waiting
    roll_up(database, MIDNIGHT + 6 * DAY)
    assert sums(database, check_hours) == sum_up(written, HOUR)
    assert sums(database, check_days) == sum_up(written, DAY)


def steps_of_roll_up(database: Database, now: datetime) -> int:
    """
    Count how many hundreds of SQLite's own steps a roll-up takes.
    """
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database.write() as tx:
        raw = tx.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(count, 100)
        retention.roll_up(tx, now)
        raw.set_progress_handler(None, 100)
        assert tx.execute(select(func.count()).select_from(checks)).scalar_one() > 0
    return steps


def test_a_roll_up_reads_the_last_hours_only(open_database, database):
    """
    A hundred checks an hour for a day and a half, or for two hours: the same work.
    """
    rows = [(1, MIDNIGHT + number * 36 * SECOND, OK) for number in range(3_700)]
    add(database, *rows[:3_500])
    roll_up(database, MIDNIGHT + 35 * HOUR + 5 * MINUTE)
    add(database, *rows[3_500:])
    steps = steps_of_roll_up(database, MIDNIGHT + 36 * HOUR + 5 * MINUTE)
    with database.write() as tx:
        tx.execute(checks.delete().where(checks.c.at < MIDNIGHT + 34 * HOUR))
        tx.execute(check_hours.delete().where(check_hours.c.starts_at >= MIDNIGHT + 35 * HOUR))
    with database.write() as tx:
        tx.exec_driver_sql("UPDATE watermarks SET at = at - 3600000000 WHERE name = 'hours'")
    fewer = steps_of_roll_up(database, MIDNIGHT + 36 * HOUR + 5 * MINUTE)
    assert steps < 1.5 * fewer
    assert len(sums(database, check_hours)) == 36


def test_the_audit_stays_two_years(database):
    now = MIDNIGHT
    rows = [
        AuditRow(now - audit.KEEP_AUDIT + after, "cli:root", Action.PAUSE, "acme")
        for after in (-SECOND, timedelta(), SECOND, audit.KEEP_AUDIT)
    ]
    with database.write() as tx:
        for row in rows:
            audit.add_audit(tx, row)
    roll_up(database, now)
    with database.read() as tx:
        assert [row for _, row in audit.list_audit(tx)] == rows[:0:-1]
    assert audit.KEEP_AUDIT == retention.KEEP_DAYS


def test_outages_and_offline_times_go_three_months_after_their_end(database):
    ended, lasting = MIDNIGHT - 90 * DAY - SECOND, None
    with database.write() as tx:
        for at in (ended, lasting):
            one = incidents.begin_outage(tx, "api.example.com", MIDNIGHT - 200 * DAY)
            time = incidents.begin_offline(tx, MIDNIGHT - 200 * DAY, None)
            if at is not None:
                incidents.end_outage(tx, one, at)
                incidents.end_offline(tx, time, at)
    roll_up(database, MIDNIGHT)
    with database.read() as tx:
        assert len(incidents.list_open_outages(tx)) == 1
        assert incidents.find_offline_time(tx) is not None
        for table in (schema.outages, offline_times):
            assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 1
