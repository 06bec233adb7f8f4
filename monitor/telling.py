"""
Store what people must be told, with the channels that shall tell it.

Decides that an end is told only of what was told, which page a text leads to,
and when people are reminded. What is due is decided in `judge`, who receives it
in `judge.route`, what must wait in `judge.hold`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.holding import review_alert
from monitor.judge.alerts import AlertKind
from monitor.judge.hold import find_hold
from monitor.judge.pairs import CLOSED_BY, OPENED_BY
from monitor.judge.reminder import is_reminded
from monitor.judge.route import route
from monitor.store import alerts, reminders, silences
from monitor.store.alerts import Birth

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue
    from monitor.judge.connections import Watched
    from monitor.judge.route import Subject
    from monitor.plan import Plan
    from monitor.store.engine import Transaction

WITH_RENEW_URL = {AlertKind.EXPIRED, AlertKind.EXPIRING_SOON}
"""The alerts whose next step is taken on the page that the file names."""

WITH_PROVIDER = {AlertKind.ERROR, AlertKind.EXPIRED}
"""The alerts whose next step depends on who was asked."""

TOLD_BY_WHOM_THEY_CONCERN = {AlertKind.MONITOR_ONLINE, AlertKind.CHANNEL_RESTORED}
"""The ends that speak of no connection: whether they are due is known where they are raised."""


def tell(
    tx: Transaction,
    alert: AlertDue,
    about: dict[int, str],
    plan: Plan,
    now: datetime,
    only: Collection[str] | None = None,
) -> int | None:
    """
    Store an alert and its notifications; return its id, or None for an end of nothing told.

    Args:
        about: The names of the connections, by id; empty for what concerns none.
        only: The channels to choose from; None for all.
    """
    if not _is_due(tx, alert, about):
        return None
    watched = [plan.watched[name] for name in about.values() if name in plan.watched]
    alert = replace(alert, facts=alert.facts | _facts_of(alert.kind, watched))
    subjects = [one.subject for one in watched]
    routed = route(alert, subjects, plan.channels)
    channels = [name for name in routed if only is None or name in only]
    births = _births(tx, alert, subjects, channels, plan, now)
    alert_id = alerts.add_alert(tx, alert, list(about), channels, now, births)
    if channels and is_reminded(alert):
        reminders.add(tx, alert_id, now + plan.remind_every)
    return alert_id


def _facts_of(kind: AlertKind, watched: Sequence[Watched]) -> dict[str, str | None]:
    """
    Return what the words of an alert need to know of the connections it is about.
    """
    facts: dict[str, str | None] = {}
    if kind in WITH_RENEW_URL:
        facts["renew_url"] = next((one.renew_url for one in watched if one.renew_url), None)
    providers = {one.provider for one in watched}
    if kind in WITH_PROVIDER and len(providers) == 1:
        facts["provider"] = providers.pop()
    if kind is AlertKind.RENEWAL_UNRECORDED and len(watched) == 1:
        facts["connection"] = watched[0].subject.name
    return facts


def _is_due(tx: Transaction, alert: AlertDue, about: Collection[int]) -> bool:
    if alert.kind not in OPENED_BY or alert.kind in TOLD_BY_WHOM_THEY_CONCERN:
        return True
    return alerts.was_announced(tx, about, OPENED_BY[alert.kind], CLOSED_BY[alert.kind])


def join(
    tx: Transaction,
    alert_id: int,
    alert: AlertDue,
    about: tuple[int, str],
    plan: Plan,
    now: datetime,
) -> None:
    """
    Let an alert that was just told speak for one more connection, id and name.
    """
    number, name = about
    subjects = [plan.watched[name].subject]
    channels = route(alert, subjects, plan.channels)
    births = _births(tx, alert, subjects, channels, plan, now)
    alerts.add_to_alert(tx, alert_id, number, channels, now, births)
    # What a silence of the others held is not about them alone any more.
    review_alert(tx, alert_id, plan, now)


def _births(
    tx: Transaction,
    alert: AlertDue,
    subjects: Sequence[Subject],
    channels: Collection[str],
    plan: Plan,
    now: datetime,
) -> dict[str, Birth]:
    if not channels:
        return {}
    lasting = silences.list_lasting(tx, now)
    send_at = now + plan.group_wait
    return {
        channel.name: Birth(
            send_at, find_hold(alert.severity, subjects, channel.quiet_hours, lasting, now)
        )
        for channel in plan.channels
        if channel.name in channels
    }
