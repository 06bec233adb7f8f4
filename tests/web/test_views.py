"""
The few words of a page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.web import views

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def quota(**changes: object) -> dict[str, object]:
    known: dict[str, object] = {
        "limit": 100,
        "remaining": 20,
        "resets_at": None,
        "level": "ok",
        "exhausts_at": None,
    }
    return known | changes


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (quota(), ""),
        (quota(resets_at="2026-11-25T00:00:00Z"), "resets in 3 days (Nov 25)"),
        (
            quota(resets_at="2026-11-25T00:00:00Z", exhausts_at="2026-11-23T00:00:00Z"),
            "runs out tomorrow (Nov 23)",
        ),
        (
            quota(resets_at="2026-11-25T00:00:00Z", exhausts_at="2026-11-26T00:00:00Z"),
            "resets in 3 days (Nov 25)",
        ),
        (
            quota(resets_at="2026-11-22T15:30:00Z"),
            (
                'resets <time datetime="2026-11-22T15:30:00Z" title="Nov 22, 15:30:00 UTC"'
                ' data-clock="minute">Nov 22, 16:30 CET</time>'
            ),
        ),
        (
            quota(level="exhausted", resets_at="2026-11-25T00:00:00Z"),
            "used up, resets in 3 days (Nov 25)",
        ),
    ],
    ids=["nothing-known", "reset", "runs-out", "lasts", "today", "used-up"],
)
def test_a_quota_says_what_comes_first(known, expected):
    assert views.format_forecast(known, NOW, BERLIN) == expected


def each(**changes: object) -> Any:
    known: dict[str, object] = {
        "name": "acme",
        "provider": "soldscope",
        "owner": "file",
        "detail": "",
        "state": "active",
        "reason": "ok",
        "quota": None,
        "clocks": [],
        "expiring_soon": False,
        "renewal_unrecorded": False,
        "last_check": None,
    }
    return known | changes


CLOCK = {"kind": "authorization", "ends_at": "2026-11-23T00:00:00Z", "days_left": 0}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (each(), None),
        (each(state="paused", reason="token_rejected"), None),
        (each(state="error", reason="token_rejected"), "Token rejected"),
        (each(expiring_soon=True, clocks=[CLOCK]), "Authorization expires tomorrow (Nov 23)"),
        (each(renewal_unrecorded=True), "Renewal date missing"),
        (each(quota=quota(level="low")), "Quota low: 20 of 100 left"),
        (
            each(quota=quota(exhausts_at="2026-11-24T00:00:00Z", resets_at="2026-11-30T00:00:00Z")),
            "Quota runs out in 2 days (Nov 24), before it resets",
        ),
        (
            each(quota=quota(exhausts_at="2026-12-24T00:00:00Z", resets_at="2026-11-30T00:00:00Z")),
            None,
        ),
        (
            each(last_check={"conclusive": False, "reason": "timeout", "in_a_row": 2}),
            "Timed out at the last check, 2 times in a row",
        ),
        (each(last_check={"conclusive": False, "reason": "throttled", "in_a_row": 1}), None),
    ],
    ids=[
        "well",
        "paused",
        "error",
        "soon",
        "unrecorded",
        "low",
        "early",
        "lasts",
        "doubt",
        "throttled",
    ],
)
def test_trouble_is_named_in_a_few_words(known, expected):
    trouble = views.format_problem(known, NOW, BERLIN)

    assert (trouble and trouble[0]) == expected


@pytest.mark.parametrize(("state", "expected"), [("error", "error for 28 minutes"), ("paused", "")])
def test_the_time_before_a_pause_is_not_taken_for_the_pause(state, expected):
    each: Any = {"state": state, "since": "2026-11-22T11:32:00Z"}

    assert views.format_since(each, NOW) == expected
