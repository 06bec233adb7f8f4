"""
What changed while the daemon did not run.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.alerting.digests import dispatch_resumed, is_all_checked, note_absence
from monitor.judge.alerts import AlertKind
from monitor.judge.routing import ChannelRoute
from monitor.store import connections
from tests.builders import DAY, EVERY, HOUR, MINUTE, OK, REFUSED, Story, entry, plan_of
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
CURIOUS = ChannelRoute("curious", kinds=frozenset({AlertKind.RESUMED}))
BACK = NOON + 2 * HOUR


@pytest.fixture
def story(database) -> Story:
    """
    Two connections, last checked at noon: one well, one refused.
    """
    story = Story.begin(database, plan_of(entry("one"), entry("two"), channels=(CURIOUS,)))
    story.evaluate(NOON, one=OK, two=REFUSED)
    return story


def find(story: Story, at=BACK):
    with story.database.write() as tx:
        return note_absence(tx, story.plan, at)


def tell(story: Story, absence, at) -> bool:
    with story.database.write() as tx:
        return dispatch_resumed(tx, absence, story.plan, at)


def settled(story: Story, absence, at) -> bool:
    with story.database.read() as tx:
        return is_all_checked(tx, absence, story.plan, at)


def test_an_absence_is_longer_than_three_times_the_shortest_rhythm(story):
    assert find(story, NOON + 3 * EVERY) is None
    absence = find(story, NOON + 3 * EVERY + SECOND)
    assert absence is not None
    assert (absence.since, absence.until) == (NOON, NOON + 3 * EVERY + SECOND)


def test_a_first_start_resumes_nothing(database):
    story = Story.begin(database, plan_of(entry("one"), channels=(CURIOUS,)))
    assert find(story) is None


def test_nobody_who_did_not_name_it_hears_of_it(database):
    story = Story.begin(database, plan_of(entry("one")))
    story.evaluate(NOON, one=OK)
    assert find(story) is None


def test_first_answers_that_differ_are_told(story):
    absence = find(story)
    story.evaluate(BACK + MINUTE, one=REFUSED)
    assert not settled(story, absence, BACK + MINUTE), "one has yet to answer"
    story.evaluate(BACK + 2 * MINUTE, two=OK)
    assert settled(story, absence, BACK + 2 * MINUTE)
    assert tell(story, absence, BACK + 2 * MINUTE)
    [alert] = [alert for alert in story.alerts() if alert.kind == "resumed"]
    assert (alert.severity, alert.connections) == ("info", ("one", "two"))
    assert alert.facts["since"] == NOON.isoformat()
    assert alert.facts["lines"] == ["one: active -> error", "two: error -> active"]
    assert alert.facts["n_changed"] == 2
    assert [one.channel for one in alert.notifications] == ["curious"]


def test_checks_that_were_missed_are_counted_but_not_of_what_is_paused(story):
    absence = find(story)
    with story.database.write() as tx:
        connections.pause(tx, story.record("two").id)
    story.evaluate(BACK + MINUTE, one=REFUSED)
    assert tell(story, absence, BACK + MINUTE)
    [alert] = [alert for alert in story.alerts() if alert.kind == "resumed"]
    assert alert.facts["n_missed"] == 2 * HOUR // EVERY


def test_what_is_as_before_is_not_told(story):
    absence = find(story)
    story.evaluate(BACK + MINUTE, one=REFUSED, two=REFUSED)
    story.evaluate(BACK + 2 * MINUTE, one=OK)
    assert not tell(story, absence, BACK + 2 * MINUTE)
    assert "resumed" not in [kind for kind, _ in story.kinds()]


def test_a_connection_that_is_new_and_well_is_no_change(database):
    story = Story.begin(database, plan_of(entry("one"), entry("new"), channels=(CURIOUS,)))
    story.evaluate(NOON, one=OK)
    absence = find(story)
    story.evaluate(BACK, one=OK, new=OK)
    assert not tell(story, absence, BACK + MINUTE)


def test_clocks_that_passed_meanwhile_are_told(database):
    plan = plan_of(entry("one"), channels=(CURIOUS,), authorized_at=NOON - 300 * DAY)
    story = Story.begin(database, plan, NOON)
    story.evaluate(NOON, one=OK)
    back = NOON + 40 * DAY
    absence = find(story, back)
    story.sweep(back)
    story.evaluate(back, one=OK)
    assert tell(story, absence, back)
    assert story.alerts()[-1].facts["lines"] == ["one: expiring_soon"]


def test_whoever_does_not_answer_is_waited_for_as_long_as_the_rhythm_only(story):
    absence = find(story)
    assert not settled(story, absence, BACK + EVERY)
    assert settled(story, absence, BACK + EVERY + MINUTE)


def test_a_daemon_that_dies_before_it_has_told_goes_on_with_it(story):
    find(story)
    story.evaluate(BACK + MINUTE, one=REFUSED)
    absence = find(story, BACK + 2 * MINUTE)
    assert (absence.since, absence.until) == (NOON, BACK)
    assert not settled(story, absence, BACK + 2 * MINUTE), "two has yet to answer"
    story.evaluate(BACK + 3 * MINUTE, two=OK)
    assert tell(story, absence, BACK + 3 * MINUTE)
    assert story.alerts()[-1].facts["lines"] == ["one: active -> error", "two: error -> active"]
    assert find(story, BACK + 4 * MINUTE) is None


def test_absences_without_a_word_between_them_are_one(story):
    find(story)
    story.evaluate(BACK + MINUTE, one=REFUSED)
    again = BACK + 2 * HOUR
    absence = find(story, again)
    assert (absence.since, absence.until) == (NOON, again)
    assert not settled(story, absence, again), "nobody was asked since"


def test_an_absence_that_nobody_wants_to_hear_of_any_more_is_forgotten(story):
    find(story)
    story.plan = plan_of(entry("one"), entry("two"))
    assert find(story, BACK + MINUTE) is None
    story.plan = plan_of(entry("one"), entry("two"), channels=(CURIOUS,))
    story.evaluate(BACK + MINUTE, one=OK, two=OK)
    assert find(story, BACK + 2 * MINUTE) is None


def test_an_absence_of_which_there_was_nothing_to_tell_is_done_with(story):
    absence = find(story)
    story.evaluate(BACK, one=OK, two=REFUSED)
    assert not tell(story, absence, BACK)
    assert find(story, BACK + MINUTE) is None
