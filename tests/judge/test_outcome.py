from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.judge.outcome import Outcome, OutcomeClass, QuotaReading, Reason, State

OF_APPLICATION = {Reason.CLIENT_REJECTED, Reason.CLIENT_SECRET_EXPIRED}
REFUSALS = OF_APPLICATION | {
    Reason.AUTHORIZATION_EXPIRED,
    Reason.TOKEN_REJECTED,
    Reason.AUTHORIZATION_REVOKED,
    Reason.MARKETPLACE_MISMATCH,
    Reason.REGION_MISMATCH,
    Reason.PERMISSION_DENIED,
    Reason.ACCOUNT_SUSPENDED,
}
INCONCLUSIVE = {
    Reason.SERVER_ERROR,
    Reason.UNEXPECTED_RESPONSE,
    Reason.DNS,
    Reason.CONNECT,
    Reason.TLS,
    Reason.TIMEOUT,
    Reason.PROTOCOL,
}


@pytest.mark.parametrize(
    ("reasons", "outcome_class"),
    [
        pytest.param({Reason.OK}, OutcomeClass.SUCCESS, id="success"),
        pytest.param(REFUSALS, OutcomeClass.REFUSAL, id="refusal"),
        pytest.param(INCONCLUSIVE, OutcomeClass.INCONCLUSIVE, id="inconclusive"),
        pytest.param({Reason.THROTTLED}, OutcomeClass.THROTTLED, id="throttled"),
    ],
)
def test_each_class_has_the_reasons_of_the_contract(reasons, outcome_class):
    # `not_checked` is the reason of a state; no outcome has it.
    outcomes = set(Reason) - {Reason.NOT_CHECKED}
    assert {reason for reason in outcomes if reason.outcome_class is outcome_class} == reasons


def test_only_a_yes_or_a_no_of_the_provider_is_conclusive():
    assert {reason for reason in Reason if reason.is_conclusive} == {Reason.OK} | REFUSALS


def test_a_refused_client_is_the_fault_of_its_application():
    assert {reason for reason in Reason if reason.is_of_application} == OF_APPLICATION


def test_states_are_called_as_in_the_contract():
    assert [state.value for state in State] == ["pending", "active", "error", "expired", "paused"]


@pytest.mark.parametrize(
    ("reading", "is_empty"),
    [
        pytest.param(QuotaReading(), True, id="nothing"),
        pytest.param(QuotaReading(window_s=86400), True, id="only how long a period is"),
        pytest.param(QuotaReading(limit=0), False, id="a limit of nothing"),
        pytest.param(QuotaReading(remaining=0), False, id="nothing left"),
        pytest.param(
            QuotaReading(resets_at=datetime(2026, 12, 1, tzinfo=UTC)), False, id="only a reset"
        ),
    ],
)
def test_a_reading_is_empty_when_it_says_nothing_about_the_quota(reading, is_empty):
    assert reading.is_empty is is_empty


def test_an_outcome_that_says_only_its_reason_claims_nothing_else():
    outcome = Outcome(Reason.TIMEOUT)

    assert outcome.quota is None
    assert not outcome.is_payment_required
    assert outcome.retry_at is None
    assert outcome.account is None
