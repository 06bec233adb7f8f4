"""
Decide of which alerts people are reminded.

Pure. Whether what an alert says is still true is found out in `monitor.reminding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind, Severity

if TYPE_CHECKING:
    from monitor.judge.alerts import AlertDue

LASTING = frozenset(
    {
        AlertKind.ERROR,
        AlertKind.EXPIRED,
        AlertKind.QUOTA_EXHAUSTED,
        AlertKind.OUTAGE,
        AlertKind.MONITOR_OFFLINE,
        AlertKind.CHANNEL_FAILED,
    }
)
"""The kinds that speak of a state, which may last; the others speak of an instant."""

COUNT = "reminder"
"""The fact that makes an alert a reminder: how many came before it, and this one."""


def is_reminded(alert: AlertDue) -> bool:
    """
    Tell whether people are reminded of *alert* while what it says lasts.
    """
    is_critical = alert.severity is Severity.CRITICAL
    return is_critical and alert.kind in LASTING and COUNT not in alert.facts
