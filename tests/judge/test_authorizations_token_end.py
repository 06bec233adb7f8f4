"""
The end of a token that its own service tells.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.judge.alerts import AlertKind
from monitor.judge.authorizations import (
    AuthorizationClock,
    confirm,
    next_step_at,
    observe_token_end,
    pass_steps,
)
from monitor.judge.outcome import Outcome, Reason, State

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
    assert observe_token_end(before, outcome, NOW).token_ends_at == end


def test_the_service_is_believed_rather_than_the_file():
    declared = AuthorizationClock(authorized_at=NOW - DAY, ends_at=NOW + 364 * DAY)
    seen = observe_token_end(declared, says(END), NOW)
    assert seen.known_end == END
    assert seen.ends_at == NOW + 364 * DAY
    # A token of three weeks begins with a warning of two.
    assert next_step_at(seen, STEPS) == END - 14 * DAY


def test_each_step_is_told_once_and_a_new_token_ends_it():
    seen = observe_token_end(UNKNOWN, says(END), NOW)
    passed = pass_steps(seen, State.ACTIVE, STEPS, NOW)
    [alert] = passed.alerts
    assert (alert.kind, alert.facts["step"], alert.facts["is_of_token"]) == (
        AlertKind.EXPIRING_SOON,
        30,
        True,
    )
    again = observe_token_end(passed.clock, says(END), NOW + DAY)
    assert pass_steps(again, State.ACTIVE, STEPS, NOW + DAY).alerts == ()
    new = observe_token_end(again, says(NOW + 90 * DAY), NOW + DAY)
    confirmed = confirm(new, says(NOW + 90 * DAY), NOW + DAY)
    assert [one.kind for one in confirmed.alerts] == [AlertKind.RENEWED]
    assert pass_steps(confirmed.clock, State.ACTIVE, STEPS, NOW + DAY).alerts == ()
    assert pass_steps(confirmed.clock, State.ACTIVE, STEPS, NOW + 61 * DAY).alerts != ()


def test_the_end_of_a_token_makes_a_check_due():
    assert pass_steps(SEEN, State.ACTIVE, STEPS, END).is_check_due


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("said", [END, None], ids=["the same end", "no end that can be believed"])
@pytest.mark.parametrize("since", [-100 * SECOND, SECOND, 100 * SECOND], ids=str)
def test_a_token_let_in_right_at_its_end_is_not_taken_for_a_new_one(said, since):
    at = END + since
    ending = replace(SEEN, told_step=1 if at < END else 0)
    seen = observe_token_end(ending, says(said), at)
    confirmed = confirm(seen, says(said), at)
    assert confirmed.alerts == ()
    assert confirmed.clock == ending


def test_a_token_that_works_long_past_the_end_it_tells_has_no_known_end_and_is_no_news():
    at = END + DAY
    confirmed = confirm(observe_token_end(SEEN, says(END), at), says(END), at)
    assert (confirmed.clock.token_ends_at, confirmed.alerts) == (None, ())


@pytest.mark.parametrize(
    ("at", "end", "told"),
    [
        pytest.param(END - 9 * DAY, END, [], id="before the end it stands"),
        pytest.param(
            END + DAY, None, [AlertKind.RENEWED], id="after it the token works all the same"
        ),
    ],
)
def test_an_end_that_cannot_be_understood_is_no_new_token(at, end, told):
    unclear = replace(says(None), is_token_end_unclear=True)
    before = replace(SEEN, told_step=30)
    confirmed = confirm(observe_token_end(before, unclear, at), unclear, at)
    assert confirmed.clock.token_ends_at == end
    assert [one.kind for one in confirmed.alerts] == told


def test_a_success_that_speaks_of_no_end_any_more_is_a_new_token():
    at = END + DAY
    for before in (SEEN, replace(SEEN, told_step=0)):
        confirmed = confirm(observe_token_end(before, says(None), at), says(None), at)
        assert [one.kind for one in confirmed.alerts] == [AlertKind.RENEWED]


def test_an_end_that_came_only_by_a_wrong_clock_comes_again():
    passed = pass_steps(SEEN, State.ACTIVE, STEPS, END).clock
    kept = confirm(observe_token_end(passed, says(END), NOW), says(END), NOW).clock
    [alert] = pass_steps(kept, State.ACTIVE, STEPS, END - DAY).alerts
    assert alert.facts["step"] == 1
