"""
Read what happened: transitions, checks, alerts and their deliveries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, or_, select

from monitor.judge.outcome import Reason, State
from monitor.judge.state import Transition
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState
from monitor.store.tables import checks, connections, transitions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class CheckRow:
    """
    One raw check.
    """

    at: datetime
    reason: Reason
    latency_ms: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    How far an alert came on one channel.
    """

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
    """
    An alert, whom it is about, and its deliveries.
    """

    id: int
    kind: str
    severity: str
    facts: dict[str, Any]
    born_at: datetime
    connections: tuple[str, ...]
    notifications: tuple[Delivery, ...]


def list_transitions(tx: Transaction, connection_id: int, limit: int) -> list[Transition]:
    """
    Return the latest transitions of a connection, the newest first.
    """
    rows = tx.execute(
        select(transitions)
        .where(transitions.c.connection_id == connection_id)
        .order_by(transitions.c.id.desc())
        .limit(limit)
    )
    return [
        Transition(
            row.at, State(row.from_state), State(row.to_state), Reason(row.reason), row.detail
        )
        for row in rows
    ]


def list_checks(tx: Transaction, connection_id: int, limit: int) -> list[CheckRow]:
    """
    Return the latest raw checks of a connection, the newest first.
    """
    rows = tx.execute(
        select(checks)
        .where(checks.c.connection_id == connection_id)
        .order_by(checks.c.id.desc())
        .limit(limit)
    )
    return [
        CheckRow(
            row.at,
            Reason(row.reason),
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
) -> list[AlertRow]:
    """
    Return the latest alerts, or the latest before *before_id*, the newest first.

    Alerts that were only about entries taken out of the file are hidden with
    them.
    """
    about = select(alert_connections.c.alert_id)
    watched = about.join(connections).where(connections.c.is_configured)
    query = select(alerts).where(or_(alerts.c.id.in_(watched), alerts.c.id.not_in(about)))
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
            )
        )
    rows = tx.execute(query).all()
    ids = [row.id for row in rows]
    names = _names(tx, ids)
    deliveries = _deliveries(tx, ids)
    return [
        AlertRow(
            row.id,
            row.kind,
            row.severity,
            row.facts,
            row.born_at,
            tuple(names.get(row.id, ())),
            tuple(deliveries.get(row.id, ())),
        )
        for row in rows
    ]


def _names(tx: Transaction, alert_ids: Sequence[int]) -> dict[int, list[str]]:
    rows = tx.execute(
        select(alert_connections.c.alert_id, connections.c.name)
        .join(connections, connections.c.id == alert_connections.c.connection_id)
        .where(alert_connections.c.alert_id.in_(alert_ids), connections.c.is_configured)
        .order_by(connections.c.id)
    )
    names: dict[int, list[str]] = {}
    for alert_id, name in rows:
        names.setdefault(alert_id, []).append(name)
    return names


def _deliveries(tx: Transaction, alert_ids: Sequence[int]) -> dict[int, list[Delivery]]:
    rows = tx.execute(
        select(notifications)
        .where(notifications.c.alert_id.in_(alert_ids))
        .order_by(notifications.c.id)
    )
    deliveries: dict[int, list[Delivery]] = {}
    for row in rows:
        deliveries.setdefault(row.alert_id, []).append(
            Delivery(
                row.channel,
                NotificationState(row.state),
                row.attempts,
                row.sent_at,
                row.error,
                row.next_attempt_at,
                row.held_by,
                row.held_until,
            )
        )
    return deliveries
