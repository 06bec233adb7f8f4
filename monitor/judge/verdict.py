"""Turn an outcome into a verdict: the contract's table of states, as code.

Decides the next state, when to check again and whether an alert is due. Quotas are judged beside
it, in `quota`: a credential that is alive may have nothing left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind, severity_of
from monitor.judge.outcome import (
    NOT_SAID_WHY,
    Outcome,
    OutcomeClass,
    Reason,
    Standing,
    State,
    Transition,
    name_day,
)

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.outcome import Rules


LONGEST_WAIT = timedelta(hours=24)
"""However long a service asks us to wait, a revocation should show within a day."""

ENDS_WITH_TIME = frozenset({Reason.TOKEN_REJECTED, Reason.AUTHORIZATION_REVOKED})
"""Refusals that mean no more than "expired" once the known end has passed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means.

    Args:
        standing: What is known from now on.
        transition: The change of state or reason, if there was one.
        alerts: What people must be told now.
        recheck_after: Look again this soon instead of at the regular time.
        not_before: Do not look again before this instant.
    """

    standing: Standing
    transition: Transition | None = None
    alerts: tuple[AlertDue, ...] = ()
    recheck_after: timedelta | None = None
    not_before: datetime | None = None


def judge(
    previous: Standing, outcome: Outcome, rules: Rules, ends_at: datetime | None, now: datetime
) -> Verdict:
    """Judge *outcome* against what was known.

    Args:
        ends_at: The known end of the authorization. A credential that is
            refused after its end has expired; before it, it was rejected.
    """
    outcome = _name_expiry(outcome, ends_at, now)
    outcome_class = outcome.reason.outcome_class
    if outcome_class is OutcomeClass.SUCCESS:
        return _accept_success(previous, outcome, now)
    seen = replace(
        previous, checked_at=now, latency_ms=outcome.latency_ms, last_reason=outcome.reason
    )
    match outcome_class:
        case OutcomeClass.REFUSAL:
            verdict = _accept_refusal(previous, seen, outcome, rules, now)
            alerts = tuple(_with_expiry(alert, ends_at, now) for alert in verdict.alerts)
            return replace(verdict, alerts=alerts) if alerts else verdict
        case OutcomeClass.INCONCLUSIVE:
            return _count_failure(previous, seen, outcome, rules, now)
        case OutcomeClass.THROTTLED:
            return _wait_out(seen, outcome, now)


def _name_expiry(outcome: Outcome, ends_at: datetime | None, now: datetime) -> Outcome:
    if outcome.reason not in ENDS_WITH_TIME or ends_at is None or now < ends_at:
        return outcome
    # Whoever rejected it knew no end of it; here one is known.
    detail = outcome.detail.replace(NOT_SAID_WHY, f"it expired on {name_day(ends_at)}", 1)
    return replace(outcome, reason=Reason.AUTHORIZATION_EXPIRED, detail=detail)


def _accept_success(previous: Standing, outcome: Outcome, now: datetime) -> Verdict:
    # Written out: `replace` takes longer, and nearly all checks come here.
    standing = Standing(
        state=State.ACTIVE,
        reason=Reason.OK,
        detail="",
        since=previous.since if previous.state is State.ACTIVE else now,
        checked_at=now,
        latency_ms=outcome.latency_ms,
        last_reason=outcome.reason,
        successes=previous.successes + 1,
    )
    alerts = (_recovery_alert(previous),) if previous.announced_state else ()
    return Verdict(standing, _transition(previous, standing, now), alerts)


def _accept_refusal(
    previous: Standing, seen: Standing, outcome: Outcome, rules: Rules, now: datetime
) -> Verdict:
    reason = outcome.reason
    state = State.EXPIRED if reason is Reason.AUTHORIZATION_EXPIRED else State.ERROR
    refusals = previous.refusals + 1 if previous.reason is reason else 1
    refusals_of_any_reason = previous.refusals_of_any_reason + 1
    is_confirmed = refusals >= rules.alert_after_refusals
    # A service that refuses for a different reason each time would never
    # confirm any of them; twice the patience is enough to say it is broken.
    is_broken_anyhow = refusals_of_any_reason >= 2 * rules.alert_after_refusals
    standing = replace(
        seen,
        state=state,
        reason=reason,
        detail=outcome.detail,
        since=previous.since if previous.state is state else now,
        successes=0,
        refusals=refusals,
        refusals_of_any_reason=0 if is_confirmed else refusals_of_any_reason,
        failures=0,
    )
    is_news = (previous.announced_state, previous.announced_reason) != (state, reason)
    is_refusal_announced = (
        previous.announced_reason is not None and previous.announced_reason.is_conclusive
    )
    if is_news and (is_confirmed or (is_broken_anyhow and not is_refusal_announced)):
        alerts: tuple[AlertDue, ...] = (_problem_alert(standing, previous),)
        standing = replace(standing, announced_state=state, announced_reason=reason)
    else:
        alerts = ()
    return Verdict(
        standing,
        _transition(previous, standing, now),
        alerts,
        None if is_confirmed or is_broken_anyhow else min(rules.every, rules.recheck_after),
    )


def _count_failure(
    previous: Standing, seen: Standing, outcome: Outcome, rules: Rules, now: datetime
) -> Verdict:
    standing = _with_detail(replace(seen, successes=0, failures=previous.failures + 1), outcome)
    if standing.failures < rules.error_after_failures:
        return Verdict(standing)
    if previous.state not in {State.ACTIVE, State.PENDING}:
        return _announce_late(previous, standing)
    standing = replace(
        standing, state=State.ERROR, reason=outcome.reason, detail=outcome.detail, since=now
    )
    alert = _problem_alert(standing, previous)
    standing = replace(standing, announced_state=State.ERROR, announced_reason=outcome.reason)
    return Verdict(standing, _transition(previous, standing, now), (alert,))


def _with_detail(standing: Standing, outcome: Outcome) -> Standing:
    """Let the detail follow the last check where the state says that nobody could be asked.

    The reason stays, since one inconclusive reason after another is no change;
    the host that the first one blamed may not even be called any more.
    """
    is_unreachable = standing.state is State.ERROR and not standing.reason.is_conclusive
    return (
        replace(standing, detail=outcome.detail or standing.detail) if is_unreachable else standing
    )


def _announce_late(previous: Standing, standing: Standing) -> Verdict:
    """Tell of a trouble that lasts and was held back when it began."""
    if previous.announced_state is not None or previous.reason.is_conclusive:
        return Verdict(standing)
    told = replace(standing, announced_state=standing.state, announced_reason=standing.reason)
    return Verdict(told, alerts=(_problem_alert(standing, previous),))


def missing_alert(
    standing: Standing, rules: Rules, ends_at: datetime | None, now: datetime
) -> AlertDue | None:
    """Return what people would have been told of *standing*, had it not been held back.

    Args:
        ends_at: The known end of the authorization.
    """
    if standing.state not in {State.ERROR, State.EXPIRED} or standing.announced_state is not None:
        return None
    if standing.reason.is_conclusive and standing.refusals < rules.alert_after_refusals:
        return None
    return _with_expiry(_problem_alert(standing, standing), ends_at, now)


def _with_expiry(alert: AlertDue, ends_at: datetime | None, now: datetime) -> AlertDue:
    """Say of what has expired when that was: it may have been seen long after."""
    if alert.kind is not AlertKind.EXPIRED or ends_at is None or now < ends_at:
        return alert
    return replace(alert, facts=alert.facts | {"ends_at": ends_at.isoformat()})


def _wait_out(seen: Standing, outcome: Outcome, now: datetime) -> Verdict:
    if outcome.retry_at is None:
        return Verdict(seen)
    return Verdict(seen, not_before=min(outcome.retry_at, now + LONGEST_WAIT))


def _transition(previous: Standing, standing: Standing, now: datetime) -> Transition | None:
    if (previous.state, previous.reason) == (standing.state, standing.reason):
        return None
    return Transition(now, previous.state, standing.state, standing.reason, standing.detail)


def _problem_alert(standing: Standing, previous: Standing) -> AlertDue:
    kind = AlertKind.EXPIRED if standing.state is State.EXPIRED else AlertKind.ERROR
    severity = severity_of(kind, is_inconclusive=not standing.reason.is_conclusive)
    facts = {
        "reason": standing.reason.value,
        "detail": standing.detail,
        "since": standing.since.isoformat(),
        "reason_before": previous.announced_reason and previous.announced_reason.value,
    }
    return AlertDue(kind, severity, facts)


def _recovery_alert(previous: Standing) -> AlertDue:
    return AlertDue.of(
        AlertKind.RECOVERED,
        reason_before=previous.announced_reason and previous.announced_reason.value,
        detail_before=previous.detail,
        since=previous.since.isoformat(),
    )


STARTS_PER_SECOND = 50
"""How many first checks a start lets go in one second, if the rhythm allows."""


def next_slot(scheduled_at: datetime, every: timedelta, now: datetime) -> datetime:
    """Return the first instant after *now* that is a whole number of *every* from *scheduled_at*.

    A slow answer, or a pause of the whole program, does not shift the rhythm.
    """
    if scheduled_at > now:
        return scheduled_at
    return scheduled_at + ((now - scheduled_at) // every + 1) * every


def next_check(
    verdict: Verdict, scheduled_at: datetime, every: timedelta, now: datetime
) -> datetime:
    """Return when to look again after *verdict*.

    Args:
        scheduled_at: The slot of the check that was judged, or the next one
            for a check made outside the rhythm.
    """
    at = next_slot(scheduled_at, every, now)
    if verdict.recheck_after is not None:
        at = min(at, now + verdict.recheck_after)
    if verdict.not_before is not None and at < verdict.not_before:
        at = next_slot(at, every, verdict.not_before)
    return at


def spread(position: int, count: int, every: timedelta) -> timedelta:
    """Return how long after a start the first check of one of *count* connections waits.

    In order of *position*, so that neighbours in the database are due, and
    written, together for ever after.
    """
    return spread_over(count, every) * position / count


def spread_over(count: int, every: timedelta) -> timedelta:
    """Return the time within which *count* connections are checked once each."""
    return min(every, timedelta(seconds=count / STARTS_PER_SECOND))
