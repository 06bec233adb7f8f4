"""
Live a year of checks through the real retention, and measure what it leaves.

`python -m tests.benchmarks year [--connections 1000] [--days 365] [--keep FILE]` prints how large
the file was at its largest and at the end, and how long people wait for what they ask of it.

Nobody waits a year for 105 million checks. Raw rows are made up by the day, in the last days
by the hour, as the daemon would have written them; each of them is stored, summed and pruned by the
daemon's own code. Once a day, towards the end as often as its traces are kept, a check of each
connection goes through `settle`, with a quota that is used up and, about once a month, a refusal
that lasts: states, samples, alerts and notifications are the product's own. `--keep` keeps the
database, or asks one that was kept.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from monitor.cli.connections import KEPT_CHECKS
from monitor.report.status import connection_json
from monitor.store import connections, history, migrate, retention
from monitor.store.engine import Database
from monitor.store.quota import KEEP_ALL_FOR, KEEP_SAMPLES, THINNED_TO
from monitor.store.schema import EPOCH, MICROSECOND
from monitor.web.pages.connection import load_past
from tests.builders import DAY, EVERY, HOUR, REFUSED, Story, entry, ok_with, plan_of, watched_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.config.plan import Plan
    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Transaction

BEGIN = datetime(2025, 11, 22, tzinfo=UTC)
LIMIT = 10_000
MONTH = 30 * DAY
"""How often a connection breaks."""

BY_THE_HOUR = KEEP_ALL_FOR
"""How long before the end checks come by the hour: what is kept raw is as large as it is then."""

MAY_HAVE_MB = 300
MAY_TAKE_MS = 50
TIMES_ASKED = 100

CHECKS = text("""
INSERT INTO checks (connection_id, at, reason, latency_us, detail)
WITH RECURSIVE
  slots (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM slots WHERE n + 1 < :n_slots),
  made_up AS (
    SELECT id, n, abs(random()) % 250 = 0 AS is_lost, 40000 + abs(random()) % 100000 AS latency
    FROM slots CROSS JOIN connections
  )
SELECT id, :begun + n * 300000000 + id % 1000 * 300000, iif(is_lost, 'timeout', 'ok'),
  iif(is_lost, NULL, latency), iif(is_lost, 'No answer from api.example.com within 10 s.', NULL)
FROM made_up ORDER BY n, id
""")

ALL_IS_SENT = text(
    "UPDATE notifications SET state = 'sent', attempts = 1, sent_at = next_attempt_at"
    " WHERE state = 'due'"
)


class Year:
    """
    A database on its way through the year.
    """

    def __init__(self, database: Database, plan: Plan) -> None:
        self._database = database
        self._story = Story.begin(database, plan, BEGIN)
        self._chance = random.Random(7)
        self._refusals_left: dict[str, int] = {}

    def live(self, begun: datetime, length: timedelta, settled_every: timedelta) -> None:
        """
        Let an hour or a day pass: checks, what follows from some of them, and the pruning.
        """
        facts = {"begun": (begun - EPOCH) // MICROSECOND, "n_slots": length // EVERY}
        with self._database.write() as tx:
            tx.execute(CHECKS, facts)
        at = begun
        while (at := at + settled_every) <= begun + length:
            odds = MONTH // settled_every
            names = watched_of(self._story.plan)
            self._story.evaluate(at, **{name: self._outcome(name, at, odds) for name in names})
        with self._database.write() as tx:
            tx.execute(ALL_IS_SENT)
            retention.roll_up(tx, begun + length)

    def _outcome(self, name: str, at: datetime, odds: int) -> Outcome:
        left = self._refusals_left.pop(name, 0)
        if left or self._chance.randrange(odds) == 0:
            if left != 1:
                self._refusals_left[name] = left - 1 if left else 2
            return REFUSED
        used = ((at.day - 1) * 24 + at.hour) * 10
        resets_at = (at.replace(day=1, hour=0) + 32 * DAY).replace(day=1)
        return ok_with(LIMIT - used, LIMIT, resets_at, account=f"Account of {name}")


def live(database: Database, plan: Plan, days: int) -> int:
    """
    Live *days* in a new database; return the largest size of its files on the way.
    """
    migrate.upgrade(database)
    year, largest, at, end = Year(database, plan), 0, BEGIN, BEGIN + days * DAY
    while at < end:
        if end - at <= BY_THE_HOUR:
            length, settled_every = HOUR, HOUR
        else:
            length, settled_every = DAY, THINNED_TO if end - at <= KEEP_SAMPLES else DAY
        year.live(at, length, settled_every)
        at += length
        largest = max(largest, size_of(database.path))
        if (at - BEGIN) % (30 * DAY) < length:
            _say_progress((at - BEGIN) // DAY, days, database)
    return largest


def _say_progress(day: int, days: int, database: Database) -> None:
    size = size_of(database.path) / 1e6
    print(f"day {day} of {days}: {size:.0f} MB", file=sys.stderr, flush=True)


def size_of(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))


def questions(plan: Plan, now: datetime) -> dict[str, Callable[[Transaction, int], object]]:
    """
    Return what people ask of the database, as the program asks it.
    """

    def ask_history(tx: Transaction, number: int) -> object:
        return (
            history.list_transitions(tx, number, KEPT_CHECKS),
            history.list_checks(tx, number, KEPT_CHECKS),
            history.list_alerts(tx, KEPT_CHECKS, connection_id=number),
        )

    def ask_page(tx: Transaction, number: int) -> object:
        return load_past(tx, number, now)

    def ask_status(tx: Transaction, number: int) -> object:
        name = next(each for each in watched_of(plan) if each.endswith(f"-{number:05}"))
        (record,) = connections.list_records(tx, [name])
        return connection_json(record, watched_of(plan)[name], now)

    def ask_status_of_all(tx: Transaction, _: int) -> object:
        records = connections.list_records(tx)
        return [connection_json(one, watched_of(plan)[one.name], now) for one in records]

    def ask_alerts(tx: Transaction, _: int) -> object:
        return history.list_alerts(tx, KEPT_CHECKS)

    return {
        "history NAME": ask_history,
        "page of a connection, 90 days": ask_page,
        "status NAME": ask_status,
        "status": ask_status_of_all,
        "alerts list": ask_alerts,
    }


def time_of(
    database: Database, ask: Callable[[Transaction, int], object], number: int
) -> tuple[float, float]:
    """
    Return how long a question took, and the processor's part of it; both in milliseconds.
    """
    begun, begun_working = time.perf_counter(), time.process_time()
    with database.read() as tx:
        ask(tx, number)
    return (
        (time.perf_counter() - begun) * 1000,
        (time.process_time() - begun_working) * 1000,
    )


def measure(database: Database, plan: Plan, days: int) -> None:
    chance = random.Random(11)
    n_connections = len(watched_of(plan))
    print(f"{'':<32} {'median':>10} {'p99':>10}   on the processor alone")
    for name, ask in questions(plan, BEGIN + days * DAY).items():
        took = [
            time_of(database, ask, chance.randint(1, n_connections)) for _ in range(TIMES_ASKED)
        ]
        whole, working = ([each[part] for each in took] for part in (0, 1))
        p99 = _p99(whole)
        print(
            f"{name:<32} {statistics.median(whole):>7.1f} ms {p99:>7.1f} ms"
            f"   {statistics.median(working):.1f} ms, p99 {_p99(working):.1f} ms"
            f"{'' if p99 <= MAY_TAKE_MS else f'   <- more than {MAY_TAKE_MS} ms'}",
            flush=True,
        )


def _p99(figures: Sequence[float]) -> float:
    return statistics.quantiles(figures, n=100)[98]


def describe(database: Database) -> None:
    with database.read() as tx:
        for table in ("checks", "check_hours", "check_days", "quota_samples", "alerts"):
            n_rows = tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            print(f"{table:<14} {n_rows:>9,} rows")
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        free = tx.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    print(f"free pages     {free / pages:>9.1%} of the file")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks year")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args(arguments)
    names = [f"store-{number:05}" for number in range(1, chosen.connections + 1)]
    plan = plan_of(*(entry(name) for name in names))
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.keep or Path(folder, "year.db")
        database = Database(f"sqlite:///{path.absolute()}")
        if not database.exists():
            begun = time.perf_counter()
            largest = live(database, plan, chosen.days)
            database.close()
            print(f"{chosen.days} days lived in {time.perf_counter() - begun:.0f} s")
            print(f"largest, with its log {largest / 1e6:.0f} MB")
        size = size_of(database.path) / 1e6
        print(
            f"size {size:.0f} MB{'' if size <= MAY_HAVE_MB else f'   <- more than {MAY_HAVE_MB}'}"
        )
        describe(database)
        measure(database, plan, chosen.days)
        database.close()
