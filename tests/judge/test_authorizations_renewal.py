"""
What a date means that somebody gave, in the file or by a command.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.judge.authorizations import (
    THE_END,
    AuthorizationClock,
    DateChange,
    Declared,
    declare_date,
    name_old_token,
    next_step_at,
    set_date,
)
from monitor.judge.outcome import Outcome, Reason

FIRST = datetime(2026, 1, 15, tzinfo=UTC)
LATER = datetime(2027, 1, 10, tzinfo=UTC)
EARLIER = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2027, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = (30, 14, 7, 3, 1)
YEAR = Declared()


def in_file(authorized_at: datetime | None, clock: AuthorizationClock | None = None, **more):
    return declare_date(clock or AuthorizationClock(), Declared(authorized_at, **more), NOW)


def known(**more) -> AuthorizationClock:
    return AuthorizationClock(FIRST, FIRST + 365 * DAY, file_authorized_at=FIRST, **more)


CHANGES = {
    "later": (LATER, DateChange.RENEWAL),
    "a second later": (FIRST + timedelta(seconds=1), DateChange.RENEWAL),
    "earlier": (EARLIER, DateChange.CORRECTION),
    "the same": (FIRST, DateChange.NONE),
    "gone": (None, DateChange.WITHDRAWAL),
}


@pytest.mark.parametrize(("date", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_date_is_compared_to_the_one_that_is_known(date, expected):
    clock, change = set_date(known(), date, YEAR, NOW)
    assert change is expected
    assert clock.authorized_at == date
    assert clock.is_renewal_pending is (expected is DateChange.RENEWAL)


def test_a_first_date_in_the_file_is_neither_a_renewal_nor_a_correction():
    clock, change = set_date(AuthorizationClock(), FIRST, YEAR, NOW, is_from_file=True)
    assert (change, clock.is_renewal_pending) == (DateChange.FIRST, False)
    assert clock.ends_at == datetime(2027, 1, 15, tzinfo=UTC)
    assert not in_file(FIRST).is_renewal_pending


def test_a_first_date_that_a_person_gives_is_a_renewal():
    undated = AuthorizationClock(fingerprint="abc")
    clock, change = set_date(undated, FIRST, YEAR, NOW)
    assert change is DateChange.RENEWAL
    assert (clock.is_renewal_pending, clock.renewal_fingerprint) == (True, "abc")
    refused = Outcome(Reason.AUTHORIZATION_REVOKED, "Refused.", fingerprint="abc")
    assert "still the one from before" in name_old_token(clock, refused).detail
    assert clock.ends_at == datetime(2027, 1, 15, tzinfo=UTC)


def test_a_renewal_starts_all_steps_anew_and_ends_the_doubt():
    clock, _ = set_date(known(told_step=THE_END, is_renewal_unrecorded=True), LATER, YEAR, NOW)
    assert (clock.told_step, clock.is_renewal_unrecorded) == (None, False)
    assert next_step_at(clock, STEPS) == LATER + 335 * DAY


def test_a_correction_keeps_what_was_told_and_still_holds():
    clock, _ = set_date(known(told_step=7), FIRST - DAY, YEAR, NOW)
    assert clock.told_step == 7


def test_an_unrecorded_renewal_is_not_answered_by_an_earlier_date():
    doubtful = known(told_step=THE_END, is_renewal_unrecorded=True)
    clock, _ = set_date(doubtful, EARLIER, YEAR, FIRST + 400 * DAY)
    assert clock.is_renewal_unrecorded


def test_the_latest_change_wins_and_the_file_speaks_only_when_it_changes():
    renewed, _ = set_date(in_file(FIRST), LATER, YEAR, NOW)
    assert in_file(FIRST, renewed).authorized_at == LATER
    corrected = in_file(EARLIER, renewed)
    assert corrected.authorized_at == EARLIER
    assert in_file(EARLIER, corrected) == corrected


def test_the_file_may_repeat_what_a_command_has_recorded():
    renewed, _ = set_date(in_file(FIRST), LATER, YEAR, NOW)
    repeated = in_file(LATER, renewed)
    assert (repeated.authorized_at, repeated.file_authorized_at) == (LATER, LATER)


def test_a_later_date_in_the_file_is_a_renewal():
    assert in_file(LATER, in_file(FIRST)).is_renewal_pending


def test_a_date_taken_out_of_the_file_makes_the_authorization_unknown():
    assert in_file(None, in_file(FIRST)) == AuthorizationClock()


def test_a_command_may_date_what_the_file_does_not():
    clock, _ = set_date(in_file(None), FIRST, YEAR, NOW)
    assert in_file(None, clock).authorized_at == FIRST


def test_a_longer_validity_puts_steps_back_into_the_future():
    longer = in_file(FIRST, known(told_step=THE_END), valid_days=500)
    assert longer.ends_at == FIRST + 500 * DAY
    assert next_step_at(longer, STEPS) == FIRST + 470 * DAY
    endless = in_file(FIRST, longer, valid_days=0)
    assert (endless.ends_at, next_step_at(endless, STEPS)) == (None, None)


def test_a_shorter_validity_tells_the_step_it_has_come_to():
    clock = in_file(FIRST, known(told_step=30), valid_days=372)
    assert next_step_at(clock, STEPS) == FIRST + (372 - 14) * DAY
