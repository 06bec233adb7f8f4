from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.judge.incidents import NETWORK, disregard, has_answered, is_unanswered
from monitor.judge.outcome import Outcome, OutcomeClass, Reason, Standing, State
from tests.fakes import NOON

ASKED = [reason for reason in Reason if reason is not Reason.NOT_CHECKED]


@pytest.mark.parametrize("reason", ASKED, ids=str)
def test_a_check_is_either_answered_or_not(reason):
    outcome = Outcome(reason, http_status=None if reason in NETWORK else 200)
    assert has_answered(outcome) is not is_unanswered(outcome)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(Reason.OK), True),
        (Outcome(Reason.OK, is_countdown=True), False),
        (Outcome(Reason.TOKEN_REJECTED), True),
        (Outcome(Reason.CLIENT_REJECTED, is_taken_over=True), False),
        (Outcome(Reason.THROTTLED, http_status=429), True),
        (Outcome(Reason.SERVER_ERROR, http_status=502), True),
        (Outcome(Reason.UNEXPECTED_RESPONSE), False),
    ],
    ids=["success", "countdown", "refusal", "taken over", "throttled", "server", "own fault"],
)
def test_an_answer_is_what_a_service_sent(outcome, expected):
    assert has_answered(outcome) is expected


@pytest.mark.parametrize("reason", sorted(NETWORK), ids=str)
def test_what_is_overlooked_changes_no_state_and_no_row(reason):
    previous = replace(
        Standing.unknown(NOON), state=State.ERROR, reason=Reason.TOKEN_REJECTED, refusals=1
    )
    later = NOON + timedelta(minutes=1)
    verdict = disregard(previous, Outcome(reason, "Nobody there.", latency_ms=1.5), later)
    assert verdict.standing == replace(
        previous, checked_at=later, latency_ms=1.5, last_reason=reason
    )
    assert (verdict.transition, verdict.alerts) == (None, ())
    assert reason.outcome_class is OutcomeClass.INCONCLUSIVE
