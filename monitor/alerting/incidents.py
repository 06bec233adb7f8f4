"""End incidents that time has ended: outages, flapping, and the loss of our own link.

What a batch of checks says of them is decided in `judge.correlation` and `judge.connectivity`, what
is still true of the problems that one cause spoke for, in `judge.correlation` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.alerting.dispatch import dispatch_alert, dispatch_all
from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.connectivity import describe_online
from monitor.judge.correlation import describe_outage_over, find_certain, release
from monitor.judge.incidents import FLAPPING_WINDOW
from monitor.judge.outcome import Reason
from monitor.judge.shortage import Shortage, describe_enough, describe_past, describe_shortage
from monitor.store import incidents, results

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.batch import Outage
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction


def end_offline(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Note that the link is there, announce it if it was not, and return whether that is news."""
    time = incidents.find_offline_time(tx)
    if time is None:
        return False
    incidents.end_offline(tx, time, now)
    alert = describe_online(time, now)
    if alert is not None:
        dispatch_alert(tx, alert, {}, plan, now)
    incidents.withdraw_overtaken(tx, now)
    return True


def begin_shortage(
    tx: Transaction, plan: Plan, kind: Shortage, since: datetime, n_waiting: int, now: datetime
) -> bool:
    """Announce that checks wait for resources of our own; return whether that is news."""
    if incidents.find_shortage_time(tx) is not None:
        return False
    number = dispatch_alert(tx, describe_shortage(kind, since, n_waiting), {}, plan, now)
    incidents.begin_offline(tx, since, number)
    return True


def end_shortage(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Announce that no check waits for resources any more; return whether that is news."""
    found = incidents.find_shortage_time(tx)
    if found is None:
        return False
    time, kind = found
    incidents.end_offline(tx, time, now)
    alert = describe_enough(Shortage(kind), time, now)
    if alert is not None:
        dispatch_alert(tx, alert, {}, plan, now)
    incidents.withdraw_overtaken(tx, now)
    return True


def announce_past_shortage(
    tx: Transaction, plan: Plan, kind: Shortage, since: datetime, now: datetime
) -> None:
    """Announce a shortage that is over, and in which nothing could be stored."""
    dispatch_alert(tx, describe_past(kind, since, now), {}, plan, now)


def dispatch_inhibited(
    tx: Transaction, records: Sequence[ConnectionRecord], plan: Plan, now: datetime
) -> None:
    """Announce of each of *records* what was held back and is still true."""
    watched = plan.watched_of(tx, [record.name for record in records])
    released = release(records, watched, now)
    dispatch_all(tx, released.proposals, plan, now)
    results.save_announced(tx, released.announced)


def close_outage(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> None:
    """End an outage, and announce what was held back meanwhile and is still true."""
    members = incidents.members_of(tx, outage.host)
    if outage.is_told:
        dispatch_alert(tx, describe_outage_over(outage, len(members), now), members, plan, now)
    _release(tx, outage, members, plan, now)


def _release(
    tx: Transaction, outage: Outage, members: Collection[int], plan: Plan, now: datetime
) -> None:
    """End an outage for *members*, and announce what was held back of each."""
    incidents.end_outage(tx, outage, now)
    records = results.load_records(tx, list(members)).values()
    certain = find_certain(records, outage.host, incidents.list_flapping(tx), None)
    dispatch_inhibited(tx, certain, plan, now)


def dispatch_lost_permissions(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> None:
    """End an outage that was a lost permission after all: one alert an application.

    Of those that fail for another reason, and of those that work again, it is
    told what was held back.
    """
    refused = incidents.unexplained_of(tx, outage.host)
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
        dispatch_alert(tx, alert, about, plan, now)
    told = {number for about in refused.values() for number in about}
    incidents.announce_unexplained(tx, outage.host)
    _release(tx, outage, incidents.members_of(tx, outage.host).keys() - told, plan, now)


def is_any_stable(tx: Transaction, now: datetime) -> bool:
    """Tell whether any connection has stopped flapping."""
    return bool(incidents.find_stable(tx, now - FLAPPING_WINDOW))


def end_flapping(tx: Transaction, plan: Plan, now: datetime) -> None:
    """End what has not changed for long enough, and announce what is still true.

    Where a host is out, the end of that will announce it.
    """
    stable = incidents.find_stable(tx, now - FLAPPING_WINDOW)
    incidents.end_flapping(tx, stable)
    out = incidents.list_open_outages(tx)
    records = results.load_records(tx, stable).values()
    certain = [one for one in records if one.host not in out and one.token_host not in out]
    dispatch_inhibited(tx, certain, plan, now)
