from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.outcome import Reason, Standing, State
from monitor.judge.verdict import (
    LONGEST_WAIT,
    STARTS_PER_SECOND,
    Verdict,
    next_check,
    next_slot,
    spread,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVERY = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
STANDING = Standing(State.ACTIVE, Reason.OK, "", NOON)
PLAIN = Verdict(STANDING)


@pytest.mark.parametrize(
    ("late", "slot"),
    [
        pytest.param(timedelta(0), EVERY, id="on time"),
        pytest.param(0.2 * SECOND, EVERY, id="a fast answer"),
        pytest.param(9 * SECOND, EVERY, id="a slow answer"),
        pytest.param(EVERY - SECOND, EVERY, id="just before the next slot"),
        pytest.param(EVERY, 2 * EVERY, id="at the next slot"),
        pytest.param(EVERY + SECOND, 2 * EVERY, id="after the next slot"),
        pytest.param(100 * EVERY + SECOND, 101 * EVERY, id="the whole program stood still"),
    ],
)
def test_the_next_slot_is_the_first_of_the_rhythm_that_lies_ahead(late, slot):
    assert next_slot(NOON, EVERY, NOON + late) == NOON + slot


def test_a_slot_that_lies_ahead_is_the_next_one():
    assert next_slot(NOON + 7 * EVERY, EVERY, NOON) == NOON + 7 * EVERY


def test_slow_answers_do_not_shift_the_rhythm():
    scheduled_at = NOON
    for latency in (0.1, 9.9, 3.0, 0.0, 7.5) * 20:
        now = scheduled_at + timedelta(seconds=latency)
        scheduled_at = next_check(PLAIN, scheduled_at, EVERY, now)

    assert scheduled_at == NOON + 100 * EVERY


@pytest.mark.parametrize(
    ("recheck_after", "expected"),
    [
        pytest.param(30 * SECOND, 32 * SECOND, id="sooner than the rhythm"),
        pytest.param(EVERY, EVERY, id="as long as the rhythm: the rhythm comes first"),
        pytest.param(3 * EVERY, EVERY, id="longer than the rhythm"),
    ],
)
def test_a_recheck_comes_after_the_answer_but_never_later_than_the_rhythm(recheck_after, expected):
    verdict = Verdict(STANDING, recheck_after=recheck_after)
    assert next_check(verdict, NOON, EVERY, NOON + 2 * SECOND) == NOON + expected


@pytest.mark.parametrize(
    ("not_before", "expected"),
    [
        pytest.param(-EVERY, EVERY, id="long past"),
        pytest.param(10 * SECOND, EVERY, id="before the next slot"),
        pytest.param(EVERY, EVERY, id="at the next slot"),
        pytest.param(EVERY + SECOND, 2 * EVERY, id="after the next slot"),
        pytest.param(60 * EVERY + SECOND, 61 * EVERY, id="hours away"),
    ],
)
def test_a_wait_ends_at_a_slot_of_the_rhythm(not_before, expected):
    verdict = Verdict(STANDING, not_before=NOON + not_before)
    assert next_check(verdict, NOON, EVERY, NOON + SECOND) == NOON + expected


def test_a_check_made_by_hand_leaves_the_rhythm_as_it_was():
    due_at = NOON + 2 * EVERY
    assert next_check(PLAIN, due_at, EVERY, NOON + SECOND) == due_at


def test_a_check_made_by_hand_does_not_end_the_wait_of_a_throttled_connection():
    due_at = NOON + timedelta(hours=9)
    assert next_check(PLAIN, due_at, EVERY, NOON) == due_at


def test_a_refusal_seen_by_hand_brings_the_next_check_forward():
    verdict = Verdict(STANDING, recheck_after=30 * SECOND)
    assert next_check(verdict, NOON + EVERY, EVERY, NOON) == NOON + 30 * SECOND


@pytest.mark.parametrize(
    ("count", "every", "last"),
    [
        pytest.param(1, EVERY, timedelta(0), id="a single one at once"),
        pytest.param(5, EVERY, 0.08 * SECOND, id="five stores at once"),
        pytest.param(
            100_000,
            timedelta(hours=1),
            timedelta(seconds=2000) * 99_999 / 100_000,
            id="many, at the greatest speed",
        ),
        pytest.param(
            100_000, EVERY, EVERY * 99_999 / 100_000, id="many, within one round of the rhythm"
        ),
    ],
)
def test_the_last_of_many_starts_within_one_round(count, every, last):
    assert abs(spread(count - 1, count, every) - last) < timedelta(milliseconds=1)
    assert spread(0, count, every) == timedelta(0)


@given(count=st.integers(1, 100_000), seconds=st.integers(10, 7 * 86400), data=st.data())
def test_first_checks_keep_their_order_and_stay_within_the_rhythm(count, seconds, data):
    every = timedelta(seconds=seconds)
    position = data.draw(st.integers(0, count - 1))

    waits = [spread(position, count, every), spread(position + 1, count, every)]

    assert timedelta(0) <= waits[0] <= waits[1] <= every
    assert waits[0] < every
    # No more than this many a second, unless the rhythm itself demands it.
    if timedelta(seconds=count / STARTS_PER_SECOND) <= every:
        assert waits[1] - waits[0] >= timedelta(seconds=1 / STARTS_PER_SECOND, microseconds=-2)


EVERIES = st.integers(10, 7 * 86400).map(lambda seconds: timedelta(seconds=seconds))


@given(
    every=EVERIES,
    late=st.timedeltas(timedelta(0), timedelta(days=400)),
    recheck=st.none() | st.timedeltas(SECOND, timedelta(days=7)),
    wait=st.none() | st.timedeltas(-LONGEST_WAIT, LONGEST_WAIT),
)
def test_the_next_check_lies_ahead_and_within_reach(every, late, recheck, wait):
    now = NOON + late
    not_before = None if wait is None else now + wait
    verdict = Verdict(STANDING, recheck_after=recheck, not_before=not_before)

    at = next_check(verdict, NOON, every, now)

    assert now < at <= now + max(every, LONGEST_WAIT + every)
    assert not_before is None or at >= not_before
    if wait is None:
        assert at <= now + every
    if recheck is None:
        assert (at - NOON) % every == timedelta(0)
