"""
Take back alerts that nobody has heard of, because one cause speaks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, not_, or_, select, update

from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import Reason, State
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections, outages
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.store.engine import Transaction

_INCONCLUSIVE = [reason.value for reason in Reason if not reason.is_conclusive]


def take_back_errors(tx: Transaction, host: str | None, now: datetime) -> dict[int, str]:
    """
    Take back the errors of the connections that fail at *host*; return the reason of each.

    Those only of which no word has gone out yet, on any channel.

    Args:
        host: None for all hosts that fail.
    """
    fails = connections.c.failed_host
    of_alert = notifications.c.alert_id == alerts.c.id
    rows = tx.execute(
        select(alerts.c.id, connections.c.id, connections.c.reason)
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(
            is_watched(),
            fails.is_not(None) if host is None else fails == host,
            connections.c.announced_state == State.ERROR.value,
            or_(connections.c.is_unexplained, connections.c.reason.in_(_INCONCLUSIVE)),
            alerts.c.kind == AlertKind.ERROR.value,
            alerts.c.born_at >= connections.c.since,
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
    ).all()
    _delete(tx, [alert_id for alert_id, _, _ in rows])
    reasons = {number: reason for _, number, reason in rows}
    _forget_announced(tx, reasons)
    return reasons


def take_back_outages(tx: Transaction, now: datetime) -> None:
    """
    Take back the news of hosts that are out, as far as no word of it has gone out yet.

    What is still out when it is looked at again is told then.
    """
    started_at = select(func.min(outages.c.started_at)).where(outages.c.ended_at.is_(None))
    of_alert = notifications.c.alert_id == alerts.c.id
    untold = tx.execute(
        select(alerts.c.id, alerts.c.facts).where(
            alerts.c.kind == AlertKind.OUTAGE.value,
            alerts.c.born_at >= started_at.scalar_subquery(),
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
    ).all()
    _delete(tx, [row.id for row in untold])
    is_one = outages.c.host.in_([row.facts["host"] for row in untold])
    tx.execute(update(outages).where(outages.c.ended_at.is_(None), is_one).values(is_told=False))


def _is_begun(now: datetime) -> Any:
    is_waiting = notifications.c.state.in_((NotificationState.DUE, NotificationState.HELD))
    return or_(
        ~is_waiting,
        notifications.c.attempts > 0,
        notifications.c.message_id.is_not(None),
        not_(is_unclaimed(now)),
    )


def _delete(tx: Transaction, alert_ids: list[int]) -> None:
    for piece in in_pieces(alert_ids):
        tx.execute(delete(alerts).where(alerts.c.id.in_(piece)))


def _forget_announced(tx: Transaction, ids: Collection[int]) -> None:
    listed = sorted(ids)
    for piece in in_pieces(listed):
        tx.execute(
            update(connections)
            .where(connections.c.id.in_(piece))
            .values(announced_state=None, announced_reason=None)
        )


def announced_among(
    tx: Transaction,
    ids: Collection[int],
    opening: Collection[AlertKind],
    closing: Collection[AlertKind],
) -> set[int]:
    """
    Return those of *ids* about which an alert of *opening* was born since the last of *closing*.
    """
    kinds = [kind.value for kind in (*opening, *closing)]
    closed = [kind.value for kind in closing]
    found = set()
    for piece in in_pieces(ids):
        last = (
            select(alert_connections.c.connection_id, func.max(alerts.c.id).label("alert_id"))
            .join(alerts)
            .where(
                alert_connections.c.connection_id.in_(piece),
                alerts.c.kind.in_(kinds),
            )
            .group_by(alert_connections.c.connection_id)
            .subquery()
        )
        query = (
            select(last.c.connection_id)
            .join(alerts, alerts.c.id == last.c.alert_id)
            .where(alerts.c.kind.not_in(closed))
        )
        found |= set(tx.execute(query).scalars())
    return found
