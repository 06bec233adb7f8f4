"""
What time alone changes about an authorization, and what a check says of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.authorizations import (
    THE_END,
    AuthorizationClock,
    Declared,
    PassedSteps,
    confirm,
    count_down,
    declare_date,
    name_old_token,
    next_step_at,
    pass_steps,
    set_date,
)
from monitor.judge.outcome import Outcome, Reason, State

BEGAN_AT = datetime(2026, 1, 15, tzinfo=UTC)
END = datetime(2027, 1, 15, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
STEPS = (30, 14, 7, 3, 1)

OK = Outcome(Reason.OK, latency_ms=40.0)
COUNTED = Outcome(Reason.OK, is_countdown=True)
REFUSED = Outcome(Reason.TOKEN_REJECTED, "no")
TIMEOUT = Outcome(Reason.TIMEOUT, "late")


def clock(at: datetime = BEGAN_AT, valid_days: int = 365, **more) -> AuthorizationClock:
    return replace(declare_date(AuthorizationClock(), Declared(at, valid_days), BEGAN_AT), **more)


def steps_of(passed: PassedSteps) -> list[int]:
    return [alert.facts["step"] for alert in passed.alerts]


REACHED = {
    "long before": (31 * DAY, None, []),
    "a second before a step": (30 * DAY + SECOND, None, []),
    "at a step": (30 * DAY, None, [30]),
    "a second after a step": (30 * DAY - SECOND, None, [30]),
    "told already": (30 * DAY - SECOND, 30, []),
    "at the next one": (14 * DAY, 30, [14]),
    "after an absence only the most urgent": (2 * DAY, 30, [3]),
    "first seen late": (5 * HOUR, None, [1]),
    "a clock that jumped back": (15 * DAY, 7, []),
    "at the end": (timedelta(0), 1, []),
}


@pytest.mark.parametrize(("left", "told", "expected"), REACHED.values(), ids=REACHED)
def test_a_step_is_told_once_when_it_is_reached(left, told, expected):
    passed = pass_steps(clock(told_step=told), State.ACTIVE, STEPS, END - left)
    assert steps_of(passed) == expected
    again = pass_steps(passed.clock, State.ACTIVE, STEPS, END - left)
    assert (again.alerts, again.is_check_due) == ((), False)


def test_the_last_step_is_critical_and_the_others_warn():
    one, severities = clock(), []
    for step in STEPS:
        passed = pass_steps(one, State.ACTIVE, STEPS, END - step * DAY)
        one = passed.clock
        severities += [alert.severity for alert in passed.alerts]
    assert severities == [Severity.WARNING] * 4 + [Severity.CRITICAL]


def test_the_end_makes_a_check_due_once_and_tells_nothing_itself():
    passed = pass_steps(clock(), State.ACTIVE, STEPS, END)
    assert (passed.alerts, passed.is_check_due) == ((), True)
    assert passed.clock.told_step == THE_END
    assert next_step_at(passed.clock, STEPS) is None
    assert not pass_steps(passed.clock, State.ACTIVE, STEPS, END + DAY).is_check_due


@pytest.mark.parametrize("state", State)
def test_a_step_is_told_of_what_still_holds(state):
    passed = pass_steps(clock(), state, STEPS, END - DAY)
    is_told = state in {State.ACTIVE, State.ERROR, State.PENDING}
    assert bool(passed.alerts) is is_told
    assert passed.clock.told_step == (1 if is_told else None)


SHORT = {
    "as long as a step": (30, (14, 7, 3, 1)),
    "a day longer than a step": (31, (30, 14, 7, 3, 1)),
    "a week": (7, (3, 1)),
    "a day": (1, ()),
    "no known limit": (0, ()),
}


@pytest.mark.parametrize(("valid_days", "expected"), SHORT.values(), ids=SHORT)
def test_steps_not_shorter_than_the_whole_life_are_skipped(valid_days, expected):
    assert clock(valid_days=valid_days).steps((1, 3, 7, 14, 30)) == expected


def test_without_steps_the_end_itself_is_still_awaited():
    assert next_step_at(clock(), ()) == END
    assert pass_steps(clock(), State.ACTIVE, (), END).is_check_due
    assert not clock().is_expiring_soon((), END - SECOND)


def test_without_a_known_end_nothing_ever_changes():
    for one in (AuthorizationClock(), clock(valid_days=0), clock(is_renewal_unrecorded=True)):
        assert next_step_at(one, STEPS) is None
        passed = pass_steps(one, State.ACTIVE, STEPS, END + 1000 * DAY)
        assert (passed.alerts, passed.is_check_due, passed.clock) == ((), False, one)
        assert not one.is_expiring_soon(STEPS, END - DAY)


def test_a_year_that_ends_on_a_leap_day_counts_days_and_not_dates():
    one = clock(datetime(2027, 3, 1, tzinfo=UTC))
    assert one.ends_at == datetime(2028, 2, 29, tzinfo=UTC)
    assert next_step_at(one, STEPS) == datetime(2028, 1, 30, tzinfo=UTC)


def test_an_instant_counts_whatever_its_zone():
    berlin = timezone(timedelta(hours=1))
    one = clock(datetime(2026, 1, 15, 1, tzinfo=berlin))
    assert one.ends_at == END
    assert steps_of(pass_steps(one, State.ACTIVE, STEPS, (END - 3 * DAY).astimezone(berlin))) == [3]


@given(
    valid_days=st.integers(1, 800),
    configured=st.sets(st.integers(1, 400), max_size=8),
    looks=st.lists(st.integers(0, 900 * 24), min_size=1, max_size=40),
)
def test_however_often_one_looks_each_step_is_told_once_and_in_order(valid_days, configured, looks):
    one, n_due = clock(valid_days=valid_days), 0
    told: list[int] = []
    for hours in sorted(looks):
        now = BEGAN_AT + hours * HOUR
        due_at = next_step_at(one, configured)
        passed = pass_steps(one, State.ACTIVE, configured, now)
        has_changed = bool(passed.alerts) or passed.is_check_due
        assert has_changed is (due_at is not None and due_at <= now)
        one, n_due = passed.clock, n_due + passed.is_check_due
        told += steps_of(passed)
        assert len(passed.alerts) <= 1
    assert told == sorted(set(told), reverse=True)
    assert set(told) <= {step for step in configured if step < valid_days}
    assert n_due == (max(looks) >= valid_days * 24)


@given(st.lists(st.integers(-40 * 24, 40 * 24), max_size=50))
def test_a_clock_that_jumps_tells_no_step_twice(hours):
    one = clock()
    told: list[int] = []
    for left in hours:
        passed = pass_steps(one, State.ACTIVE, STEPS, END + left * HOUR)
        one = passed.clock
        told += steps_of(passed)
    assert told == sorted(set(told), reverse=True)


@given(
    valid_days=st.integers(1, 800),
    configured=st.lists(st.integers(1, 400), max_size=8),
    hours=st.integers(-100, 900 * 24),
)
def test_the_flag_is_true_from_the_first_step_to_the_end(valid_days, configured, hours):
    steps = [step for step in configured if step < valid_days]
    left = valid_days * DAY - hours * HOUR
    expected = bool(steps) and timedelta(0) < left <= max(steps, default=0) * DAY
    one = clock(valid_days=valid_days)
    assert one.is_expiring_soon(configured, BEGAN_AT + hours * HOUR) is expected


COUNTDOWN = {
    "before the end": (clock(), END - SECOND, Reason.OK),
    "at the end": (clock(), END, Reason.AUTHORIZATION_EXPIRED),
    "no known end": (clock(valid_days=0), END, Reason.OK),
}


@pytest.mark.parametrize(("one", "now", "expected"), COUNTDOWN.values(), ids=COUNTDOWN)
def test_where_nobody_can_be_asked_the_clock_answers(one, now, expected):
    counted = count_down(one, COUNTED, now)
    assert counted.reason is expected
    assert bool(counted.detail) is (expected is Reason.AUTHORIZATION_EXPIRED)
    assert counted.latency_ms is None
    assert count_down(one, OK, now) == OK


PENDING = clock(is_renewal_pending=True)
LATE = replace(OK, latency_ms=2000.0)
UNRECORDED = [AlertKind.RENEWAL_UNRECORDED]
CONFIRMED = {
    "before the end": (clock(), OK, END - DAY, [], False),
    "success after the end": (clock(), OK, END + HOUR, UNRECORDED, True),
    "asked before, answered after": (clock(), LATE, END + SECOND, [], False),
    "said already": (clock(is_renewal_unrecorded=True), OK, END + HOUR, [], True),
    "refused after the end": (clock(), REFUSED, END + HOUR, [], False),
    "not answered after the end": (clock(), TIMEOUT, END + HOUR, [], False),
    "renewed": (PENDING, OK, END - HOUR, [AlertKind.RENEWED], False),
    "renewed and refused": (PENDING, REFUSED, END - HOUR, [], False),
    "renewed too long ago": (PENDING, OK, END + HOUR, UNRECORDED, True),
    "no known end": (clock(valid_days=0), OK, END + HOUR, [], False),
    "undated": (AuthorizationClock(), OK, END + HOUR, [], False),
}


@pytest.mark.parametrize(
    ("one", "outcome", "now", "kinds", "is_unrecorded"), CONFIRMED.values(), ids=CONFIRMED
)
def test_what_a_check_says_of_a_clock(one, outcome, now, kinds, is_unrecorded):
    confirmed = confirm(one, outcome, now)
    assert [alert.kind for alert in confirmed.alerts] == kinds
    assert confirmed.clock.is_renewal_unrecorded is is_unrecorded


def test_a_renewal_waits_for_its_first_success_and_is_told_once():
    refused = confirm(PENDING, REFUSED, END - HOUR).clock
    assert refused.is_renewal_pending
    confirmed = confirm(refused, OK, END - HOUR).clock
    assert not confirmed.is_renewal_pending
    assert confirm(confirmed, OK, END - HOUR).alerts == ()


def test_an_end_that_came_by_a_wrong_clock_is_taken_back():
    jumped = pass_steps(clock(told_step=3), State.ACTIVE, STEPS, END + HOUR).clock
    jumped = confirm(jumped, OK, END + HOUR).clock
    assert jumped.is_renewal_unrecorded
    back = confirm(jumped, OK, END - 26 * HOUR)
    assert back.alerts == ()
    assert back.clock.known_end == END
    assert next_step_at(back.clock, STEPS) == END - DAY


OLD, NEW = "fingerprint of the old token", "fingerprint of the new token"
REVOKED = Outcome(Reason.AUTHORIZATION_REVOKED, "Amazon refuses the refresh token.")
USED = clock(fingerprint=OLD)
RENEWED = set_date(USED, BEGAN_AT + 360 * DAY, Declared(), END)[0]


@pytest.mark.parametrize(
    ("one", "outcome", "is_named"),
    [
        pytest.param(RENEWED, replace(REVOKED, fingerprint=OLD), True, id="the old one"),
        pytest.param(RENEWED, replace(REVOKED, fingerprint=NEW), False, id="a new one"),
        pytest.param(RENEWED, REVOKED, False, id="nobody can tell"),
        pytest.param(RENEWED, replace(OK, fingerprint=OLD), False, id="it works"),
        pytest.param(
            RENEWED,
            Outcome(Reason.CLIENT_REJECTED, fingerprint=OLD),
            False,
            id="refused for another cause",
        ),
        pytest.param(USED, replace(REVOKED, fingerprint=OLD), False, id="never renewed"),
    ],
)
def test_a_refresh_token_from_before_a_renewal_is_named_as_such(one, outcome, is_named):
    said = name_old_token(one, outcome)
    assert ("renewal brings a new refresh token" in said.detail) is is_named
    assert said.reason is outcome.reason


def test_a_check_remembers_which_token_it_used():
    used = confirm(USED, replace(REVOKED, fingerprint=NEW), END - DAY).clock
    assert used.fingerprint == NEW
    assert confirm(used, TIMEOUT, END - DAY).clock == used
