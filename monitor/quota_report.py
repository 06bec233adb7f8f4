"""
Describe quotas and what is foreseen of them in JSON, for commands and programs.

Pure. The contract's short form, one line of a connection, is in `report`; how
it looks on a terminal is left to `cli.quota`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.quota import Level
from monitor.report import instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitor.judge.outlook import Outlook
    from monitor.plan import Watched
    from monitor.report import Json
    from monitor.store.records import ConnectionRecord


def quotas_json(pairs: Iterable[tuple[ConnectionRecord, Watched]], now: datetime) -> Json:
    """
    Return what `quota --json` prints.
    """
    return {
        "checked_at": instant(now),
        "connections": [
            {
                "name": record.name,
                "provider": record.provider,
                "account": record.account,
                "windows": _windows_json(record, watched, now),
            }
            for record, watched in pairs
        ],
    }


def _windows_json(record: ConnectionRecord, watched: Watched, now: datetime) -> list[Json]:
    quota = record.quota
    if not quota.is_known:
        return []
    level = quota.level(watched.rules)
    return [
        {
            "window": record.outlook.window,
            "limit": quota.shown.limit,
            "remaining": 0 if quota.is_payment_required else quota.shown.remaining,
            "resets_at": instant(quota.shown.resets_at),
            "seen_at": instant(quota.seen_at),
            "level": level and level.value,
            "forecast": None if level is Level.EXHAUSTED else _forecast_json(record.outlook, now),
        }
    ]


def _forecast_json(outlook: Outlook, now: datetime) -> Json | None:
    forecast = outlook.shown(now)
    if forecast is None:
        return None
    return {
        "made_at": instant(outlook.foreseen_at),
        "exhausts_at": instant(forecast.exhausts_at),
        "earliest": instant(forecast.earliest),
        "latest": instant(forecast.latest),
        "left_at_reset": left_at_reset(outlook),
    }


def left_at_reset(outlook: Outlook) -> int | None:
    """
    Return about how much will be left when the quota is reset; None where nobody knows.
    """
    forecast, sample, made_at = outlook.forecast, outlook.sample, outlook.foreseen_at
    if forecast is None or sample is None or made_at is None or sample.resets_at is None:
        return None
    remaining = outlook.foreseen_remaining or 0
    if forecast.exhausts_at is None:
        return None
    if forecast.exhausts_at <= sample.resets_at:
        return 0
    part = (sample.resets_at - made_at) / (forecast.exhausts_at - made_at)
    return min(round(remaining * (1 - part)), sample.remaining)
