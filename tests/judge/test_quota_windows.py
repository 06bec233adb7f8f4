"""
Several windows of one quota, told apart by name.

An answer is written as the windows that it tells of, "day=1900" being the window
"day" with 1,900 of 10,000 left; `tell` returns the alerts by the number of the
answer that raised them, with the window that each is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.forecast import resolve_shared
from monitor.judge.outcome import Outcome, QuotaReading, QuotaUnit, Reason, Rules
from monitor.judge.quota import MOST_OTHERS, Level, Quota, QuotaVerdict, judge_quota

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RESET = NOW + 8 * DAY
LIMIT = 10_000
RULES = Rules()
LENGTHS = {"minute": 60, "day": 86400, "month": 28 * 86400, "week": 7 * 86400}
PAID = Outcome(Reason.OK, quota=QuotaReading(), is_payment_required=True)


def window(text: str, resets_at: datetime | None = RESET) -> QuotaReading:
    name, _, counts = text.partition("=")
    remaining, _, limit = counts.partition("/")
    left = None if remaining == "?" else int(remaining)
    return QuotaReading(int(limit or LIMIT), left, resets_at, LENGTHS.get(name), name)


def answer(text: str, resets_at: datetime | None = RESET) -> Outcome:
    windows = tuple(window(each, resets_at) for each in text.split())
    return Outcome(Reason.OK, quota=windows[0], windows=windows)


def play(*answers: str | Outcome, rules: Rules = RULES) -> list[QuotaVerdict]:
    quota = Quota()
    verdicts = []
    for number, each in enumerate(answers):
        outcome = answer(each) if isinstance(each, str) else each
        verdicts.append(judge_quota(quota, outcome, rules, NOW + number * HOUR))
        quota = verdicts[-1].quota
    return verdicts


def tell(*answers: str | Outcome, rules: Rules = RULES) -> dict[int, str]:
    told = {}
    for number, verdict in enumerate(play(*answers, rules=rules), 1):
        words = [
            " ".join(
                str(word)
                for word in (
                    alert.kind.value.removeprefix("quota_"),
                    alert.facts.get("step"),
                    alert.facts.get("window"),
                )
                if word is not None
            )
            for alert in verdict.alerts
        ]
        if words:
            told[number] = ", ".join(words)
    return told


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("day=5000 month=4000", "month", id="the tightest"),
        pytest.param("day=50/100 month=9000", "day", id="by its share, not by its count"),
        pytest.param("minute=0 day=9000", "day", id="a short one is no worry"),
        pytest.param("tokens=9000 minute=0", "tokens", id="unknown length counts as long"),
        pytest.param("minute=60 day=?", "minute", id="better a short one than one unknown"),
        pytest.param("day=? month=?", "day", id="none but unknown ones"),
    ],
)
def test_the_tightest_window_that_is_worth_a_warning_decides(text, name):
    quota = play(text)[0].quota

    assert quota.known.name == name
    assert {each.known.name for each in quota.windows} == {
        each.partition("=")[0] for each in text.split()
    }


def test_a_402_is_told_once_whichever_short_window_is_the_tightest():
    unpaid = [
        replace(answer(text), is_payment_required=True)
        for text in ("minute=5000 tokens=9000/9000", "minute=9000 tokens=500/9000")
    ]
    short = [
        replace(each, windows=tuple(replace(one, window_s=60) for one in each.windows))
        for each in (*unpaid, *unpaid)
    ]

    assert tell(*short) == {1: "exhausted 0 minute"}


def test_which_windows_are_worth_a_warning_is_a_setting():
    rules = Rules(quota_min_window=timedelta(minutes=1))

    assert tell("minute=0 day=9000", rules=rules) == {1: "exhausted 0 minute"}
    assert tell("minute=0 day=9000") == {}


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param(
            ["day=5000 month=6000/20000", "day=2900 month=6000/20000", "day=3100 month=6000/20000"],
            {},
            id="another limit of another window is no change",
        ),
        pytest.param(
            ["day=1900 month=9000", "day=9000 month=8900"],
            {1: "low 20 day", 2: "restored day"},
            id="a window that is full again restores the quota",
        ),
        pytest.param(
            ["day=1900 month=1950", "day=1950 month=1900", "day=1900 month=1950"],
            {1: "low 20 day"},
            id="the same step of another window is the same news",
        ),
        pytest.param(
            ["day=1900 month=1950", "day=1900 month=900", "day=400 month=900", "day=400 month=300"],
            {1: "low 20 day", 2: "low 10 month", 3: "low 5 day"},
            id="a lower step of another window is news",
        ),
        pytest.param(
            ["day=0 month=1500", "day=9000 month=1400"],
            {1: "exhausted 0 day", 2: "low 20 month"},
            id="what was hidden behind a worse one is told when that is over",
        ),
        pytest.param(
            ["day=1900 month=900", "day=1900 month=9000", "day=9000 month=9000"],
            {1: "low 10 month", 2: "low 20 day", 3: "restored day"},
            id="nothing is restored while another window is low",
        ),
        pytest.param(
            ["day=1900", "month=1800", "day=1850", "month=1800"],
            {1: "low 20 day"},
            id="windows that take turns",
        ),
        pytest.param(
            ["day=900", "month=9000", "day=880", "month=9000"],
            {1: "low 10 day"},
            id="turns of a low and a full one restore nothing",
        ),
        pytest.param(
            ["day=5000 month=8000", "day=15000/20000 month=18000/20000"],
            {2: "limit_changed day"},
            id="an upgrade is told once, whatever it changes",
        ),
        pytest.param(
            ["day=900 month=8000", "day=19000/20000 month=8000"],
            {1: "low 10 day", 2: "limit_changed day"},
            id="the limit of a window that ceases to decide",
        ),
        pytest.param(
            [PAID, "day=9000 month=8000"],
            {1: "exhausted 0", 2: "restored month"},
            id="a 402 before any headers",
        ),
        pytest.param(
            ["day=9000 month=8000", PAID, "day=7000 month=8000"],
            {2: "exhausted 0 month", 3: "restored month"},
            id="a 402 that is over when another window decides",
        ),
        pytest.param(
            [PAID, "day=9000 month=1500", "day=9000 month=1400"],
            {1: "exhausted 0"},
            id="a 402 that leaves a low window",
        ),
    ],
)
def test_each_window_is_told_by_its_own_memory(answers, told):
    assert tell(*answers) == told


def test_the_reset_of_one_window_says_nothing_of_another():
    soon = NOW + 30 * timedelta(minutes=1)
    first = Outcome(Reason.OK, windows=(window("day=1800", soon), window("month=1900", RESET)))
    second = Outcome(
        Reason.OK, windows=(window("day=9000", soon + DAY), window("month=1850", RESET))
    )

    assert tell(first, second) == {1: "low 20 day", 2: "low 20 month"}


def test_the_longest_time_to_a_reset_belongs_to_its_window():
    short, long = (
        QuotaReading(100, 90, NOW + 10 * HOUR, None, "a"),
        QuotaReading(100, 95, NOW + 9 * DAY, None, "b"),
    )
    quota = play(Outcome(Reason.OK, windows=(short, long)))[0].quota

    assert quota.known.name == "b"
    lengths = {each.known.name: each.longest_reset_s for each in quota.windows}
    assert lengths == {"a": 10 * 3600, "b": 9 * 86400}


def test_a_window_that_is_missing_is_shown_until_it_must_have_been_reset():
    with_day = answer("day=900 month=9000", NOW + 90 * timedelta(minutes=1))
    only_month = answer("month=9000", RESET)
    verdicts = play(with_day, only_month, only_month, only_month)

    names = [{each.known.name for each in verdict.quota.windows} for verdict in verdicts]
    assert names == [{"day", "month"}, {"day", "month"}, {"month"}, {"month"}]
    assert tell(with_day, only_month, only_month, only_month) == {
        1: "low 10 day",
        3: "restored month",
    }


def test_a_missing_window_without_a_reset_is_forgotten_after_a_day():
    first = answer("day=9000 month=8000", None)
    later = [answer("month=8000", None)] * 25
    verdicts = play(first, *later)

    assert len(verdicts[23].quota.windows) == 2
    assert len(verdicts[24].quota.windows) == 1


def test_names_without_end_do_not_fill_the_memory():
    verdicts = play(*(f"w{number}=5000" for number in range(50)))
    assert len(verdicts[-1].quota.others) == MOST_OTHERS
    assert "w48" in {each.known.name for each in verdicts[-1].quota.others}


def test_the_unit_is_kept():
    reading = QuotaReading(10, 9, RESET, None, "tokens", QuotaUnit.TOKENS)
    quota = play(Outcome(Reason.OK, windows=(reading, window("day=1"))))[0].quota
    tokens = quota.of_window("tokens")
    assert tokens is not None
    assert tokens.known.unit is QuotaUnit.TOKENS


def test_a_402_is_never_that_of_a_window_that_does_not_decide():
    quota = play(PAID, "day=9000 month=8000", PAID, "day=7000 month=8000")[-1].quota
    assert not any(each.is_payment_required for each in quota.windows)


# One account


def settle(of: str, *texts: str) -> list[tuple[str, tuple[int, ...]]]:
    """
    Let two connections of one account be checked: "1 day=1900 month=9000".
    """
    quotas = {1: Quota(), 2: Quota()}
    told = []
    for text in (of, *texts):
        number, _, windows = text.partition(" ")
        mine, other = int(number), 3 - int(number)
        before = quotas[mine]
        verdict = judge_quota(before, answer(windows), RULES, NOW)
        quotas[mine] = verdict.quota
        for alert in verdict.alerts:
            shared = resolve_shared(alert, before, verdict.quota, [(other, quotas[other])])
            quotas |= shared.changed
            if shared.alert is not None:
                told.append((f"{alert.kind.value} {alert.facts['window']}", shared.named))
    return told


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        pytest.param(
            [
                "1 day=5000 month=6000",
                "2 day=5000 month=4900",
                "1 day=1900 month=4900",
                "2 day=1900 month=4900",
            ],
            [("quota_low day", (2,))],
            id="a sibling whose other window decided",
        ),
        pytest.param(
            ["1 day=1900 month=6000", "2 month=1800"],
            [("quota_low day", ()), ("quota_low month", (1,))],
            id="another window, unknown there",
        ),
        pytest.param(
            [
                "1 day=1900 month=6000",
                "2 day=1900 month=6000",
                "1 day=9000 month=6000",
                "2 day=9000 month=6000",
            ],
            [("quota_low day", ()), ("quota_restored day", (2,))],
            id="restored",
        ),
        pytest.param(
            [
                "1 day=5000 month=6000",
                "2 day=5000 month=6000",
                "1 day=9000/20000 month=6000",
                "2 day=9000/20000 month=6000",
            ],
            [("limit_changed day", (2,))],
            id="another limit",
        ),
    ],
)
def test_connections_of_an_account_share_window_by_window(texts, told):
    assert settle(*texts) == told


@pytest.mark.parametrize("name", ["day", ""])
def test_windows_of_other_names_share_no_period(name):
    one = play("month=5000")[0].quota
    other = replace(one, known=replace(one.known, name=name))
    assert not one.shares_period_with(other)


# Whatever a service sends


NAMES = ["minute", "day", "week", "month", "tokens"]
LEVELS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, LIMIT), min_size=1)


@st.composite
def alternation(draw: st.DrawFn) -> list[Outcome]:
    """
    Draw answers in which nothing is used up: only noise, and windows that come and go.
    """
    levels = draw(LEVELS)
    limits = {name: draw(st.sampled_from([LIMIT, 3 * LIMIT])) for name in levels}
    answers = []
    for _ in range(draw(st.integers(1, 12))):
        shown = draw(st.permutations(sorted(levels)))[: draw(st.integers(1, len(levels)))]
        texts = [
            f"{name}={max(0, levels[name] - draw(st.integers(0, 900)))}/{limits[name]}"
            for name in shown
        ]
        answers.append(answer(" ".join(texts)))
    return answers


@given(alternation())
def test_alternation_raises_no_alert_by_itself(answers):
    """
    Each step is told at most once, and each lower than the one before.
    """
    steps = []
    for verdict in play(*answers):
        for alert in verdict.alerts:
            assert alert.kind.value in {"quota_low", "quota_exhausted"}
            steps.append(alert.facts["step"])
    assert steps == sorted(set(steps), reverse=True)


COUNTS = st.none() | st.integers(0, 2**53) | st.sampled_from([0, 500, 1000, 2000, LIMIT])
READINGS = st.builds(
    QuotaReading,
    COUNTS,
    COUNTS,
    st.none() | st.sampled_from([NOW + HOUR, RESET, RESET + 31 * DAY]),
    st.none() | st.sampled_from([60, 86400]),
    st.sampled_from(["", *NAMES]),
)
ANYTHING = st.builds(
    Outcome,
    st.sampled_from([Reason.OK, Reason.THROTTLED, Reason.TIMEOUT]),
    windows=st.lists(READINGS, max_size=4).map(tuple),
    is_payment_required=st.booleans(),
)


def is_end_of_402(before: QuotaVerdict | None, quota: Quota) -> bool:
    assert before is not None
    return before.quota.is_payment_required and not quota.is_payment_required


@given(st.lists(ANYTHING, max_size=15))
def test_no_row_of_windows_is_ever_a_fault(outcomes):
    for before, verdict in pairwise([None, *play(*outcomes)]):
        assert verdict is not None
        quota = verdict.quota
        names = [each.known.name for each in quota.windows]
        assert len(names) == len(set(names))
        assert [each.known.name for each in quota.others] == sorted(names[1:])
        assert len(verdict.alerts) <= 2
        assert all(not each.others and not each.is_payment_required for each in quota.others)
        if any(alert.kind.value == "quota_restored" for alert in verdict.alerts):
            # Short windows have no level, but a 402 that was told of them has an end.
            assert quota.level(RULES) is Level.OK or (
                not quota.decides(RULES) and is_end_of_402(before, quota)
            )
            assert all(each.told_step is None for each in quota.windows)
