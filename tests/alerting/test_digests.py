"""
The summaries of channels that ask for one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from monitor.engine.sweep import is_anything_passed
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.routing import ChannelRoute, Digest, DigestTime, QuietInterval, Subject
from monitor.store import connections, reminders
from tests.builders import DAY, HOUR, MINUTE, OK, OPS, REFUSED, Story, entry, ok_with, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from monitor.store.engine import Database

SECOND = timedelta(seconds=1)
DAILY = DigestTime(Digest.DAILY, UTC)
WEEKLY = DigestTime(Digest.WEEKLY, UTC)
NEWS = ChannelRoute("news", digest=DAILY)
MORNING = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""The next nine o'clock after `NOON`: a Monday."""


def begin(database: Database, *channels: ChannelRoute) -> Story:
    """
    A story whose channels were seen for the first time at noon.
    """
    story = Story.begin(database, plan_of(entry("one"), channels=channels or (OPS, NEWS)))
    story.sweep(NOON)
    return story


def test_a_summary_comes_at_nine_to_the_channel_that_asked(database):
    story = begin(database)
    story.sweep(MORNING - SECOND)
    assert story.kinds() == []
    story.sweep(MORNING)
    assert story.kinds() == [("digest", ())]
    assert story.channels() == ["news"]


def test_a_summary_comes_once_a_day_across_restarts(database, open_database):
    story = begin(database)
    story.sweep(MORNING)
    again = Story(open_database(), story.plan)
    again.sweep(MORNING + HOUR)
    assert len(again.alerts()) == 1
    again.sweep(MORNING + DAY)
    assert len(again.alerts()) == 2


def test_days_that_nobody_was_awake_on_are_not_made_up_for(database):
    story = begin(database)
    story.sweep(MORNING + 5 * DAY + HOUR)
    story.sweep(MORNING + 5 * DAY + 2 * HOUR)
    assert len(story.alerts()) == 1


def test_a_channel_that_is_new_has_its_first_summary_the_next_time(database):
    story = begin(database)
    story.sweep(NOON + HOUR)
    assert story.alerts() == []


def test_a_sweep_is_needed_when_a_summary_is_due_and_not_before(database):
    story = begin(database)
    with database.read() as tx:
        assert not is_anything_passed(tx, story.plan, MORNING - SECOND)
        assert is_anything_passed(tx, story.plan, MORNING)


def test_a_weekly_summary_comes_on_mondays(database):
    story = begin(database, replace(NEWS, digest=WEEKLY))
    for days in range(15):
        story.sweep(MORNING + days * DAY)
    born = [alert.born_at for alert in story.alerts()]
    assert born == [MORNING, MORNING + 7 * DAY, MORNING + 14 * DAY]


def test_a_summary_needs_no_kind_and_no_severity(database):
    deaf = replace(NEWS, kinds=frozenset({AlertKind.ERROR}), min_severity=Severity.CRITICAL)
    story = begin(database, deaf)
    story.sweep(MORNING)
    assert story.channels() == ["news"]


def test_a_summary_waits_for_the_end_of_quiet_hours(database):
    late = replace(NEWS, quiet_hours=QuietInterval(UTC, time(22), time(10)))
    story = begin(database, late)
    story.sweep(MORNING)
    [alert] = story.alerts()
    assert [one.state.value for one in alert.notifications] == ["held"]
    story.sweep(MORNING + HOUR)
    [alert] = story.alerts()
    assert [one.state.value for one in alert.notifications] == ["due"]


def test_a_summary_counts_what_the_channel_is_there_for(database):
    names = ("eu-1", "eu-2", "eu-3", "eu-4", "na-1")
    subjects = [Subject(name, frozenset({name[:2]})) for name in names]
    plan = plan_of(
        *map(entry, names),
        channels=(replace(NEWS, tags=frozenset({"eu"})),),
        subjects=subjects,
        authorized_at=NOON - 336 * DAY,
    )
    story = Story.begin(database, plan)
    story.sweep(NOON)
    for n in range(2):
        story.evaluate(NOON + n * MINUTE, **{"eu-1": OK, "eu-2": REFUSED, "na-1": OK})
    with database.write() as tx:
        connections.pause(tx, story.record("eu-3").id)
    story.sweep(MORNING)
    [facts] = [alert.facts for alert in story.alerts() if alert.kind == "digest"]
    end = (NOON + 29 * DAY).isoformat()
    assert facts == {
        "n_active": 1,
        "n_error": 1,
        "n_expired": 0,
        "n_pending": 1,
        "n_paused": 1,
        "n_exhausted": 0,
        "n_expiring_soon": 3,
        "next_to_end": [{"name": f"eu-{n}", "ends_at": end} for n in (1, 2, 4)],
    }


def test_channels_that_are_due_together_have_each_its_own_summary(database):
    names = ("eu-1", "eu-2", "na-1")
    channels = [
        ChannelRoute(tag, tags=frozenset({tag}), digest=DAILY) for tag in ("eu", "na", "none")
    ]
    subjects = [Subject(name, frozenset({name[:2]})) for name in names]
    plan = plan_of(*map(entry, names), channels=channels, subjects=subjects)
    story = Story.begin(database, plan)
    story.sweep(NOON)
    story.evaluate(NOON, **dict.fromkeys(names, OK))
    story.sweep(MORNING)
    counted = {alert.notifications[0].channel: alert.facts["n_active"] for alert in story.alerts()}
    assert counted == {"eu": 2, "na": 1, "none": 0}


def test_what_is_out_of_quota_is_not_called_fine(database):
    story = Story.begin(database, plan_of(*map(entry, ("one", "two", "off")), channels=(NEWS,)))
    story.sweep(NOON)
    story.evaluate(NOON, one=ok_with(0), two=ok_with(1), off=ok_with(0, account="Other"))
    with database.write() as tx:
        connections.pause(tx, story.record("off").id)
    story.sweep(MORNING)
    [facts] = [alert.facts for alert in story.alerts() if alert.kind == "digest"]
    assert (facts["n_active"], facts["n_paused"], facts["n_exhausted"]) == (2, 1, 1)


def test_a_clock_that_was_set_back_costs_no_summary(database):
    story = begin(database)
    with database.write() as tx:
        reminders.note_digest(tx, "news", NOON + 100 * DAY)
        reminders.shift_digests(tx, NOON)
    story.sweep(MORNING)
    assert story.kinds() == [("digest", ())]


def test_the_summary_of_one_channel_goes_to_no_other(database):
    weekly = ChannelRoute("weekly", digest=WEEKLY)
    by_name = ChannelRoute("named", kinds=frozenset({AlertKind.DIGEST}))
    story = begin(database, NEWS, weekly, by_name)
    story.sweep(MORNING + DAY)
    assert story.channels() == ["news"]
