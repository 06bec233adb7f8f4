"""
What an alert about several groups says to those of one.
"""

from __future__ import annotations

import pytest

from monitor.judge.alerts import AlertKind
from monitor.judge.groups import cut_facts


@pytest.mark.parametrize(
    ("kind", "facts", "total", "cut"),
    [
        pytest.param(
            AlertKind.OUTAGE,
            {"host": "h", "n_failing": 9, "n_total": 12},
            3,
            {"host": "h", "n_failing": 2, "n_total": 3},
            id="outage",
        ),
        pytest.param(
            AlertKind.OUTAGE,
            {"host": "h", "n_failing": 9, "n_total": 12},
            None,
            {"host": "h", "n_failing": 2},
            id="an outage of which it is not known how many there are",
        ),
        pytest.param(
            AlertKind.OUTAGE,
            {"n_failing": 9, "n_total": 12},
            1,
            {"n_failing": 2, "n_total": 2},
            id="never more that fail than there are",
        ),
        pytest.param(AlertKind.OUTAGE_OVER, {"n": 9}, None, {"n": 2}, id="its end"),
        pytest.param(AlertKind.FLAPPING, {"n": 9}, None, {"n": 9}, id="changes are no connections"),
        pytest.param(
            AlertKind.SECRET_EXPIRING, {"n_connections": 9}, None, {"n_connections": 2}, id="secret"
        ),
        pytest.param(
            AlertKind.ERROR,
            {"n_connections": 9, "detail": "x", "notes": "y", "reason": "timeout"},
            None,
            {"n_connections": 2, "reason": "timeout"},
            id="what was said of one of them",
        ),
        pytest.param(
            AlertKind.QUOTA_LOW, {"limit": 9, "remaining": 1}, None, {"limit": 9, "remaining": 1}
        ),
        pytest.param(AlertKind.ERROR, {}, None, {}, id="nothing is known"),
    ],
)
def test_counts_are_of_those_that_are_seen(kind, facts, total, cut):
    assert cut_facts(kind, facts, 2, total) == cut
