from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.judge.health import LONGEST_STANDSTILL, LONGEST_WITHOUT_WRITE, Liveness, find_stalls

SECOND = timedelta(seconds=1)
FINE = Liveness(ticked=SECOND, delivered=SECOND, written=SECOND)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"ticked": LONGEST_STANDSTILL}, []),
        (
            {"ticked": LONGEST_STANDSTILL + SECOND},
            ["no due check was looked for in 121 s"],
        ),
        (
            {"delivered": LONGEST_STANDSTILL + SECOND},
            ["the outbox was not looked through in 121 s"],
        ),
        ({"written": LONGEST_STANDSTILL + SECOND}, []),
        ({"written": LONGEST_WITHOUT_WRITE}, []),
        (
            {"written": LONGEST_WITHOUT_WRITE + SECOND},
            ["the database accepted no write in 301 s"],
        ),
        ({"stuck": ("ops", "sms")}, ["the delivery stands still on ops, sms"]),
    ],
    ids=[
        "all goes on",
        "a long transaction",
        "the scheduler stands still",
        "the outbox is not looked at",
        "a database locked for two minutes",
        "a database locked for five minutes",
        "a database that accepts nothing",
        "a delivery that stands still",
    ],
)
def test_what_has_come_to_a_halt_is_named(change: dict[str, Any], expected: list[str]):
    assert find_stalls(replace(FINE, **change)) == expected


def test_all_that_has_come_to_a_halt_is_named():
    day = timedelta(days=1)
    assert len(find_stalls(Liveness(day, day, day, ("ops",)))) == 4
