from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.health import (
    FAILING_AFTER,
    LATE_AFTER,
    OUTBOX_LATE_AFTER,
    Readiness,
    find_problems,
)

SECOND = timedelta(seconds=1)
NONE = timedelta()


@pytest.mark.parametrize(
    ("arrears", "expected"),
    [
        (Readiness(NONE, NONE, NONE), []),
        (Readiness(LATE_AFTER, NONE, NONE), []),
        (Readiness(LATE_AFTER + SECOND, NONE, NONE), ["a check has been due for 1 min"]),
        (Readiness(LATE_AFTER + SECOND, 10 * SECOND, NONE), []),
        (Readiness(NONE, NONE, OUTBOX_LATE_AFTER), []),
        (
            Readiness(NONE, NONE, OUTBOX_LATE_AFTER + SECOND),
            ["an alert has waited for its channel for 15 min"],
        ),
        (Readiness(NONE, NONE, NONE, {"sweep_clocks": FAILING_AFTER}), []),
        (
            Readiness(NONE, NONE, NONE, {"prune": NONE, "sweep_clocks": FAILING_AFTER + SECOND}),
            ["the job sweep_clocks has failed for 5 min"],
        ),
    ],
    ids=[
        "well",
        "a little late",
        "late",
        "a long check",
        "on its way",
        "stuck in the outbox",
        "a job that fails now",
        "a job that goes on failing",
    ],
)
def test_what_is_not_well_is_named(arrears: Readiness, expected: list[str]):
    assert find_problems(arrears) == expected


def test_all_that_is_not_well_is_named():
    day = timedelta(days=1)
    assert len(find_problems(Readiness(day, NONE, day))) == 2
