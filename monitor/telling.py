"""
Store what people must be told, with the channels that shall tell it.

Decides that an end is told only of what was told, and which page a text leads
to. What is due is decided in `judge`, who receives it in `judge.route`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind
from monitor.judge.route import route
from monitor.store import results

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

OPENED_BY = {
    AlertKind.RECOVERED: (AlertKind.ERROR, AlertKind.EXPIRED),
    AlertKind.RENEWED: (
        AlertKind.EXPIRED,
        AlertKind.EXPIRING_SOON,
        AlertKind.RENEWAL_UNRECORDED,
    ),
    AlertKind.QUOTA_RESTORED: (AlertKind.QUOTA_LOW, AlertKind.QUOTA_EXHAUSTED),
    AlertKind.OUTAGE_OVER: (AlertKind.OUTAGE,),
}
"""What must have been told before a closing alert is born."""

CLOSED_BY = {
    AlertKind.RECOVERED: (AlertKind.RECOVERED, AlertKind.RENEWED),
    AlertKind.RENEWED: (AlertKind.RENEWED,),
    AlertKind.QUOTA_RESTORED: (AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED),
    AlertKind.OUTAGE_OVER: (AlertKind.OUTAGE_OVER,),
}
"""What ended an earlier trouble, so that it needs no second end."""

WITH_RENEW_URL = {AlertKind.EXPIRED, AlertKind.EXPIRING_SOON}
"""The alerts whose next step is taken on the page that the file names."""


def tell(
    tx: Transaction, alert: AlertDue, about: dict[int, str], plan: Plan, now: datetime
) -> int | None:
    """
    Store an alert and its notifications; return its id, or None for an end of nothing told.

    Args:
        about: The names of the connections, by id.
    """
    if alert.kind in OPENED_BY and not any(
        results.was_announced(tx, number, OPENED_BY[alert.kind], CLOSED_BY[alert.kind])
        for number in about
    ):
        return None
    watched = [plan.watched[name] for name in about.values() if name in plan.watched]
    if alert.kind in WITH_RENEW_URL:
        urls = [one.renew_url for one in watched if one.renew_url]
        alert = replace(alert, facts=alert.facts | {"renew_url": urls[0] if urls else None})
    channels = route(alert, [one.subject for one in watched], plan.channels)
    return results.add_alert(tx, alert, list(about), channels, now)
