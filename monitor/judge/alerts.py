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
    RENEWAL_UNRECORDED = "renewal_unrecorded"
    RENEWED = "renewed"
    QUOTA_LOW = "quota_low"
    QUOTA_FORECAST = "quota_forecast"
    QUOTA_EXHAUSTED = "quota_exhausted"
    QUOTA_RESTORED = "quota_restored"
    LIMIT_CHANGED = "limit_changed"
    TEST = "test"

    @property
    def is_closing(self) -> bool:
        """
        Tell whether the alert says that an announced trouble is over.
        """
        return self in {AlertKind.RECOVERED, AlertKind.RENEWED, AlertKind.QUOTA_RESTORED}


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
    AlertKind.ERROR: Severity.CRITICAL,
    AlertKind.EXPIRED: Severity.CRITICAL,
    AlertKind.RECOVERED: Severity.INFO,
    AlertKind.EXPIRING_SOON: Severity.WARNING,  # its last step is critical
    AlertKind.RENEWAL_UNRECORDED: Severity.WARNING,
    AlertKind.RENEWED: Severity.INFO,
    AlertKind.QUOTA_LOW: Severity.WARNING,
    AlertKind.QUOTA_FORECAST: Severity.WARNING,
    AlertKind.QUOTA_EXHAUSTED: Severity.CRITICAL,
    AlertKind.QUOTA_RESTORED: Severity.INFO,
    AlertKind.LIMIT_CHANGED: Severity.INFO,
    AlertKind.TEST: Severity.INFO,
}


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
