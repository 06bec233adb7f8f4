"""
Reminders: of what is critical, still true, told before, and taken on by nobody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from monitor.alerting.dispatch import dispatch_alert
from monitor.alerting.suppression import suppress_unsent
from monitor.config.plan import MemorySettings
from monitor.engine.sweep import is_anything_passed
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.outbox import NotificationState
from monitor.judge.routing import ChannelRoute
from monitor.judge.suppression import Acknowledgement, Scope
from monitor.store import connections, incidents, reminders, suppression
from monitor.store.schema import channel_states
from monitor.store.schema import reminders as table
from tests.builders import (
    CLIENT_REJECTED,
    DAY,
    DENIED,
    HOUR,
    MINUTE,
    OK,
    OPS,
    REFUSED,
    UNREACHED,
    Story,
    amazon_store,
    entries_of,
    entry,
    ok_with,
    plan_of,
    watched_of,
)
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Database, Transaction

SECOND = timedelta(seconds=1)
TOLD_AT = NOON + MINUTE


def told(database: Database, *names: str, outcome: Outcome = REFUSED) -> Story:
    """
    A story in which people were told, at `TOLD_AT`, of a trouble of all of *names*.
    """
    story = Story.begin(database, plan_of(*map(entry, names or ("one",))))
    for at in (NOON, TOLD_AT):
        story.evaluate(at, **dict.fromkeys(names or ("one",), outcome))
    story.send_all()
    return story


def remind(story: Story, at: datetime) -> list[tuple[str, tuple[str, ...], int]]:
    """
    Sweep, send, and return the reminders: kind, connections, and the how manieth.
    """
    known = {alert.id for alert in story.alerts()}
    story.sweep(at)
    story.send_all()
    return [
        (alert.kind, alert.connections, alert.facts["reminder"])
        for alert in story.alerts()
        if alert.id not in known and "reminder" in alert.facts
    ]


def acknowledge(story: Story, name: str, at: datetime, until: datetime | None = None) -> None:
    with story.database.write() as tx:
        record = connections.find_record(tx, name)
        assert record is not None
        suppression.save_acknowledgement(tx, record.id, Acknowledgement(at, until, ""))


def test_people_are_reminded_each_day_while_it_lasts(database):
    story = told(database)
    assert remind(story, TOLD_AT + DAY - SECOND) == []
    assert remind(story, TOLD_AT + DAY) == [("error", ("one",), 1)]
    assert remind(story, TOLD_AT + DAY + HOUR) == []
    assert remind(story, TOLD_AT + 2 * DAY) == [("error", ("one",), 2)]
    story.evaluate(TOLD_AT + 2 * DAY + HOUR, one=OK)
    assert remind(story, TOLD_AT + 3 * DAY) == []


def test_a_sweep_is_needed_when_a_reminder_is_due_and_not_before(database):
    story = told(database)
    with database.read() as tx:
        assert not is_anything_passed(tx, story.plan, TOLD_AT + DAY - SECOND)
        assert is_anything_passed(tx, story.plan, TOLD_AT + DAY)


def test_a_reminder_says_what_the_alert_said(database):
    story = told(database)
    remind(story, TOLD_AT + DAY)
    first, second = story.alerts()
    assert second.facts == first.facts | {"reminder": 1}
    assert (second.kind, second.severity) == (first.kind, first.severity)


def test_a_recovery_is_told_once_however_often_people_were_reminded(database):
    story = told(database)
    remind(story, TOLD_AT + DAY)
    story.evaluate(TOLD_AT + DAY + HOUR, one=OK)
    story.evaluate(TOLD_AT + DAY + 2 * HOUR, one=OK)
    assert [kind for kind, _ in story.kinds()] == ["error", "error", "recovered"]


def test_nobody_is_reminded_of_what_is_over_although_its_end_is_held(database):
    names = ("one", "two", "three")
    story = told(database, *names)
    for n in (1, 2, 3):
        story.evaluate(TOLD_AT + n * HOUR, **dict.fromkeys(names, UNREACHED))
    story.evaluate(TOLD_AT + 4 * HOUR, one=OK)
    assert "recovered" not in [kind for kind, _ in story.kinds()]
    reminded = remind(story, TOLD_AT + DAY)
    assert [about for kind, about, _ in reminded if kind == "error"] == [("two",), ("three",)]


class RowsAfterDamage(MemorySettings):
    """
    Rows of which one means nothing any more: its name is there, its settings are not.
    """

    def names(self, tx: Transaction) -> Collection[str]:
        return {*super().names(tx), "one"}


def test_a_row_that_means_nothing_any_more_keeps_nobody_from_being_reminded(database):
    story = told(database, "one", "two")
    left = {"two": watched_of(story.plan)["two"]}
    story.plan = replace(story.plan, settings=RowsAfterDamage(left, entries_of(story.plan)))
    assert remind(story, TOLD_AT + DAY) == [("error", ("two",), 1)]


def test_nobody_is_reminded_of_what_is_no_more_than_a_warning(database):
    story = Story.begin(database, plan_of(entry("one")))
    for n in range(3):
        story.evaluate(NOON + n * MINUTE, one=UNREACHED)
    story.send_all()
    assert remind(story, NOON + 2 * DAY) == []


def test_what_nobody_receives_needs_no_reminder(database):
    deaf = ChannelRoute("ops", kinds=frozenset({AlertKind.EXPIRED}))
    story = Story.begin(database, plan_of(entry("one"), channels=(deaf,)))
    for at in (NOON, TOLD_AT):
        story.evaluate(at, one=REFUSED)
    assert remind(story, TOLD_AT + DAY) == []


def test_what_is_still_on_its_way_needs_no_reminder(database):
    story = Story.begin(database, plan_of(entry("one")))
    for at in (NOON, TOLD_AT):
        story.evaluate(at, one=REFUSED)
    story.sweep(TOLD_AT + DAY)
    assert [kind for kind, _ in story.kinds()] == ["error"]
    story.send_all()
    assert remind(story, TOLD_AT + 2 * DAY) == [("error", ("one",), 1)]


def test_what_a_channel_gave_up_on_is_told_again_as_a_reminder(database):
    story = Story.begin(database, plan_of(entry("one")))
    for at in (NOON, TOLD_AT):
        story.evaluate(at, one=REFUSED)
    story.send_all(state=NotificationState.DEAD)
    assert remind(story, TOLD_AT + DAY) == [("error", ("one",), 1)]


def test_an_acknowledged_trouble_is_not_told_again(database):
    story = told(database)
    acknowledge(story, "one", TOLD_AT + HOUR)
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + 9 * DAY) == []


def test_an_acknowledgement_with_an_end_holds_until_then(database):
    story = told(database)
    acknowledge(story, "one", TOLD_AT + HOUR, until=TOLD_AT + 2 * DAY)
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + 2 * DAY) == [("error", ("one",), 1)]


def test_another_reason_is_told_and_reminded_of_as_ever(database):
    story = told(database)
    acknowledge(story, "one", TOLD_AT + HOUR)
    for n in (2, 3):
        story.evaluate(TOLD_AT + n * HOUR, one=DENIED)
    story.send_all()
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + DAY + 3 * HOUR) == [("error", ("one",), 1)]
    assert story.alerts()[-1].facts["reason"] == "permission_denied"


def test_only_the_latest_of_alerts_that_say_the_same_is_told_again(database):
    story = told(database)
    for n, outcome in enumerate((DENIED, DENIED, REFUSED, REFUSED), 2):
        story.evaluate(TOLD_AT + n * HOUR, one=outcome)
    story.send_all()
    assert [kind for kind, _ in story.kinds()] == ["error"] * 3
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + DAY + 5 * HOUR) == [("error", ("one",), 1)]


def test_a_trouble_that_comes_back_the_same_is_a_new_one(database):
    story = told(database)
    acknowledge(story, "one", TOLD_AT + HOUR)
    story.evaluate(TOLD_AT + 2 * HOUR, one=OK)
    for n in (3, 4):
        story.evaluate(TOLD_AT + n * HOUR, one=REFUSED)
    story.send_all()
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + DAY + 4 * HOUR) == [("error", ("one",), 1)]


def test_a_paused_connection_is_not_told_again_before_it_is_resumed(database):
    story = told(database)
    with database.write() as tx:
        connections.pause(tx, story.record("one").id)
    assert remind(story, TOLD_AT + DAY) == []
    with database.write() as tx:
        connections.resume(tx, story.record("one"), TOLD_AT + DAY + HOUR)
    assert remind(story, TOLD_AT + 2 * DAY) == [("error", ("one",), 1)]


def test_a_silenced_connection_is_not_told_again_before_the_end_of_that(database):
    story = told(database)
    with database.write() as tx:
        suppression.add_silence(tx, Scope.CONNECTION, "one", "", NOON, TOLD_AT + DAY + HOUR)
        suppress_unsent(tx, story.plan, NOON)
    assert remind(story, TOLD_AT + DAY) == []
    assert remind(story, TOLD_AT + 2 * DAY) == [("error", ("one",), 1)]


def test_a_fault_of_an_application_is_told_again_of_its_stores(database):
    plan = plan_of(amazon_store("a"), amazon_store("b"), secret_created_at=NOON - DAY)
    story = Story.begin(database, plan)
    for n in range(2):
        story.evaluate(NOON + n * MINUTE, a=CLIENT_REJECTED)
        taken = replace(CLIENT_REJECTED, is_taken_over=True)
        story.evaluate(NOON + n * MINUTE + SECOND, b=taken)
    story.send_all()
    acknowledge(story, "a", NOON + HOUR)
    assert remind(story, NOON + 2 * DAY) == [("error", ("b",), 1)]


def test_an_exhausted_quota_is_told_again_until_there_is_some(database):
    story = Story.begin(database, plan_of(entry("one")))
    story.evaluate(NOON, one=ok_with(0))
    story.send_all()
    assert remind(story, NOON + DAY) == [("quota_exhausted", ("one",), 1)]
    story.evaluate(NOON + DAY + HOUR, one=ok_with(5_000))
    assert remind(story, NOON + 3 * DAY) == []


def test_an_outage_is_told_again_as_one(database):
    names = ("a", "b", "c")
    story = Story.begin(database, plan_of(*map(entry, names)))
    for n in range(4):
        story.evaluate(NOON + n * MINUTE, **dict.fromkeys(names, UNREACHED))
    story.send_all()
    [(kind, _, number)] = remind(story, NOON + 2 * DAY)
    assert (kind, number) == ("outage", 1)
    story.evaluate(NOON + 2 * DAY + HOUR, **dict.fromkeys(names, OK))
    assert remind(story, NOON + 4 * DAY) == []


def raise_wide(story: Story, kind: AlertKind, facts: dict[str, str]) -> int:
    with story.database.write() as tx:
        number = dispatch_alert(tx, AlertDue.of(kind, **facts), {}, story.plan, NOON)
    assert number is not None
    story.send_all()
    return number


def test_a_lost_link_is_told_again_while_it_is_lost(database):
    story = Story.begin(database, plan_of(entry("one")))
    number = raise_wide(story, AlertKind.MONITOR_OFFLINE, {})
    with database.write() as tx:
        time = incidents.begin_offline(tx, NOON, number)
    assert remind(story, NOON + DAY) == [("monitor_offline", (), 1)]
    with database.write() as tx:
        incidents.end_offline(tx, time, NOON + DAY + HOUR)
    assert remind(story, NOON + 2 * DAY) == []


@pytest.mark.parametrize("is_failing", [True, False])
def test_a_failing_channel_is_told_again_while_it_fails(database, is_failing):
    story = Story.begin(database, plan_of(entry("one"), channels=(OPS, ChannelRoute("mail"))))
    raise_wide(story, AlertKind.CHANNEL_FAILED, {"channel": "mail"})
    with database.write() as tx:
        since = NOON if is_failing else None
        tx.execute(insert(channel_states).values(name="mail", failed_since=since))
    assert remind(story, NOON + DAY) == [("channel_failed", (), 1)] * is_failing


def test_a_silence_of_all_lets_no_reminders_pile_up(database):
    story = Story.begin(database, plan_of(entry("one"), channels=(OPS, ChannelRoute("mail"))))
    raise_wide(story, AlertKind.CHANNEL_FAILED, {"channel": "mail"})
    with database.write() as tx:
        tx.execute(insert(channel_states).values(name="mail", failed_since=NOON))
        suppression.add_silence(tx, Scope.ALL, None, "", NOON, NOON + 3 * DAY + HOUR)
    for days in (1, 2, 3):
        assert remind(story, NOON + days * DAY) == []
    assert remind(story, NOON + 4 * DAY) == [("channel_failed", (), 1)]


def test_a_sweep_looks_at_so_many_reminders_and_the_next_at_the_rest(database, monkeypatch):
    monkeypatch.setattr(reminders, "REMIND_AT_MOST", 2)
    story = told(database, "one", "two", "three")
    assert len(remind(story, TOLD_AT + DAY)) == 2
    assert len(remind(story, TOLD_AT + DAY + SECOND)) == 1
    assert remind(story, TOLD_AT + DAY + 2 * SECOND) == []


def test_nobody_is_reminded_of_a_channel_that_was_taken_out_of_the_file(database):
    story = Story.begin(database, plan_of(entry("one")))
    raise_wide(story, AlertKind.CHANNEL_FAILED, {"channel": "mail"})
    with database.write() as tx:
        tx.execute(insert(channel_states).values(name="mail", failed_since=NOON))
    assert remind(story, NOON + DAY) == []


def test_reminders_of_a_whole_night_are_born_together(database):
    """So that they reach a channel as one message."""
    names = [f"c{number}" for number in range(30)]
    story = Story.begin(database, plan_of(*(entry(one, host=f"{one}.org") for one in names)))
    for at in (NOON, TOLD_AT):
        story.evaluate(at, **dict.fromkeys(names, REFUSED))
    story.send_all()
    assert len(remind(story, TOLD_AT + DAY)) == 30
    assert {alert.born_at for alert in story.alerts()[30:]} == {TOLD_AT + DAY}


def test_a_clock_that_was_set_back_puts_no_reminder_off_for_long(database):
    told(database)
    now = NOON - 100 * DAY
    with database.write() as tx:
        reminders.shift_reminders(tx, now, DAY)
        assert not reminders.is_any_reminder_due(tx, now + DAY - SECOND)
        assert reminders.is_any_reminder_due(tx, now + DAY)


def test_a_reminder_is_not_reminded_of(database):
    story = told(database)
    remind(story, TOLD_AT + DAY)
    with database.read() as tx:
        assert len(tx.execute(select(table)).all()) == 1
