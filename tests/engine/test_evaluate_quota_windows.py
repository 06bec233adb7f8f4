"""
Several windows of one quota, from answer to answer: what is kept, written, told and foreseen.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from monitor.judge.outcome import Outcome, QuotaReading, QuotaUnit, Reason
from monitor.report.status import quotas_json
from monitor.store import quota
from monitor.store.schema import quota_windows
from tests.builders import DAY, HOUR, MINUTE, Story, entry, plan_of, watched_of
from tests.fakes import NOON

RESET = NOON + 25 * DAY
LIMIT = 10_000


@pytest.fixture
def story(database):
    return Story.begin(database, plan_of(entry("one"), entry("two"), entry("plain")))


def answer(requests=9_000, tokens=8_000, *, resets_at=RESET, account="Acme Ltd") -> Outcome:
    windows = (
        QuotaReading(LIMIT, requests, resets_at, 86400, "requests"),
        QuotaReading(LIMIT, tokens, resets_at, 86400, "tokens", QuotaUnit.TOKENS),
        QuotaReading(60, 59, None, 60, "burst"),
    )
    return Outcome(Reason.OK, quota=windows[1], windows=windows, account=account)


def shown(story, name="one") -> dict[str, dict[str, Any]]:
    record = story.record(name)
    report = quotas_json([(record, watched_of(story.plan)[name])], NOON)
    return {each["window"]: each for each in report["connections"][0]["windows"]}


@pytest.fixture
def written(story):
    """
    The tables that were written to, statement by statement.
    """
    tables: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        if statement.startswith(("INSERT INTO", "UPDATE", "DELETE FROM")):
            tables.append(statement.split()[1 if statement.startswith("UPDATE") else 2])

    engine = story.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield tables
    event.remove(engine, "before_cursor_execute", note)


def test_all_windows_are_kept_with_their_units_and_one_decides(story):
    story.evaluate(NOON, one=answer())

    windows = shown(story)
    assert {name: (each["unit"], each["deciding"]) for name, each in windows.items()} == {
        "tokens": ("tokens", True),
        "requests": ("requests", False),
        "burst": ("requests", False),
    }
    assert windows["requests"]["remaining"] == 9_000
    assert windows["burst"]["level"] is None


def test_what_is_kept_is_what_was_judged(story):
    (settled,) = story.evaluate(NOON, one=answer(1_900, 1_500))
    assert story.record("one").quota == settled.quota

    (settled,) = story.evaluate(NOON + HOUR, one=answer(400, 1_500))
    assert story.record("one").quota == settled.quota
    assert [alert.facts["window"] for alert in story.alerts()] == ["tokens", "requests"]


def test_parts_that_an_answer_leaves_out_stay_unknown(story):
    partial = QuotaReading(None, 9_000, None, 86400, "requests")
    story.evaluate(NOON, one=answer())
    outcome = answer()
    (settled,) = story.evaluate(
        NOON + HOUR, one=replace(outcome, windows=(partial, *outcome.windows[1:]))
    )

    kept = story.record("one").quota.of_window("requests")
    assert kept == settled.quota.of_window("requests")
    assert (kept.shown.limit, kept.known.limit) == (None, LIMIT)


@pytest.mark.parametrize(
    ("later", "after", "is_written"),
    [
        (answer(), 5 * MINUTE, False),
        (answer(requests=8_801), 5 * MINUTE, False),
        (answer(requests=8_799), 5 * MINUTE, True),
        (answer(), HOUR, True),
        (answer(resets_at=RESET + timedelta(seconds=30)), 5 * MINUTE, False),
        (answer(resets_at=RESET + HOUR), 5 * MINUTE, True),
        (answer(requests=7_000), 5 * MINUTE, True),
    ],
    ids=[
        "the same",
        "little",
        "much",
        "an hour later",
        "noise of the reset",
        "a later reset",
        "another one decides",
    ],
)
def test_other_windows_are_written_only_when_it_is_worth_it(
    story, written, later, after, is_written
):
    story.evaluate(NOON, one=answer())
    written.clear()
    story.evaluate(NOON + after, one=later)
    assert ("quota_windows" in written) == is_written


def test_an_unchanged_quota_with_several_windows_is_not_written(story, written):
    story.evaluate(NOON, one=answer())
    written.clear()
    story.evaluate(NOON + 5 * MINUTE, one=answer())
    assert "quotas" not in written


@pytest.mark.parametrize(
    "outcome",
    [Outcome(Reason.OK, quota=QuotaReading()), Outcome(Reason.OK, quota=QuotaReading(5, 4))],
    ids=["no headers", "no reset"],
)
def test_nor_is_one_that_says_less_than_was_known(story, written, outcome):
    first = Outcome(Reason.OK, quota=QuotaReading(5, 4, RESET, 86400))
    story.evaluate(NOON, one=first)
    story.evaluate(NOON + MINUTE, one=outcome)
    written.clear()
    story.evaluate(NOON + 2 * MINUTE, one=outcome)
    assert "quotas" not in written


def test_slow_decline_is_written_in_the_end(story):
    for number in range(11):
        story.evaluate(NOON + number * MINUTE, one=answer(requests=9_000 - 25 * number))
    assert shown(story)["requests"]["remaining"] in range(8_750, 8_800)


def test_windows_that_are_not_told_of_any_more_leave_no_row(story):
    story.evaluate(NOON, one=answer(resets_at=NOON + HOUR))
    only = replace(answer(), windows=(QuotaReading(LIMIT, 7_000, RESET, 86400, "tokens"),))
    story.evaluate(NOON + 2 * DAY, one=only)

    assert list(shown(story)) == ["tokens"]
    with story.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(quota_windows)).scalar_one() == 0


def test_windows_that_alternate_are_told_once_through_restarts(story):
    for number in range(20):
        noise = 30 if number % 2 else -30
        story.evaluate(NOON + number * HOUR, one=answer(1_900 + noise, 1_900 - noise))
    assert story.kinds() == [("quota_low", ("one",))]


def test_connections_of_an_account_are_named_window_by_window(story):
    story.evaluate(NOON, one=answer(5_000, 6_000), two=answer(5_000, 4_900))
    story.evaluate(NOON + MINUTE, one=answer(1_900, 4_900))
    story.evaluate(NOON + 2 * MINUTE, two=answer(1_900, 4_900))

    assert story.kinds() == [("quota_low", ("one", "two"))]
    two = story.record("two").quota.of_window("requests")
    assert two.told_step == 20


def test_samples_and_forecasts_of_windows_are_kept_apart(story):
    for hour in range(0, 9 * 24, 6):
        used = 600 * hour // 24
        tokens = 9_900 if hour % 12 else 100
        requests = LIMIT - used
        story.evaluate(NOON + hour * HOUR, one=answer(requests, max(tokens, requests - 50)))
    with story.database.read() as tx:
        number = story.record("one").id
        samples = {
            name: quota.load_samples(tx, number, name) for name in ("requests", "tokens", "")
        }
        asked = [(number, name) for name in samples]
        found = quota.load_outlooks(tx, asked)
        outlooks = {name: found[number, name] for name in samples}

    assert samples["requests"]
    assert samples["tokens"]
    assert not samples[""]
    assert outlooks["requests"].sample == samples["requests"][-1]
    assert outlooks["tokens"].sample == samples["tokens"][-1]
    told = [alert.facts["window"] for alert in story.alerts() if alert.kind == "quota_forecast"]
    assert len(told) == len(set(told))


def test_services_with_one_window_have_no_row_of_others(story):
    story.evaluate(NOON, plain=Outcome(Reason.OK, quota=QuotaReading(LIMIT, 5, RESET)))
    assert list(shown(story, "plain")) == [""]
    assert not story.record("plain").has_other_windows
