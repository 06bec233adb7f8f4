"""What a service or a plug-in may say, at its worst: nothing of it may end as a damaged row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitor.judge.outcome import Marketplace, Outcome, QuotaReading, Reason, State
from tests.builders import MINUTE, OK, Story, entry, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from monitor.store.damage import DamagedValue

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)


def quota(limit: int = 10, remaining: int = 3, **more: object) -> Outcome:
    return Outcome(Reason.OK, quota=QuotaReading(limit, remaining, **more))  # type: ignore[arg-type]


EXTREMES = {
    "a token that never ends": Outcome(Reason.OK, token_ends_at=LAST),
    "a token of the year 1": Outcome(Reason.OK, token_ends_at=FIRST),
    "a pause until the year 9999": Outcome(Reason.THROTTLED, retry_at=LAST),
    "a reset in the year 9999": quota(resets_at=LAST),
    "a reset in the year 1": quota(resets_at=FIRST),
    "as much as 63 bits hold": quota(2**63 - 1, 2**63 - 1),
    "more than 63 bits hold": quota(2**70, 2**65),
    "less than nothing": quota(-5, -(2**70)),
    "a window without end": quota(window_s=10**30),
    "a window that runs backwards": quota(window_s=-4),
    "a status that is none": Outcome(Reason.SERVER_ERROR, "x", http_status=2**70),
    "no time": Outcome(Reason.OK, latency_ms=float("nan")),
    "a host that is none": Outcome(Reason.CONNECT, "x", failed_host="\0" * 10),
    "half a letter": Outcome(Reason.OK, account="\ud800x"),
    "marketplaces that are none": Outcome(
        Reason.OK,
        marketplaces=(
            Marketplace(
                "\0",
                "\ud800" * 9,
                is_participating=True,
                has_suspended_listings=False,
                is_configured=True,
            ),
        ),
    ),
}


@pytest.mark.parametrize("outcome", EXTREMES.values(), ids=EXTREMES)
def test_what_is_stored_can_be_read_again(database, outcome):
    set_aside: list[DamagedValue] = []
    database.on_set_aside = set_aside.extend
    story = Story.begin(database, plan_of(entry("a"), entry("b")))
    for number in range(4):
        story.evaluate(NOON + number * MINUTE, a=outcome, b=OK)
    assert story.record("a").standing.checked_at == NOON + 3 * MINUTE
    assert story.record("b").standing.state is State.ACTIVE
    assert set_aside == []
