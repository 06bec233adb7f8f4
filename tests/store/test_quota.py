"""
Samples and forecasts in a real database: kept, read back, thinned out, gone with their connection.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select, text, update

from monitor.judge.forecast import Forecast, Outlook, QuotaSample
from monitor.store import connections, quota, retention
from monitor.store.schema import quota_forecasts, quota_samples, quotas
from tests.builders import DAY, HOUR, RESETS_AT
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
WHOLE = Outlook(
    window="day",
    sample=QuotaSample(NOON, 7_421, 10_000, RESETS_AT),
    foreseen_at=NOON,
    foreseen_remaining=7_430,
    forecast=Forecast(NOON + DAY, NOON + HOUR, NOON + 2 * DAY),
    told=NOON + 3 * DAY,
)
BARE = Outlook(sample=QuotaSample(NOON, 0, 10, None))


def keep(story, name, samples) -> None:
    number = story.record(name).id
    with story.database.write() as tx:
        quota.add_samples(tx, [(number, "", each) for each in samples])


def kept(story, name, window="") -> list[QuotaSample]:
    with story.database.read() as tx:
        return quota.load_samples(tx, story.record(name).id, window)


def count(story, table) -> int:
    with story.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.mark.parametrize(
    "outlook", [WHOLE, BARE, replace(WHOLE, forecast=Forecast(None, None, None))]
)
def test_what_is_foreseen_is_read_back_as_it_was(story, outlook):
    assert story.record("one").outlook == Outlook()
    number, window = story.record("one").id, outlook.window
    with story.database.write() as tx:
        tx.execute(update(quotas).where(quotas.c.connection_id == number).values(window=window))
        quota.save_outlooks(tx, [(number, replace(BARE, window=window))], [])
        quota.save_outlooks(tx, [], [(number, outlook)])
        found = quota.load_outlooks(tx, [(number, window), (number, "another")])
        assert found == {(number, window): outlook, (number, "another"): Outlook("another")}
    assert story.record("one").outlook == outlook
    assert story.record("two").outlook == Outlook()


def test_samples_are_read_back_in_order_by_connection_and_window(story):
    first, second = (QuotaSample(NOON + n * HOUR, 9 - n, 10, None) for n in range(2))
    number = story.record("one").id
    with story.database.write() as tx:
        quota.add_samples(tx, [(number, "", second), (number, "day", first)])
        quota.add_samples(tx, [(number, "", first)])
    assert kept(story, "one") == [first, second]
    assert kept(story, "one", "day") == [first]
    assert kept(story, "two") == []


def test_after_a_week_the_last_of_six_hours_stays_and_after_a_hundred_days_nothing(story):
    samples = [QuotaSample(NOON - n * HOUR, n, 10_000, None) for n in range(110 * 24)][::-1]
    keep(story, "one", samples)
    for hour in range(24):
        with story.database.write() as tx:
            retention.roll_up(tx, NOON.replace(hour=hour))
    left = kept(story, "one")
    latest = [each for each in left if each.at >= NOON - 7 * DAY]
    older = [each for each in left if each.at < NOON - 8 * DAY]
    assert latest == [each for each in samples if each.at >= NOON - 7 * DAY]
    assert {each.at.hour % 6 for each in older} == {5}
    assert {b.at - a.at for a, b in pairwise(older)} == {6 * HOUR}
    assert min(each.at for each in left) >= NOON.replace(hour=0) - 100 * DAY


def test_thinning_out_looks_at_each_sample_once(story):
    samples = [
        QuotaSample(NOON - 8 * DAY - n * 12 * MINUTE, n, 10_000, None) for n in range(11_000)
    ]
    keep(story, "one", samples[::-1])
    started = time.process_time()
    with story.database.write() as tx:
        quota.prune_samples(tx, NOON.replace(hour=story.record("one").id % 24))
    assert time.process_time() - started < 1
    assert len(kept(story, "one")) < 400


def test_each_hour_only_some_connections_have_their_turn(story):
    keep(story, "one", [QuotaSample(NOON - 200 * DAY, 5, 10, None)])
    number = story.record("one").id
    with story.database.write() as tx:
        quota.prune_samples(tx, NOON.replace(hour=(number + 1) % 24))
    assert len(kept(story, "one")) == 1
    with story.database.write() as tx:
        quota.prune_samples(tx, NOON.replace(hour=number % 24))
    assert kept(story, "one") == []


def test_what_is_deleted_takes_its_samples_and_forecast_along(story):
    keep(story, "one", [WHOLE.sample])
    with story.database.write() as tx:
        quota.save_outlooks(tx, [(story.record("one").id, WHOLE)], [])
    with story.database.write() as tx:
        connections.delete_connection(tx, story.record("one"), NOON)
    assert (count(story, quota_samples), count(story, quota_forecasts)) == (0, 0)


def test_a_day_of_samples_takes_a_kilobyte(story):
    hours = range(24 * 100)
    keep(story, "one", [QuotaSample(NOON + n * HOUR, 9_000 - n, 10_000, RESETS_AT) for n in hours])
    with story.database.write() as tx:
        tx.execute(text("ANALYZE"))
        used = tx.execute(
            text("SELECT sum(pgsize) FROM dbstat WHERE name = 'quota_samples'")
        ).scalar_one()
    assert used / 100 < 1_100
