"""
What of that which was held back is still worth telling.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import AlertKind, Key, keys_of
from monitor.judge.suppression import NotifiedAlert, find_stale, find_superseded

E, X, R, N = AlertKind.ERROR, AlertKind.EXPIRED, AlertKind.RECOVERED, AlertKind.RENEWED
OUT, OVER = AlertKind.OUTAGE, AlertKind.OUTAGE_OVER
LOW, NONE_LEFT, RAISED = AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED, AlertKind.LIMIT_CHANGED
SOON = AlertKind.EXPIRING_SOON


def held(number: int, kind: AlertKind, *keys: Key) -> NotifiedAlert:
    return NotifiedAlert(number, kind, frozenset(keys or (7,)), is_released=True)


def told(number: int, kind: AlertKind, *keys: Key) -> NotifiedAlert:
    return NotifiedAlert(number, kind, frozenset(keys or (7,)))


def elsewhere(number: int, kind: AlertKind, *keys: Key) -> NotifiedAlert:
    return NotifiedAlert(number, kind, frozenset(keys or (7,)), is_here=False)


@pytest.mark.parametrize(
    ("story", "stale"),
    [
        pytest.param([held(1, E)], set(), id="still true"),
        pytest.param([held(1, E), held(2, R)], {1, 2}, id="came and went"),
        pytest.param([held(1, X), held(2, N)], {1, 2}, id="expired and was renewed"),
        pytest.param([told(1, SOON), held(2, X), held(3, N)], {2}, id="renewed after a warning"),
        pytest.param([held(1, E), elsewhere(2, R)], {1}, id="its end goes to other channels"),
        pytest.param(
            [elsewhere(1, E), held(2, E), held(3, R)], {2, 3}, id="other channels were told before"
        ),
        pytest.param([told(1, E), held(2, R)], set(), id="the end of what was told"),
        pytest.param(
            [told(1, E), held(2, R), held(3, E)], set(), id="an end, and a trouble that lasts"
        ),
        pytest.param(
            [told(1, E), held(2, R), held(3, E), held(4, R)],
            {3, 4},
            id="an end, and a trouble that came and went after it",
        ),
        pytest.param(
            [told(1, E), held(2, E), held(3, R)], {2}, id="told anew, held, and over: one end"
        ),
        pytest.param([held(1, E), held(2, E)], {1}, id="only the latest of what lasts"),
        pytest.param([held(1, E), told(2, X)], {1}, id="overtaken by what was told"),
        pytest.param([held(1, E), elsewhere(2, X)], set(), id="overtaken, but not here"),
        pytest.param([held(1, E, 7, 8), held(2, R, 7)], set(), id="one of two has recovered"),
        pytest.param([held(1, E, 7, 8), held(2, R, 7), held(3, R, 8)], {1, 2, 3}, id="both, apart"),
        pytest.param(
            [told(1, E, 7), held(2, E, 8), held(3, R, 7, 8)],
            {2},
            id="an end of two, one of which was told",
        ),
        pytest.param([held(1, OUT, "h"), held(2, OVER, "h")], {1, 2}, id="an outage"),
        pytest.param([held(1, OUT, "h"), held(2, OVER, "g")], set(), id="two outages"),
        pytest.param([held(1, LOW), held(2, NONE_LEFT)], {1}, id="low, then exhausted"),
        pytest.param([held(1, LOW), held(2, RAISED)], {1}, id="an upgrade is news by itself"),
        pytest.param([held(1, SOON), held(2, SOON)], {1}, id="only the most urgent step"),
        pytest.param([held(2, R)], set(), id="an end whose beginning nobody knows any more"),
    ],
)
def test_what_came_and_went_goes_away_and_the_end_of_what_was_told_stays(story, stale):
    assert find_stale(story) == stale


STORIES = st.lists(
    st.tuples(st.sampled_from([E, X, R]), st.sampled_from([7, 8]), st.booleans()), max_size=12
)


@given(STORIES)
def test_the_end_of_an_announced_trouble_is_never_dropped(steps):
    story = [
        NotifiedAlert(number, kind, frozenset({key}), is_released=is_held)
        for number, (kind, key, is_held) in enumerate(steps, 1)
    ]
    stale = find_stale(story)
    for end in story:
        if end.kind is not R or not end.is_released:
            continue
        before = [one for one in story if one.id < end.id and one.keys == end.keys]
        last_end = max((one.id for one in before if one.kind is R), default=0)
        if any(one.id > last_end and one.kind is not R and not one.is_released for one in before):
            assert end.id not in stale
    assert stale <= {one.id for one in story if one.is_released}


@pytest.mark.parametrize(
    ("story", "old"),
    [
        pytest.param([held(1, E)], set(), id="nothing since"),
        pytest.param([held(1, E), told(2, R)], {1}, id="its end was told"),
        pytest.param([held(1, E), held(2, R)], set(), id="its end was given up as well"),
        pytest.param([held(1, E), elsewhere(2, R)], set(), id="its end was told to others"),
        pytest.param([told(1, R), held(2, E)], set(), id="an earlier end was told"),
        pytest.param([held(1, E), told(2, X)], {1}, id="the next trouble was told"),
        pytest.param([held(2, R), told(3, E)], {2}, id="an end, and a trouble told since"),
        pytest.param([held(1, E, 7, 8), told(2, R, 7)], set(), id="the end of one of two"),
        pytest.param([held(1, E, 7, 8), told(2, R, 7), told(3, R, 8)], {1}, id="both ends"),
        pytest.param([held(1, E, 7), told(2, R, 8)], set(), id="the end of another"),
        pytest.param([held(1, OUT, "h"), told(2, OVER, "h")], {1}, id="an outage that is over"),
    ],
)
def test_what_was_given_up_is_old_once_the_channel_heard_how_it_went_on(story, old):
    assert find_superseded(story) == old


def test_larger_things_than_connections_are_known_by_their_name():
    assert keys_of(AlertKind.OUTAGE, {"host": "api.example.com"}, (1, 2)) == {"api.example.com"}
    assert keys_of(AlertKind.CHANNEL_FAILED, {"channel": "ops"}, ()) == {"ops"}
    assert keys_of(AlertKind.MONITOR_OFFLINE, {}, ()) == keys_of(AlertKind.MONITOR_ONLINE, {}, ())
    assert keys_of(AlertKind.ERROR, {}, (1, 2)) == {1, 2}
