"""
What is on its way to a channel.
"""

from __future__ import annotations

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outbox import Notification, NotificationGroup
from tests.fakes import NOON


def on_the_way(*ids: int) -> NotificationGroup:
    one = Notification(ids[0], 7, AlertKind.OUTAGE, Severity.CRITICAL, {}, ("acme",), 1, NOON)
    return NotificationGroup(ids, "ops", (one,), 1, 0, NOON)


def test_what_travels_together_is_of_one_kind():
    assert on_the_way(3, 4).kind is AlertKind.OUTAGE


def test_what_travels_alone_is_known_by_its_number():
    assert on_the_way(3).key == "3"


def test_what_travels_together_is_known_by_all_its_numbers():
    keys = {on_the_way(*ids).key for ids in ((3, 4), (3, 4, 5), (3, 5), (4, 5))}
    assert len(keys) == 4
    assert on_the_way(3, 4).key == on_the_way(3, 4).key
    assert on_the_way(3, 4).key.startswith("3-")
