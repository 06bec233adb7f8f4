"""Find what time alone has changed, whether or not checks can run, and wake the delivery for it.

One transaction dispatches the steps of clocks, makes ended authorizations due, ends incidents,
releases what was suppressed, and makes reminders and digests. A step of the wall clock is followed
here too: instants of next checks, claims and attempts are stored as the clock had them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from monitor.alerting import digests
from monitor.alerting import reminders as reminders_alerting
from monitor.alerting.dispatch import dispatch_alert
from monitor.alerting.incidents import (
    close_outage,
    dispatch_lost_permissions,
    end_flapping,
    end_offline,
    is_any_stable,
)
from monitor.alerting.suppression import is_any_to_suppress, review_suppressed, suppress_unsent
from monitor.clock import utc_now
from monitor.judge.alerts import AlertKind
from monitor.judge.authorizations import AuthorizationClock, PassedSteps, pass_steps
from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import State
from monitor.notify.delivery import LEASE, LONGEST_DELAY
from monitor.store import (
    applications,
    authorizations,
    incidents,
    outbox,
    results,
    schedule,
    suppression,
)
from monitor.store import reminders as stored_reminders
from monitor.store.schedule import make_due

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from monitor.config.plan import Plan
    from monitor.engine.connectivity import ConnectivityCheck
    from monitor.engine.evaluate import Evaluated
    from monitor.judge.batch import Outage
    from monitor.notify.delivery import Delivery
    from monitor.store.engine import StoreWorker, Transaction


@dataclass(frozen=True, slots=True)
class Swept:
    """Something that time alone has made due.

    Args:
        name: Of the connection, of the application whose client secret it is,
            or of the channel that is sent a summary.
    """

    name: str
    passed: PassedSteps


def is_anything_passed(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Tell whether a sweep would find anything; needs no right to write."""
    return (
        bool(plan.watched_of(tx, [name for _, name in authorizations.find_passed(tx, now)]))
        or any(name in plan.applications for name in applications.find_passed(tx, now))
        or any(_is_ending(tx, one, plan, now) for one in incidents.list_open_outages(tx).values())
        or is_any_stable(tx, now)
        or incidents.has_overtaken(tx, now)
        or suppression.is_any_suppression_over(tx, now)
        or is_any_to_suppress(tx, plan, now)
        or stored_reminders.is_any_reminder_due(tx, now)
        or digests.is_any_digest_due(tx, plan, now)
    )


def sweep(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    """Store all that follows from the clocks as they stand *now*."""
    swept = [*_sweep_authorizations(tx, plan, now), *_sweep_secrets(tx, plan, now)]
    for outage in incidents.list_open_outages(tx).values():
        if _is_lost_permission(tx, outage, plan, now):
            dispatch_lost_permissions(tx, outage, plan, now)
        elif _is_ending(tx, outage, plan, now):
            close_outage(tx, outage, plan, now)
    end_flapping(tx, plan, now)
    incidents.withdraw_overtaken(tx, now)
    review_suppressed(tx, plan, now)
    if is_any_to_suppress(tx, plan, now):
        suppress_unsent(tx, plan, now)
    made = [
        *reminders_alerting.dispatch_reminders(tx, plan, now),
        *digests.dispatch_digests(tx, plan, now),
    ]
    return swept + [
        Swept(name, PassedSteps(AuthorizationClock(), (alert,))) for name, alert in made
    ]


def _sweep_authorizations(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    names = dict(authorizations.find_passed(tx, now))
    # A command that read a newer file may have put in what only the next start knows.
    watched = plan.watched_of(tx, names.values())
    ids = [number for number, name in names.items() if name in watched]
    records = results.load_records(tx, ids)
    swept, clocks = [], []
    for number in ids:
        record = records[number]
        steps = watched[record.name].rules.expiring_soon_days
        passed = pass_steps(record.clock, record.standing.state, steps, now)
        for alert in passed.alerts:
            dispatch_alert(tx, alert, {record.id: record.name}, plan, now)
        if passed.is_check_due:
            make_due(tx, record.id, now)
        swept.append(Swept(record.name, passed))
        clocks.append((record.id, passed.clock, steps))
    authorizations.save(tx, clocks)
    return swept


def _sweep_secrets(tx: Transaction, plan: Plan, now: datetime) -> list[Swept]:
    """Tell of client secrets that end soon, once for all connections of an application."""
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
            dispatch_alert(tx, alert, about, plan, now)
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
    return incidents.count_group(tx, outage.host).is_back


def _is_lost_permission(tx: Transaction, outage: Outage, plan: Plan, now: datetime) -> bool:
    """Tell whether an outage has lasted so long that its refusals must be meant."""
    if now < outage.started_at + plan.outage_hold:
        return False
    n_failing = incidents.count_group(tx, outage.host).failing
    return 2 * incidents.count_unexplained(tx, outage.host) > n_failing


log = structlog.get_logger()


async def sweep_and_wake(store: StoreWorker, plan: Plan, delivery: Delivery) -> None:
    """Tell what time has changed; the database is written to only if there is anything.

    Raises:
        StoreError: The database cannot be read or written; the next sweep finds the same.
    """
    now = utc_now()
    if not await store.read(lambda tx: is_anything_passed(tx, plan, now)):
        return
    swept = await store.write(lambda tx: sweep(tx, plan, now))
    for one in swept:
        if one.passed.is_check_due:
            log.info("authorization.ended", connection=one.name)
        for alert in one.passed.alerts:
            log.info("alert.due", connection=one.name, kind=alert.kind.value)
    if any(one.passed.alerts for one in swept):
        delivery.wake()


async def check_connectivity(
    store: StoreWorker, plan: Plan, connectivity: ConnectivityCheck, delivery: Delivery
) -> None:
    """Ask whether our own link is there again, however long the next check is off.

    Raises:
        StoreError: The database cannot be written; checks will find the same.
    """
    if not connectivity.is_check_wanted or await connectivity.check() is not Connectivity.UP:
        return
    if await store.write(lambda tx: end_offline(tx, plan, utc_now())):
        log.info("link.restored")
        delivery.wake()


def log_and_wake(evaluated: list[Evaluated], delivery: Delivery) -> None:
    """Log what was stored, and have due alerts sent at once."""
    for one in evaluated:
        outcome, standing = one.finished.outcome, one.verdict.standing
        log.debug(
            "check.finished",
            connection=one.record.name,
            state=standing.state.value,
            reason=outcome.reason.value,
            took_ms=outcome.latency_ms and round(outcome.latency_ms, 1),
        )
        if one.verdict.transition is not None:
            log.info(
                "connection.changed",
                connection=one.record.name,
                before=one.verdict.transition.from_state.value,
                state=standing.state.value,
                reason=standing.reason.value,
                detail=standing.detail,
            )
        for alert in one.alerts:
            log.info("alert.due", connection=one.record.name, kind=alert.kind.value)
    if any(one.alerts for one in evaluated):
        delivery.wake()


async def follow_step(store: StoreWorker, plan: Plan, delivery: Delivery, by: timedelta) -> None:
    """Let checks and notifications go on after the clock was stepped *by*.

    Raises:
        StoreError: The database cannot be written; nothing was changed.
    """
    now = utc_now()

    def follow(tx: Transaction) -> int:
        outbox.shift_notifications(tx, by, now, LEASE, LONGEST_DELAY)
        stored_reminders.shift_reminders(tx, now, plan.remind_every)
        stored_reminders.shift_digests(tx, now)
        review_suppressed(tx, plan, now, all_of_it=True)
        return schedule.reslot(
            tx,
            lambda names: {
                name: one.rules.every for name, one in plan.watched_of(tx, names).items()
            },
            plan.intervals.shortest,
            now,
        )

    delivery.note_step()
    n_moved = await store.write(follow)
    log.info("clock.step_followed", checks_moved=n_moved)
