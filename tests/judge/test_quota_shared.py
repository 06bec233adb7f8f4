"""
Several connections of one account, whose quota is told once.

`Account` does for connections "a", "b", "c" what `cycle` does: judge one
check, settle its alerts with the siblings, keep what became known. A night is
written as checks, "a=1900" being a check of "a" that reads 1,900 left of
10,000; what each told is noted with everybody it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.forecast import resolve_shared
from monitor.judge.outcome import Outcome, QuotaReading, Reason, Rules
from monitor.judge.quota import Quota, judge_quota

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
RESET = NOW + timedelta(days=8)
NEXT_RESET = RESET + timedelta(days=31)
MINUTE = timedelta(minutes=1)
MONTH_S = 28 * 86400
LIMIT = 10_000
RULES = Rules()
STEP_KINDS = {AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED}


def read(remaining: int, limit: int = LIMIT, resets_at: datetime | None = RESET) -> Outcome:
    return Outcome(Reason.OK, quota=QuotaReading(limit, remaining, resets_at, MONTH_S))


@dataclass
class Account:
    """
    The quotas of one account's connections, and what was told of them.
    """

    now: datetime = NOW
    quotas: dict[int, Quota] = field(default_factory=lambda: {1: Quota(), 2: Quota(), 3: Quota()})
    told: list[str] = field(default_factory=list)

    def check(self, name: str, outcome: Outcome) -> list[AlertDue]:
        number = "-abc".index(name)
        before = self.quotas[number]
        verdict = judge_quota(before, outcome, RULES, self.now)
        self.quotas[number] = verdict.quota
        born = []
        for alert in verdict.alerts:
            siblings = [(other, quota) for other, quota in self.quotas.items() if other != number]
            shared = resolve_shared(alert, before, verdict.quota, siblings)
            assert number not in shared.changed
            assert set(shared.changed) == set(shared.named)
            self.quotas |= shared.changed
            if shared.alert is not None:
                born.append(shared.alert)
                names = "".join(sorted("-abc"[each] for each in (number, *shared.named)))
                self.told.append(" ".join([*_words(shared.alert), names]))
        return born


def _words(alert: AlertDue) -> list[str]:
    step = alert.facts.get("step")
    return [alert.kind.value.removeprefix("quota_")] + ([] if step is None else [str(step)])


def play(night: str) -> list[str]:
    """
    Return what is told in a night of checks.

    `a=1900` reads that many left; `a=402` is a payment required without
    headers, `a=-` a success without headers, `a=x` a failure. `next` passes
    the reset and `limit:N` changes the limit, for the readings that follow.
    """
    account = Account()
    limit, resets_at = LIMIT, RESET
    for word in night.split():
        name, _, value = word.partition("=")
        if word == "next":
            account.now, resets_at = RESET + MINUTE, NEXT_RESET
        elif word.startswith("limit:"):
            limit = int(word.removeprefix("limit:"))
        elif value == "402":
            account.check(name, Outcome(Reason.OK, is_payment_required=True))
        elif value == "-":
            account.check(name, Outcome(Reason.OK, quota=QuotaReading()))
        elif value == "x":
            account.check(name, Outcome(Reason.TIMEOUT))
        else:
            account.check(name, read(int(value), limit, resets_at))
    return account.told


@pytest.mark.parametrize(
    ("night", "told"),
    [
        pytest.param("a=1900 a=1800", ["low 20 a"], id="alone"),
        pytest.param("a=9000 b=9000 a=1900 b=1900", ["low 20 ab"], id="two: one tells for both"),
        pytest.param("a=9000 b=9000 c=9000 b=1900 c=1900 a=1900", ["low 20 abc"], id="three"),
        pytest.param("a=1900 b=1900 c=1900", ["low 20 a"], id="first checks: unknown to the first"),
        pytest.param(
            "a=9000 b=9000 a=1900 b=900 a=900 b=0 a=0",
            ["low 20 ab", "low 10 ab", "exhausted 0 ab"],
            id="each step once, whoever sees it",
        ),
        pytest.param(
            "a=9000 b=9000 c=9000 a=450 b=460 c=440", ["low 5 abc"], id="several steps at once"
        ),
        pytest.param(
            "a=9000 b=9000 a=1990 b=2010 a=2000 b=1980", ["low 20 ab"], id="noise between them"
        ),
        pytest.param("a=9000 b=9000 a=0 b=402 a=402", ["exhausted 0 ab"], id="empty, then 402"),
        pytest.param("a=9000 b=9000 a=402 b=402 a=402", ["exhausted 0 ab"], id="402 for both"),
        pytest.param(
            "a=9000 b=9000 a=402 b=300 a=300 b=0 a=0",
            ["exhausted 0 ab"],
            id="402, then its headers",
        ),
        pytest.param("a=9000 b=9000 a=1900 b=- b=x b=1900", ["low 20 ab"], id="a gap is no news"),
    ],
)
def test_a_step_is_told_once_for_the_account_naming_them_all(night, told):
    assert play(night) == told


@pytest.mark.parametrize(
    ("night", "told"),
    [
        pytest.param(
            "a=9000 b=9000 a=0 b=0 next a=10000 b=10000",
            ["exhausted 0 ab", "restored ab"],
            id="restored once for both",
        ),
        pytest.param(
            "a=9000 b=9000 c=9000 a=0 next c=10000 b=10000 a=10000",
            ["exhausted 0 abc", "restored abc"],
            id="by one who never told it",
        ),
        pytest.param(
            "a=9000 b=9000 next b=10000 a=10000", [], id="nothing was told, nothing is restored"
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 next a=1900 b=1900",
            ["exhausted 0 ab", "low 20 a"],
            id="a new period that starts low",
        ),
        pytest.param(
            "a=9000 b=9000 a=1900 b=1900 next a=10000 b=10000 b=1900 a=1900",
            ["low 20 ab", "restored ab", "low 20 ab"],
            id="a new period tells its own steps",
        ),
        pytest.param(
            "a=9000 b=9000 a=1900 next a=10000 a=1900 b=1900 b=900 a=900",
            ["low 20 ab", "restored ab", "low 20 a", "low 10 ab"],
            id="one lags behind by a whole period",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 a=10000 b=10000",
            ["exhausted 0 ab", "restored ab"],
            id="a top-up",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 a=1500 b=1500 b=900 a=900",
            ["exhausted 0 ab", "low 20 ab", "low 10 ab"],
            id="a top-up that is still low",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 a=1500 b=1500 b=0 a=0",
            ["exhausted 0 ab", "low 20 ab", "exhausted 0 ab"],
            id="a top-up that is still low, and one who never saw it empty",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 b=10000 b=1900 a=1900 a=1800",
            ["exhausted 0 ab", "restored ab", "low 20 ab"],
            id="a top-up that one sees only when it is low again",
        ),
        pytest.param(
            "a=9000 b=9000 a=402 b=402 a=7000 b=7000",
            ["exhausted 0 ab", "restored ab"],
            id="a 402 that is over",
        ),
    ],
)
def test_the_end_of_a_period_is_told_once(night, told):
    assert play(night) == told


@pytest.mark.parametrize(
    ("night", "told"),
    [
        pytest.param(
            "a=9000 b=9000 limit:20000 a=19000 b=19000", ["limit_changed ab"], id="two of them"
        ),
        pytest.param(
            "a=9000 b=9000 c=9000 limit:20000 b=19000 a=19000 c=18900 a=18900",
            ["limit_changed abc"],
            id="three of them",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 limit:20000 b=10000 a=10000",
            ["exhausted 0 ab", "limit_changed ab"],
            id="an upgrade replaces restored, for both",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 limit:20000 a=10000 b=10000 b=3900 a=3900",
            ["exhausted 0 ab", "limit_changed ab", "low 20 ab"],
            id="the new limit has its own steps",
        ),
        pytest.param(
            "a=9000 b=9000 limit:5000 a=900 b=900",
            ["limit_changed ab", "low 20 a"],
            id="a downgrade that is low at once",
        ),
        pytest.param(
            "a=9000 b=9000 limit:20000 a=19000 b=19000 limit:10000 b=9000 a=9000",
            ["limit_changed ab", "limit_changed ab"],
            id="there and back",
        ),
        pytest.param(
            "a=9000 b=9000 limit:20000 a=19000 limit:10000 a=1900 b=1900",
            ["limit_changed ab", "limit_changed a", "low 20 ab"],
            id="there and back, and one never saw it",
        ),
        pytest.param(
            "a=9000 b=9000 a=0 b=0 next limit:20000 a=20000 b=20000",
            ["exhausted 0 ab", "limit_changed ab"],
            id="with the reset",
        ),
        pytest.param(
            "a=9000 b=9000 a=1500 b=1500 limit:20000 a=11500 limit:10000 a=1900 b=1900",
            ["low 20 ab", "limit_changed ab", "limit_changed a", "low 20 ab"],
            id="there and back, low before and after, and one never saw it",
        ),
        pytest.param(
            "a=9000 b=9000 limit:20000 a=19000 b=19000 limit:10000 b=9000 a=9000"
            " limit:20000 b=19000 a=19000",
            ["limit_changed ab", "limit_changed ab", "limit_changed ab"],
            id="there and back and there again",
        ),
        pytest.param("limit:20000 a=19000 b=19000", [], id="a first limit is no change"),
    ],
)
def test_a_changed_limit_is_told_once(night, told):
    assert play(night) == told


# Who shares a quota


def known(limit: int | None, resets_at: datetime | None) -> Quota:
    return Quota(known=QuotaReading(limit, 1000, resets_at, MONTH_S))


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        pytest.param(known(LIMIT, RESET), known(LIMIT, RESET), True, id="same limit and reset"),
        pytest.param(known(LIMIT, RESET), known(5000, RESET), False, id="another limit"),
        pytest.param(known(LIMIT, RESET), known(LIMIT, NEXT_RESET), False, id="another reset"),
        pytest.param(
            known(LIMIT, RESET),
            known(LIMIT, RESET + MINUTE),
            True,
            id="a reset that jitters",
        ),
        pytest.param(
            known(LIMIT, RESET),
            known(LIMIT, RESET - MINUTE - timedelta(seconds=1)),
            False,
            id="a reset that differs by more",
        ),
        pytest.param(known(LIMIT, None), known(LIMIT, None), True, id="neither says when"),
        pytest.param(known(LIMIT, RESET), known(LIMIT, None), False, id="only one says when"),
        pytest.param(known(LIMIT, RESET), Quota(), False, id="one was never read"),
    ],
)
def test_a_quota_is_shared_by_those_that_show_the_same_limit_and_reset(one, other, is_shared):
    assert one.shares_period_with(other) is is_shared
    assert other.shares_period_with(one) is is_shared


def test_a_connection_with_another_limit_is_neither_named_nor_changed():
    account = Account()
    account.check("a", read(9000))
    account.check("b", read(400, limit=500))
    before = account.quotas[2]

    account.check("a", read(1900))

    assert account.told == ["low 20 a"]
    assert account.quotas[2] == before


def test_a_restored_quota_is_not_that_of_a_connection_with_another_limit():
    account = Account()
    account.check("a", read(1900))
    account.check("b", read(90, limit=500))
    account.check("c", read(1900))
    before = account.quotas[2]

    account.check("a", read(9000))

    assert account.told == ["low 20 a", "low 20 b", "restored ac"]
    assert account.quotas[2] == before


def test_what_a_sibling_shows_is_left_as_its_own_last_answer():
    account = Account()
    account.check("a", read(9000))
    account.check("b", read(8000))
    before = account.quotas[1]

    account.check("b", read(0))

    after = account.quotas[1]
    assert (after.shown, after.seen_at, after.is_payment_required) == (
        before.shown,
        before.seen_at,
        before.is_payment_required,
    )


@pytest.mark.parametrize("siblings", [[], [(2, Quota())], [(2, known(500, RESET))]])
def test_without_anybody_to_share_with_an_alert_stays_as_it_is(siblings):
    quota = replace(known(LIMIT, RESET), told_step=20)
    for kind in (AlertKind.QUOTA_LOW, AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED):
        alert = judge_alert(kind)
        shared = resolve_shared(alert, quota, quota, siblings)
        assert (shared.alert, shared.named, dict(shared.changed)) == (alert, (), {})


def judge_alert(kind: AlertKind) -> AlertDue:
    account = Account()
    nights = {
        AlertKind.QUOTA_LOW: [read(1900)],
        AlertKind.QUOTA_RESTORED: [read(1900), read(9000)],
        AlertKind.LIMIT_CHANGED: [read(9000), read(9000, limit=20_000)],
    }
    born = [alert for outcome in nights[kind] for alert in account.check("a", outcome)]
    assert born[-1].kind is kind
    return born[-1]


# Whoever comes first, and however far the others lag behind


CHECKS = st.tuples(st.just("check"), st.sampled_from("abc"))
SPENDING = st.tuples(st.just("spend"), st.integers(1, 4000))
RESETTING = st.tuples(st.just("reset"), st.none())
UPGRADING = st.tuples(st.just("upgrade"), st.none())
TOPPING_UP = st.tuples(st.just("top up"), st.none())
# Mostly checks and spending, so that steps are reached before a period ends.
EVENTS = st.lists(
    st.one_of(CHECKS, CHECKS, CHECKS, SPENDING, SPENDING, RESETTING, UPGRADING), max_size=60
)
EVENTS_WITH_TOP_UPS = st.lists(
    st.one_of(CHECKS, CHECKS, CHECKS, SPENDING, SPENDING, RESETTING, TOPPING_UP), max_size=60
)


@dataclass
class Service:
    """
    The account at the provider: one counter for all of its tokens.
    """

    limit: int = LIMIT
    remaining: int = LIMIT
    resets_at: datetime = RESET
    period: int = 0

    @property
    def step(self) -> int | None:
        steps = (20, 10, 5, 0)
        return min((s for s in steps if self.remaining * 100 <= self.limit * s), default=None)

    def do(self, event: str, value: int | None, account: Account) -> None:
        account.now += MINUTE
        self.period += event not in {"check", "spend"}
        match event:
            case "spend":
                assert value is not None
                self.remaining = max(0, self.remaining - value)
            case "reset":
                account.now = self.resets_at + MINUTE
                self.resets_at += timedelta(days=30)
                self.remaining = self.limit
            case "top up":
                self.remaining = self.limit
            case "upgrade":
                self.limit += LIMIT
                self.remaining += LIMIT


def run(
    events: list[tuple[str, int | str | None]],
) -> list[tuple[int, int | None, list[AlertDue]]]:
    """
    Return, for each check, the period, the step reached and what was told.
    """
    account, service, checks = Account(), Service(), []
    for event, value in events:
        if isinstance(value, str):
            account.now += timedelta(seconds=1)
            born = account.check(value, read(service.remaining, service.limit, service.resets_at))
            checks.append((service.period, service.step, born))
        else:
            service.do(event, value, account)
    return checks


@given(EVENTS | EVENTS_WITH_TOP_UPS)
@settings(max_examples=300)
def test_whoever_checks_first_each_step_is_told_once_a_period(events):
    told = set()
    for period, _, born in run(events):
        for alert in born:
            if alert.kind in STEP_KINDS:
                assert (period, alert.facts["step"]) not in told
                told.add((period, alert.facts["step"]))


@given(EVENTS)
@settings(max_examples=300)
def test_whoever_checks_first_no_step_is_missed(events):
    lowest: dict[int, int] = {}
    for period, step, born in run(events):
        for alert in born:
            if alert.kind in STEP_KINDS:
                lowest[period] = alert.facts["step"]
        if step is not None:
            assert lowest[period] <= step


@given(EVENTS | EVENTS_WITH_TOP_UPS)
@settings(max_examples=300)
def test_restored_follows_only_what_was_told_and_once(events):
    is_told = False
    for _, _, born in run(events):
        for alert in born:
            assert is_told or alert.kind is not AlertKind.QUOTA_RESTORED
            is_told = alert.kind in STEP_KINDS
