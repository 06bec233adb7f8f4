"""
Instants that are kept by name.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.store.watermarks import (
    ALIVE,
    drop_watermark,
    find_watermark,
    note_alive,
    save_watermark,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_an_instant_is_kept_by_its_name_until_it_is_dropped(database):
    with database.write() as tx:
        assert find_watermark(tx, "hours") is None
        save_watermark(tx, "hours", NOON)
        save_watermark(tx, "days", NOON - HOUR)
        assert find_watermark(tx, "hours") == NOON
        drop_watermark(tx, "hours")
        drop_watermark(tx, "hours")
    with database.read() as tx:
        assert find_watermark(tx, "hours") is None
        assert find_watermark(tx, "days") == NOON - HOUR


def test_a_sign_of_life_takes_the_place_of_the_one_before(database):
    for now in (NOON, NOON + HOUR, NOON):
        with database.write() as tx:
            note_alive(tx, now)
        with database.read() as tx:
            assert find_watermark(tx, ALIVE) == now
