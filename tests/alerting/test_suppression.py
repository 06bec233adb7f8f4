"""
Silences and quiet hours, from the check that makes an alert due to what is sent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, time, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from monitor.alerting.suppression import retry_dead, review_suppressed, suppress_unsent
from monitor.engine.sweep import is_anything_passed
from monitor.judge.outbox import NotificationState
from monitor.judge.routing import ChannelRoute, QuietInterval, Subject
from monitor.judge.suppression import Scope
from monitor.store import connections, outbox, suppression
from monitor.store.schema import alerts, notifications
from tests.builders import (
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

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.store.engine import Database

SECOND = timedelta(seconds=1)
QUIET = QuietInterval(UTC, time(11), time(14))
MAIL = ChannelRoute("mail")


def begin(database: Database, *names: str, plan: Plan | None = None) -> Story:
    return Story.begin(database, plan or plan_of(*map(entry, names or ("one",))))


def silence(
    story: Story, scope: Scope, target: str | None, at: datetime, length: timedelta = HOUR
) -> int:
    """
    Begin a silence, as the command does.
    """
    with story.database.write() as tx:
        number = suppression.add_silence(tx, scope, target, "", at, at + length)
        suppress_unsent(tx, story.plan, at)
    return number


def refuse(story: Story, at: datetime, *names: str) -> None:
    """
    Have connections refused twice, the second time at *at*: that is told.
    """
    for when in (at - MINUTE, at):
        story.evaluate(when, **dict.fromkeys(names or ("one",), REFUSED))


def states(story: Story) -> list[tuple[str, str, str]]:
    """
    Kind, channel and state of all notifications, the oldest alert first.
    """
    return [
        (alert.kind, each.channel, each.state.value)
        for alert in story.alerts()
        for each in alert.notifications
    ]


def test_what_is_born_in_a_silence_is_held_until_its_end(database):
    story = begin(database)
    silence(story, Scope.CONNECTION, "one", NOON)
    refuse(story, NOON + 10 * MINUTE)
    assert states(story) == [("error", "ops", "held")]
    story.sweep(NOON + HOUR - SECOND)
    assert states(story) == [("error", "ops", "held")]
    story.sweep(NOON + HOUR)
    assert states(story) == [("error", "ops", "due")]


def test_the_end_of_a_silence_reads_no_alerts_of_others(database):
    """A silence may be long, and there may be 100,000 others."""
    story = begin(database, "one", "two")
    silence(story, Scope.CONNECTION, "one", NOON)
    refuse(story, NOON + 10 * MINUTE, "one", "two")
    story.evaluate(NOON + 11 * MINUTE, two=OK)
    first = story.alerts()[0]
    with database.read() as tx:
        read = suppression.list_since(tx, first.id, {story.record("one").id}, with_larger=True)
    assert [each.id for each in read] == [first.id]


def test_a_sweep_is_needed_when_a_silence_ends_and_not_before(database):
    story = begin(database)
    silence(story, Scope.ALL, None, NOON)
    refuse(story, NOON + 10 * MINUTE)
    with database.read() as tx:
        assert not is_anything_passed(tx, story.plan, NOON + HOUR - SECOND)
        assert is_anything_passed(tx, story.plan, NOON + HOUR)


def test_what_was_born_before_a_silence_and_not_sent_yet_is_held_too(database):
    story = begin(database)
    refuse(story, NOON)
    silence(story, Scope.CONNECTION, "one", NOON + SECOND)
    assert states(story) == [("error", "ops", "held")]


def test_what_is_being_sent_is_not_held(database):
    story = begin(database)
    refuse(story, NOON)
    with database.write() as tx:
        tx.execute(notifications.update().values(claimed_by="run", claimed_until=NOON + MINUTE))
    silence(story, Scope.CONNECTION, "one", NOON + SECOND)
    assert states(story) == [("error", "ops", "due")]


def test_the_time_for_retries_begins_when_a_silence_ends(database):
    story = begin(database)
    silence(story, Scope.CONNECTION, "one", NOON, 30 * HOUR)
    refuse(story, NOON + HOUR)
    story.sweep(NOON + 30 * HOUR)
    with database.read() as tx:
        row = tx.execute(select(notifications)).one()
    assert (row.due_since, row.next_attempt_at) == (NOON + 30 * HOUR, NOON + 30 * HOUR)
    assert (row.held_by, row.held_until) == (None, None)


def test_a_trouble_that_came_and_went_in_a_silence_is_never_told(database):
    story = begin(database)
    silence(story, Scope.CONNECTION, "one", NOON)
    refuse(story, NOON + 10 * MINUTE)
    story.evaluate(NOON + 20 * MINUTE, one=OK)
    assert states(story) == [("error", "ops", "held"), ("recovered", "ops", "held")]
    story.sweep(NOON + HOUR)
    assert states(story) == []


def test_the_end_of_what_was_told_before_the_silence_is_told_after_it(database):
    story = begin(database)
    refuse(story, NOON)
    story.send_all(NOON)
    silence(story, Scope.CONNECTION, "one", NOON + SECOND)
    story.evaluate(NOON + 20 * MINUTE, one=OK)
    story.sweep(NOON + 2 * HOUR)
    assert states(story) == [("error", "ops", "sent"), ("recovered", "ops", "due")]


def test_what_a_channel_gave_up_on_counts_as_told(database):
    """The dead can be sent again: their end must come after them."""
    story = begin(database)
    refuse(story, NOON)
    with database.write() as tx:
        tx.execute(notifications.update().values(state=NotificationState.DEAD))
    silence(story, Scope.CONNECTION, "one", NOON + SECOND)
    story.evaluate(NOON + 20 * MINUTE, one=OK)
    story.sweep(NOON + 2 * HOUR)
    assert states(story)[1] == ("recovered", "ops", "due")


def test_each_channel_is_judged_by_what_it_was_told(database):
    """One channel was told in time, the other slept: only the first hears of the end."""
    sleeping = replace(MAIL, quiet_hours=QUIET)
    story = begin(database, plan=plan_of(entry("one"), channels=(OPS, sleeping)))
    for n in range(3):
        story.evaluate(NOON + n * MINUTE, one=UNREACHED)
    assert states(story) == [("error", "ops", "due"), ("error", "mail", "held")]
    story.send_all(NOON + 2 * MINUTE)
    story.evaluate(NOON + HOUR, one=OK)
    story.sweep(NOON + 2 * HOUR)
    assert states(story) == [("error", "ops", "sent"), ("recovered", "ops", "due")]


def test_critical_passes_quiet_hours_and_its_end_waits_for_the_morning(database):
    story = begin(database, plan=plan_of(entry("one"), channels=(replace(OPS, quiet_hours=QUIET),)))
    refuse(story, NOON)
    assert states(story) == [("error", "ops", "due")]
    story.send_all(NOON)
    story.evaluate(NOON + 10 * MINUTE, one=OK)
    assert states(story)[1] == ("recovered", "ops", "held")
    story.sweep(NOON + 2 * HOUR)
    assert states(story)[1] == ("recovered", "ops", "due")


def test_what_is_due_when_quiet_hours_begin_waits_too(database):
    evening = QuietInterval(UTC, time(12, 30), time(14))
    story = begin(
        database, plan=plan_of(entry("one"), channels=(replace(OPS, quiet_hours=evening),))
    )
    story.evaluate(NOON, one=ok_with(1_500))
    assert states(story) == [("quota_low", "ops", "due")]
    story.sweep(NOON + 30 * MINUTE - SECOND)
    assert states(story) == [("quota_low", "ops", "due")]
    story.sweep(NOON + 30 * MINUTE)
    assert states(story) == [("quota_low", "ops", "held")]
    story.sweep(NOON + 2 * HOUR)
    assert states(story) == [("quota_low", "ops", "due")]


def test_quiet_hours_take_over_what_a_silence_lets_go(database):
    story = begin(database, plan=plan_of(entry("one"), channels=(replace(OPS, quiet_hours=QUIET),)))
    silence(story, Scope.ALL, None, NOON)
    story.evaluate(NOON + MINUTE, one=ok_with(1_500))
    story.sweep(NOON + HOUR)
    [alert] = story.alerts()
    assert [(each.held_by, each.held_until) for each in alert.notifications] == [
        ("quiet_hours", NOON + 2 * HOUR)
    ]


def test_an_alert_about_several_is_held_only_if_all_are_silenced(database):
    story = begin(database, "one", "two")
    silence(story, Scope.CONNECTION, "one", NOON)
    # Both belong to one account, whose quota is told once.
    story.evaluate(NOON + MINUTE, one=ok_with(1_500))
    assert states(story) == [("quota_low", "ops", "held")]
    story.sweep(NOON + HOUR)
    story.evaluate(NOON + HOUR + MINUTE, one=ok_with(0), two=ok_with(0))
    assert states(story)[-1] == ("quota_exhausted", "ops", "due")


def test_a_connection_that_joins_an_alert_and_is_not_silenced_sets_it_free(database):
    story = begin(database, "one", "two")
    silence(story, Scope.CONNECTION, "one", NOON)
    story.evaluate(NOON + MINUTE, one=ok_with(1_500), two=ok_with(1_500))
    assert story.kinds() == [("quota_low", ("one", "two"))]
    assert states(story) == [("quota_low", "ops", "due")]


@pytest.mark.parametrize(
    ("scope", "target"),
    [(Scope.TAG, "eu"), (Scope.ALL, None), (Scope.CONNECTION, "one")],
    ids=["tag", "all", "name"],
)
def test_every_kind_of_silence_reaches_its_connections_and_no_other(database, scope, target):
    tagged = Subject("one", frozenset({"eu"}))
    story = begin(database, plan=plan_of(entry("one"), entry("two"), subjects=(tagged,)))
    silence(story, scope, target, NOON)
    refuse(story, NOON + MINUTE, "one", "two")
    [(_, _, one), (_, _, two)] = states(story)
    assert (one, two) == ("held", "held" if scope is Scope.ALL else "due")


def test_a_silence_that_is_ended_early_lets_go_at_once(database):
    story = begin(database)
    number = silence(story, Scope.ALL, None, NOON)
    refuse(story, NOON + 10 * MINUTE)
    with database.write() as tx:
        assert suppression.end_silence(tx, number, NOON + 20 * MINUTE)
        assert not suppression.end_silence(tx, number, NOON + 20 * MINUTE)
        assert review_suppressed(tx, story.plan, NOON + 20 * MINUTE, all_of_it=True) == 1
    assert states(story) == [("error", "ops", "due")]


def test_what_another_silence_holds_as_well_stays(database):
    story = begin(database)
    silence(story, Scope.CONNECTION, "one", NOON)
    refuse(story, NOON + 10 * MINUTE)
    silence(story, Scope.ALL, None, NOON + 11 * MINUTE, 3 * HOUR)
    story.sweep(NOON + HOUR)
    assert states(story) == [("error", "ops", "held")]
    story.sweep(NOON + 4 * HOUR)
    assert states(story) == [("error", "ops", "due")]


def test_a_deleted_connection_takes_what_was_held_with_it(database):
    story = begin(database)
    silence(story, Scope.ALL, None, NOON)
    refuse(story, NOON + 10 * MINUTE)
    with database.write() as tx:
        record = connections.find_record(tx, "one")
        assert record is not None
        connections.delete_connection(tx, record, NOON + 20 * MINUTE)
    story.sweep(NOON + HOUR)
    assert states(story) == []


def test_nothing_held_is_claimed(database):
    story = begin(database)
    silence(story, Scope.ALL, None, NOON)
    refuse(story, NOON + 10 * MINUTE)
    with database.read() as tx:
        assert outbox.due_channels(tx, NOON + 30 * MINUTE) == []


def test_a_night_of_two_thousand_troubles_is_sorted_out_quickly(database):
    """What is held may be much; the write lock is everybody's."""
    names = [f"c{number:04}" for number in range(2_000)]
    entries = [entry(name, host=f"{name}.example.com") for name in names]
    story = begin(database, plan=plan_of(*entries))
    silence(story, Scope.ALL, None, NOON)
    refuse(story, NOON + 10 * MINUTE, *names)
    story.evaluate(NOON + 20 * MINUTE, **dict.fromkeys(names[:1_000], OK))
    story.sweep(NOON + HOUR)
    assert states(story) == []
    with database.read() as tx:
        rows = tx.execute(select(notifications.c.state)).scalars().all()
    assert rows == [NotificationState.DUE] * 1_000


def give_up(story: Story, kind: str, channel: str) -> None:
    """
    Have *channel* not take the alerts of *kind*.
    """
    with story.database.write() as tx:
        ids = [
            number
            for number, alert_kind in tx.execute(
                select(notifications.c.id, alerts.c.kind)
                .join(alerts)
                .where(notifications.c.channel == channel)
            )
            if alert_kind == kind
        ]
        outbox.mark_dead(tx, ids, "gone")


def test_nobody_is_told_of_a_trouble_after_its_end_when_it_is_tried_again(database):
    story = begin(database, plan=plan_of(entry("one"), channels=(OPS, MAIL)))
    refuse(story, NOON)
    give_up(story, "error", "ops")
    give_up(story, "error", "mail")
    story.evaluate(NOON + HOUR, one=OK)
    give_up(story, "recovered", "mail")
    story.send_all(NOON + HOUR)
    with database.write() as tx:
        assert retry_dead(tx, story.plan, NOON + 2 * HOUR) == (2, 1)
        assert retry_dead(tx, story.plan, NOON + 2 * HOUR) == (0, 0)
    assert states(story) == [
        ("error", "mail", "due"),
        ("recovered", "ops", "sent"),
        ("recovered", "mail", "due"),
    ]


def test_what_is_silenced_stays_so_when_it_is_tried_again(database):
    story = begin(database)
    refuse(story, NOON)
    give_up(story, "error", "ops")
    silence(story, Scope.ALL, None, NOON + MINUTE)
    with database.write() as tx:
        assert retry_dead(tx, story.plan, NOON + 2 * MINUTE) == (1, 0)
    assert states(story) == [("error", "ops", "held")]
