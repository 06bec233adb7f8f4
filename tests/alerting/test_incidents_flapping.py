"""
Connections that break and recover again and again.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.outcome import State
from monitor.store import connections, incidents
from tests.builders import HOUR, MINUTE, OK, REFUSED, UNREACHED, Story, entry, plan_of
from tests.fakes import NOON

SECOND = timedelta(seconds=1)


@pytest.fixture
def story(database) -> Story:
    story = Story.begin(database, plan_of(entry("one"), entry("two")))
    story.evaluate(NOON - 2 * HOUR, one=OK, two=OK)
    return story


def swing(story: Story, n: int, begin=NOON, apart=MINUTE):
    """
    Change the state of `one` so many times; every second refusal is never confirmed.
    """
    for number in range(n):
        story.evaluate(begin + number * apart, one=OK if number % 2 else REFUSED)
    return begin + (n - 1) * apart


def kinds(story: Story) -> list[str]:
    return [kind for kind, _ in story.kinds()]


def test_six_changes_within_an_hour_are_told_once_as_flapping(story):
    swing(story, 5)
    assert story.alerts() == []
    story.evaluate(NOON + 5 * MINUTE, one=OK)
    [alert] = story.alerts()
    assert (alert.kind, alert.severity, alert.connections) == ("flapping", "warning", ("one",))
    assert (alert.facts["n"], alert.facts["window"]) == (6, 3600)


def test_six_changes_within_more_than_an_hour_are_no_flapping(story):
    swing(story, 12, apart=13 * MINUTE)
    assert story.alerts() == []


def test_what_flaps_is_not_told_as_error_or_recovered(story):
    end = swing(story, 6)
    story.evaluate(end + MINUTE, one=REFUSED)
    story.evaluate(end + 2 * MINUTE, one=REFUSED)
    story.evaluate(end + 3 * MINUTE, one=OK)
    assert kinds(story) == ["flapping"]
    assert story.record("one").standing.state is State.ACTIVE, "the dashboard tells the truth"


def test_others_are_told_as_ever(story):
    end = swing(story, 6)
    for number in (1, 2):
        story.evaluate(end + number * MINUTE, two=REFUSED)
    assert story.kinds()[1:] == [("error", ("two",))]


def test_an_error_that_lasts_is_told_after_an_hour_without_a_change(story):
    end = swing(story, 7)
    story.evaluate(end + MINUTE, one=REFUSED)
    story.sweep(end + HOUR - SECOND)
    assert kinds(story) == ["flapping"]
    story.sweep(end + HOUR)
    assert kinds(story) == ["flapping", "error"]
    story.evaluate(end + HOUR + MINUTE, one=REFUSED)
    assert len(story.alerts()) == 2
    story.evaluate(end + HOUR + 2 * MINUTE, one=OK)
    assert kinds(story) == ["flapping", "error", "recovered"]


def test_every_change_puts_the_end_off(story):
    end = swing(story, 6)
    end = swing(story, 2, end + 50 * MINUTE)
    story.sweep(end + HOUR - SECOND)
    with story.database.read() as tx:
        assert incidents.list_flapping(tx) == {story.record("one").id}
    story.sweep(end + HOUR)
    with story.database.read() as tx:
        assert incidents.list_flapping(tx) == set()


def test_a_recovery_from_what_was_told_before_is_told_at_the_end(story):
    for number in range(2):
        story.evaluate(NOON + number * SECOND, one=REFUSED)
    story.evaluate(NOON + MINUTE, one=OK)
    end = swing(story, 3, NOON + 2 * MINUTE)
    story.evaluate(end + SECOND, one=REFUSED)
    assert kinds(story) == ["error", "recovered", "error"]
    end += MINUTE
    story.evaluate(end, one=OK)
    assert kinds(story)[3:] == ["flapping"], "its recovery is held"
    story.sweep(end + HOUR)
    assert kinds(story)[4:] == ["recovered"]


def test_nothing_is_told_at_the_end_of_what_was_never_told(story):
    end = swing(story, 6)
    story.sweep(end + HOUR)
    assert kinds(story) == ["flapping"]
    swing(story, 6, end + 3 * HOUR)
    assert kinds(story) == ["flapping", "flapping"], "it may begin anew"


def test_a_paused_connection_is_told_nothing_until_it_is_resumed(story):
    end = swing(story, 7)
    story.evaluate(end + MINUTE, one=REFUSED)
    with story.database.write() as tx:
        connections.pause(tx, story.record("one").id)
    story.sweep(end + 2 * HOUR)
    assert kinds(story) == ["flapping"]


def test_connections_of_a_host_that_is_out_do_not_flap(database):
    names = ("one", "two", "three")
    story = Story.begin(database, plan_of(*map(entry, names)))
    for number in range(12):
        outcome = UNREACHED if number % 4 else OK
        story.evaluate(NOON + number * MINUTE, **dict.fromkeys(names, outcome))
    assert "flapping" not in kinds(story)


def test_the_end_of_flapping_tells_nothing_while_the_host_is_out(database):
    names = ("one", "two", "three")
    story = Story.begin(database, plan_of(*map(entry, names)))
    story.evaluate(NOON - 2 * HOUR, **dict.fromkeys(names, OK))
    end = swing(story, 6)
    for number in range(1, 5):
        story.evaluate(end + number * MINUTE, **dict.fromkeys(names, UNREACHED))
    assert kinds(story) == ["flapping", "outage"]
    story.sweep(end + 2 * HOUR)
    assert kinds(story) == ["flapping", "outage"]


def test_the_end_of_an_outage_does_not_tell_of_what_flaps(database):
    others = ("two", "three", "four")
    story = Story.begin(database, plan_of(entry("one"), *map(entry, others)))
    story.evaluate(NOON - 2 * HOUR, one=OK, **dict.fromkeys(others, OK))
    end = swing(story, 7)
    story.evaluate(end + MINUTE, one=REFUSED)
    for number in (2, 3, 4):
        story.evaluate(end + number * MINUTE, **dict.fromkeys(others, UNREACHED))
    story.evaluate(end + 5 * MINUTE, **dict.fromkeys(others, OK))
    assert kinds(story) == ["flapping", "outage", "outage_over"]
    story.sweep(end + HOUR)
    assert story.kinds()[3:] == [("error", ("one",))]
