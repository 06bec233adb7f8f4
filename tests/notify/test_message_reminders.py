from __future__ import annotations

from typing import Any

import pytest

from monitor.judge.alerts import KINDS, REMINDED_KINDS, AlertKind
from monitor.notify.message import compose
from tests.fakes import NOON


def body_of(kind: AlertKind, **facts: Any) -> tuple[str, str]:
    message = compose(kind, KINDS[kind].severity, facts, ["acme"], NOON, None, NOON)
    return message.title, message.body


@pytest.mark.parametrize("kind", sorted(REMINDED_KINDS))
def test_a_reminder_says_so_in_title_and_text(kind):
    title, body = body_of(kind, reminder=1)
    assert "Reminder: " in title
    assert body.startswith("Still failing. Reminder 1.\n")
    assert "Reminder" not in body_of(kind)[0]


def test_a_reminder_is_counted_and_says_how_to_end_it():
    _, body = body_of(AlertKind.ERROR, reminder=3)
    assert "Reminder 3." in body
    assert "To stop reminders: `connwatch ack acme`." in body


@pytest.mark.parametrize("kind", [AlertKind.MONITOR_OFFLINE, AlertKind.CHANNEL_FAILED])
def test_what_is_about_no_connection_cannot_be_acknowledged(kind):
    assert "connwatch ack" not in body_of(kind, reminder=1)[1]


@pytest.mark.parametrize("count", [None, "1", True, 0], ids=repr)
def test_a_count_that_is_none_makes_no_reminder(count):
    assert "Reminder" not in body_of(AlertKind.ERROR, reminder=count)[0]
