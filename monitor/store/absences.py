"""
Read what changed around a time when nobody watched.

Whether that is worth telling is left to `monitor.resuming`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from monitor.judge.outcome import State
from monitor.store.alert_tables import alert_connections, alerts
from monitor.store.tables import connections, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.alerts import AlertKind
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Mark:
    """
    How far history had come at an instant.
    """

    transition_id: int
    alert_id: int


def last_checked_at(tx: Transaction) -> datetime | None:
    """
    Return when anything that is watched was last checked.
    """
    query = select(func.max(connections.c.checked_at)).where(is_watched())
    at: datetime | None = tx.execute(query).scalar_one()
    return at


def mark(tx: Transaction) -> Mark:
    """
    Return how far history has come.
    """
    n_transitions, n_alerts = (
        tx.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        for table in (transitions, alerts)
    )
    return Mark(n_transitions, n_alerts)


def is_any_unasked(tx: Transaction, since: datetime) -> bool:
    """
    Tell whether anything that is watched has not been checked *since*.
    """
    query = select(connections.c.id).where(
        is_watched(),
        connections.c.next_check_at.is_not(None),
        or_(connections.c.checked_at.is_(None), connections.c.checked_at < since),
    )
    return tx.execute(query.limit(1)).first() is not None


def changed_states(tx: Transaction, after: Mark) -> dict[int, tuple[str, State, State]]:
    """
    Return name, first and latest state of the connections that changed after a mark.
    """
    rows = tx.execute(
        select(
            connections.c.id,
            connections.c.name,
            transitions.c.from_state,
            transitions.c.to_state,
        )
        .join(transitions, transitions.c.connection_id == connections.c.id)
        .where(transitions.c.id > after.transition_id, is_watched())
        .order_by(transitions.c.id)
    )
    changed: dict[int, tuple[str, State, State]] = {}
    for number, name, before, state in rows:
        first = changed[number][1] if number in changed else State(before)
        changed[number] = (name, first, State(state))
    return changed


def alerts_after(
    tx: Transaction, after: Mark, kinds: Collection[AlertKind]
) -> list[tuple[int, str, str]]:
    """
    Return connection, its name and the kind of the alerts of *kinds* born after a mark.
    """
    rows = tx.execute(
        select(connections.c.id, connections.c.name, alerts.c.kind)
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(alerts.c.id > after.alert_id, alerts.c.kind.in_(kinds), is_watched())
        .order_by(alerts.c.id, connections.c.id)
    )
    return [(number, name, kind) for number, name, kind in rows]
