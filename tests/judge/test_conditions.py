"""
`monitor.judge.conditions`: what keeps alerts from being sent.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.conditions import (
    ConditionFacts,
    ConditionKind,
    FailingChannel,
    can_deliver,
    find_conditions,
)
from monitor.judge.suppression import Scope, Silence
from tests.fakes import NOON

HOUR = timedelta(hours=1)
OPS, MAIL = FailingChannel("ops", NOON - HOUR), FailingChannel("mail", NOON - 2 * HOUR)


def silence(scope: Scope = Scope.ALL, starts: int = -1, ends: int = 1, number: int = 1) -> Silence:
    target = None if scope is Scope.ALL else "acme"
    return Silence(number, scope, target, "", NOON + starts * HOUR, NOON + ends * HOUR)


CASES: dict[str, tuple[ConditionFacts, list[str], bool]] = {
    "nothing": (ConditionFacts(["ops"]), [], True),
    "no channel": (ConditionFacts([]), ["no_channel"], False),
    "everything muted": (ConditionFacts(["ops"], [silence()]), ["muted_all"], False),
    "a connection muted": (ConditionFacts(["ops"], [silence(Scope.CONNECTION)]), [], True),
    "a tag muted": (ConditionFacts(["ops"], [silence(Scope.TAG)]), [], True),
    "a mute to come": (ConditionFacts(["ops"], [silence(starts=1, ends=2)]), [], True),
    "a mute that is over": (ConditionFacts(["ops"], [silence(ends=0)]), [], True),
    "one of two fails": (ConditionFacts(["ops", "mail"], failing=[OPS]), ["channel_failed"], True),
    "both fail": (ConditionFacts(["ops", "mail"], failing=[OPS, MAIL]), ["channel_failed"], False),
    "the only one fails": (ConditionFacts(["ops"], failing=[OPS]), ["channel_failed"], False),
    "one that was taken out failed": (ConditionFacts(["ops"], failing=[MAIL]), [], True),
    "a reload failed": (ConditionFacts(["ops"], reload_failed_at=NOON), ["reload_failed"], True),
    "all at once": (
        ConditionFacts(["ops"], [silence()], [OPS], 3, NOON),
        ["muted_all", "channel_failed", "reload_failed"],
        False,
    ),
}


@pytest.mark.parametrize(("facts", "kinds", "can_be_sent"), CASES.values(), ids=CASES)
def test_what_keeps_alerts_from_being_sent(facts, kinds, can_be_sent):
    found = find_conditions(facts, NOON)
    assert [one.kind.value for one in found] == kinds
    assert can_deliver(found, len(facts.channels)) is can_be_sent


def test_of_several_mutes_the_last_end_counts_and_all_are_named():
    facts = ConditionFacts(
        ["ops"], [silence(ends=3, number=1), silence(ends=5, number=2)], n_held=14
    )
    [found] = find_conditions(facts, NOON)
    assert (found.kind, found.until, found.n_held, found.silences) == (
        ConditionKind.MUTED_ALL,
        NOON + 5 * HOUR,
        14,
        (1, 2),
    )
