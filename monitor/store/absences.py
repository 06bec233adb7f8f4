"""
Keep a time when nobody watched, and read what changed around it.

Whether that is worth telling is left to `monitor.resuming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from monitor.judge.outcome import State
from monitor.store import watermarks
from monitor.store.alert_tables import alert_connections, alerts
from monitor.store.tables import connections, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.alerts import AlertKind
    from monitor.store.engine import Transaction


SINCE, UNTIL = "absent since", "absent until"


def last_checked_at(tx: Transaction) -> datetime | None:
    """
    Return when anything that is watched was last checked.
    """
    query = select(func.max(connections.c.checked_at)).where(is_watched())
    at: datetime | None = tx.execute(query).scalar_one()
    return at


def find_untold(tx: Transaction) -> tuple[datetime, datetime] | None:
    """
    Return from when to when an absence lasted of which it is not settled yet what to tell.
    """
    since, until = watermarks.find(tx, SINCE), watermarks.find(tx, UNTIL)
    return None if since is None or until is None else (since, until)


def keep_untold(tx: Transaction, since: datetime, until: datetime) -> None:
    """
    Keep an absence until it is settled what to tell of it.
    """
    watermarks.keep(tx, SINCE, since)
    watermarks.keep(tx, UNTIL, until)


def drop_untold(tx: Transaction) -> None:
    """
    Note that there is nothing more to tell.
    """
    for name in (SINCE, UNTIL):
        watermarks.drop(tx, name)


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


def list_watched(tx: Transaction) -> set[str]:
    """
    Return the names of the connections that are checked.
    """
    return set(tx.execute(select(connections.c.name).where(is_watched())).scalars())


def changed_states(tx: Transaction, after: datetime) -> dict[int, tuple[str, State, State]]:
    """
    Return name, first and latest state of the connections that changed after an instant.
    """
    rows = tx.execute(
        select(
            connections.c.id,
            connections.c.name,
            transitions.c.from_state,
            transitions.c.to_state,
        )
        .join(transitions, transitions.c.connection_id == connections.c.id)
        .where(transitions.c.at > after, is_watched())
        .order_by(transitions.c.id)
    )
    changed: dict[int, tuple[str, State, State]] = {}
    for number, name, before, state in rows:
        first = changed[number][1] if number in changed else State(before)
        changed[number] = (name, first, State(state))
    return changed


def alerts_after(
    tx: Transaction, after: datetime, kinds: Collection[AlertKind]
) -> list[tuple[int, str, str]]:
    """
    Return connection, its name and the kind of the alerts of *kinds* born after an instant.
    """
    rows = tx.execute(
        select(connections.c.id, connections.c.name, alerts.c.kind)
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(alerts.c.born_at > after, alerts.c.kind.in_(kinds), is_watched())
        .order_by(alerts.c.id, connections.c.id)
    )
    return [(number, name, kind) for number, name, kind in rows]
