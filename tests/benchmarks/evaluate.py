"""
Measure what a check costs from its end to its row: `python -m tests.benchmarks evaluate`.

Prints a line a scene, in microseconds of CPU a check: the fastest of some batches of a thousand
checks on a real database file. In all of them the credentials work, but for *broken*, where one
in four is rejected and was announced, and *out*, where the host of all gives no answer.

- none, same, falling: what the answers say of a quota
- broken, out: what is wrong, and has been for long
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from time import process_time
from typing import TYPE_CHECKING

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.store.engine import Database
from monitor.store.migrate import upgrade
from tests.builders import EVERY, OK, REFUSED, UNREACHED, Story, entries_of, entry, ok_with, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.judge.outcome import Outcome

    Scene = Callable[[int, int], Outcome]

N = 1_000
SCENES: dict[str, Scene] = {
    "none": lambda _number, _n: OK,
    "same": lambda number, _n: ok_with(9_000, account=f"account {number}"),
    "falling": lambda number, n: ok_with(9_900 - 3 * n, account=f"account {number}"),
    "broken": lambda number, _n: OK if number % 4 else REFUSED,
    "out": lambda _number, _n: replace(UNREACHED, latency_ms=10_000.0),
}


def main(options: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES))
    asked = parser.parse_args(options)
    for name in asked.scenes:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{folder}/connwatch.db")
            upgrade(database)
            spent = _evaluate_batches(database, SCENES[name], asked.batches)
            database.close()
        print(f"{name:8} {min(spent):7.1f} us a check")


def _evaluate_batches(database: Database, scene: Scene, n_batches: int) -> list[float]:
    """
    Evaluate batches one *every* apart, and return what each cost, the first few left out.
    """
    plan = plan_of(*(entry(f"c{number:04}") for number in range(N)))
    story = Story.begin(database, plan)
    numbers = [story.record(one.name).id for one in entries_of(plan)]
    spent = []
    at: datetime = NOON
    for n in range(n_batches + 5):
        at += EVERY
        finished = [
            FinishedCheck(number, at, at, scene(place, n)) for place, number in enumerate(numbers)
        ]
        begun_at = process_time()
        with database.write() as tx:
            evaluate(tx, finished, plan)
        spent.append((process_time() - begun_at) / N * 1e6)
    return spent[5:]
