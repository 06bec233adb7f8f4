"""
Find what time alone has changed, whether or not checks can run.

Clocks that reached a step are told, a connection whose authorization has
ended becomes due, an outage that was none is told for what it is, what was held
back until now is let go, reminders and summaries are made, all in one
transaction. What a step means is decided in `judge.clocks`; what the end
means, by the check that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor import digests, reminding
from monitor.flapping import end_flapping, has_settled
from monitor.holding import hold_unsent, is_any_to_hold, review_held
from monitor.judge.alerts import AlertKind
from monitor.judge.clocks import AuthorizationClock, Passed, pass_steps
from monitor.judge.outcome import State
from monitor.outages import close_outage, tell_lost_permissions
from monitor.store import (
    applications,
    authorizations,
    held,
    offline,
    outages,
    reminders,
    results,
)
from monitor.store.due import make_due
from monitor.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.batch import Outage
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Swept:
    """
    Something that time alone has made due.

    Args:
        name: Of the connection, of the application whose client secret it is,
            or of the channel that is sent a summary.
    """

    name: str
    passed: Passed


def is_anything_passed(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """
    Tell whether a sweep would find anything; needs no right to write.
    """
    return (
        any(name in plan.watched for _, name in authorizations.find_passed(tx, now))
        or any(name in plan.applications for name in applications.find_passed(tx, now))
        or any(_is_ending(tx, one, plan, now) for one in outages.list_open(tx).values())
        or has_settled(tx, now)
        or offline.has_overtaken(tx, now)
        or held.is_any_over(tx, now)
        or is_any_to_hold(tx, plan, now)
        or reminders.is_any_due(tx, now)
        or digests.is_any_due(tx, plan, now)
    )


def sweep(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    """
    Store all that follows from the clocks as they stand *now*.
    """
    swept = [*_sweep_authorizations(tx, plan, now), *_sweep_secrets(tx, plan, now)]
    for outage in outages.list_open(tx).values():
        if _is_lost_permission(tx, outage, plan, now):
            tell_lost_permissions(tx, outage, plan, now)
        elif _is_ending(tx, outage, plan, now):
            close_outage(tx, outage, plan, now)
    end_flapping(tx, plan, now)
    offline.take_back_overtaken(tx, now)
    review_held(tx, plan, now)
    if is_any_to_hold(tx, plan, now):
        hold_unsent(tx, plan, now)
    made = [*reminding.remind(tx, plan, now), *digests.make_due(tx, plan, now)]
    return swept + [Swept(name, Passed(AuthorizationClock(), (alert,))) for name, alert in made]


def _sweep_authorizations(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    names = dict(authorizations.find_passed(tx, now))
    # A command that read a newer file may have put in what only the next start knows.
    ids = [number for number, name in names.items() if name in plan.watched]
    records = results.load_records(tx, ids)
    swept, clocks = [], []
    for number in ids:
        record = records[number]
        steps = plan.watched[record.name].rules.expiring_soon_days
        passed = pass_steps(record.clock, record.standing.state, steps, now)
        for alert in passed.alerts:
            tell(tx, alert, {record.id: record.name}, plan, now)
        if passed.is_check_due:
            make_due(tx, record.id, now)
        swept.append(Swept(record.name, passed))
        clocks.append((record.id, passed.clock, steps))
    authorizations.save(tx, clocks)
    return swept


def _sweep_secrets(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    """
    Tell of client secrets that end soon, once for all connections of an application.
    """
    names = [name for name in applications.find_passed(tx, now) if name in plan.applications]
    swept = []
    for name, record in applications.load(tx, names).items():
        _, steps = plan.applications[name]
        about = applications.watched_of(tx, name)
        passed = pass_steps(record.secret, State.ACTIVE, steps, now)
        facts = {"application": name, "n_connections": len(about)}
        alerts = tuple(
            replace(one, kind=AlertKind.SECRET_EXPIRING, facts=one.facts | facts)
            for one in passed.alerts
        )
        for alert in alerts:
            tell(tx, alert, about, plan, now)
        if passed.is_check_due:
            # Any one of them can tell whether the secret still works.
            for number in list(about)[:1]:
                make_due(tx, number, now)
        applications.save_secret(tx, name, passed.clock, steps)
        swept.append(Swept(name, replace(passed, alerts=alerts)))
    return swept


def _is_ending(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> bool:
    if _is_lost_permission(tx, outage, plan, now):
        return True
    return outages.count_group(tx, outage.host).is_back


def _is_lost_permission(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> bool:
    """
    Tell whether an outage has lasted so long that its refusals must be meant.
    """
    if now < outage.started_at + plan.outage_hold:
        return False
    n_failing = outages.count_group(tx, outage.host).failing
    return 2 * outages.count_unexplained(tx, outage.host) > n_failing
