"""
How an invite is doing, how often it is tried, and whose a credential is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.judge.invites import (
    MOST_TRIES,
    TRIES_WINDOW,
    Holder,
    Invite,
    InviteState,
    is_same_holder,
    wait_for,
)
from tests.fakes import NOON

DAY = timedelta(days=1)
OPEN = Invite(1, "acme", NOON, NOON + DAY, "user:ana")


@pytest.mark.parametrize(
    ("invite", "at", "state"),
    [
        pytest.param(OPEN, NOON, InviteState.OPEN, id="new"),
        pytest.param(OPEN, NOON + DAY, InviteState.EXPIRED, id="at its end"),
        pytest.param(replace(OPEN, used_at=NOON), NOON, InviteState.USED, id="used"),
        pytest.param(
            replace(OPEN, used_at=NOON), NOON + DAY, InviteState.USED, id="used, then over"
        ),
        pytest.param(replace(OPEN, revoked_at=NOON), NOON, InviteState.REVOKED, id="revoked"),
        pytest.param(replace(OPEN, connection=None), NOON, InviteState.REVOKED, id="deleted"),
    ],
)
def test_an_invite_is_open_until_it_is_used_revoked_or_over(invite, at, state):
    assert invite.state(at) is state


def test_five_tries_an_hour_then_the_first_has_to_be_an_hour_old():
    tries = [NOON + timedelta(minutes=n) for n in range(MOST_TRIES)]
    now = NOON + timedelta(minutes=10)
    assert not wait_for(tries[:-1], now)
    assert wait_for(tries, now) == timedelta(minutes=50)
    assert wait_for([*tries, now], now) == timedelta(minutes=51)
    assert not wait_for(tries, NOON + TRIES_WINDOW)


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_an_hour():
    tries = [NOON + 30 * DAY] * MOST_TRIES
    assert wait_for(tries, NOON) == TRIES_WINDOW


SELLER = "A1B2"


@pytest.mark.parametrize(
    ("known", "new", "is_store", "is_same"),
    [
        pytest.param(("Acme",), ("Acme",), False, True, id="token"),
        pytest.param(("Acme",), (" acme ",), False, True, id="token, other spaces"),
        pytest.param(("Acme",), ("Globex",), False, False, id="another account"),
        pytest.param((None,), ("Acme",), False, False, id="none known"),
        pytest.param(("Acme",), (None,), False, False, id="none shown"),
        pytest.param(("Acme", SELLER), ("Acme", SELLER), True, True, id="store"),
        pytest.param(("Acme", None), ("Acme", SELLER), True, False, id="a store's name alone"),
        pytest.param(("Acme", None), ("Acme", None), True, False, id="no seller at all"),
        pytest.param(("Acme", SELLER), ("Acme", None), True, False, id="seller not said"),
        pytest.param(("Acme", SELLER), ("Acme", "OTHER"), True, False, id="another seller"),
        pytest.param(
            ("Acme", SELLER), ("Globex", SELLER), True, False, id="the token shows another"
        ),
        pytest.param(("Acme", SELLER), (None, SELLER), True, False, id="the token shows none"),
    ],
)
def test_whose_a_credential_is(known, new, is_store, is_same):
    assert is_same_holder(Holder(*known), Holder(*new), is_store=is_store) is is_same
