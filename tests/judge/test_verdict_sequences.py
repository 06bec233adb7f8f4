"""
What holds for every sequence of outcomes, however unlikely.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import Outcome, OutcomeClass, Reason, Rules, Standing, State
from monitor.judge.verdict import LONGEST_WAIT, Verdict, judge, next_check

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LOUD = {AlertKind.ERROR, AlertKind.EXPIRED}

REASONS = st.sampled_from([reason for reason in Reason if reason is not Reason.NOT_CHECKED])
# Few reasons make rows likely, all of them make surprises possible.
FEW_REASONS = st.sampled_from(
    [Reason.OK, Reason.TOKEN_REJECTED, Reason.PERMISSION_DENIED, Reason.TIMEOUT, Reason.DNS]
)
OUTCOMES = st.builds(
    Outcome,
    REASONS | FEW_REASONS,
    detail=st.sampled_from(["", "It was refused."]),
    is_payment_required=st.booleans(),
    retry_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)
RULES = st.builds(
    Rules,
    every=st.integers(10, 90_000).map(lambda seconds: timedelta(seconds=seconds)),
    recheck_after=st.integers(1, 90_000).map(lambda seconds: timedelta(seconds=seconds)),
    alert_after_refusals=st.integers(1, 4),
    error_after_failures=st.integers(1, 4),
)
ENDS = st.none() | st.timedeltas(timedelta(-1), timedelta(days=2)).map(lambda it: START + it)


def play(
    outcomes: list[Outcome], rules: Rules, ends_at: datetime | None
) -> list[tuple[Standing, Outcome, Verdict, datetime]]:
    """
    Judge *outcomes* in the rhythm that their verdicts ask for.
    """
    standing, at, steps = Standing.unknown(START), START, []
    for outcome in outcomes:
        verdict = judge(standing, outcome, rules, ends_at, at)
        steps.append((standing, outcome, verdict, at))
        standing = verdict.standing
        at = next_check(verdict, at, rules.every, at)
    return steps


STEPS = st.builds(play, st.lists(OUTCOMES, max_size=40), RULES, ENDS)


@given(STEPS)
def test_after_a_success_everything_is_well_and_no_row_is_open(steps):
    for _, outcome, verdict, _ in steps:
        standing = verdict.standing
        if outcome.reason is Reason.OK:
            assert (standing.state, standing.reason, standing.detail) == (
                State.ACTIVE,
                Reason.OK,
                "",
            )
            assert (standing.refusals, standing.refusals_of_any_reason, standing.failures) == (
                0,
                0,
                0,
            )
            assert (standing.announced_state, standing.announced_reason) == (None, None)


@given(STEPS)
def test_recovered_follows_only_what_was_announced_and_always_does(steps):
    is_announced = False
    for _, outcome, verdict, _ in steps:
        kinds = [alert.kind for alert in verdict.alerts]
        assert (AlertKind.RECOVERED in kinds) is (is_announced and outcome.reason is Reason.OK)
        assert len(kinds) <= 1
        if kinds:
            is_announced = kinds[0] in LOUD
        assert is_announced is (verdict.standing.announced_state is not None)


@given(STEPS)
def test_the_same_trouble_is_not_told_twice_without_a_change_between(steps):
    told = None
    for _, outcome, verdict, _ in steps:
        if outcome.reason is Reason.OK:
            told = None
        for alert in verdict.alerts:
            if alert.kind in LOUD:
                assert told != (alert.kind, alert.facts["reason"])
                told = (alert.kind, alert.facts["reason"])


@given(STEPS)
def test_since_moves_with_the_state_and_a_transition_is_any_change(steps):
    for before, _, verdict, at in steps:
        after = verdict.standing
        assert after.since == (before.since if after.state is before.state else at)
        is_changed = (before.state, before.reason) != (after.state, after.reason)
        assert (verdict.transition is not None) is is_changed
        if verdict.transition is not None:
            assert verdict.transition.at == at
            assert (verdict.transition.from_state, verdict.transition.to_state) == (
                before.state,
                after.state,
            )


@given(st.lists(OUTCOMES, max_size=40), RULES, ENDS)
def test_the_next_check_lies_ahead_and_within_reach(outcomes, rules, ends_at):
    for _, outcome, verdict, at in play(outcomes, rules, ends_at):
        following = next_check(verdict, at, rules.every, at)
        assert at < following <= at + max(rules.every, LONGEST_WAIT + rules.every)
        if outcome.reason is not Reason.THROTTLED:
            assert following <= at + rules.every
        if verdict.recheck_after is not None:
            assert following == at + min(rules.every, rules.recheck_after)


@given(STEPS)
def test_what_could_not_be_asked_never_counts_as_a_refusal(steps):
    for before, outcome, verdict, _ in steps:
        after = verdict.standing
        if outcome.reason.outcome_class in {OutcomeClass.INCONCLUSIVE, OutcomeClass.THROTTLED}:
            assert after.refusals == before.refusals
            assert after.refusals_of_any_reason == before.refusals_of_any_reason
            assert verdict.recheck_after is None
        if outcome.reason is Reason.THROTTLED:
            assert after.failures == before.failures
            assert (after.state, after.reason) == (before.state, before.reason)


@given(st.lists(OUTCOMES, max_size=40), RULES)
def test_whatever_lasts_is_announced(outcomes, rules):
    """
    No alert is missed: a reason refused often enough in a row is the announced one.
    """
    row, reason, failures = 0, None, 0
    for _, outcome, verdict, _ in play(outcomes, rules, None):
        after = verdict.standing
        match outcome.reason.outcome_class:
            case OutcomeClass.SUCCESS:
                row, reason, failures = 0, None, 0
            case OutcomeClass.REFUSAL:
                row = row + 1 if outcome.reason is reason else 1
                reason, failures = outcome.reason, 0
                assert after.reason is reason
            case OutcomeClass.INCONCLUSIVE:
                failures += 1
        if row >= rules.alert_after_refusals:
            assert (after.announced_state, after.announced_reason) == (after.state, reason)
        if failures >= rules.error_after_failures:
            assert after.state in {State.ERROR, State.EXPIRED}


@given(st.lists(OUTCOMES, max_size=40), RULES, ENDS)
def test_nobody_is_told_of_a_refusal_before_it_was_confirmed(outcomes, rules, ends_at):
    refusals: list[Reason] = []
    for _, outcome, verdict, _ in play(outcomes, rules, ends_at):
        if outcome.reason is Reason.OK:
            refusals = []
        elif outcome.reason.outcome_class is OutcomeClass.REFUSAL:
            refusals.append(verdict.standing.reason)
        for alert in verdict.alerts:
            if alert.kind in LOUD and Reason(alert.facts["reason"]).is_conclusive:
                enough = rules.alert_after_refusals
                is_one_row = set(refusals[-enough:]) == {Reason(alert.facts["reason"])}
                assert len(refusals) >= enough
                assert is_one_row or len(refusals) >= 2 * enough
