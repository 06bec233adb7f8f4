"""
Who changed what, as it is kept and found again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.judge.audit import FILE, Action, AuditRow
from monitor.store.audit import Tally, add_audit, list_audit
from tests.builders import HOUR
from tests.fakes import NOON

if TYPE_CHECKING:
    from monitor.store.engine import Database

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


def find_all(database: Database) -> list[AuditRow]:
    with database.read() as tx:
        return [row for _, row in list_audit(tx)]


def test_a_change_in_several_transactions_is_one_row(database):
    tally = Tally("source:stores", Action.READING)
    with database.write() as tx:
        tally.add(tx, NOON, [], ["added"])
        assert list_audit(tx) == []
        tally.add(tx, NOON, ["a"], ["added"])
    assert find_all(database) == [
        AuditRow(NOON, "source:stores", Action.READING, "a", None, ("added",), 1)
    ]
    with database.write() as tx:
        tally.add(tx, NOON + HOUR, ["b", "c"], ["removed", "added"])
    assert find_all(database) == [
        AuditRow(NOON, "source:stores", Action.READING, None, None, ("added", "removed"), 3)
    ]


def test_what_a_transaction_took_back_is_counted_once(database):
    tally = Tally("cli:root", Action.IMPORT)
    for names in (["a"], ["b", "c"]):
        with database.write() as tx, tx.begin_nested() as undone:
            tally.add(tx, NOON, names, ["name"])
            undone.rollback()
        with database.write() as tx:
            tally.add(tx, NOON, names, ["name"])
    assert find_all(database) == [
        AuditRow(NOON, "cli:root", Action.IMPORT, None, None, ("name",), 3)
    ]
