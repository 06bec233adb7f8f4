"""
Billing cycles, quota, tokens and plans, without a server.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.simulator.base import (
    MAX_OFFSET,
    MovableClock,
    QuotaUsedUpError,
    SimulatorError,
    UnknownNameError,
    parse_duration,
)
from monitor.simulator.soldscope import KEPT_SEARCHES, PLANS, SoldScope, billing_cycle

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def soldscope() -> SoldScope:
    soldscope = SoldScope()
    soldscope.add_account("acme", "Acme Ltd", "a@acme.example", plan="trial", cycle_day=1)
    soldscope.add_account("globex", "Globex", "g@globex.example", plan="trial", cycle_day=31)
    return soldscope


@pytest.mark.parametrize(
    ("cycle_day", "now", "starts", "ends"),
    [
        pytest.param(1, "2026-11-22T12:00", "2026-11-01", "2026-12-01", id="mid_month"),
        pytest.param(1, "2026-12-01T00:00", "2026-12-01", "2027-01-01", id="first_instant"),
        pytest.param(1, "2026-11-30T23:59:59", "2026-11-01", "2026-12-01", id="last_second"),
        pytest.param(15, "2026-01-14", "2025-12-15", "2026-01-15", id="over_new_year"),
        pytest.param(15, "2026-12-20", "2026-12-15", "2027-01-15", id="into_new_year"),
        pytest.param(31, "2026-04-29", "2026-03-31", "2026-04-30", id="short_month_ahead"),
        pytest.param(31, "2026-04-30", "2026-04-30", "2026-05-31", id="day_31_comes_back"),
        pytest.param(31, "2027-02-27", "2027-01-31", "2027-02-28", id="february"),
        pytest.param(31, "2028-02-28", "2028-01-31", "2028-02-29", id="february_leap_year"),
        pytest.param(29, "2027-02-28", "2027-02-28", "2027-03-29", id="day_29_common_year"),
        pytest.param(30, "2028-02-29", "2028-02-29", "2028-03-30", id="day_30_leap_day"),
        pytest.param(31, "2100-02-28", "2100-02-28", "2100-03-31", id="century_is_no_leap_year"),
    ],
)
def test_billing_cycle_starts_on_its_day_or_on_the_last_of_a_short_month(
    cycle_day, now, starts, ends
):
    cycle = billing_cycle(cycle_day, day(now))

    assert (day(starts), day(ends)) == (cycle.starts_at, cycle.ends_at)


@given(
    cycle_day=st.integers(1, 31),
    now=st.datetimes(datetime(2000, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
)
def test_every_instant_lies_in_a_cycle_whose_end_starts_the_next_one(cycle_day, now):
    cycle = billing_cycle(cycle_day, now)

    assert now in cycle
    assert timedelta(days=28) <= cycle.ends_at - cycle.starts_at <= timedelta(days=31)
    assert billing_cycle(cycle_day, cycle.ends_at).starts_at == cycle.ends_at


@pytest.mark.parametrize(
    ("before", "n", "spent", "remaining"),
    [
        pytest.param(0, 1, 1, 99, id="one"),
        pytest.param(0, 100, 100, 0, id="all"),
        pytest.param(95, 10, 5, 0, id="more_than_left"),
        pytest.param(100, 1, 0, 0, id="nothing_left"),
    ],
)
def test_spending_takes_what_is_left_and_no_more(soldscope, before, n, spent, remaining):
    if before:
        soldscope.spend("acme", before, NOW)

    assert spent == soldscope.spend("acme", n, NOW)
    assert remaining == soldscope.quota("acme", NOW).remaining


@pytest.mark.parametrize("n", [0, -1])
def test_spending_nothing_or_less_is_refused(soldscope, n):
    with pytest.raises(SimulatorError, match="at least 1"):
        soldscope.spend("acme", n, NOW)


def test_quota_resets_at_the_first_instant_of_the_next_cycle(soldscope):
    soldscope.spend("acme", 100, NOW)

    assert soldscope.quota("acme", day("2026-11-30T23:59:59")).remaining == 0
    quota = soldscope.quota("acme", day("2026-12-01"))
    assert (100, day("2027-01-01")) == (quota.remaining, quota.resets_at)


def test_accounts_reset_on_their_own_days_and_share_nothing(soldscope):
    soldscope.spend("acme", 10, NOW)
    soldscope.spend("globex", 20, NOW)

    later = day("2026-11-30")

    assert soldscope.quota("acme", later).used == 10
    assert soldscope.quota("globex", later).used == 0


def test_upgrade_applies_at_once_and_keeps_what_was_used(soldscope):
    soldscope.spend("acme", 100, NOW)

    soldscope.upgrade("acme", "business")

    quota = soldscope.quota("acme", NOW)
    assert (quota.limit, quota.used, quota.remaining) == (10_000, 100, 9_900)


def test_move_to_a_smaller_plan_leaves_nothing_rather_than_less(soldscope):
    soldscope.spend("acme", 50, NOW)

    soldscope.upgrade("acme", "free")

    assert soldscope.quota("acme", NOW).remaining == 0


def test_a_search_costs_one_and_reading_it_again_nothing(soldscope):
    search = soldscope.run_search("acme", "lamps", NOW)

    assert search == soldscope.account("acme").past_search(search.id)
    assert soldscope.quota("acme", NOW).used == 1


def test_a_search_with_nothing_left_is_refused_and_not_remembered(soldscope):
    soldscope.spend("acme", 100, NOW)

    with pytest.raises(QuotaUsedUpError):
        soldscope.run_search("acme", "lamps", NOW)

    assert not soldscope.account("acme").searches
    assert soldscope.quota("acme", NOW).used == 100


def test_another_accounts_search_cannot_be_read(soldscope):
    search = soldscope.run_search("acme", "lamps", NOW)

    with pytest.raises(UnknownNameError):
        soldscope.account("globex").past_search(search.id)


def test_only_the_latest_searches_are_kept(soldscope):
    soldscope.upgrade("acme", "business")
    first = soldscope.run_search("acme", "first", NOW)
    for _ in range(KEPT_SEARCHES):
        soldscope.run_search("acme", "later", NOW)

    with pytest.raises(UnknownNameError):
        soldscope.account("acme").past_search(first.id)


def test_a_token_opens_its_own_account_until_it_is_revoked(soldscope):
    issued = soldscope.create_token("acme", "production", NOW)
    other = soldscope.create_token("acme", "staging", NOW)
    assert soldscope.authenticate(issued.value) is issued.token

    soldscope.revoke_token(issued.token.id, NOW)

    assert soldscope.authenticate(issued.value) is None
    assert soldscope.authenticate(other.value) is other.token


def test_revoking_again_keeps_the_first_instant(soldscope):
    issued = soldscope.create_token("acme", "production", NOW)
    soldscope.revoke_token(issued.token.id, NOW)

    again = soldscope.revoke_token(issued.token.id, NOW + timedelta(days=1))

    assert again.revoked_at == NOW


def test_a_tokens_value_is_found_nowhere_after_its_creation(soldscope):
    issued = soldscope.create_token("acme", "production", NOW)

    assert issued.value.startswith("ss_live_")
    assert issued.token.last_four == issued.value[-4:]
    assert issued.value not in repr(issued)
    assert issued.value not in repr(vars(soldscope))


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "line\nbreak", "bell\a"])
def test_a_token_needs_a_printable_name(soldscope, name):
    with pytest.raises(SimulatorError, match="name"):
        soldscope.create_token("acme", name, NOW)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.create_token("nobody", "x", NOW), id="token"),
        pytest.param(lambda s: s.quota("nobody", NOW), id="quota"),
        pytest.param(lambda s: s.upgrade("nobody", "trial"), id="account_of_upgrade"),
        pytest.param(lambda s: s.upgrade("acme", "gold"), id="plan_of_upgrade"),
        pytest.param(lambda s: s.revoke_token("tok_99", NOW), id="revoked_token"),
        pytest.param(lambda s: s.add_account("x", "X", "x@x", plan="gold"), id="plan_of_account"),
    ],
)
def test_unknown_names_are_refused(soldscope, act):
    with pytest.raises(UnknownNameError, match=r"no (account|plan|token)"):
        act(soldscope)


@pytest.mark.parametrize("cycle_day", [0, 32, -1])
def test_an_account_needs_a_day_of_the_month(soldscope, cycle_day):
    with pytest.raises(SimulatorError, match="1 to 31"):
        soldscope.add_account("x", "X", "x@x.example", cycle_day=cycle_day)


def test_an_account_id_is_given_once(soldscope):
    with pytest.raises(SimulatorError, match="already"):
        soldscope.add_account("acme", "Other", "o@o.example")


def test_plans_grow():
    assert sorted(PLANS.values()) == list(PLANS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("36h", timedelta(hours=36)),
        (" 3d ", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_lengths_are_read(text, expected):
    assert expected == parse_duration(text)


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "1.5h", "3 d", "3D", "9" * 9 + "s", "٣d"])
def test_anything_else_is_no_length(text):
    with pytest.raises(SimulatorError, match="a length looks like"):
        parse_duration(text)


def test_the_clock_moves_forward_and_back_to_the_real_time():
    clock = MovableClock()
    before = clock.now()

    clock.advance(timedelta(days=3))
    assert clock.now() - before >= timedelta(days=3)

    clock.reset()
    assert clock.now() - before < timedelta(days=3)


@pytest.mark.parametrize("by", [timedelta(), timedelta(days=-1), MAX_OFFSET * 2])
def test_the_clock_refuses_to_go_back_or_too_far(by):
    clock = MovableClock()

    with pytest.raises(SimulatorError, match="clock"):
        clock.advance(by)

    assert clock.offset == timedelta()
