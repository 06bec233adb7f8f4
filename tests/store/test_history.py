from __future__ import annotations

import pytest

from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Reason, State
from monitor.judge.routing import ChannelRoute
from monitor.store import connections, history, outbox
from tests.builders import (
    EVERY,
    HOUR,
    MINUTE,
    OK,
    OPS,
    REFUSED,
    UNREACHED,
    Story,
    entry,
    ok_with,
    plan_of,
)
from tests.fakes import NOON


@pytest.fixture
def story(database):
    channels = (OPS, ChannelRoute("boss"))
    return Story.begin(database, plan_of(entry("one"), entry("two"), channels=channels))


def test_transitions_come_newest_first(story):
    story.evaluate(NOON, one=OK, two=OK)
    story.evaluate(NOON + EVERY, one=REFUSED)
    story.evaluate(NOON + 2 * EVERY, one=OK)
    with story.database.read() as tx:
        found = history.list_transitions(tx, story.record("one").id, 2)
    assert [(one.at, one.from_state, one.to_state, one.reason, one.detail) for one in found] == [
        (NOON + 2 * EVERY, State.ERROR, State.ACTIVE, Reason.OK, ""),
        (NOON + EVERY, State.ACTIVE, State.ERROR, Reason.TOKEN_REJECTED, REFUSED.detail),
    ]


def test_checks_come_newest_first(story):
    story.evaluate(NOON, one=OK, two=UNREACHED)
    story.evaluate(NOON + EVERY, one=REFUSED)
    with story.database.read() as tx:
        found = history.list_checks(tx, story.record("one").id, 10)
    assert found == [
        history.CheckRow(NOON + EVERY, Reason.TOKEN_REJECTED, 41.5, REFUSED.detail),
        history.CheckRow(NOON, Reason.OK, 40.0, ""),
    ]


def test_a_check_without_an_answer_has_no_latency(story):
    story.evaluate(NOON, one=UNREACHED)
    with story.database.read() as tx:
        [found] = history.list_checks(tx, story.record("one").id, 10)
    assert found.latency_ms is None


def test_only_as_many_are_read_as_asked_for(story):
    for number in range(5):
        story.evaluate(NOON + number * EVERY, one=REFUSED if number % 2 else OK)
    number = story.record("one").id
    with story.database.read() as tx:
        assert len(history.list_checks(tx, number, 3)) == 3
        assert len(history.list_transitions(tx, number, 3)) == 3
        assert history.list_checks(tx, 999, 3) == []


@pytest.fixture
def told(story):
    """
    A story with three alerts: about one, about both, about two.
    """
    story.evaluate(NOON, one=ok_with(5_000), two=ok_with(5_000))
    story.evaluate(NOON + EVERY, one=REFUSED)
    story.evaluate(NOON + EVERY + MINUTE, one=REFUSED)
    story.evaluate(NOON + 2 * EVERY, two=ok_with(1_900))
    story.evaluate(NOON + 3 * EVERY, two=REFUSED)
    story.evaluate(NOON + 4 * EVERY, two=REFUSED)
    return story


def test_an_alert_comes_with_whom_it_is_about_and_its_deliveries(told):
    with told.database.read() as tx:
        newest, shared, oldest = history.list_alerts(tx, 10)
    assert (newest.kind, newest.severity, newest.connections) == ("error", "critical", ("two",))
    assert (shared.kind, shared.severity, shared.connections) == (
        "quota_low",
        "warning",
        ("one", "two"),
    )
    assert oldest.born_at == NOON + EVERY + MINUTE
    assert oldest.facts["reason"] == "token_rejected"
    assert [
        (one.channel, one.state, one.attempts, one.sent_at) for one in oldest.notifications
    ] == [
        ("ops", NotificationState.DUE, 0, None),
        ("boss", NotificationState.DUE, 0, None),
    ]


@pytest.mark.parametrize(
    ("name", "kinds"), [("one", ["quota_low", "error"]), ("two", ["error", "quota_low"])]
)
def test_alerts_of_one_connection(told, name, kinds):
    with told.database.read() as tx:
        found = history.list_alerts(tx, 10, connection_id=told.record(name).id)
    assert [alert.kind for alert in found] == kinds
    assert {"one", "two"} & set(found[0].connections)


def test_alerts_with_a_dead_notification(told):
    with told.database.write() as tx:
        row = outbox.claim_next(tx, "boss", NOON + HOUR, HOUR, "run")
        assert row is not None
        outbox.mark_dead(tx, row.ids, "no such channel")
    with told.database.read() as tx:
        [found] = history.list_alerts(tx, 10, only_dead=True)
    assert found.id == row.notifications[0].alert_id
    assert {one.channel: one.state for one in found.notifications} == {
        "ops": NotificationState.DUE,
        "boss": NotificationState.DEAD,
    }


def test_no_alerts_are_no_trouble(story):
    with story.database.read() as tx:
        assert history.list_alerts(tx, 10) == []


def test_alerts_about_what_the_file_no_longer_has_are_hidden_with_it(story):
    story.evaluate(NOON, one=REFUSED, two=OK)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    with story.database.write() as tx:
        connections.sync(tx, [entry("two")], NOON + HOUR)
        assert history.list_alerts(tx, 10) == []

        connections.sync(tx, [entry("one"), entry("two")], NOON + HOUR)
        assert [alert.connections for alert in history.list_alerts(tx, 10)] == [("one",)]
