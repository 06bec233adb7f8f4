from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.judge.applications import (
    ApplicationStanding,
    ApplicationVerdict,
    Refusal,
    judge_application,
)
from monitor.judge.outcome import Marketplace, Outcome, Reason

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=5)
ASKER, OTHER = 1, 2
US = Marketplace(
    "US",
    "ATVPDKIKX0DER",
    is_participating=True,
    has_suspended_listings=False,
    is_configured=True,
)
LISTED = Outcome(Reason.OK, marketplaces=(US,))
REJECTED = Outcome(Reason.CLIENT_REJECTED, "Amazon refuses client id or secret.")
WELL = ApplicationStanding()


def refused(reason: Reason, asker_id: int | None = ASKER) -> ApplicationStanding:
    return ApplicationStanding(Refusal(reason, "no", EARLIER, asker_id), announced_reason=reason)


def test_the_first_that_is_refused_becomes_the_asker():
    heard = judge_application(WELL, OTHER, REJECTED, NOW)
    refusal = Refusal(Reason.CLIENT_REJECTED, REJECTED.detail, NOW, OTHER)
    assert heard == ApplicationVerdict(ApplicationStanding(refusal), is_begun=True)


def test_the_asker_keeps_the_beginning_and_what_was_told():
    heard = judge_application(refused(Reason.CLIENT_SECRET_EXPIRED), ASKER, REJECTED, NOW)
    assert heard.standing.refusal == Refusal(
        Reason.CLIENT_REJECTED, REJECTED.detail, EARLIER, ASKER
    )
    assert heard.standing.announced_reason is Reason.CLIENT_SECRET_EXPIRED
    assert not heard.is_begun


def test_an_answer_under_way_when_the_refusal_came_changes_nothing():
    standing = refused(Reason.CLIENT_REJECTED)
    assert judge_application(standing, OTHER, REJECTED, NOW) == ApplicationVerdict(standing)


def test_another_asks_when_the_asker_is_gone():
    heard = judge_application(refused(Reason.CLIENT_REJECTED, asker_id=None), OTHER, REJECTED, NOW)
    assert heard.standing.refusal is not None
    assert heard.standing.refusal.asker_id == OTHER
    assert not heard.is_begun


def test_a_verdict_taken_over_says_nothing_new():
    outcome = Outcome(Reason.CLIENT_REJECTED, is_taken_over=True)
    assert judge_application(WELL, OTHER, outcome, NOW) == ApplicationVerdict(WELL)


@pytest.mark.parametrize(
    ("against", "outcome", "is_over"),
    [
        (Reason.CLIENT_REJECTED, LISTED, True),
        (Reason.CLIENT_REJECTED, Outcome(Reason.OK), True),
        (Reason.CLIENT_REJECTED, Outcome(Reason.AUTHORIZATION_REVOKED), True),
        (Reason.CLIENT_REJECTED, Outcome(Reason.TIMEOUT), False),
        (Reason.CLIENT_REJECTED, Outcome(Reason.THROTTLED), False),
        (Reason.CLIENT_SECRET_EXPIRED, LISTED, True),
        (Reason.CLIENT_SECRET_EXPIRED, Outcome(Reason.MARKETPLACE_MISMATCH), True),
        (Reason.CLIENT_SECRET_EXPIRED, Outcome(Reason.PERMISSION_DENIED), True),
        (Reason.CLIENT_SECRET_EXPIRED, Outcome(Reason.OK), False),
        (Reason.CLIENT_SECRET_EXPIRED, Outcome(Reason.AUTHORIZATION_REVOKED), False),
        (Reason.CLIENT_SECRET_EXPIRED, Outcome(Reason.SERVER_ERROR), False),
    ],
    ids=str,
)
def test_what_shows_that_an_application_is_accepted_again(against, outcome, is_over):
    heard = judge_application(refused(against), OTHER, outcome, NOW)
    assert heard.is_over is is_over
    assert (heard.standing == WELL) is is_over


def test_a_request_from_before_the_refusal_shows_nothing():
    slow = Outcome(Reason.OK, latency_ms=400_000, marketplaces=(US,))
    assert not judge_application(refused(Reason.CLIENT_REJECTED), OTHER, slow, NOW).is_over


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(Outcome(Reason.AUTHORIZATION_REVOKED), id="revoked"),
        pytest.param(Outcome(Reason.PROTOCOL, "The token cannot be read."), id="unsendable"),
        pytest.param(Outcome(Reason.TIMEOUT), id="no answer"),
    ],
)
def test_an_asker_that_cannot_tell_hands_over(outcome):
    standing = refused(Reason.CLIENT_SECRET_EXPIRED)
    assert standing.refusal is not None
    heard = judge_application(standing, ASKER, outcome, NOW)
    assert heard.standing.refusal == replace(standing.refusal, asker_id=None)
    assert not heard.is_over
    assert judge_application(standing, OTHER, outcome, NOW) == ApplicationVerdict(standing)


def test_a_throttled_asker_goes_on_asking():
    standing = refused(Reason.CLIENT_REJECTED)
    assert judge_application(standing, ASKER, Outcome(Reason.THROTTLED), NOW) == ApplicationVerdict(
        standing
    )


def test_a_token_that_was_issued_shows_that_the_client_is_accepted():
    outcome = Outcome(Reason.SERVER_ERROR, is_token_issued=True)
    assert judge_application(refused(Reason.CLIENT_REJECTED), ASKER, outcome, NOW).is_over
    assert not judge_application(refused(Reason.CLIENT_SECRET_EXPIRED), ASKER, outcome, NOW).is_over


def test_an_application_that_is_well_stays_well():
    assert judge_application(WELL, OTHER, LISTED, NOW) == ApplicationVerdict(WELL)
