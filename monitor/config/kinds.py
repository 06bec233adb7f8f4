"""
List the kinds of alert that a channel may name.

The whole list of the contract: a file written for a later release is not
refused by this one. `monitor.judge.alerts.AlertKind` so far has only the part
that this release raises.
"""

from __future__ import annotations

ALERT_KINDS = (
    "error",
    "expired",
    "recovered",
    "expiring_soon",
    "secret_expiring",
    "renewal_unrecorded",
    "renewed",
    "quota_low",
    "quota_exhausted",
    "quota_forecast",
    "quota_restored",
    "limit_changed",
    "flapping",
    "outage",
    "outage_over",
    "monitor_offline",
    "monitor_online",
    "channel_failed",
    "channel_restored",
    "resumed",
    "digest",
    "test",
)
