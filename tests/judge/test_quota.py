"""
One connection's quota: levels, steps, periods.

`tell` plays a row of answers and returns the alerts by the number of the
answer that raised them. A plain number stands for a success with that many
requests left of 10,000.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outcome import Outcome, QuotaReading, Reason, Rules
from monitor.judge.quota import Level, Quota, QuotaVerdict, judge_quota

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RESET = NOW + 8 * DAY
NEXT_RESET = RESET + 31 * DAY
MONTH_S = 28 * 86400
LIMIT = 10_000
RULES = Rules()


def answer(
    remaining: int | None = None,
    *,
    limit: int | None = LIMIT,
    resets_at: datetime | None = RESET,
    window_s: int | None = MONTH_S,
) -> Outcome:
    return Outcome(Reason.OK, quota=QuotaReading(limit, remaining, resets_at, window_s))


NO_HEADERS = Outcome(Reason.OK, quota=QuotaReading())
NOT_READ = Outcome(Reason.OK)
PAID = Outcome(Reason.OK, quota=QuotaReading(), is_payment_required=True)
THROTTLED = Outcome(Reason.THROTTLED, quota=QuotaReading())


def paid(remaining: int | None = None, resets_at: datetime | None = RESET) -> Outcome:
    return replace(answer(remaining, resets_at=resets_at), is_payment_required=True)


def throttled(remaining: int) -> Outcome:
    return replace(answer(remaining), reason=Reason.THROTTLED)


def play(
    *answers: Outcome | int,
    start: Quota | None = None,
    rules: Rules = RULES,
    every: timedelta = HOUR,
) -> list[QuotaVerdict]:
    quota = start or Quota()
    verdicts = []
    for number, each in enumerate(answers):
        outcome = answer(each) if isinstance(each, int) else each
        verdicts.append(judge_quota(quota, outcome, rules, NOW + number * every))
        quota = verdicts[-1].quota
    return verdicts


def tell(*answers: Outcome | int, rules: Rules = RULES, every: timedelta = HOUR) -> dict[int, str]:
    told = {}
    for number, verdict in enumerate(play(*answers, rules=rules, every=every), 1):
        words = [
            f"{alert.kind.value} {alert.facts['step']}"
            if "step" in alert.facts
            else alert.kind.value
            for alert in verdict.alerts
        ]
        if words:
            told[number] = ", ".join(words)
    return told


def level(*answers: Outcome | int) -> Level | None:
    return play(*answers)[-1].quota.level(RULES)


# Levels


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(answer(10_000), Level.OK, id="all left"),
        pytest.param(answer(12_000), Level.OK, id="more left than the limit"),
        pytest.param(answer(2001), Level.OK, id="just above the first step"),
        pytest.param(answer(2000), Level.LOW, id="at the first step"),
        pytest.param(answer(1), Level.LOW, id="one left"),
        pytest.param(answer(0), Level.EXHAUSTED, id="none left"),
        pytest.param(answer(0, limit=None), Level.EXHAUSTED, id="none left of an unknown limit"),
        pytest.param(answer(5, limit=None), None, id="an unknown limit"),
        pytest.param(answer(None), None, id="unknown what is left"),
        pytest.param(answer(0, limit=0), None, id="a limit of 0"),
        pytest.param(answer(5, limit=0), None, id="a limit of 0 with something left"),
        pytest.param(answer(2**53, limit=2**53), Level.OK, id="the largest count"),
        pytest.param(answer(7421, resets_at=None), Level.OK, id="an unreadable reset alone"),
        pytest.param(NO_HEADERS, None, id="no headers"),
        pytest.param(NOT_READ, None, id="a provider without a quota"),
        pytest.param(PAID, Level.EXHAUSTED, id="402 without headers"),
        pytest.param(paid(7421), Level.EXHAUSTED, id="402 whatever its headers say"),
        pytest.param(throttled(0), Level.EXHAUSTED, id="throttled with none left"),
        pytest.param(throttled(5000), Level.OK, id="throttled with plenty left"),
        pytest.param(THROTTLED, None, id="throttled without headers"),
    ],
)
def test_a_first_answer_has_the_level_of_the_contract(outcome, expected):
    assert level(outcome) is expected


def test_nothing_is_known_before_the_first_answer():
    assert Quota().level(RULES) is None
    assert not Quota().is_known


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([PAID, NO_HEADERS], Level.EXHAUSTED, id="headers are still missing"),
        pytest.param([PAID, THROTTLED], Level.EXHAUSTED, id="throttled without headers"),
        pytest.param([PAID, Outcome(Reason.TIMEOUT)], Level.EXHAUSTED, id="could not be asked"),
        pytest.param([PAID, Outcome(Reason.TOKEN_REJECTED)], Level.EXHAUSTED, id="refused"),
        pytest.param([PAID, 7421], Level.OK, id="headers are back"),
        pytest.param([PAID, throttled(7421)], Level.OK, id="back on a throttled answer"),
        pytest.param([PAID, 900], Level.LOW, id="back, and low"),
        pytest.param([PAID, PAID, PAID], Level.EXHAUSTED, id="402 again"),
    ],
)
def test_a_402_stands_until_the_next_answer_that_carries_the_headers(answers, expected):
    assert level(*answers) is expected


@pytest.mark.parametrize(
    "reason", [Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.TOKEN_REJECTED, Reason.PERMISSION_DENIED]
)
def test_an_answer_that_is_no_success_neither_erases_nor_changes_a_quota(reason):
    known = play(1500)[-1].quota
    outcome = replace(answer(9000, limit=99), reason=reason)

    assert judge_quota(known, outcome, RULES, NOW + HOUR) == QuotaVerdict(known)


def test_a_throttled_answer_without_headers_leaves_the_quota_as_it_was():
    known = play(1500)[-1].quota
    assert judge_quota(known, THROTTLED, RULES, NOW + HOUR) == QuotaVerdict(known)


# What is shown and what is known


def test_unreadable_parts_are_shown_as_unknown_and_kept_for_judging():
    quota = play(7421, answer(None, limit=None))[-1].quota

    assert quota.shown == QuotaReading(None, None, RESET, MONTH_S)
    assert quota.known == QuotaReading(LIMIT, 7421, RESET, MONTH_S)
    assert quota.level(RULES) is None


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param(
            [answer(1900, resets_at=None)], {1: "quota_low 20"}, id="no reset is ever readable"
        ),
        pytest.param([1900, answer(None), 1800], {1: "quota_low 20"}, id="a gap is no new period"),
        pytest.param(
            [1900, NO_HEADERS, 1800], {1: "quota_low 20"}, id="nor is an answer without headers"
        ),
        pytest.param(
            [1900, answer(None), 9000],
            {1: "quota_low 20", 3: "quota_restored"},
            id="a rise over a gap ends the period",
        ),
        pytest.param(
            [answer(9000), answer(9000, limit=None), answer(18_000, limit=20_000)],
            {3: "limit_changed"},
            id="a changed limit is noticed over a gap",
        ),
        pytest.param([answer(400, limit=None)], {}, id="without a limit nothing is low"),
        pytest.param(
            [answer(400, limit=None), answer(0, limit=None)],
            {2: "quota_exhausted 0"},
            id="but nothing left is nothing left",
        ),
        pytest.param([answer(0, limit=0), answer(0, limit=0)], {}, id="a limit of 0 is not told"),
    ],
)
def test_unknown_parts_neither_raise_nor_repeat_an_alert(answers, told):
    assert tell(*answers) == told


def test_when_the_quota_was_read_is_kept():
    quota = play(7421, NO_HEADERS, Outcome(Reason.TIMEOUT))[-1].quota
    assert quota.seen_at == NOW
    assert play(7421, 7420)[-1].quota.seen_at == NOW + HOUR


# Steps


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param([10_000, 5000, 2001], {}, id="above all steps"),
        pytest.param([2500, 2000], {2: "quota_low 20"}, id="at a step"),
        pytest.param([2000, 1999, 1500, 1001], {1: "quota_low 20"}, id="told once"),
        pytest.param(
            [2000, 1000, 500, 1, 0],
            {1: "quota_low 20", 2: "quota_low 10", 3: "quota_low 5", 5: "quota_exhausted 0"},
            id="each step",
        ),
        pytest.param([9000, 450], {2: "quota_low 5"}, id="several steps at once: the lowest"),
        pytest.param([9000, 0], {2: "quota_exhausted 0"}, id="all of them at once"),
        pytest.param([0], {1: "quota_exhausted 0"}, id="exhausted from the start"),
        pytest.param([0, 0, 0], {1: "quota_exhausted 0"}, id="exhausted all night"),
        pytest.param([PAID, PAID, PAID], {1: "quota_exhausted 0"}, id="402 all night"),
        pytest.param([0, PAID, 0], {1: "quota_exhausted 0"}, id="402 says nothing new"),
        pytest.param([1900, throttled(0)], {1: "quota_low 20", 2: "quota_exhausted 0"}, id="429"),
        pytest.param(
            [1900, 2100, 1900, 2100], {1: "quota_low 20"}, id="noise around a step is no news"
        ),
        pytest.param(
            [450, 1400, 900, 600], {1: "quota_low 5"}, id="a step passed over is not told later"
        ),
    ],
)
def test_a_step_is_told_once_a_period(answers, told):
    assert tell(*answers) == told


@pytest.mark.parametrize(
    ("steps", "answers", "told"),
    [
        pytest.param((50,), [5001, 5000, 1], {2: "quota_low 50"}, id="a single step"),
        pytest.param((), [1, 0], {2: "quota_exhausted 0"}, id="none: only exhausted is told"),
        pytest.param((5, 20, 10), [1900, 900], {1: "quota_low 20", 2: "quota_low 10"}, id="order"),
        pytest.param((100,), [10_000, 9000], {1: "quota_low 100"}, id="a hundred percent"),
    ],
)
def test_steps_are_a_setting(steps, answers, told):
    assert tell(*answers, rules=Rules(quota_low_percent=steps)) == told


def test_a_step_is_reached_to_the_request_where_percent_do_not_divide():
    # 20 % of 3 is less than one request.
    assert tell(answer(1, limit=3), answer(0, limit=3)) == {2: "quota_exhausted 0"}
    assert tell(answer(2, limit=11), answer(3, limit=11)) == {1: "quota_low 20"}


# Periods


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param(
            [1900, answer(10_000, resets_at=NEXT_RESET)],
            {1: "quota_low 20", 2: "quota_restored"},
            id="the reset has passed and a later one is read",
        ),
        pytest.param(
            [1900, answer(1950, resets_at=NEXT_RESET)],
            {1: "quota_low 20", 2: "quota_low 20"},
            id="a new period that starts low is told, and not called restored",
        ),
        pytest.param(
            [0, answer(0, resets_at=NEXT_RESET)],
            {1: "quota_exhausted 0", 2: "quota_exhausted 0"},
            id="a new period with nothing in it",
        ),
        pytest.param(
            [9000, answer(10_000, resets_at=NEXT_RESET)], {}, id="nothing was announced before"
        ),
        pytest.param([0, 10_000], {1: "quota_exhausted 0", 2: "quota_restored"}, id="a top-up"),
        pytest.param(
            [0, 1001],
            {1: "quota_exhausted 0", 2: "quota_low 20"},
            id="a rise by more than a tenth that is still low",
        ),
        pytest.param(
            [1500, 2501], {1: "quota_low 20", 2: "quota_restored"}, id="more than a tenth"
        ),
        pytest.param([1500, 2500], {1: "quota_low 20"}, id="exactly a tenth is noise"),
        pytest.param([1500, 2500, 900], {1: "quota_low 20", 3: "quota_low 10"}, id="noise, then"),
        pytest.param(
            [0, 10_000, 1900, 0],
            {
                1: "quota_exhausted 0",
                2: "quota_restored",
                3: "quota_low 20",
                4: "quota_exhausted 0",
            },
            id="a new period tells its own steps",
        ),
        pytest.param(
            [1900, answer(1800, resets_at=None), answer(10_000, resets_at=NEXT_RESET)],
            {1: "quota_low 20", 3: "quota_restored"},
            id="the stored reset outlives an unreadable one",
        ),
        pytest.param([1900, 1900, 1900], {1: "quota_low 20"}, id="the same reset, although past"),
    ],
)
def test_a_period_ends_by_its_reset_or_by_a_rise(answers, told):
    assert tell(*answers, every=9 * DAY) == told


@pytest.mark.parametrize(
    ("second", "told"),
    [
        pytest.param(answer(1800, resets_at=NEXT_RESET), {1: "quota_low 20"}, id="later"),
        pytest.param(answer(1800, resets_at=RESET - DAY), {1: "quota_low 20"}, id="earlier"),
    ],
)
def test_a_reset_that_moves_before_it_has_passed_ends_no_period(second, told):
    assert tell(1900, second) == told


def test_a_reset_passes_at_its_instant():
    later = answer(1900, resets_at=NEXT_RESET)
    assert tell(1900, later, every=8 * DAY - timedelta(seconds=1)) == {1: "quota_low 20"}
    assert tell(1900, later, every=8 * DAY) == {1: "quota_low 20", 2: "quota_low 20"}


def test_restored_is_told_once():
    assert tell(0, 9000, 9000, NO_HEADERS, 9000) == {1: "quota_exhausted 0", 2: "quota_restored"}


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param(
            [PAID, 7421], {1: "quota_exhausted 0", 2: "quota_restored"}, id="it was a mistake"
        ),
        pytest.param(
            [7421, PAID, 7421],
            {2: "quota_exhausted 0", 3: "quota_restored"},
            id="with what was known before",
        ),
        pytest.param([PAID, 1500], {1: "quota_exhausted 0"}, id="still low: nothing is restored"),
        pytest.param(
            [PAID, 300, 100, 0],
            {1: "quota_exhausted 0"},
            id="exhausted is not told twice a period",
        ),
        pytest.param([PAID, 0], {1: "quota_exhausted 0"}, id="the headers say the same"),
        pytest.param(
            [PAID, 7421, 1500, PAID],
            {
                1: "quota_exhausted 0",
                2: "quota_restored",
                3: "quota_low 20",
                4: "quota_exhausted 0",
            },
            id="after restored, trouble is news again",
        ),
        pytest.param(
            [PAID, 7421, PAID, 7421],
            {
                1: "quota_exhausted 0",
                2: "quota_restored",
                3: "quota_exhausted 0",
                4: "quota_restored",
            },
            id="back and forth",
        ),
        pytest.param(
            [paid(0), paid(0, NEXT_RESET)],
            {1: "quota_exhausted 0", 2: "quota_exhausted 0"},
            id="402 in the next period as well",
        ),
        pytest.param(
            [paid(0), answer(10_000, resets_at=NEXT_RESET)],
            {1: "quota_exhausted 0", 2: "quota_restored"},
            id="until the reset",
        ),
    ],
)
def test_a_402_is_told_like_an_empty_quota(answers, told):
    assert tell(*answers, every=9 * DAY) == told


def test_a_402_of_which_the_next_answer_does_not_say_what_is_left_can_be_told_again():
    """
    Rather twice than never: nobody knows whether it was over in between.
    """
    assert tell(PAID, answer(None), 0) == {1: "quota_exhausted 0", 3: "quota_exhausted 0"}


# A changed limit


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param([9000, answer(19_000, limit=20_000)], {2: "limit_changed"}, id="raised"),
        pytest.param([9000, answer(4000, limit=5000)], {2: "limit_changed"}, id="lowered"),
        pytest.param(
            [9000, answer(19_000, limit=20_000), answer(18_000, limit=20_000)],
            {2: "limit_changed"},
            id="told once",
        ),
        pytest.param(
            [0, answer(10_000, limit=20_000)],
            {1: "quota_exhausted 0", 2: "limit_changed"},
            id="an upgrade replaces restored",
        ),
        pytest.param(
            [0, answer(10_000, limit=20_000, resets_at=NEXT_RESET)],
            {1: "quota_exhausted 0", 2: "limit_changed"},
            id="even at the end of the period",
        ),
        pytest.param(
            [PAID, 0, answer(10_000, limit=20_000)],
            {1: "quota_exhausted 0", 3: "limit_changed"},
            id="after a 402",
        ),
        pytest.param(
            [9000, answer(900, limit=5000)],
            {2: "limit_changed, quota_low 20"},
            id="a downgrade can be low at once",
        ),
        pytest.param(
            [1900, answer(11_900, limit=20_000), answer(3900, limit=20_000)],
            {1: "quota_low 20", 2: "limit_changed", 3: "quota_low 20"},
            id="the new limit has its own steps",
        ),
        pytest.param(
            [9000, answer(0, limit=0)], {2: "limit_changed"}, id="a limit of 0 has no level"
        ),
        pytest.param([answer(5, limit=None), 9000], {}, id="the first limit read is no change"),
        pytest.param([9000, NO_HEADERS, 9000], {}, id="nor is the same one after a gap"),
    ],
)
def test_a_changed_limit_is_told_instead_of_a_restored_quota(answers, told):
    assert tell(*answers, every=9 * DAY) == told


# Short windows


@pytest.mark.parametrize(
    ("window_s", "resets_at", "decides"),
    [
        pytest.param(12 * 3600, None, True, id="stated, just long enough"),
        pytest.param(12 * 3600 - 1, None, False, id="stated, a second too short"),
        pytest.param(60, RESET, False, id="what is stated counts, not the reset"),
        pytest.param(MONTH_S, NOW + HOUR, True, id="stated long, although nearly over"),
        pytest.param(None, None, True, id="unknown counts as long"),
        pytest.param(None, NOW + 12 * HOUR, True, id="time to the reset, just long enough"),
        pytest.param(None, NOW + 11 * HOUR, False, id="time to the reset, too short"),
        pytest.param(None, NOW - DAY, True, id="a reset that is past says nothing of the length"),
        pytest.param(None, NOW, True, id="nor does one that is now"),
    ],
)
def test_only_long_windows_decide(window_s, resets_at, decides):
    verdict = play(answer(900, window_s=window_s, resets_at=resets_at))[0]

    assert verdict.quota.decides(RULES) is decides
    assert bool(verdict.alerts) is decides
    assert verdict.quota.shown.remaining == 900
    assert verdict.quota.is_known


def test_the_longest_time_to_a_reset_ever_seen_is_a_windows_length():
    near_the_end = answer(900, window_s=None, resets_at=NOW + 21 * HOUR)
    quota = play(near_the_end, near_the_end, every=20 * HOUR)[-1].quota

    assert quota.longest_reset_s == 21 * 3600
    assert quota.decides(RULES)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([answer(n, window_s=60) for n in (9000, 900, 0)], id="steps"),
        pytest.param([answer(n, window_s=60) for n in (0, 9000)], id="restored"),
        pytest.param(
            [answer(90, limit=100, window_s=60), answer(9, limit=1000, window_s=60)], id="limit"
        ),
    ],
)
def test_a_short_window_tells_nothing(answers):
    assert tell(*answers) == {}


def bucket(remaining: int | None = 39, *, is_paid: bool = True, name: str = "") -> Outcome:
    reading = QuotaReading(40, remaining, NOW + timedelta(seconds=20), 20, name)
    return Outcome(Reason.OK, quota=reading, is_payment_required=not is_paid)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param([bucket(), PAID], {2: "quota_exhausted 0"}, id="without headers"),
        pytest.param([bucket(is_paid=False)], {1: "quota_exhausted 0"}, id="with headers"),
        pytest.param([bucket(), PAID, PAID], {2: "quota_exhausted 0"}, id="told once"),
        pytest.param(
            [bucket(is_paid=False, remaining=n) for n in (39, 0, 39)],
            {1: "quota_exhausted 0"},
            id="and not again in each of its short periods",
        ),
        pytest.param(
            [bucket(), PAID, bucket()],
            {2: "quota_exhausted 0", 3: "quota_restored"},
            id="over",
        ),
        pytest.param(
            [PAID, bucket()], {1: "quota_exhausted 0", 2: "quota_restored"}, id="402 first"
        ),
        pytest.param(
            [PAID, bucket(2), bucket(2)],
            {1: "quota_exhausted 0", 2: "quota_restored"},
            id="over, with little left of the minute",
        ),
        pytest.param(
            [bucket(), PAID, bucket(), PAID],
            {2: "quota_exhausted 0", 3: "quota_restored", 4: "quota_exhausted 0"},
            id="again",
        ),
        pytest.param([PAID, bucket(None)], {1: "quota_exhausted 0"}, id="nobody says what is left"),
    ],
)
def test_a_402_is_told_however_short_the_window_that_was_seen(answers, told):
    """
    A shop whose bill is unpaid answers 402, and all it ever counts is a bucket of seconds.
    """
    assert tell(*answers) == told


def test_a_402_beside_a_short_window_names_no_reset():
    """
    The bucket is empty again in seconds, and nothing is paid by that.
    """
    verdict = play(bucket(), bucket(is_paid=False))[-1]

    assert verdict.quota.level(RULES) is Level.EXHAUSTED
    assert verdict.quota.shown.resets_at is None
    assert verdict.alerts[0].facts["resets_at"] is None


def test_how_long_a_window_must_be_is_a_setting():
    rules = Rules(quota_min_window=timedelta(minutes=1))
    assert tell(answer(900, window_s=60), rules=rules) == {1: "quota_low 10"}
    assert tell(answer(900, window_s=59), rules=rules) == {}


# What an alert carries


@pytest.mark.parametrize(
    ("answers", "kind", "severity", "facts"),
    [
        pytest.param(
            [450],
            AlertKind.QUOTA_LOW,
            Severity.WARNING,
            {"limit": LIMIT, "remaining": 450, "resets_at": RESET.isoformat(), "step": 5},
            id="low",
        ),
        pytest.param(
            [7421, PAID],
            AlertKind.QUOTA_EXHAUSTED,
            Severity.CRITICAL,
            {"limit": LIMIT, "remaining": 0, "resets_at": RESET.isoformat(), "step": 0},
            id="402",
        ),
        pytest.param(
            [PAID],
            AlertKind.QUOTA_EXHAUSTED,
            Severity.CRITICAL,
            {"limit": None, "remaining": 0, "resets_at": None, "step": 0},
            id="402 and nothing else",
        ),
        pytest.param(
            [0, answer(LIMIT, resets_at=None)],
            AlertKind.QUOTA_RESTORED,
            Severity.INFO,
            {"limit": LIMIT, "remaining": LIMIT, "resets_at": RESET.isoformat()},
            id="restored",
        ),
        pytest.param(
            [9000, answer(19_000, limit=20_000)],
            AlertKind.LIMIT_CHANGED,
            Severity.INFO,
            {
                "limit": 20_000,
                "limit_before": LIMIT,
                "remaining": 19_000,
                "resets_at": RESET.isoformat(),
            },
            id="limit changed",
        ),
    ],
)
def test_an_alert_says_what_is_left_and_until_when(answers, kind, severity, facts):
    (alert,) = play(*answers)[-1].alerts
    assert (alert.kind, alert.severity, alert.facts) == (kind, severity, facts)


# Whatever a service sends


COUNTS = st.none() | st.integers(0, 2**53) | st.sampled_from([0, 1, 500, 1000, 2000, LIMIT])
RESETS = st.none() | st.sampled_from([RESET, NEXT_RESET]) | st.datetimes(timezones=st.just(UTC))
ANYTHING = st.builds(
    Outcome,
    st.sampled_from(Reason),
    quota=st.none()
    | st.builds(QuotaReading, COUNTS, COUNTS, RESETS, st.none() | st.integers(0, 10**9)),
    is_payment_required=st.booleans(),
)


@given(st.lists(ANYTHING, max_size=20))
def test_no_answer_is_ever_a_fault(outcomes):
    for before, verdict in zip([None, *play(*outcomes)], play(*outcomes), strict=False):
        quota = verdict.quota
        assert len(verdict.alerts) <= 2
        assert quota.told_step is None or quota.told_step in {0, *RULES.quota_low_percent}
        for alert in verdict.alerts:
            if alert.kind is AlertKind.QUOTA_RESTORED:
                assert before is not None
                assert before.quota.told_step is not None
                # Short windows have no level, but a 402 that was told of them has an end.
                is_402_over = before.quota.is_payment_required and not quota.is_payment_required
                assert quota.level(RULES) is Level.OK or (not quota.decides(RULES) and is_402_over)
            if alert.kind in {AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED}:
                assert quota.told_step == alert.facts["step"] == quota.step(RULES)


@st.composite
def one_period(draw: st.DrawFn) -> list[Outcome | int]:
    """
    Draw the answers of one period: what is left falls, with noise and gaps.
    """
    remaining, answers = LIMIT, list[Outcome | int]()
    for spent, noise in draw(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 500)))):
        remaining = max(0, remaining - spent)
        answers.append(min(LIMIT, remaining + noise))
        answers += draw(st.sampled_from([[], [PAID], [NO_HEADERS], [THROTTLED], [answer(None)]]))
    return answers


@given(one_period())
def test_within_a_period_told_steps_strictly_fall(answers):
    lowest = 100
    is_over = False
    for each, verdict in zip(answers, play(*answers), strict=True):
        is_over = is_over or each is PAID
        for alert in verdict.alerts:
            if alert.kind is AlertKind.QUOTA_RESTORED:
                # Without a new period, only a 402 can turn out to be over.
                assert is_over
                lowest = 100
            else:
                assert alert.facts["step"] < lowest
                lowest = alert.facts["step"]


@given(st.lists(st.integers(0, LIMIT), min_size=1))
def test_no_step_is_missed_while_what_is_left_falls(counts):
    for verdict in play(*sorted(counts, reverse=True)):
        assert verdict.quota.told_step == verdict.quota.step(RULES)
