"""
`monitor.judge.reach`: what keeps alerts from reaching people.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.reach import (
    FailingChannel,
    ReachFacts,
    ReachNote,
    find_reach_problems,
    reaches_someone,
)
from monitor.judge.suppression import Scope, Silence
from tests.fakes import NOON

HOUR = timedelta(hours=1)
OPS, MAIL = FailingChannel("ops", NOON - HOUR), FailingChannel("mail", NOON - 2 * HOUR)


def silence(scope: Scope = Scope.ALL, starts: int = -1, ends: int = 1, number: int = 1) -> Silence:
    target = None if scope is Scope.ALL else "acme"
    return Silence(number, scope, target, "", NOON + starts * HOUR, NOON + ends * HOUR)


CASES: dict[str, tuple[ReachFacts, list[str], bool]] = {
    "nothing": (ReachFacts(["ops"]), [], True),
    "no channel": (ReachFacts([]), ["no_channel"], False),
    "everything muted": (ReachFacts(["ops"], [silence()]), ["muted_all"], False),
    "a connection muted": (ReachFacts(["ops"], [silence(Scope.CONNECTION)]), [], True),
    "a tag muted": (ReachFacts(["ops"], [silence(Scope.TAG)]), [], True),
    "a mute to come": (ReachFacts(["ops"], [silence(starts=1, ends=2)]), [], True),
    "a mute that is over": (ReachFacts(["ops"], [silence(ends=0)]), [], True),
    "one of two fails": (ReachFacts(["ops", "mail"], failing=[OPS]), ["channel_failed"], True),
    "both fail": (ReachFacts(["ops", "mail"], failing=[OPS, MAIL]), ["channel_failed"], False),
    "the only one fails": (ReachFacts(["ops"], failing=[OPS]), ["channel_failed"], False),
    "one that was taken out failed": (ReachFacts(["ops"], failing=[MAIL]), [], True),
    "a reload failed": (ReachFacts(["ops"], reload_failed_at=NOON), ["reload_failed"], True),
    "all at once": (
        ReachFacts(["ops"], [silence()], [OPS], 3, NOON),
        ["muted_all", "channel_failed", "reload_failed"],
        False,
    ),
}


@pytest.mark.parametrize(("facts", "notes", "is_reached"), CASES.values(), ids=CASES)
def test_what_keeps_alerts_from_people(facts, notes, is_reached):
    found = find_reach_problems(facts, NOON)
    assert [one.note.value for one in found] == notes
    assert reaches_someone(found, len(facts.channels)) is is_reached


def test_of_several_mutes_the_last_end_counts_and_all_are_named():
    facts = ReachFacts(["ops"], [silence(ends=3, number=1), silence(ends=5, number=2)], n_held=14)
    [found] = find_reach_problems(facts, NOON)
    assert (found.note, found.until, found.n_held, found.silences) == (
        ReachNote.MUTED_ALL,
        NOON + 5 * HOUR,
        14,
        (1, 2),
    )
