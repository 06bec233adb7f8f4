"""
Who changed what, as it is kept and found again.
"""

from __future__ import annotations

import pytest

from monitor.judge.audit import FILE, Action, AuditRow
from monitor.store.audit import add_audit, list_audit
from tests.builders import HOUR
from tests.fakes import NOON

ROWS = (
    AuditRow(NOON, "user:ana", Action.PUT, "acme-eu", "acme", ("token", "tags")),
    AuditRow(NOON + HOUR, FILE, Action.PUT, count=20),
    AuditRow(NOON + 2 * HOUR, "token:ci", Action.PAUSE, "globex-na", "globex"),
    AuditRow(NOON + 3 * HOUR, "cli:root", Action.DELETE, "acme-eu", "acme"),
)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"connection": "acme-eu"}, [4, 1]),
        ({"connection": "nobody"}, []),
        ({"groups": {"globex"}}, [3]),
        ({"groups": {"acme", "globex"}, "most": 2}, [4, 3]),
        ({"groups": set()}, []),
        ({"before": 3}, [2, 1]),
        ({"before": 3, "connection": "acme-eu", "groups": {"acme"}}, [1]),
    ],
)
def test_rows_come_back_as_they_were_the_latest_first(database, chosen, found):
    with database.write() as tx:
        for row in ROWS:
            add_audit(tx, row)
    with database.read() as tx:
        assert list_audit(tx, **chosen) == [(number, ROWS[number - 1]) for number in found]
