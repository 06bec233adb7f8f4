"""
What a reading of a source means: what goes, what stays, and who is notified.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import AlertKind
from monitor.judge.sources import (
    Acceptance,
    Belief,
    ReadingFacts,
    SourceMemory,
    SourceState,
    accept,
    explain_hold,
    explain_refusal,
    follow_failure,
    follow_reading,
    is_over,
    note_reported,
    weigh,
)
from tests.fakes import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TENTH = 0.1

WEIGHED = {
    "all is there": (ReadingFacts(100, known=100), Belief.GOOD),
    "the first reading": (ReadingFacts(100), Belief.GOOD),
    "an empty list, and there was none before": (ReadingFacts(0), Belief.GOOD),
    "an empty list": (ReadingFacts(0, known=3, missing=3), Belief.HELD),
    "an empty list of one": (ReadingFacts(0, known=1, missing=1), Belief.HELD),
    "as many as may vanish": (ReadingFacts(10, known=30, missing=20), Belief.GOOD),
    "one more, of few": (ReadingFacts(10, known=31, missing=21), Belief.HELD),
    "more than 20, and a tenth": (ReadingFacts(900, known=1000, missing=100), Belief.GOOD),
    "more than a tenth": (ReadingFacts(899, known=1000, missing=101), Belief.HELD),
    "all but one": (ReadingFacts(1, known=50_000, missing=49_999), Belief.HELD),
    "all are others": (ReadingFacts(50, known=50, missing=50), Belief.HELD),
    "a twentieth is bad": (ReadingFacts(100, bad=5, known=100), Belief.GOOD),
    "more is bad": (ReadingFacts(100, bad=6, known=100), Belief.REFUSED),
    "one of a few is bad": (ReadingFacts(19, bad=1, known=19), Belief.REFUSED),
    "one of twenty is bad": (ReadingFacts(20, bad=1, known=20), Belief.GOOD),
    "all are bad": (ReadingFacts(3, bad=3, known=3, missing=3), Belief.REFUSED),
    "bad, and much is missing": (ReadingFacts(100, bad=50, known=200, missing=100), Belief.REFUSED),
    "a bad row without a name, and none is missing": (
        ReadingFacts(100, bad=1, unnamed=1, known=99),
        Belief.GOOD,
    ),
    "a bad row without a name may be what is missing": (
        ReadingFacts(100, bad=1, unnamed=1, known=100, missing=1),
        Belief.UNSURE,
    ),
}


@pytest.mark.parametrize("case", WEIGHED)
def test_a_reading_is_weighed(case):
    facts, expected = WEIGHED[case]
    assert weigh(facts, TENTH) is expected


@pytest.mark.parametrize(
    ("most", "belief"),
    [(0.0, Belief.HELD), (0.2, Belief.HELD), (0.3, Belief.GOOD), (1.0, Belief.GOOD)],
)
def test_the_share_that_may_vanish_is_that_of_the_file(most, belief):
    assert weigh(ReadingFacts(75, known=100, missing=25), most) is belief


def test_nothing_but_what_was_accepted_goes():
    held = ReadingFacts(0, known=50, missing=50, mark="m")
    assert weigh(held, TENTH, "m") is Belief.ACCEPTED
    assert weigh(held, TENTH, "other") is Belief.HELD
    assert weigh(replace(held, mark=""), TENTH, "") is Belief.HELD
    assert weigh(replace(held, rows=10, bad=9), TENTH, "m") is Belief.REFUSED


facts_of_any = st.builds(
    ReadingFacts,
    rows=st.integers(0, 10_000),
    bad=st.integers(0, 10_000),
    unnamed=st.integers(0, 10),
    known=st.integers(0, 10_000),
    missing=st.integers(0, 10_000),
    mark=st.sampled_from(["", "a", "b"]),
)


@given(facts_of_any, st.floats(0, 1))
def test_an_empty_list_removes_nothing_unless_a_person_said_so(facts, most):
    empty = replace(facts, rows=0, bad=0)
    if empty.missing:
        assert weigh(empty, most) in {Belief.HELD, Belief.UNSURE}


@given(facts_of_any, st.floats(0, 1))
def test_what_removes_anything_is_small_or_accepted(facts, most):
    if weigh(facts, most) in {Belief.GOOD, Belief.ACCEPTED}:
        assert facts.missing <= max(20, facts.known * most)
        assert facts.bad * 20 <= facts.rows


@pytest.mark.parametrize(
    ("after", "is_gone"),
    [(timedelta(), False), (HOUR - timedelta(seconds=1), False), (HOUR, True), (2 * HOUR, True)],
)
def test_a_missing_connection_goes_when_it_has_been_missing_long_enough(after, is_gone):
    assert is_over(NOON, NOON + after, HOUR) is is_gone


# --- what follows


class Story:
    """
    A source that is read again and again; each alert finds a channel unless nobody listens.
    """

    def __init__(self, *, is_heard: bool = True) -> None:
        self.memory = SourceMemory()
        self.alerts: list[str] = []
        self.facts: list[dict[str, object]] = []
        self._now = NOON
        self._is_heard = is_heard

    def fail(self, error: str = "gone") -> Story:
        return self._take(follow_failure("stores", self.memory, error, self._now))

    def read(self, facts: ReadingFacts = ReadingFacts(100, known=100)) -> Story:  # noqa: B008 - frozen
        belief = weigh(facts, TENTH, self.memory.accepted)
        assert belief is not Belief.REFUSED
        pending = 0 if belief is Belief.ACCEPTED else facts.missing
        followed = follow_reading("stores", self.memory, facts, belief, pending, self._now)
        return self._take(followed)

    def hold(self, missing: int = 50) -> Story:
        return self.read(ReadingFacts(50, known=100, missing=missing, mark=f"mark {missing}"))

    def _take(self, followed) -> Story:
        self.memory = followed.memory
        if followed.alert is not None and self._is_heard:
            self.alerts.append(followed.alert.kind.value)
            self.facts.append(followed.alert.facts)
            self.memory = note_reported(self.memory, followed.alert.kind)
        self._now += MINUTE
        return self


def test_three_unreadable_readings_are_reported_once():
    story = Story().read().fail().fail()
    assert (story.memory.state, story.alerts) == (SourceState.FAILED, [])
    story.fail("answered 503").fail().fail().fail()
    assert story.alerts == ["source_failed"]
    assert story.facts[0] == {
        "source": "stores",
        "error": "answered 503",
        "since": (NOON + MINUTE).isoformat(),
    }
    assert story.memory.failures == 6


def test_what_was_known_of_a_source_stays_while_it_cannot_be_read():
    story = Story().read(ReadingFacts(100, bad=1, known=100, problem="row 3: x")).fail("gone")
    memory = story.memory
    assert (memory.rows, memory.bad, memory.read_at, memory.tried_at) == (
        100,
        1,
        NOON,
        NOON + MINUTE,
    )
    assert memory.error == "gone"


def test_a_source_that_is_read_again_is_restored_once():
    story = Story().fail().fail().fail().read().read()
    assert story.alerts == ["source_failed", "source_restored"]
    assert story.facts[1] == {"source": "stores", "since": NOON.isoformat()}
    assert story.memory == SourceMemory(
        read_at=NOON + 4 * MINUTE, tried_at=NOON + 4 * MINUTE, rows=100
    )


def test_failures_that_were_not_reported_have_no_end():
    assert Story().fail().fail().read().fail().fail().read().alerts == []


def test_a_hold_is_reported_once_and_restored():
    story = Story().read().hold().hold().hold(60)
    assert (story.memory.state, story.alerts) == (SourceState.HELD, ["source_held"])
    assert story.memory.error == "60 of 100 connections would be removed"
    assert story.facts[0] == {
        "source": "stores",
        "n_missing": 50,
        "n_known": 100,
        "is_empty": False,
        "since": (NOON + MINUTE).isoformat(),
    }
    story.read().read()
    assert story.alerts == ["source_held", "source_restored"]
    assert story.memory.held == ""


def test_one_end_closes_both_troubles():
    story = Story().read().hold().fail().fail().fail().fail().hold().read()
    assert story.alerts == ["source_held", "source_failed", "source_restored"]


def test_a_hold_between_failures_ends_their_row():
    assert Story().fail().fail().hold().fail().fail().alerts == ["source_held"]


def test_what_found_no_channel_is_reported_when_one_is_there():
    story = Story(is_heard=False).hold().fail().fail().fail()
    assert story.alerts == []
    story._is_heard = True
    assert story.fail().hold().read().alerts == ["source_failed", "source_held", "source_restored"]


def test_only_the_removals_that_were_shown_last_can_be_accepted():
    story = Story().read().hold(50)
    assert accept(story.memory)[0] is Acceptance.ACCEPTED
    story.hold(60)
    said, shown = accept(story.memory)
    assert said is Acceptance.CHANGED
    assert accept(shown) == (Acceptance.ACCEPTED, replace(shown, accepted="mark 60"))


def test_what_was_accepted_goes_and_is_no_hold_any_more():
    story = Story().read().hold(50)
    story.memory = accept(story.memory)[1]
    story.hold(50)
    assert story.alerts == ["source_held", "source_restored"]
    assert (story.memory.state, story.memory.pending) == (SourceState.OK, 0)
    assert (story.memory.held, story.memory.accepted) == ("", "")


def test_an_acceptance_is_void_for_other_removals():
    story = Story().read().hold(50)
    story.memory = accept(story.memory)[1]
    story.hold(60)
    assert (story.memory.state, story.memory.accepted) == (SourceState.HELD, "")


def test_an_acceptance_outlives_a_failure():
    story = Story().read().hold(50)
    story.memory = accept(story.memory)[1]
    assert story.fail().hold(50).memory.state is SourceState.OK


@pytest.mark.parametrize("story", [Story(), Story().read(), Story().fail(), Story().hold().read()])
def test_nothing_can_be_accepted_where_nothing_is_held(story):
    assert accept(story.memory) == (Acceptance.NOTHING_HELD, story.memory)


@given(st.lists(st.sampled_from(["fail", "read", "hold"]), max_size=30))
def test_alerts_alternate_with_their_ends(steps):
    story = Story()
    for step in steps:
        getattr(story, step)()
        is_open = story.memory.is_failure_reported or story.memory.is_hold_reported
        last = next(iter(reversed(story.alerts)), AlertKind.SOURCE_RESTORED)
        assert is_open is (last != AlertKind.SOURCE_RESTORED)
    for kind in (AlertKind.SOURCE_FAILED, AlertKind.SOURCE_HELD):
        since = [each for each in story.alerts if each in {kind, AlertKind.SOURCE_RESTORED}]
        assert not any(pair == (kind, kind) for pair in pairwise(since))


def test_words_say_how_much():
    bad = ReadingFacts(1000, bad=60, problem="sources.stores row 3 (a).region: x")
    assert explain_refusal(bad) == (
        "60 of 1,000 rows cannot be used, such as sources.stores row 3 (a).region: x"
    )
    assert explain_hold(ReadingFacts(0, known=1000, missing=1000)) == (
        "the list is empty: 1,000 connections would be removed"
    )
