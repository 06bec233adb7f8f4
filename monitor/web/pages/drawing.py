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
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.report import Json
    from monitor.store.history import CheckRow
    from monitor.store.series import SumRow

DAY = timedelta(days=1)
DAYS_SHOWN = 90 * DAY
RAW_SHOWN = timedelta(hours=24)
ENOUGH_SUMS = 48
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
    sums: list[SumRow] = known["sums"]
    if are_enough(sums):
        samples = [
            Sample(one.starts_at + one.length / 2, one.mean_ms, one.n_failed > 0) for one in sums
        ]
        how = "daily mean, of the last week hourly" if has_days(sums) else "hourly mean"
        return draw_line(samples, samples[0].at, now), how
    checks: list[CheckRow] = [one for one in known["checks"] if one.at >= now - RAW_SHOWN]
    samples = [
        Sample(one.at, one.latency_ms, one.reason.outcome_class is not OutcomeClass.SUCCESS)
        for one in reversed(checks)
    ]
    if not samples or samples[0].at >= now:
        return None, ""
    return draw_line(samples, samples[0].at, now), "each check"


def are_enough(sums: Sequence[SumRow]) -> bool:
    """
    Tell whether sums make a picture; else it is drawn of single checks.
    """
    return len(sums) >= (2 if has_days(sums) else ENOUGH_SUMS)


def has_days(sums: Sequence[SumRow]) -> bool:
    """
    Tell whether the first of them, and so perhaps others, is of a day.
    """
    return bool(sums) and sums[0].length >= DAY


def _draw_quota(known: Mapping[str, Any], quota: Json | None, now: datetime) -> QuotaChart | None:
    if quota is None or not quota["limit"] or quota["remaining"] is None:
        return None
    resets_at = wording.read(quota["resets_at"])
    return draw_quota(
        known["quotas"], now, quota["remaining"], quota["limit"], resets_at, known["outlook"]
    )
