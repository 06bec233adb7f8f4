"""
Name the kinds of alert, their severities, and which of them close which.

Who receives an alert is decided in `route`, how it reads in
`monitor.alert.message`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class AlertKind(StrEnum):
    """
    What people can be told.
    """

    ERROR = "error"
    EXPIRED = "expired"
    RECOVERED = "recovered"
    EXPIRING_SOON = "expiring_soon"
    SECRET_EXPIRING = "secret_expiring"  # noqa: S105 - a kind of alert, not a password
    RENEWAL_UNRECORDED = "renewal_unrecorded"
    RENEWED = "renewed"
    QUOTA_LOW = "quota_low"
    QUOTA_FORECAST = "quota_forecast"
    QUOTA_EXHAUSTED = "quota_exhausted"
    QUOTA_RESTORED = "quota_restored"
    LIMIT_CHANGED = "limit_changed"
    FLAPPING = "flapping"
    OUTAGE = "outage"
    OUTAGE_OVER = "outage_over"
    MONITOR_OFFLINE = "monitor_offline"
    MONITOR_ONLINE = "monitor_online"
    CHANNEL_FAILED = "channel_failed"
    CHANNEL_RESTORED = "channel_restored"
    RESUMED = "resumed"
    DIGEST = "digest"
    TEST = "test"

    @property
    def is_closing(self) -> bool:
        """
        Tell whether the alert says that an announced trouble is over.
        """
        return self in _CLOSING


_CLOSING = {
    AlertKind.RECOVERED,
    AlertKind.RENEWED,
    AlertKind.QUOTA_RESTORED,
    AlertKind.OUTAGE_OVER,
    AlertKind.MONITOR_ONLINE,
    AlertKind.CHANNEL_RESTORED,
}

ONLY_IF_NAMED = frozenset({AlertKind.DIGEST, AlertKind.RESUMED})
"""What a channel receives only if its `kinds` names it."""


class Severity(StrEnum):
    """
    How urgent an alert is.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """
        Return a number that grows with urgency.
        """
        return list(Severity).index(self)


SEVERITY_OF = {
    AlertKind.ERROR: Severity.CRITICAL,  # a warning where the reason is inconclusive
    AlertKind.EXPIRED: Severity.CRITICAL,
    AlertKind.RECOVERED: Severity.INFO,
    AlertKind.EXPIRING_SOON: Severity.WARNING,  # its last step is critical
    AlertKind.SECRET_EXPIRING: Severity.WARNING,  # likewise
    AlertKind.RENEWAL_UNRECORDED: Severity.WARNING,
    AlertKind.RENEWED: Severity.INFO,
    AlertKind.QUOTA_LOW: Severity.WARNING,
    AlertKind.QUOTA_FORECAST: Severity.WARNING,
    AlertKind.QUOTA_EXHAUSTED: Severity.CRITICAL,
    AlertKind.QUOTA_RESTORED: Severity.INFO,
    AlertKind.LIMIT_CHANGED: Severity.INFO,
    AlertKind.FLAPPING: Severity.WARNING,
    AlertKind.OUTAGE: Severity.CRITICAL,
    AlertKind.OUTAGE_OVER: Severity.INFO,
    AlertKind.MONITOR_OFFLINE: Severity.CRITICAL,
    AlertKind.MONITOR_ONLINE: Severity.INFO,
    AlertKind.CHANNEL_FAILED: Severity.CRITICAL,
    AlertKind.CHANNEL_RESTORED: Severity.INFO,
    AlertKind.RESUMED: Severity.INFO,
    AlertKind.DIGEST: Severity.INFO,
    AlertKind.TEST: Severity.INFO,
}

_ALSO = {
    AlertKind.ERROR: Severity.WARNING,
    AlertKind.EXPIRING_SOON: Severity.CRITICAL,
    AlertKind.SECRET_EXPIRING: Severity.CRITICAL,
}


def severities_of(kind: AlertKind) -> list[Severity]:
    """
    Return the severities that alerts of *kind* can have, the usual one first.
    """
    return [SEVERITY_OF[kind], *([_ALSO[kind]] if kind in _ALSO else [])]


@dataclass(frozen=True, slots=True)
class AlertDue:
    """
    Something that people should be told now.

    Args:
        kind: What happened.
        severity: How urgent it is.
        facts: What the text needs, as plain JSON values: see
            `monitor.alert.message` for the names used by each kind.
    """

    kind: AlertKind
    severity: Severity
    facts: dict[str, Any] = field(default_factory=dict)
