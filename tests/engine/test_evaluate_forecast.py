"""
From answers with a quota, day after day, to a forecast and its alert.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.judge.outcome import Outcome, Reason
from tests.builders import DAY, HOUR, OK, Story, entry, ok_with, plan_of
from tests.fakes import NOON

RESET = NOON + 25 * DAY
PER_DAY = 600


@pytest.fixture
def story(database):
    return Story.begin(database, plan_of(entry("one"), entry("two"), entry("other")))


def days_pass(story, n_days, *names, since=0.0, per_day=PER_DAY, every=6, **more) -> None:
    """
    Let *names* be checked every so many hours while their account uses its quota.
    """
    for hour in range(int(since * 24), int((since + n_days) * 24) + 1, every):
        answer = ok_with(round(10_000 - per_day * hour / 24), resets_at=RESET, **more)
        story.evaluate(NOON + hour * HOUR, **dict.fromkeys(names, answer))


def forecasts_told(story) -> list[tuple[str, ...]]:
    return [names for kind, names in story.kinds() if kind == "quota_forecast"]


def test_a_quota_that_will_not_last_is_told_once_with_its_date(story):
    days_pass(story, 8, "one")
    assert forecasts_told(story) == [("one",)]
    outlook = story.record("one").outlook
    assert outlook.forecast is not None
    expected = NOON + DAY * 10_000 / PER_DAY
    assert abs(outlook.forecast.exhausts_at - expected) < DAY
    (alert,) = story.alerts()
    assert alert.severity == "warning"
    assert alert.facts["resets_at"] == RESET.isoformat()


def test_an_alert_born_here_is_announced_with_the_check_that_made_it_due(story):
    born = []
    for hour in range(0, 8 * 24, 6):
        answer = ok_with(10_000 - PER_DAY * hour // 24, resets_at=RESET)
        (settled,) = story.evaluate(NOON + hour * HOUR, one=answer)
        born += [alert.kind.value for alert in settled.alerts]
    assert born == ["quota_forecast"]


def test_a_quota_that_lasts_is_not_told(story):
    days_pass(story, 10, "one", per_day=200)
    assert forecasts_told(story) == []
    assert story.record("one").outlook.forecast.exhausts_at > RESET


def test_connections_of_one_account_tell_once_naming_all(story):
    days_pass(story, 8, "one", "two")
    assert forecasts_told(story) == [("one", "two")]


def test_another_account_is_told_of_apart(story):
    for hour in range(0, 8 * 24, 6):
        left = 10_000 - PER_DAY * hour // 24
        story.evaluate(
            NOON + hour * HOUR,
            one=ok_with(left, resets_at=RESET),
            other=ok_with(left, resets_at=RESET, account="Globex GmbH"),
        )
    assert sorted(forecasts_told(story)) == [("one",), ("other",)]


def test_a_connection_that_joins_the_account_later_repeats_nothing(story):
    days_pass(story, 8, "one")
    days_pass(story, 3, "one", "two", since=8.25)
    assert len(forecasts_told(story)) == 1


def test_what_gets_clearly_worse_is_told_again(story):
    days_pass(story, 8, "one")
    for hour in (6, 12, 18, 24):
        left = 1_700 - PER_DAY * hour // 24
        story.evaluate(NOON + 8 * DAY + hour * HOUR, one=ok_with(left, resets_at=RESET))
    assert len(forecasts_told(story)) == 2


def test_an_upgrade_begins_untold(story):
    days_pass(story, 8, "one")
    at = NOON + 8 * DAY + HOUR
    story.evaluate(at, one=ok_with(45_200, limit=50_000, resets_at=RESET))
    outlook = story.record("one").outlook
    assert outlook.told is None
    assert outlook.forecast.exhausts_at > RESET
    assert [kind for kind, _ in story.kinds()] == ["quota_forecast", "limit_changed"]


def test_the_next_period_may_be_told_again(story):
    days_pass(story, 8, "one")
    following = RESET + 30 * DAY
    for hour in range(6, 8 * 24, 6):
        answer = ok_with(10_000 - PER_DAY * hour // 24, resets_at=following)
        story.evaluate(RESET + hour * HOUR, one=answer)
    assert len(forecasts_told(story)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        Outcome(Reason.TIMEOUT, "No answer."),
        Outcome(Reason.TOKEN_REJECTED, "No."),
        Outcome(Reason.OK, is_payment_required=True),
    ],
    ids=["no headers", "no answer", "refused", "402"],
)
def test_answers_without_a_quota_note_nothing(story, answer):
    story.evaluate(NOON, one=ok_with(9_000, resets_at=RESET))
    before = story.record("one").outlook
    story.evaluate(NOON + DAY, one=answer)
    assert story.record("one").outlook == before


def test_a_check_a_minute_notes_a_few_samples_a_day(story):
    for minute in range(0, 24 * 60, 5):
        answer = ok_with(10_000 - minute // 10, resets_at=RESET)
        story.evaluate(NOON + timedelta(minutes=minute), one=answer)
    with story.database.read() as tx:
        from monitor.store.quota import load_samples

        samples = load_samples(tx, story.record("one").id, "")
    assert len(samples) == 24
