"""Dispatch reminders of what is critical, still true, and acknowledged by nobody.

Which alerts are reminded of is decided in `judge.alerts`; here it is found out what of each is
still true, and of whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.alerting.dispatch import dispatch_alert
from monitor.judge.alerts import (
    ABOUT_NO_CONNECTION,
    KINDS,
    REMINDER_COUNT,
    AlertDue,
    AlertKind,
    ends,
)
from monitor.judge.quota import Level
from monitor.judge.suppression import silenced_until
from monitor.store import incidents, reminders, results, sources, suppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.config.plan import Plan
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.suppression import Silence
    from monitor.store.engine import Transaction
    from monitor.store.reminders import Reminder


def dispatch_reminders(tx: Transaction, plan: Plan, now: datetime) -> list[tuple[str, AlertDue]]:
    """Store the reminders that are due *now*; return each with a name to log.

    An alert that is true of nobody any more is not looked at again; one of which
    nobody may be reminded at the moment waits for the next time.
    """
    due = reminders.list_due_reminders(tx, now)
    if not due:
        return []
    lasting = suppression.list_active_silences(tx, now)
    said = []
    for one in due:
        true_of = _find_true(tx, one, plan)
        if true_of is None:
            reminders.drop_reminder(tx, one)
            continue
        about = _without_known(tx, one, true_of, plan, lasting, now)
        is_sent = about is not None
        if about is not None:
            facts = one.facts | {REMINDER_COUNT: one.n_sent + 1}
            alert = AlertDue(one.kind, one.severity, facts)
            dispatch_alert(tx, alert, about, plan, now)
            said.append((", ".join(list(about.values())[:1]) or one.kind.value, alert))
        reminders.postpone(tx, one, now + plan.remind_every, is_sent=is_sent)
    return said


def _find_true(tx: Transaction, one: Reminder, plan: Plan) -> list[ConnectionRecord] | None:
    """Return the connections of which an alert is still true; None if it is over."""
    match one.kind:
        case AlertKind.MONITOR_OFFLINE:
            return [] if reminders.is_offline(tx, one.alert_id) else None
        case AlertKind.CHANNEL_FAILED:
            name = str(one.facts.get("channel"))
            is_there = any(channel.name == name for channel in plan.channels)
            return [] if is_there and reminders.is_failing(tx, name) else None
        case AlertKind.SOURCE_HELD:
            return [] if sources.is_source_held(tx, str(one.facts.get("source"))) else None
        case AlertKind.OUTAGE:
            host = str(one.facts.get("host"))
            lasting = incidents.list_open_outages(tx).get(host)
            if lasting is None or lasting.started_at > one.born_at:
                return None
            return _records(tx, incidents.failing_of(tx, host), plan)
    news = {*ends(one.kind), *KINDS[one.kind].superseded_by, one.kind}
    told_anew = reminders.find_notified_again(tx, one.alert_id, news, one.about)
    records = _records(tx, one.about, plan)
    still = [each for each in records if each.id not in told_anew and _is_true(one, each, plan)]
    return still or None


def _records(tx: Transaction, ids: Iterable[int], plan: Plan) -> list[ConnectionRecord]:
    records = results.load_records(tx, list(ids)).values()
    watched = plan.watched_of(tx, [record.name for record in records])
    return [record for record in records if record.is_configured and record.name in watched]


def _is_true(one: Reminder, record: ConnectionRecord, plan: Plan) -> bool:
    if one.kind is AlertKind.QUOTA_EXHAUSTED:
        return record.quota.level(plan.rules) is Level.EXHAUSTED
    told = (record.standing.announced_state, record.standing.announced_reason)
    return told == (KINDS[one.kind].announces, one.facts.get("reason"))


def _without_known(
    tx: Transaction,
    one: Reminder,
    true_of: Sequence[ConnectionRecord],
    plan: Plan,
    lasting: Sequence[Silence],
    now: datetime,
) -> dict[int, str] | None:
    """Return of whom people are to be reminded; None if of nobody."""
    if not reminders.was_notified(tx, one):
        return None  # what is held, or still on its way, needs no reminder
    if one.kind in ABOUT_NO_CONNECTION:
        return None if silenced_until((), lasting, now) else {}
    given = suppression.load_acknowledgements(tx, [record.id for record in true_of])
    watched = plan.watched_of(tx, [record.name for record in true_of])
    about = {
        record.id: record.name
        for record in true_of
        if not record.is_switched_off
        and not (record.id in given and given[record.id].covers(one.born_at, now))
        and not silenced_until([watched[record.name].subject], lasting, now)
    }
    return about or None
