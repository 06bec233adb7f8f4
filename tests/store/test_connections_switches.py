"""
Pause, resume and delete: what the commands and the dashboard do to one connection.
"""

from __future__ import annotations

from sqlalchemy import func, select

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.outcome import Reason, State
from monitor.store import connections, history, outbox, retention
from monitor.store.schedule import claim_due
from monitor.store.schema import metadata
from tests.builders import (
    EVERY,
    HOUR,
    MINUTE,
    OK,
    REFUSED,
    UNREACHED,
    Story,
    entries_of,
    entry,
    ok_with,
    plan_of,
)
from tests.fakes import NOON

LATER = NOON + HOUR


def pause(story: Story, name: str) -> None:
    number = story.record(name).id
    with story.database.write() as tx:
        connections.pause(tx, number)


def resume(story: Story, name: str) -> None:
    record = story.record(name)
    with story.database.write() as tx:
        connections.resume(tx, record, LATER)


def delete(story: Story, name: str) -> None:
    record = story.record(name)
    with story.database.write() as tx:
        connections.delete_connection(tx, record, LATER)


def due_names(story: Story) -> set[str]:
    with story.database.read() as tx:
        return {due.name for due in claim_due(tx, NOON + 1000 * HOUR, 10)}


def rows_of(story: Story) -> dict[str, int]:
    """
    How many rows each table has, but those that have none.
    """
    with story.database.read() as tx:
        counts = {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def test_what_is_paused_is_never_due(story):
    pause(story, "one")
    assert due_names(story) == {"two"}
    assert story.record("one").shown_state is State.PAUSED


def test_pausing_says_and_changes_nothing_else(story):
    story.evaluate(NOON, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    before = story.record("one").standing
    pause(story, "one")
    assert story.record("one").standing == before
    assert story.kinds() == [("error", ("one",))]


def test_a_result_in_flight_is_dropped_after_a_pause(story):
    record = story.record("one")
    pause(story, "one")
    with story.database.write() as tx:
        finished = [FinishedCheck(record.id, NOON, NOON, REFUSED)]
        assert evaluate(tx, finished, story.plan) == []
    after = story.record("one")
    assert after.standing.state is State.PENDING
    assert after.next_check_at is None
    assert "checks" not in rows_of(story)


def test_resuming_gives_back_the_state_and_makes_it_due(story):
    story.evaluate(NOON, one=REFUSED)
    before = story.record("one").standing
    pause(story, "one")
    resume(story, "one")
    after = story.record("one")
    assert after.shown_state is State.ERROR
    assert (after.standing.since, after.standing.detail) == (before.since, before.detail)
    assert after.next_check_at == LATER


def test_resuming_ends_the_row_of_refusals(story):
    story.evaluate(NOON, one=REFUSED)
    pause(story, "one")
    resume(story, "one")
    story.evaluate(LATER, one=REFUSED)
    assert story.kinds() == []
    story.evaluate(LATER + MINUTE, one=REFUSED)
    assert story.kinds() == [("error", ("one",))]


def test_resuming_ends_the_row_of_failures(story):
    story.evaluate(NOON, one=UNREACHED)
    story.evaluate(NOON + EVERY, one=UNREACHED)
    pause(story, "one")
    resume(story, "one")
    story.evaluate(LATER, one=UNREACHED)
    assert story.record("one").standing.state is State.PENDING
    assert story.record("one").standing.failures == 1


def test_an_announced_error_that_ended_during_a_pause_is_closed_after_it(story):
    story.evaluate(NOON, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    pause(story, "one")
    resume(story, "one")
    story.evaluate(LATER, one=OK)
    assert [kind for kind, _ in story.kinds()] == ["error", "recovered"]


def test_resuming_does_not_outvote_the_file(database):
    story = Story.begin(database, plan_of(entry("one", is_enabled=False)))
    pause(story, "one")
    resume(story, "one")
    one = story.record("one")
    assert (one.shown_state, one.next_check_at, one.is_paused) == (State.PAUSED, None, False)


def test_a_file_that_switches_on_does_not_outvote_a_pause(database):
    story = Story.begin(database, plan_of(entry("one", is_enabled=False)))
    pause(story, "one")
    with database.write() as tx:
        connections.sync(tx, [entry("one")], LATER)
    one = story.record("one")
    assert (one.shown_state, one.next_check_at) == (State.PAUSED, None)


def make_busy(story: Story) -> None:
    """
    Give connection "one" rows in every table that can have them.
    """
    story.evaluate(NOON - 2 * 24 * HOUR, one=ok_with(5_000))
    story.evaluate(NOON, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    with story.database.write() as tx:
        retention.roll_up(tx, LATER + 24 * HOUR)
    story.evaluate(LATER, one=REFUSED)


def test_deleting_leaves_nothing_but_the_name(story):
    make_busy(story)
    busy = {"checks", "check_hours", "check_days", "transitions", "alerts", "notifications"}
    assert busy <= set(rows_of(story))
    delete(story, "one")
    assert rows_of(story) == {"connections": 1, "quotas": 1, "deletions": 1, "watermarks": 2}
    assert due_names(story) == {"two"}


def test_deleting_takes_nothing_from_others(story):
    make_busy(story)
    story.evaluate(LATER, two=REFUSED)
    story.evaluate(LATER + MINUTE, two=REFUSED)
    number = story.record("two").id
    delete(story, "one")
    assert story.kinds() == [("error", ("two",))]
    with story.database.read() as tx:
        assert len(history.list_checks(tx, number, 10)) == 2
        assert len(history.list_transitions(tx, number, 10)) == 1
        assert outbox.due_channels(tx, LATER + HOUR) == ["ops"]


def test_deleting_takes_due_notifications_with_it(story):
    story.evaluate(NOON, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=REFUSED)
    delete(story, "one")
    with story.database.read() as tx:
        assert outbox.due_channels(tx, LATER) == []
    with story.database.write() as tx:
        assert outbox.claim_next(tx, "ops", LATER, HOUR, "run") is None


def test_an_alert_about_others_too_is_kept_for_them(story):
    story.evaluate(NOON, one=ok_with(5_000), two=ok_with(5_000))
    story.evaluate(NOON + EVERY, one=ok_with(400))
    assert story.kinds() == [("quota_low", ("one", "two"))]
    delete(story, "one")
    assert story.kinds() == [("quota_low", ("two",))]
    with story.database.write() as tx:
        row = outbox.claim_next(tx, "ops", LATER, HOUR, "run")
    assert row is not None
    assert row.notifications[0].connections == ("two",)
    delete(story, "two")
    assert story.kinds() == []
    assert "notifications" not in rows_of(story)


def test_a_result_in_flight_is_dropped_after_a_deletion(story):
    record = story.record("one")
    delete(story, "one")
    with story.database.write() as tx:
        assert evaluate(tx, [FinishedCheck(record.id, NOON, NOON, REFUSED)], story.plan) == []
    assert "checks" not in rows_of(story)


def test_a_result_in_flight_does_not_reach_the_next_of_the_name(story):
    record = story.record("two")  # the newest: without care its id would be the next
    delete(story, "two")
    with story.database.write() as tx:
        connections.restore_deleted(tx, entry("two"), LATER)
        late = FinishedCheck(record.id, NOON, NOON, REFUSED)
        assert evaluate(tx, [late], story.plan) == []
    again = story.record("two")
    assert again.id > record.id
    assert again.standing.reason is Reason.NOT_CHECKED


def test_a_deletion_can_be_lifted(story):
    make_busy(story)
    delete(story, "one")
    with story.database.write() as tx:
        assert connections.list_deleted(tx) == {"one"}
        connections.restore_deleted(tx, entry("one"), LATER)
        assert connections.list_deleted(tx) == set()
        assert connections.sync(tx, entries_of(story.plan), LATER) == set()
    one = story.record("one")
    assert (one.shown_state, one.next_check_at) == (State.PENDING, LATER)
    story.evaluate(LATER, one=OK)
    assert story.kinds() == []


def test_a_result_for_one_that_was_taken_out_is_dropped(story):
    record = story.record("one")
    with story.database.write() as tx:
        connections.sync(tx, [entry("two")], NOON)
        assert evaluate(tx, [FinishedCheck(record.id, NOON, NOON, REFUSED)], story.plan) == []
    assert story.record("one").next_check_at is None
