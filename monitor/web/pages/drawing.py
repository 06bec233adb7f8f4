"""
Decide what the charts of a connection show.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.alert.words import say_day, say_number
from monitor.judge.outcome import OutcomeClass
from monitor.web import wording
from monitor.web.charts import Line, Sample, Span, draw_line, height_of, lay_out_states, place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.report import Json
    from monitor.store.history import CheckRow

DAYS_SHOWN = timedelta(days=90)
RAW_SHOWN = timedelta(hours=24)
ENOUGH_HOURS = 48


def draw(known: Mapping[str, Any], each: Json, now: datetime) -> dict[str, Any]:
    """
    Return the strip of states, the line of latencies, and the way of the quota.
    """
    start = now - DAYS_SHOWN
    spans: list[Span] = lay_out_states(known["states"], each["state"], start, now)
    return {
        "spans": spans,
        "start": start,
        "latency": _draw_latency(known, now),
        "quota": _draw_quota(each["quota"], now),
    }


def _draw_latency(known: Mapping[str, Any], now: datetime) -> tuple[Line | None, str]:
    """
    Return the line, and what it covers: days where there are some, else the last checks.
    """
    hours = known["hours"]
    if len(hours) >= ENOUGH_HOURS:
        samples = [Sample(one.starts_at, one.mean_ms, one.n_failed > 0) for one in hours]
        start = max(now - DAYS_SHOWN, samples[0].at)
        return draw_line(samples, start, now, " ms"), "hourly mean"
    checks: list[CheckRow] = [one for one in known["checks"] if one.at >= now - RAW_SHOWN]
    samples = [
        Sample(one.at, one.latency_ms, one.reason.outcome_class is not OutcomeClass.SUCCESS)
        for one in reversed(checks)
    ]
    if not samples or samples[0].at >= now:
        return None, ""
    return draw_line(samples, samples[0].at, now, " ms"), "each check"


def _draw_quota(quota: Json | None, now: datetime) -> dict[str, Any] | None:
    """
    Return where the quota stands, where it is going, and when it comes back.
    """
    if quota is None or not quota["limit"] or quota["remaining"] is None:
        return None
    resets_at = wording.read(quota["resets_at"])
    if resets_at is None or resets_at <= now:
        return None
    exhausts_at = wording.read(quota["exhausts_at"])
    end = max(resets_at, exhausts_at or resets_at) + timedelta(hours=1)
    limit, remaining = quota["limit"], quota["remaining"]
    return {
        "now_x": place(now, now, end),
        "now_y": height_of(remaining, limit),
        "floor": height_of(0, limit),
        "ceiling": height_of(limit, limit),
        "limit": say_number(limit),
        "reset_x": place(resets_at, now, end),
        "reset": say_day(resets_at),
        "empty_x": None if exhausts_at is None else place(exhausts_at, now, end),
        "empty": None if exhausts_at is None else say_day(exhausts_at),
    }
