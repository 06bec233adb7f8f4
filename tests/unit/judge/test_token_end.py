"""
The end of a token that its own service tells.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.judge.alerts import AlertKind
from monitor.judge.clocks import AuthorizationClock, confirm, next_step_at, pass_steps
from monitor.judge.outcome import Outcome, Reason, State
from monitor.judge.token_end import observe

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = (30, 14, 7, 3, 1)
END = NOW + 20 * DAY
UNKNOWN = AuthorizationClock()
SEEN = replace(UNKNOWN, token_ends_at=END)


def says(end: datetime | None, reason: Reason = Reason.OK) -> Outcome:
    return Outcome(reason, token_ends_at=end)


@pytest.mark.parametrize(
    ("before", "outcome", "end"),
    [
        pytest.param(UNKNOWN, says(END), END, id="first seen"),
        pytest.param(SEEN, says(END + DAY), END + DAY, id="a later one"),
        pytest.param(SEEN, says(END - DAY), END - DAY, id="an earlier one"),
        pytest.param(SEEN, says(END + timedelta(seconds=20)), END, id="the same, but for noise"),
        pytest.param(SEEN, says(None), None, id="a token without an end"),
        pytest.param(SEEN, says(None, Reason.TIMEOUT), END, id="no answer"),
        pytest.param(SEEN, says(None, Reason.TOKEN_REJECTED), END, id="refused"),
        pytest.param(UNKNOWN, says(NOW - DAY), None, id="it works past the end it tells"),
    ],
)
def test_what_an_answer_says_of_the_end(before, outcome, end):
    assert observe(before, outcome, NOW).token_ends_at == end


def test_the_service_is_believed_rather_than_the_file():
    declared = AuthorizationClock(authorized_at=NOW - DAY, ends_at=NOW + 364 * DAY)
    seen = observe(declared, says(END), NOW)
    assert seen.known_end == END
    assert seen.ends_at == NOW + 364 * DAY
    # A token of three weeks begins with a warning of two.
    assert next_step_at(seen, STEPS) == END - 14 * DAY


def test_each_step_is_told_once_and_a_new_token_ends_it():
    seen = observe(UNKNOWN, says(END), NOW)
    passed = pass_steps(seen, State.ACTIVE, STEPS, NOW)
    [alert] = passed.alerts
    assert (alert.kind, alert.facts["step"], alert.facts["is_of_token"]) == (
        AlertKind.EXPIRING_SOON,
        30,
        True,
    )
    again = observe(passed.clock, says(END), NOW + DAY)
    assert pass_steps(again, State.ACTIVE, STEPS, NOW + DAY).alerts == ()
    new = observe(again, says(NOW + 90 * DAY), NOW + DAY)
    confirmed = confirm(new, says(NOW + 90 * DAY), NOW + DAY)
    assert [one.kind for one in confirmed.alerts] == [AlertKind.RENEWED]
    assert pass_steps(confirmed.clock, State.ACTIVE, STEPS, NOW + DAY).alerts == ()
    assert pass_steps(confirmed.clock, State.ACTIVE, STEPS, NOW + 61 * DAY).alerts != ()


def test_the_end_of_a_token_makes_a_check_due():
    assert pass_steps(SEEN, State.ACTIVE, STEPS, END).is_check_due
