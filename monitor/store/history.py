"""Read what happened: transitions, checks and their sums, alerts and their deliveries.

Charts are drawn from it, and whoever looked last is given what happened since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, or_, select

from monitor.judge.alerts import NEVER_FOR_GROUPS, AlertKind
from monitor.judge.groups import cut_facts
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Transition
from monitor.store.schema import (
    alert_connections,
    alerts,
    check_days,
    check_hours,
    checks,
    connections,
    notifications,
    transitions,
)
from monitor.store.statements import select_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Select, Table

    from monitor.judge.outcome import Reason
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One raw check."""

    at: datetime
    reason: Reason
    latency_ms: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """How far an alert came on one channel."""

    channel: str
    state: NotificationState
    attempts: int
    sent_at: datetime | None
    error: str | None
    next_attempt_at: datetime
    held_by: str | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert, whom it is about, and its deliveries."""

    id: int
    kind: str
    severity: str
    facts: dict[str, Any]
    born_at: datetime
    connections: tuple[str, ...]
    notifications: tuple[NotificationRow, ...]


def list_transitions(tx: Transaction, connection_id: int, limit: int) -> list[Transition]:
    """Return the latest transitions of a connection, the newest first."""
    latest = _transitions_of(connection_id).order_by(transitions.c.id.desc()).limit(limit)
    return [Transition(*row) for row in tx.execute(latest)]


def list_transitions_of_group(
    tx: Transaction, group: str, limit: int
) -> list[tuple[str, str, Transition]]:
    """Return the latest transitions in a group, each with the connection's name and provider."""
    columns = (transitions.c[each.name] for each in fields_of(Transition))
    rows = tx.execute(
        select(connections.c.name, connections.c.provider, *columns)
        .join(connections, connections.c.id == transitions.c.connection_id)
        .where(connections.c.group_name == group, connections.c.is_configured)
        .order_by(transitions.c.id.desc())
        .limit(limit)
    )
    return [(name, provider, Transition(*row)) for name, provider, *row in rows]


def list_states(tx: Transaction, connection_id: int, since: datetime) -> list[Transition]:
    """Return the changes of state after *since*, and the last one before it; the oldest first."""
    of_it = _transitions_of(connection_id)
    before = of_it.where(transitions.c.at < since).order_by(transitions.c.id.desc()).limit(1)
    after = of_it.where(transitions.c.at >= since).order_by(transitions.c.id)
    return [Transition(*row) for query in (before, after) for row in tx.execute(query)]


def _transitions_of(connection_id: int) -> Select[Any]:
    columns = (transitions.c[each.name] for each in fields_of(Transition))
    return select(*columns).where(transitions.c.connection_id == connection_id)


def list_checks(tx: Transaction, connection_id: int, limit: int) -> list[CheckRow]:
    """Return the latest raw checks of a connection, the newest first."""
    rows = tx.execute(
        select(checks)
        .where(checks.c.connection_id == connection_id)
        .order_by(checks.c.id.desc())
        .limit(limit)
    )
    return [
        CheckRow(
            row.at,
            row.reason,
            None if row.latency_us is None else row.latency_us / 1000,
            row.detail or "",
        )
        for row in rows
    ]


def list_alerts(
    tx: Transaction,
    limit: int,
    *,
    connection_id: int | None = None,
    only_dead: bool = False,
    before_id: int | None = None,
    only: OnlyOf | None = None,
) -> list[AlertRow]:
    """Return the latest alerts, or the latest before *before_id*, the newest first.

    Alerts that were only about entries taken out of the file are hidden with
    them.

    Args:
        only: The groups and channels that somebody sees; None for all.
    """
    about = select(alert_connections.c.alert_id)
    watched = about.join(connections).where(connections.c.is_configured)
    query = select(alerts).where(or_(alerts.c.id.in_(watched), alerts.c.id.not_in(about)))
    if only is not None:
        seen = watched.where(connections.c.group_name.in_(only.groups))
        query = select(alerts).where(alerts.c.id.in_(seen), alerts.c.kind.not_in(NEVER_FOR_GROUPS))
    query = query.order_by(alerts.c.id.desc()).limit(limit)
    if connection_id is not None:
        of_connection = about.where(alert_connections.c.connection_id == connection_id)
        query = query.where(alerts.c.id.in_(of_connection))
    if before_id is not None:
        query = query.where(alerts.c.id < before_id)
    if only_dead:
        query = query.where(
            exists().where(
                notifications.c.alert_id == alerts.c.id,
                notifications.c.state == NotificationState.DEAD,
                *([] if only is None else [notifications.c.channel.in_(only.channels)]),
            )
        )
    return _complete(tx, tx.execute(query).all(), only)


def _complete(tx: Transaction, rows: Sequence[Any], only: OnlyOf | None) -> list[AlertRow]:
    """Return alerts with whom they are about and how far they came."""
    ids = [row.id for row in rows]
    names = _names(tx, ids)
    sent = _deliveries(tx, ids)
    found = [
        AlertRow(
            row.id,
            row.kind,
            row.severity,
            row.facts,
            row.born_at,
            tuple(name for name, _ in names.get(row.id, ())),
            tuple(sent.get(row.id, ())),
        )
        for row in rows
    ]
    return found if only is None else [_cut(one, names[one.id], only) for one in found]


@dataclass(frozen=True, slots=True)
class OnlyOf:
    """What somebody sees who is limited to groups.

    Args:
        channels: The names of the channels that are there for these groups alone.
    """

    groups: frozenset[str]
    channels: frozenset[str]


def _cut(one: AlertRow, named: Sequence[tuple[str, str | None]], only: OnlyOf) -> AlertRow:
    """Return an alert as somebody sees it who is limited to groups."""
    seen = tuple(name for name, group in named if group in only.groups)
    facts = one.facts
    if len(seen) < len(named):
        facts = cut_facts(AlertKind(one.kind), facts, len(seen))
    sent = tuple(each for each in one.notifications if each.channel in only.channels)
    return replace(one, facts=facts, connections=seen, notifications=sent)


def _names(tx: Transaction, alert_ids: Sequence[int]) -> dict[int, list[tuple[str, str | None]]]:
    """Return the names and groups of the connections of alerts."""
    rows = tx.execute(
        select(alert_connections.c.alert_id, connections.c.name, connections.c.group_name)
        .join(connections, connections.c.id == alert_connections.c.connection_id)
        .where(alert_connections.c.alert_id.in_(alert_ids), connections.c.is_configured)
        .order_by(connections.c.id)
    )
    names: dict[int, list[tuple[str, str | None]]] = {}
    for alert_id, name, group in rows:
        names.setdefault(alert_id, []).append((name, group))
    return names


def _deliveries(tx: Transaction, alert_ids: Sequence[int]) -> dict[int, list[NotificationRow]]:
    columns = (notifications.c[each.name] for each in fields_of(NotificationRow))
    rows = tx.execute(
        select(notifications.c.alert_id, *columns)
        .where(notifications.c.alert_id.in_(alert_ids))
        .order_by(notifications.c.id)
    )
    deliveries: dict[int, list[NotificationRow]] = {}
    for alert_id, *row in rows:
        deliveries.setdefault(alert_id, []).append(NotificationRow(*row))
    return deliveries


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SumRow:
    """The checks of an hour or a day.

    Args:
        mean_ms: None where no answer was measured.
    """

    starts_at: datetime
    length: timedelta
    mean_ms: float | None
    n_failed: int


def list_sums(
    tx: Transaction, connection_id: int, since: datetime, hourly_since: datetime
) -> list[SumRow]:
    """Return whole days, and hours from the start of the day of *hourly_since*; oldest first.

    Every hour of a connection lies in another place of the file: ninety days of
    them would be two thousand places to read.
    """
    seam = hourly_since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = _list_sums_of(tx, check_days, DAY, connection_id, since, seam)
    hours = _list_sums_of(tx, check_hours, HOUR, connection_id, seam)
    return days + hours


def _list_sums_of(
    tx: Transaction,
    table: Table,
    length: timedelta,
    connection_id: int,
    since: datetime,
    until: datetime | None = None,
) -> list[SumRow]:
    query = select(table).where(table.c.connection_id == connection_id, table.c.starts_at >= since)
    if until is not None:
        query = query.where(table.c.starts_at < until)
    return [
        SumRow(
            row.starts_at,
            length,
            row.latency_us_sum / row.n_latency / 1000 if row.n_latency else None,
            row.n_refusal + row.n_inconclusive,
        )
        for row in tx.execute(query.order_by(table.c.starts_at))
    ]


MOST_EVENTS = 500
"""Of each kind at once."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """Up to where everything is known.

    Args:
        sent_at: The latest delivery on each channel that had any.
    """

    alert_id: int
    sent_at: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert that became due."""

    id: int
    kind: str
    severity: str


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A notification that a channel took."""

    alert_id: int
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RecentEvents:
    """What happened, and up to where it is known now."""

    alerts: list[AlertEvent]
    sent: list[SentEvent]
    horizon: Horizon


def find_horizon(tx: Transaction, channels: Sequence[str]) -> Horizon:
    """Return how far everything has come by now."""
    last_id: int = tx.execute(select(func.coalesce(func.max(alerts.c.id), 0))).scalar_one()
    sent_at = {}
    for channel in channels:
        latest = select(func.max(notifications.c.sent_at)).where(notifications.c.channel == channel)
        at = tx.execute(latest).scalar_one()
        if at is not None:
            sent_at[channel] = at
    return Horizon(last_id, sent_at)


def events_since(tx: Transaction, horizon: Horizon, channels: Sequence[str]) -> RecentEvents:
    """Return what happened after *horizon*, the oldest first."""
    rows = tx.execute(
        select(alerts.c.id, alerts.c.kind, alerts.c.severity)
        .where(alerts.c.id > horizon.alert_id)
        .order_by(alerts.c.id)
        .limit(MOST_EVENTS)
    )
    born = [AlertEvent(*row) for row in rows]
    sent: list[SentEvent] = []
    for channel in channels:
        sent += _sent_since(tx, channel, horizon.sent_at.get(channel))
    latest = horizon.sent_at | {one.channel: one.at for one in sent}
    return RecentEvents(born, sent, Horizon(born[-1].id if born else horizon.alert_id, latest))


def _sent_since(tx: Transaction, channel: str, after: datetime | None) -> list[SentEvent]:
    query = select(notifications.c.alert_id, notifications.c.channel, notifications.c.sent_at)
    query = query.where(notifications.c.channel == channel, notifications.c.sent_at.is_not(None))
    if after is not None:
        query = query.where(notifications.c.sent_at > after)
    rows = tx.execute(query.order_by(notifications.c.sent_at).limit(MOST_EVENTS))
    return [SentEvent(*row) for row in rows]


def groups_of_alerts(
    tx: Transaction, alert_ids: Collection[int]
) -> dict[int, frozenset[str | None]]:
    """Return the groups of the connections of alerts, by alert.

    What concerns connwatch itself has none, whichever connections it names.
    """
    query = (
        select(alert_connections.c.alert_id, connections.c.group_name)
        .distinct()
        .join(connections, connections.c.id == alert_connections.c.connection_id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(connections.c.is_configured, alerts.c.kind.not_in(NEVER_FOR_GROUPS))
    )
    found: dict[int, set[str | None]] = {}
    for number, group in select_in(tx, query, alert_connections.c.alert_id, alert_ids):
        found.setdefault(number, set()).add(group)
    return {number: frozenset(groups) for number, groups in found.items()}


def count_dead(tx: Transaction) -> int:
    """Return how many notifications were given up."""
    dead = select(func.count()).where(notifications.c.state == NotificationState.DEAD)
    count: int = tx.execute(dead).scalar_one()
    return count
