"""
Take back alerts that nobody has heard of, because one cause speaks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, not_, or_, select, update

from monitor.judge.alerts import AlertKind
from monitor.judge.batch import Retractable
from monitor.judge.outcome import Reason, State
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections, outages
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from monitor.store.engine import Transaction


def list_retractable(
    tx: Transaction, host: str | None, now: datetime, also: Collection[int] = ()
) -> list[Retractable]:
    """
    Return the errors of the connections that fail at *host* of which no word has gone out yet.

    Args:
        host: None for all hosts.
        also: Connections that fail there since just now.
    """
    fails, is_unexplained = connections.c.failed_host, connections.c.is_unexplained
    is_here = fails.is_not(None) if host is None else fails == host
    of_alert = notifications.c.alert_id == alerts.c.id
    rows = tx.execute(
        select(alerts.c.id, connections.c.id, connections.c.reason, is_unexplained)
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(
            is_watched(),
            or_(is_here, connections.c.id.in_(also)) if also else is_here,
            connections.c.announced_state == State.ERROR.value,
            alerts.c.kind == AlertKind.ERROR.value,
            alerts.c.born_at >= connections.c.since,
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
        .order_by(connections.c.id, alerts.c.id)
    )
    return [Retractable(row[0], row[1], Reason(row[2]), row[3]) for row in rows]


def take_back(tx: Transaction, errors: Collection[Retractable]) -> None:
    """Take back errors of which no word has gone out, because one cause speaks for them."""
    delete_alerts(tx, [one.alert_id for one in errors])
    for piece in in_pieces({one.connection_id for one in errors}):
        tx.execute(
            update(connections)
            .where(connections.c.id.in_(piece))
            .values(announced_state=None, announced_reason=None)
        )


def list_unsent_outages(tx: Transaction, now: datetime) -> dict[int, str]:
    """Return, by alert, the hosts that are out and of which no word has gone out yet."""
    started_at = select(func.min(outages.c.started_at)).where(outages.c.ended_at.is_(None))
    of_alert = notifications.c.alert_id == alerts.c.id
    rows = tx.execute(
        select(alerts.c.id, alerts.c.facts).where(
            alerts.c.kind == AlertKind.OUTAGE.value,
            alerts.c.born_at >= started_at.scalar_subquery(),
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
    )
    return {row.id: row.facts["host"] for row in rows}


def take_back_outages(tx: Transaction, unsent: Mapping[int, str]) -> None:
    """
    Take back the news of hosts that are out.

    What is still out when it is looked at again is announced then.
    """
    delete_alerts(tx, list(unsent))
    is_one = outages.c.host.in_(list(unsent.values()))
    tx.execute(update(outages).where(outages.c.ended_at.is_(None), is_one).values(is_told=False))


def _is_begun(now: datetime) -> Any:
    is_waiting = notifications.c.state.in_((NotificationState.DUE, NotificationState.HELD))
    return or_(
        ~is_waiting,
        notifications.c.attempts > 0,
        notifications.c.message_id.is_not(None),
        not_(is_unclaimed(now)),
    )


def delete_alerts(tx: Transaction, alert_ids: Collection[int]) -> None:
    """Delete alerts, with their notifications."""
    for piece in in_pieces(alert_ids):
        tx.execute(delete(alerts).where(alerts.c.id.in_(piece)))
