"""
End the outages that time has ended, and announce what was held back meanwhile.

When a host is out is decided in `judge.outage`, what a batch of checks says of it in
`judge.correlation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.held_back import tell_held_back
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.correlation import describe_outage_over, find_certain
from monitor.judge.outcome import Reason
from monitor.store import flappings, outages, results
from monitor.telling import tell

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.batch import Outage
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def close_outage(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> None:
    """End an outage, and announce what was held back meanwhile and is still true."""
    members = outages.members_of(tx, outage.host)
    if outage.is_told:
        tell(tx, describe_outage_over(outage, len(members), now), members, plan, now)
    _release(tx, outage, members, plan, now)


def _release(
    tx: Transaction, outage: Outage, members: Collection[int], plan: Plan, now: datetime
) -> None:
    """End an outage for *members*, and announce what was held back of each."""
    outages.end(tx, outage, now)
    records = results.load_records(tx, list(members)).values()
    certain = find_certain(records, outage.host, flappings.list_flapping(tx), None)
    tell_held_back(tx, certain, plan, now)


def tell_lost_permissions(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> None:
    """
    End an outage that was a lost permission after all: one alert an application.

    Of those that fail for another reason, and of those that work again, it is
    told what was held back.
    """
    refused = outages.unexplained_of(tx, outage.host)
    for application, about in refused.items():
        [first] = results.load_records(tx, [min(about)]).values()
        facts = {
            "reason": Reason.PERMISSION_DENIED.value,
            "detail": first.standing.detail,
            "since": first.standing.since.isoformat(),
            "application": application,
            "n_connections": len(about),
            "permissions_changed": True,
        }
        alert = AlertDue.of(AlertKind.ERROR, **facts)
        tell(tx, alert, about, plan, now)
    told = {number for about in refused.values() for number in about}
    outages.announce_unexplained(tx, outage.host)
    _release(tx, outage, outages.members_of(tx, outage.host).keys() - told, plan, now)
