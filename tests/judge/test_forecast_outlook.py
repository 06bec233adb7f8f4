"""
What is noted of a quota, when it is looked ahead, and when people are told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.forecast import (
    Forecast,
    Outlook,
    QuotaSample,
    is_forecast_announced,
    judge_forecast,
    note_sample,
    should_look_ahead,
    take_sample,
)
from monitor.judge.outcome import QuotaReading, Rules
from monitor.judge.quota import Quota
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RESET = NOON + 20 * DAY
RULES = Rules()


def quota(remaining, seen_at=NOON, limit=10_000, resets_at=RESET, **more) -> Quota:
    reading = QuotaReading(limit, remaining, resets_at)
    return Quota(shown=reading, known=reading, seen_at=seen_at, **more)


def sample(remaining, at=NOON, limit=10_000, resets_at=RESET) -> QuotaSample:
    return QuotaSample(at, remaining, limit, resets_at)


KNOWN = Outlook(sample=sample(8_000))


@pytest.mark.parametrize(
    ("remaining", "after", "is_kept"),
    [
        pytest.param(8_000, 5 * HOUR, False, id="unchanged"),
        pytest.param(8_000, 6 * HOUR, True, id="unchanged for long"),
        pytest.param(7_999, 59 * MINUTE, False, id="changed a little"),
        pytest.param(7_999, HOUR, True, id="changed a little an hour ago"),
        pytest.param(7_800, 14 * MINUTE, False, id="changed much just now"),
        pytest.param(7_800, 15 * MINUTE, True, id="changed much"),
        pytest.param(10_000, MINUTE, True, id="refilled"),
    ],
)
def test_what_changed_much_is_noted_soon(remaining, after, is_kept):
    at = NOON + after
    kept = take_sample(KNOWN, quota(remaining, at), RULES, at)
    assert kept == (sample(remaining, at) if is_kept else None)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(quota(None), id="remaining unknown"),
        pytest.param(quota(5, limit=None), id="limit unknown"),
        pytest.param(quota(0, limit=0), id="no limit"),
        pytest.param(quota(5, NOON - HOUR), id="not read just now"),
        pytest.param(quota(5, is_payment_required=True), id="402"),
        pytest.param(quota(5, longest_reset_s=3_600), id="a window of an hour"),
    ],
)
def test_what_says_nothing_is_not_noted(what):
    assert take_sample(Outlook(), what, RULES, NOON) is None


def test_a_reset_told_in_seconds_from_now_stays_the_same_reset():
    at = NOON + HOUR
    kept = take_sample(KNOWN, quota(7_000, at, resets_at=RESET + timedelta(seconds=2)), RULES, at)
    assert kept == sample(7_000, at)
    moved = take_sample(KNOWN, quota(7_000, at, resets_at=RESET + 2 * MINUTE), RULES, at)
    assert moved == sample(7_000, at, resets_at=RESET + 2 * MINUTE)


def test_more_left_than_the_limit_is_noted_as_the_limit():
    kept = take_sample(Outlook(), quota(12_000), RULES, NOON)
    assert kept is not None
    assert (kept.remaining, kept.used) == (10_000, 0)


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(sample(8_000, limit=20_000), id="another limit"),
        pytest.param(sample(9_500, NOON + DAY), id="refilled"),
        pytest.param(sample(8_000, RESET + HOUR, resets_at=RESET + 30 * DAY), id="reset"),
    ],
)
def test_a_new_period_or_limit_begins_untold(new):
    told = replace(KNOWN, told=NOON + DAY, forecast=Forecast(NOON, NOON, NOON))
    assert note_sample(told, new) == Outlook(sample=new)


def test_within_a_period_what_was_told_stays():
    told = replace(KNOWN, told=NOON + DAY)
    assert note_sample(told, sample(7_900, NOON + HOUR)).told == NOON + DAY


def test_looking_ahead_is_for_what_is_old_or_has_changed():
    foreseen = replace(KNOWN, foreseen_at=NOON, foreseen_remaining=8_000)
    assert should_look_ahead(KNOWN)
    assert not should_look_ahead(replace(foreseen, sample=sample(7_900, NOON + HOUR)))
    assert should_look_ahead(replace(foreseen, sample=sample(7_800, NOON + HOUR)))
    assert should_look_ahead(replace(foreseen, sample=sample(8_000, NOON + 6 * HOUR)))
    assert not should_look_ahead(replace(foreseen, sample=sample(0, NOON + DAY)))
    assert not should_look_ahead(Outlook())


def foreseen(exhausts_in, late_in) -> Forecast:
    at = NOON + exhausts_in
    return Forecast(at, at - DAY, None if late_in is None else NOON + late_in)


def test_a_quota_that_will_not_last_is_told_with_all_that_is_known():
    outlook, alert = judge_forecast(KNOWN, foreseen(10 * DAY, 12 * DAY), NOON)
    assert outlook.told == NOON + 10 * DAY
    assert alert is not None
    assert (alert.kind, alert.severity) == (AlertKind.QUOTA_FORECAST, Severity.WARNING)
    assert alert.facts == {
        "exhausts_at": (NOON + 10 * DAY).isoformat(),
        "earliest": (NOON + 9 * DAY).isoformat(),
        "latest": (NOON + 12 * DAY).isoformat(),
        "resets_at": RESET.isoformat(),
        "limit": 10_000,
        "remaining": 8_000,
    }


@pytest.mark.parametrize(
    "forecast",
    [
        pytest.param(None, id="nothing known"),
        pytest.param(Forecast(None, None, None), id="lasts"),
        pytest.param(foreseen(25 * DAY, 30 * DAY), id="runs out after the reset"),
        pytest.param(foreseen(15 * DAY, 25 * DAY), id="may last"),
        pytest.param(foreseen(15 * DAY, None), id="may last for ever"),
        pytest.param(foreseen(18 * DAY, 19.5 * DAY), id="a close call"),
    ],
)
def test_what_may_last_is_not_told(forecast):
    outlook, alert = judge_forecast(KNOWN, forecast, NOON)
    assert (outlook.told, alert) == (None, None)
    assert outlook.forecast == forecast


def test_without_a_reset_there_is_nothing_to_be_short_of():
    unknown = Outlook(sample=sample(8_000, resets_at=None))
    assert judge_forecast(unknown, foreseen(3 * DAY, 4 * DAY), NOON)[1] is None


@pytest.mark.parametrize(
    ("now_in", "is_told"),
    [
        pytest.param(10 * DAY, False, id="the same"),
        pytest.param(8 * DAY, False, id="a little worse"),
        pytest.param(5 * DAY, True, id="half the time is gone"),
        pytest.param(14 * DAY, False, id="better"),
    ],
)
def test_it_is_told_once_a_period_unless_it_gets_clearly_worse(now_in, is_told):
    told = replace(KNOWN, told=NOON + 10 * DAY)
    outlook, alert = judge_forecast(told, foreseen(now_in, now_in + DAY), NOON)
    assert (alert is not None) is is_told
    assert outlook.told == NOON + (now_in if is_told else 10 * DAY)


def test_the_last_hours_are_not_clearly_worse_again_and_again():
    told = replace(KNOWN, told=NOON + 4 * HOUR)
    assert judge_forecast(told, foreseen(HOUR, 2 * HOUR), NOON)[1] is None


@pytest.mark.parametrize(
    ("told_of_peers", "expected"),
    [
        ([], False),
        ([None], False),
        ([NOON + 6 * DAY], True),
        ([None, NOON + 5 * DAY], True),
        ([NOON + 12 * DAY], False),
    ],
    ids=["alone", "untold", "told", "told by one", "clearly worse since"],
)
def test_one_of_an_account_tells(told_of_peers, expected):
    outlook = replace(KNOWN, told=NOON + 5 * DAY)
    assert is_forecast_announced(outlook, told_of_peers, NOON) is expected


def test_a_forecast_is_shown_until_its_period_ends():
    known = replace(KNOWN, forecast=foreseen(10 * DAY, None))
    assert known.shown(NOON) == known.forecast
    assert known.shown(RESET) is None
    assert replace(known, sample=sample(0)).shown(NOON) is None
    assert Outlook().shown(NOON) is None
