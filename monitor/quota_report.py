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

    from monitor.judge.connections import ConnectionRecord, Watched
    from monitor.judge.outlook import Outlook
    from monitor.judge.quota import Quota
    from monitor.judge.rules import Rules
    from monitor.report import Json


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
    if not record.quota.is_known:
        return []
    deciding, *others = record.quota.windows
    rules = watched.rules
    return [
        _window_json(deciding, rules, _forecast_json(record, rules, now)) | {"deciding": True},
        *(_window_json(each, rules, None) | {"deciding": False} for each in others),
    ]


def _window_json(window: Quota, rules: Rules, forecast: Json | None) -> Json:
    level = window.level(rules)
    return {
        "window": window.known.name,
        "unit": window.known.unit.value,
        "limit": window.shown.limit,
        "remaining": 0 if window.is_payment_required else window.shown.remaining,
        "resets_at": instant(window.shown.resets_at),
        "seen_at": instant(window.seen_at),
        "level": level and level.value,
        "forecast": forecast,
    }


def _forecast_json(record: ConnectionRecord, rules: Rules, now: datetime) -> Json | None:
    outlook = record.outlook
    forecast = outlook.shown(now)
    if forecast is None or record.quota.level(rules) is Level.EXHAUSTED:
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
