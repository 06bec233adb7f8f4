from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.judge.routing import Digest, DigestTime

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = DigestTime(Digest.DAILY, BERLIN)
WEEKLY = DigestTime(Digest.WEEKLY, UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rhythm", "last_at", "now", "is_due"),
    [
        pytest.param(DAILY, "2026-11-21T08:00", "2026-11-22T07:59", False, id="before nine there"),
        pytest.param(DAILY, "2026-11-21T08:00", "2026-11-22T08:00", True, id="at nine there"),
        pytest.param(DAILY, "2026-11-22T08:00:01", "2026-11-22T20:00", False, id="made today"),
        pytest.param(DAILY, "2026-11-19T08:00", "2026-11-22T20:00", True, id="down until tonight"),
        pytest.param(DAILY, "2026-11-19T08:00", "2026-11-22T03:00", False, id="missed days"),
        pytest.param(DAILY, "2026-07-01T07:00", "2026-07-02T07:00", True, id="summer time"),
        pytest.param(WEEKLY, "2026-11-16T09:00", "2026-11-22T23:59", False, id="sunday"),
        pytest.param(WEEKLY, "2026-11-16T09:00", "2026-11-23T09:00", True, id="monday"),
        pytest.param(WEEKLY, "2026-11-23T09:00", "2026-11-23T10:00", False, id="made this monday"),
        pytest.param(WEEKLY, "2026-11-16T09:00", "2026-11-24T09:00", False, id="a missed monday"),
    ],
)
def test_a_summary_is_due_once_on_its_day_from_nine_on(rhythm, last_at, now, is_due):
    assert rhythm.is_due(utc(last_at), utc(now)) is is_due
