"""
Table of states, one row a case, then rows of checks and what people are told of them.

`tell` plays a night of checks, written as the answers an operator would see,
and returns the alerts by the number of the check that raised them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outcome import (
    NOT_SAID_WHY,
    Outcome,
    QuotaReading,
    Reason,
    Rules,
    Standing,
    State,
)
from monitor.judge.verdict import Verdict, judge, missing_alert

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LONG_AGO = NOW - timedelta(days=100)
RULES = Rules(every=timedelta(minutes=5), recheck_after=timedelta(seconds=30))
RECHECK = RULES.recheck_after

REASONS = {
    "ok": Reason.OK,
    "401": Reason.TOKEN_REJECTED,
    "403": Reason.PERMISSION_DENIED,
    "ended": Reason.AUTHORIZATION_EXPIRED,
    "revoked": Reason.AUTHORIZATION_REVOKED,
    "client": Reason.CLIENT_REJECTED,
    "secret": Reason.CLIENT_SECRET_EXPIRED,
    "marketplace": Reason.MARKETPLACE_MISMATCH,
    "region": Reason.REGION_MISMATCH,
    "429": Reason.THROTTLED,
    "503": Reason.SERVER_ERROR,
    "404": Reason.UNEXPECTED_RESPONSE,
    "dns": Reason.DNS,
    "connect": Reason.CONNECT,
    "tls": Reason.TLS,
    "timeout": Reason.TIMEOUT,
    "protocol": Reason.PROTOCOL,
}
INCONCLUSIVE = ["503", "404", "dns", "connect", "tls", "timeout", "protocol"]
REFUSALS = ["401", "403", "ended"]

PENDING = Standing.unknown(LONG_AGO)
ACTIVE = Standing(State.ACTIVE, Reason.OK, "", LONG_AGO, successes=7)
REFUSED_ONCE = Standing(
    State.ERROR,
    Reason.TOKEN_REJECTED,
    "The token was rejected.",
    LONG_AGO,
    refusals=1,
    refusals_of_any_reason=1,
)
REJECTED = replace(
    REFUSED_ONCE,
    refusals=2,
    refusals_of_any_reason=0,
    announced_state=State.ERROR,
    announced_reason=Reason.TOKEN_REJECTED,
)
EXPIRED = replace(
    REJECTED,
    state=State.EXPIRED,
    reason=Reason.AUTHORIZATION_EXPIRED,
    announced_state=State.EXPIRED,
    announced_reason=Reason.AUTHORIZATION_EXPIRED,
)
UNREACHABLE = Standing(
    State.ERROR,
    Reason.TIMEOUT,
    "No answer within 10 s.",
    LONG_AGO,
    failures=3,
    announced_state=State.ERROR,
    announced_reason=Reason.TIMEOUT,
)
STANDINGS = {
    "pending": PENDING,
    "active": ACTIVE,
    "refused once": REFUSED_ONCE,
    "rejected": REJECTED,
    "expired": EXPIRED,
    "unreachable": UNREACHABLE,
}


def see(answer: str) -> Outcome:
    reason = REASONS[answer]
    return Outcome(reason, "" if reason is Reason.OK else f"It was {answer}.", latency_ms=12.5)


def play(
    answers: str,
    start: Standing = ACTIVE,
    rules: Rules = RULES,
    ends_at: datetime | None = None,
) -> list[Verdict]:
    """
    Judge *answers*, words in a row, one a minute.
    """
    verdicts = []
    for number, answer in enumerate(answers.split()):
        verdicts.append(judge(start, see(answer), rules, ends_at, NOW + number * MINUTE))
        start = verdicts[-1].standing
    return verdicts


def tell(
    answers: str,
    start: Standing = ACTIVE,
    rules: Rules = RULES,
    ends_at: datetime | None = None,
) -> dict[int, str]:
    """
    Return what people are told, by the number of the check, counted from 1.
    """
    told = {}
    for number, verdict in enumerate(play(answers, start, rules, ends_at), 1):
        for alert in verdict.alerts:
            assert number not in told, "one check tells one thing"
            before = alert.facts["reason_before"]
            words = [alert.kind.value, alert.facts.get("reason", ""), before and f"was {before}"]
            told[number] = " ".join(word for word in words if word)
    return told


def last(answers: str, start: Standing = ACTIVE, ends_at: datetime | None = None) -> Standing:
    return play(answers, start, ends_at=ends_at)[-1].standing


# The table of section 3


@pytest.mark.parametrize("start", STANDINGS.values(), ids=STANDINGS)
@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        pytest.param(Outcome(Reason.OK), State.ACTIVE, Reason.OK, id="success"),
        pytest.param(
            Outcome(Reason.OK, is_payment_required=True), State.ACTIVE, Reason.OK, id="402"
        ),
        pytest.param(
            Outcome(Reason.TOKEN_REJECTED, "401"), State.ERROR, Reason.TOKEN_REJECTED, id="401"
        ),
        pytest.param(
            Outcome(Reason.PERMISSION_DENIED, "403"),
            State.ERROR,
            Reason.PERMISSION_DENIED,
            id="403",
        ),
        pytest.param(
            Outcome(Reason.AUTHORIZATION_EXPIRED, "ended"),
            State.EXPIRED,
            Reason.AUTHORIZATION_EXPIRED,
            id="the provider itself says expired",
        ),
    ],
)
def test_a_conclusive_outcome_moves_any_state_at_once(start, outcome, state, reason):
    standing = judge(start, outcome, RULES, None, NOW).standing

    assert (standing.state, standing.reason) == (state, reason)
    assert standing.detail == outcome.detail


@pytest.mark.parametrize(
    ("ends_at", "state", "reason"),
    [
        pytest.param(None, State.ERROR, Reason.TOKEN_REJECTED, id="no known end"),
        pytest.param(
            NOW + timedelta(seconds=1), State.ERROR, Reason.TOKEN_REJECTED, id="a second before"
        ),
        pytest.param(NOW, State.EXPIRED, Reason.AUTHORIZATION_EXPIRED, id="at the end"),
        pytest.param(
            NOW - timedelta(days=9), State.EXPIRED, Reason.AUTHORIZATION_EXPIRED, id="after the end"
        ),
    ],
)
def test_a_refused_token_has_expired_once_its_known_end_has_passed(ends_at, state, reason):
    standing = judge(ACTIVE, see("401"), RULES, ends_at, NOW).standing
    assert (standing.state, standing.reason) == (state, reason)


@pytest.mark.parametrize(
    ("ends_at", "state", "reason"),
    [
        pytest.param(None, State.ERROR, Reason.AUTHORIZATION_REVOKED, id="no known end"),
        pytest.param(
            NOW + timedelta(seconds=1), State.ERROR, Reason.AUTHORIZATION_REVOKED, id="days left"
        ),
        pytest.param(NOW, State.EXPIRED, Reason.AUTHORIZATION_EXPIRED, id="at the end"),
    ],
)
def test_a_refused_authorization_was_revoked_until_its_known_end(ends_at, state, reason):
    standing = judge(ACTIVE, see("revoked"), RULES, ends_at, NOW).standing
    assert (standing.state, standing.reason) == (state, reason)


@pytest.mark.parametrize(
    "answer", ["ok", "403", "503", "429", "client", "secret", "marketplace", "region"]
)
def test_only_a_refused_credential_is_explained_by_the_end(answer):
    verdict = judge(ACTIVE, see(answer), RULES, NOW - timedelta(days=1), NOW)

    assert verdict.standing.state is not State.EXPIRED
    assert verdict.standing.last_reason is REASONS[answer]


@pytest.mark.parametrize("answer", INCONCLUSIVE)
@pytest.mark.parametrize("name", ["pending", "active"])
def test_a_first_inconclusive_outcome_leaves_state_and_reason(answer, name):
    start = STANDINGS[name]
    verdict = judge(start, see(answer), RULES, None, NOW)

    assert (verdict.standing.state, verdict.standing.reason) == (start.state, start.reason)
    assert verdict.standing.last_reason is REASONS[answer]
    assert verdict.transition is None
    assert verdict.recheck_after is None


@pytest.mark.parametrize("answer", INCONCLUSIVE)
@pytest.mark.parametrize("name", ["pending", "active"])
def test_three_inconclusive_outcomes_in_a_row_are_an_error_with_the_last_reason(answer, name):
    verdict = play(f"protocol dns {answer}", STANDINGS[name])[-1]

    assert (verdict.standing.state, verdict.standing.reason) == (State.ERROR, REASONS[answer])
    assert verdict.standing.detail == f"It was {answer}."
    assert [alert.severity for alert in verdict.alerts] == [Severity.WARNING]
    assert verdict.recheck_after is None


@pytest.mark.parametrize("answer", INCONCLUSIVE)
@pytest.mark.parametrize("name", ["refused once", "rejected", "expired", "unreachable"])
def test_trouble_keeps_state_and_reason_however_often_it_cannot_be_asked(answer, name):
    start = STANDINGS[name]
    for verdict in play(f"{answer} " * 10, start):
        standing = verdict.standing
        assert (standing.state, standing.reason) == (start.state, start.reason)
        # Only where nobody could be asked is the detail that of the last check.
        detail = f"It was {answer}." if name == "unreachable" else start.detail
        assert (standing.detail, standing.since) == (detail, LONG_AGO)
        assert verdict.transition is None
        assert verdict.alerts == ()


@pytest.mark.parametrize("start", STANDINGS.values(), ids=STANDINGS)
def test_throttling_counts_in_no_row(start):
    verdict = judge(start, see("429"), RULES, None, NOW)

    assert verdict.standing == replace(
        start, checked_at=NOW, latency_ms=12.5, last_reason=Reason.THROTTLED
    )
    assert verdict.standing.in_a_row == 0
    assert (verdict.transition, verdict.alerts, verdict.recheck_after) == (None, (), None)


@pytest.mark.parametrize(
    ("retry_at", "not_before"),
    [
        pytest.param(None, None, id="says nothing"),
        pytest.param(NOW + MINUTE, NOW + MINUTE, id="a minute"),
        pytest.param(NOW - MINUTE, NOW - MINUTE, id="past"),
        pytest.param(NOW + DAY, NOW + DAY, id="a day"),
        pytest.param(NOW + DAY + MINUTE, NOW + DAY, id="a minute more is cut"),
        pytest.param(NOW + 30 * DAY, NOW + DAY, id="a month is cut to a day"),
    ],
)
def test_a_throttled_connection_waits_as_asked_but_no_longer_than_a_day(retry_at, not_before):
    """
    A revocation should show within a day, whatever the service would like.
    """
    verdict = judge(ACTIVE, Outcome(Reason.THROTTLED, retry_at=retry_at), RULES, None, NOW)
    assert verdict.not_before == not_before


@pytest.mark.parametrize("answer", ["ok", "401", "503"])
def test_only_throttling_makes_the_next_check_wait(answer):
    outcome = replace(see(answer), retry_at=NOW + timedelta(hours=3))
    assert judge(ACTIVE, outcome, RULES, None, NOW).not_before is None


def test_what_the_last_check_saw_is_kept_whatever_the_state_makes_of_it():
    standing = judge(EXPIRED, replace(see("timeout"), latency_ms=10_000.0), RULES, None, NOW)

    assert standing.standing.checked_at == NOW
    assert standing.standing.latency_ms == 10_000.0
    assert standing.standing.last_reason is Reason.TIMEOUT


def test_a_quota_does_not_change_the_verdict():
    reading = QuotaReading(10_000, 0, NOW + timedelta(days=3))
    verdict = judge(ACTIVE, Outcome(Reason.OK, quota=reading), RULES, None, NOW)
    assert verdict == judge(ACTIVE, Outcome(Reason.OK), RULES, None, NOW)


# Transitions and `since`


@pytest.mark.parametrize(
    ("start", "answers", "steps"),
    [
        pytest.param(
            PENDING, "ok ok", [(State.PENDING, State.ACTIVE, Reason.OK)], id="pending to active"
        ),
        pytest.param(
            ACTIVE,
            "401 401",
            [(State.ACTIVE, State.ERROR, Reason.TOKEN_REJECTED)],
            id="told or not, a refusal moves once",
        ),
        pytest.param(
            REJECTED,
            "403 401",
            [
                (State.ERROR, State.ERROR, Reason.PERMISSION_DENIED),
                (State.ERROR, State.ERROR, Reason.TOKEN_REJECTED),
            ],
            id="one conclusive reason to another and back",
        ),
        pytest.param(
            UNREACHABLE,
            "dns 401",
            [(State.ERROR, State.ERROR, Reason.TOKEN_REJECTED)],
            id="inconclusive to conclusive",
        ),
        pytest.param(UNREACHABLE, "dns 503 tls connect", [], id="between inconclusive reasons"),
        pytest.param(REJECTED, "dns dns dns 429 401", [], id="conclusive and interrupted"),
        pytest.param(
            EXPIRED, "ok", [(State.EXPIRED, State.ACTIVE, Reason.OK)], id="expired to active"
        ),
        pytest.param(ACTIVE, "ok 429 503 dns ok", [], id="active all along"),
    ],
)
def test_a_transition_is_a_change_of_state_or_reason(start, answers, steps):
    seen = [verdict.transition for verdict in play(answers, start)]
    assert [(one.from_state, one.to_state, one.reason) for one in seen if one] == steps


@pytest.mark.parametrize(
    ("ends_at", "words"),
    [
        pytest.param(NOW - DAY, "refused (401): it expired on Nov 21, 2026. Renew it.", id="over"),
        pytest.param(NOW + DAY, "refused (401): it was revoked or mistyped. Renew it.", id="not"),
        pytest.param(None, "refused (401): it was revoked or mistyped. Renew it.", id="unknown"),
    ],
)
def test_a_token_past_its_known_end_is_not_called_mistyped(ends_at, words):
    said = 'The server says: "it was revoked or mistyped"'
    detail = f"refused (401): {NOT_SAID_WHY}. Renew it."
    outcome = Outcome(Reason.TOKEN_REJECTED, f"{detail} {said}")

    assert judge(ACTIVE, outcome, RULES, ends_at, NOW).standing.detail == f"{words} {said}"


@pytest.mark.parametrize(
    ("start", "answers", "state", "reason", "detail"),
    [
        pytest.param(
            UNREACHABLE,
            "connect",
            State.ERROR,
            Reason.TIMEOUT,
            "It was connect.",
            id="another host",
        ),
        pytest.param(
            UNREACHABLE, "dns tls", State.ERROR, Reason.TIMEOUT, "It was tls.", id="the last counts"
        ),
        pytest.param(
            UNREACHABLE, "401", State.ERROR, Reason.TOKEN_REJECTED, "It was 401.", id="rejected"
        ),
        pytest.param(
            REJECTED,
            "dns dns dns",
            State.ERROR,
            Reason.TOKEN_REJECTED,
            REJECTED.detail,
            id="a no is not forgotten",
        ),
        pytest.param(
            REJECTED,
            "429",
            State.ERROR,
            Reason.TOKEN_REJECTED,
            REJECTED.detail,
            id="nor in a pause",
        ),
        pytest.param(ACTIVE, "dns dns", State.ACTIVE, Reason.OK, "", id="nothing is broken yet"),
        pytest.param(ACTIVE, "dns dns tls", State.ERROR, Reason.TLS, "It was tls.", id="broken"),
        pytest.param(PENDING, "dns", State.PENDING, Reason.NOT_CHECKED, "", id="not known yet"),
    ],
)
def test_the_detail_follows_the_last_check_though_the_reason_stays(
    start, answers, state, reason, detail
):
    standing = play(answers, start)[-1].standing

    assert (standing.state, standing.reason, standing.detail) == (state, reason, detail)


def test_a_transition_says_when_and_why():
    transition = play("ok 401")[1].transition

    assert transition is not None
    assert (transition.at, transition.detail) == (NOW + MINUTE, "It was 401.")


@pytest.mark.parametrize(
    ("start", "answers", "since"),
    [
        pytest.param(ACTIVE, "ok ok", LONG_AGO, id="success after success"),
        pytest.param(PENDING, "503 ok", NOW + MINUTE, id="pending to active"),
        pytest.param(PENDING, "503 503", LONG_AGO, id="still pending"),
        pytest.param(ACTIVE, "503 401", NOW + MINUTE, id="active to error"),
        pytest.param(ACTIVE, "401 401 401", NOW, id="refused again and again"),
        pytest.param(ACTIVE, "503 503 503 503", NOW + 2 * MINUTE, id="unreachable"),
        pytest.param(REJECTED, "403", LONG_AGO, id="another reason alone"),
        pytest.param(UNREACHABLE, "401 401", LONG_AGO, id="from inconclusive to conclusive"),
        pytest.param(REJECTED, "ended", NOW, id="error to expired"),
        pytest.param(EXPIRED, "429 dns ended", LONG_AGO, id="expired all along"),
        pytest.param(EXPIRED, "ok", NOW, id="renewed"),
    ],
)
def test_since_moves_with_the_state_only(start, answers, since):
    assert last(answers, start).since == since


# Rows, and when people are told


@pytest.mark.parametrize(
    ("start", "answers", "told"),
    [
        pytest.param(PENDING, "ok ok", {}, id="pending to active is silent"),
        pytest.param(PENDING, "503 503 ok", {}, id="a slow start is silent"),
        pytest.param(ACTIVE, "401", {}, id="a first refusal is not told"),
        pytest.param(ACTIVE, "401 401", {2: "error token_rejected"}, id="a second one is"),
        pytest.param(PENDING, "401 401", {2: "error token_rejected"}, id="refused from the start"),
        pytest.param(ACTIVE, "ended ended", {2: "expired authorization_expired"}, id="expired"),
        pytest.param(ACTIVE, "401 401 401 401 401", {2: "error token_rejected"}, id="told once"),
        pytest.param(ACTIVE, "401 ok", {}, id="over before it was announced"),
        pytest.param(ACTIVE, "401 ok 401 ok 401 ok", {}, id="a success ends the row each time"),
        pytest.param(
            ACTIVE,
            "401 401 ok",
            {2: "error token_rejected", 3: "recovered was token_rejected"},
            id="over after it was announced",
        ),
        pytest.param(
            ACTIVE,
            "401 401 ok ok ok",
            {2: "error token_rejected", 3: "recovered was token_rejected"},
            id="recovered is told once",
        ),
        pytest.param(
            ACTIVE,
            "401 503 401",
            {3: "error token_rejected"},
            id="an inconclusive outcome does not end a row of refusals",
        ),
        pytest.param(
            ACTIVE,
            "401 503 dns timeout tls 401",
            {6: "error token_rejected"},
            id="nor do many, nor do they count in it",
        ),
        pytest.param(
            ACTIVE, "401 429 429 429 401", {5: "error token_rejected"}, id="nor does throttling"
        ),
        pytest.param(ACTIVE, "503 503 503", {3: "error server_error"}, id="unreachable"),
        pytest.param(
            ACTIVE, "dns connect timeout", {3: "error timeout"}, id="unreachable in three ways"
        ),
        pytest.param(ACTIVE, "503 503 ok 503 503", {}, id="a success ends the row of failures"),
        pytest.param(
            ACTIVE,
            "503 503 401 503 503 ok",
            {},
            id="so does a refusal, and all of it passes unannounced",
        ),
        pytest.param(
            ACTIVE, "503 429 503 429 503", {5: "error server_error"}, id="throttling does not"
        ),
        pytest.param(ACTIVE, "429 " * 20, {}, id="throttled all night"),
        pytest.param(ACTIVE, "503 503 503 dns tls dns", {3: "error server_error"}, id="once"),
        pytest.param(
            UNREACHABLE, "ok", {1: "recovered was timeout"}, id="reachable after it was announced"
        ),
        pytest.param(
            UNREACHABLE,
            "401 401",
            {2: "error token_rejected was timeout"},
            id="reachable again, and refused: confirmed, then told with what it was before",
        ),
        pytest.param(
            UNREACHABLE,
            "401 ok",
            {2: "recovered was timeout"},
            id="a refusal that was never confirmed is not what recovered",
        ),
        pytest.param(
            REJECTED,
            "403 403 403",
            {2: "error permission_denied was token_rejected"},
            id="another conclusive reason is confirmed, then told once",
        ),
        pytest.param(
            REJECTED,
            "ended ended",
            {2: "expired authorization_expired was token_rejected"},
            id="from rejected to expired",
        ),
        pytest.param(
            EXPIRED,
            "401 401",
            {2: "error token_rejected was authorization_expired"},
            id="from expired to rejected",
        ),
        pytest.param(REJECTED, "403 401 401", {}, id="another reason for a moment"),
        pytest.param(
            REJECTED,
            "403 403 401 401 ok",
            {
                2: "error permission_denied was token_rejected",
                4: "error token_rejected was permission_denied",
                5: "recovered was token_rejected",
            },
            id="there and back, each confirmed",
        ),
        pytest.param(
            ACTIVE,
            "401 403 403",
            {3: "error permission_denied"},
            id="nobody is told what it was before it was announced",
        ),
        pytest.param(EXPIRED, "503 503 503 503 429 ended", {}, id="expired and interrupted"),
        pytest.param(
            EXPIRED, "503 503 503 ok", {4: "recovered was authorization_expired"}, id="renewed"
        ),
    ],
)
def test_people_are_told_of_what_lasts(start, answers, told):
    assert tell(answers, start) == told


@pytest.mark.parametrize(
    ("rules", "answers", "told"),
    [
        pytest.param(Rules(alert_after_refusals=1), "401", {1: "error token_rejected"}, id="1"),
        pytest.param(
            Rules(alert_after_refusals=3), "401 401 503 401", {4: "error token_rejected"}, id="3"
        ),
        pytest.param(Rules(error_after_failures=1), "dns", {1: "error dns"}, id="1 failure"),
        pytest.param(
            Rules(error_after_failures=5), "dns tls dns tls 503", {5: "error server_error"}, id="5"
        ),
    ],
)
def test_how_long_a_row_must_be_is_a_setting(rules, answers, told):
    assert tell(answers, rules=rules) == told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param("401 403 401", {}, id="not yet"),
        pytest.param("401 403 401 403", {4: "error permission_denied"}, id="two in turn"),
        pytest.param("401 403 503 ended 429 401", {6: "error token_rejected"}, id="interrupted"),
        pytest.param(
            "401 403 401 403 401 403 401 403", {4: "error permission_denied"}, id="once, all night"
        ),
        pytest.param(
            "401 403 401 403 ok",
            {4: "error permission_denied", 5: "recovered was permission_denied"},
            id="and its end",
        ),
        pytest.param("401 403 ok 401 403 ok", {}, id="a success ends the patience"),
    ],
)
def test_refusals_for_ever_new_reasons_are_told_after_twice_the_patience(answers, told):
    """
    None of them would ever be confirmed, and the connection is broken all the same.
    """
    assert tell(answers) == told


def test_they_are_told_although_it_was_announced_that_nobody_could_be_asked():
    """
    That was a warning, and perhaps nobody's fault; this is neither.
    """
    assert tell("401 403 401 403", UNREACHABLE) == {4: "error permission_denied was timeout"}


def test_they_are_not_told_where_a_refusal_was_announced_before():
    assert tell("403 401 403 401 403 401 403 401", REJECTED) == {}


def test_a_row_that_crosses_the_known_end_is_told_as_expired():
    ends_at = NOW + MINUTE
    assert tell("401 401 401", ends_at=ends_at) == {3: "expired authorization_expired"}


def test_a_rejected_token_whose_end_then_passes_is_told_again_as_expired():
    ends_at = NOW + 2 * MINUTE
    assert tell("401 401 401 401 401", ends_at=ends_at) == {
        2: "error token_rejected",
        4: "expired authorization_expired was token_rejected",
    }


def test_a_date_that_is_set_later_does_not_hide_that_the_token_is_still_refused():
    standing = last("401 401", ends_at=NOW)
    assert standing.state is State.EXPIRED
    assert tell("401 401", standing, ends_at=NOW + timedelta(days=365)) == {
        2: "error token_rejected was authorization_expired"
    }


def test_after_resume_a_row_starts_anew_and_what_was_told_is_not_told_again():
    resumed = replace(REJECTED, refusals=0, refusals_of_any_reason=0)

    assert tell("401 401 401", resumed) == {}
    assert tell("ok", resumed) == {1: "recovered was token_rejected"}


# What an alert carries


def test_an_alert_of_trouble_says_why_and_since_when():
    (alert,) = play("ok 401 401")[2].alerts

    assert (alert.kind, alert.severity) == (AlertKind.ERROR, Severity.CRITICAL)
    assert alert.facts == {
        "reason": "token_rejected",
        "detail": "It was 401.",
        "since": (NOW + MINUTE).isoformat(),
        "reason_before": None,
    }


@pytest.mark.parametrize(
    ("answers", "ends_at", "said"),
    [
        pytest.param("401 401", NOW - MINUTE, NOW - MINUTE, id="seen after the end"),
        pytest.param("ended ended", NOW + DAY, None, id="by the service's word, before it"),
        pytest.param("ended ended", None, None, id="by the service's word alone"),
    ],
)
def test_what_has_expired_says_when_that_was(answers, ends_at, said):
    (alert,) = play(answers, ends_at=ends_at)[1].alerts
    held_back = replace(last(answers, ends_at=ends_at), announced_state=None)
    owed = missing_alert(held_back, RULES, ends_at, NOW + MINUTE)
    for each in (alert, owed):
        assert each is not None
        assert each.kind is AlertKind.EXPIRED
        assert each.facts.get("ends_at") == (said and said.isoformat())


@pytest.mark.parametrize(
    ("answers", "kind", "severity"),
    [
        pytest.param("401 401", AlertKind.ERROR, Severity.CRITICAL, id="refused"),
        pytest.param("ended ended", AlertKind.EXPIRED, Severity.CRITICAL, id="expired"),
        pytest.param("tls tls tls", AlertKind.ERROR, Severity.WARNING, id="could not be asked"),
        pytest.param("401 401 ok", AlertKind.RECOVERED, Severity.INFO, id="recovered"),
    ],
)
def test_an_alert_is_as_severe_as_its_cause(answers, kind, severity):
    (alert,) = play(answers)[-1].alerts
    assert (alert.kind, alert.severity) == (kind, severity)


def test_a_recovery_says_what_is_over_and_since_when_it_lasted():
    (alert,) = play("ok", UNREACHABLE)[0].alerts

    assert alert.kind is AlertKind.RECOVERED
    assert alert.facts == {
        "reason_before": "timeout",
        "detail_before": "No answer within 10 s.",
        "since": LONG_AGO.isoformat(),
    }


# When to look again


@pytest.mark.parametrize(
    ("start", "answers", "rechecks"),
    [
        pytest.param(ACTIVE, "ok", "-", id="success"),
        pytest.param(ACTIVE, "401 401 401", "r - -", id="until confirmed"),
        pytest.param(ACTIVE, "ended ended", "r -", id="expired as well"),
        pytest.param(ACTIVE, "503 503 503", "- - -", id="inconclusive brings nothing forward"),
        pytest.param(ACTIVE, "401 503 401 401", "r - - -", id="not even within a row of refusals"),
        pytest.param(ACTIVE, "401 429 401", "r - -", id="nor does throttling"),
        pytest.param(ACTIVE, "401 ok 401", "r - r", id="a new row"),
        pytest.param(ACTIVE, "401 403 403", "r r -", id="another reason is confirmed like a first"),
        pytest.param(UNREACHABLE, "401 401", "r -", id="after an inconclusive error"),
        pytest.param(REJECTED, "403 403", "r -", id="after another announced reason"),
        pytest.param(
            ACTIVE, "401 401 401 401 401 403 403", "r - - - - r -", id="however long that lasted"
        ),
        pytest.param(
            ACTIVE, "401 403 401 403 401 403", "r r r - - -", id="no longer than twice the patience"
        ),
        pytest.param(
            REJECTED, "403 401 403 401 403 401", "r r r - - -", id="nor after an announced one"
        ),
        pytest.param(
            ACTIVE, "401 401 403 401 403 401", "r - r r r -", id="patience starts anew once told"
        ),
    ],
)
def test_only_an_unconfirmed_refusal_brings_the_next_check_forward(start, answers, rechecks):
    expected = [RECHECK if mark == "r" else None for mark in rechecks.split()]
    assert [verdict.recheck_after for verdict in play(answers, start)] == expected


@pytest.mark.parametrize(
    ("every", "recheck_after", "expected"),
    [
        pytest.param(300, 30, 30, id="sooner than the rhythm"),
        pytest.param(10, 30, 10, id="a fast rhythm is not slowed down"),
    ],
)
def test_a_recheck_is_never_later_than_the_rhythm(every, recheck_after, expected):
    rules = Rules(every=timedelta(seconds=every), recheck_after=timedelta(seconds=recheck_after))
    (verdict,) = play("401", rules=rules)
    assert verdict.recheck_after == timedelta(seconds=expected)


def test_a_single_refusal_is_enough_where_the_settings_say_so_and_needs_no_recheck():
    (verdict,) = play("401", rules=Rules(alert_after_refusals=1))
    assert verdict.recheck_after is None


# The row that the dashboard shows


@pytest.mark.parametrize(
    ("answers", "in_a_row"),
    [
        pytest.param("ok ok ok", 10, id="successes go on from before"),
        pytest.param("ok 503 ok", 1, id="a failure ends them"),
        pytest.param("ok 401 ok", 1, id="so does a refusal"),
        pytest.param("ok 429 ok", 9, id="throttling does not"),
        pytest.param("401 401", 2, id="refusals"),
        pytest.param("401 403", 1, id="refusals for another reason"),
        pytest.param("401 503 401", 2, id="refusals around a failure"),
        pytest.param("503 dns", 2, id="failures for different reasons"),
        pytest.param("503 401 503", 1, id="a conclusive outcome ended the row"),
        pytest.param("503 429 503", 2, id="a throttled one did not"),
        pytest.param("401 429", 0, id="a throttled check belongs to no row"),
    ],
)
def test_the_row_of_the_latest_check_is_counted(answers, in_a_row):
    assert last(answers).in_a_row == in_a_row


def test_a_connection_that_was_never_checked_has_no_row():
    assert PENDING.in_a_row == 0
    assert (PENDING.state, PENDING.reason) == (State.PENDING, Reason.NOT_CHECKED)
    assert (PENDING.since, PENDING.checked_at) == (LONG_AGO, None)
    assert (PENDING.refusals, PENDING.refusals_of_any_reason, PENDING.failures) == (0, 0, 0)
