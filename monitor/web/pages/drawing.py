"""
Decide what the charts of a connection show.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.outcome import OutcomeClass
from monitor.web import wording
from monitor.web.charts import UNKNOWN, Line, Sample, Span, draw_line, lay_out_states
from monitor.web.quota_chart import QuotaChart, draw_quota

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.report import Json
    from monitor.store.history import CheckRow

DAYS_SHOWN = timedelta(days=90)
RAW_SHOWN = timedelta(hours=24)
ENOUGH_HOURS = 48
KINDS = ("active", "error", "expired", "paused", "pending", UNKNOWN)
"""What the strip can show, in the order of its legend."""


def draw(known: Mapping[str, Any], each: Json, now: datetime) -> dict[str, Any]:
    """
    Return the strip of states, the line of latencies, and the picture of the quota.
    """
    start = now - DAYS_SHOWN
    spans: list[Span] = lay_out_states(known["states"], each["state"], start, now)
    return {
        "spans": spans,
        "kinds": [kind for kind in KINDS if any(span.state == kind for span in spans)],
        "start": start,
        "latency": _draw_latency(known, now),
        "quota": _draw_quota(known, each["quota"], now),
    }


def _draw_latency(known: Mapping[str, Any], now: datetime) -> tuple[Line | None, str]:
    """
    Return the line, and what it covers: days where there are some, else the last checks.
    """
    hours = known["hours"]
    if len(hours) >= ENOUGH_HOURS:
        samples = [Sample(one.starts_at, one.mean_ms, one.n_failed > 0) for one in hours]
        start = max(now - DAYS_SHOWN, samples[0].at)
        return draw_line(samples, start, now), "hourly mean"
    checks: list[CheckRow] = [one for one in known["checks"] if one.at >= now - RAW_SHOWN]
    samples = [
        Sample(one.at, one.latency_ms, one.reason.outcome_class is not OutcomeClass.SUCCESS)
        for one in reversed(checks)
    ]
    if not samples or samples[0].at >= now:
        return None, ""
    return draw_line(samples, samples[0].at, now), "each check"


def _draw_quota(known: Mapping[str, Any], quota: Json | None, now: datetime) -> QuotaChart | None:
    if quota is None or not quota["limit"] or quota["remaining"] is None:
        return None
    resets_at = wording.read(quota["resets_at"])
    return draw_quota(
        known["quotas"], now, quota["remaining"], quota["limit"], resets_at, known["outlook"]
    )
