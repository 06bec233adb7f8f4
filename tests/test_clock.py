from __future__ import annotations

from datetime import UTC, datetime

from monitor.clock import utc_now


def test_the_present_instant_knows_that_it_is_in_utc():
    before = datetime.now(UTC)
    now = utc_now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
