"""
Keep alerts, whom they are about, and the notifications that make them due.

Who is told, when, and what is held back is decided by whoever calls; how
notifications are sent stands in `outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, insert, select

from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue, AlertKind
    from monitor.judge.hold import Hold
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Birth:
    """
    How a notification begins.

    Args:
        send_at: Not before that, so that others of its kind can join it.
        hold: What holds it back; None if it may go.
    """

    send_at: datetime
    hold: Hold | None = None


def add_alert(
    tx: Transaction,
    alert: AlertDue,
    connection_ids: Sequence[int],
    channels: Iterable[str],
    now: datetime,
    births: Mapping[str, Birth] | None = None,
) -> int:
    """
    Keep an alert and the notifications that make it due; return the alert's id.

    Args:
        births: How the notifications of channels begin that must wait.
    """
    values: dict[str, Any] = {
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "facts": alert.facts,
        "born_at": now,
    }
    alert_id: int = tx.execute(insert(alerts).values(values).returning(alerts.c.id)).scalar_one()
    if connection_ids:
        tx.execute(
            insert(alert_connections),
            [{"alert_id": alert_id, "connection_id": number} for number in connection_ids],
        )
    _add_notifications(tx, alert_id, channels, now, births or {})
    return alert_id


def add_to_alert(
    tx: Transaction,
    alert_id: int,
    connection_id: int,
    channels: Iterable[str],
    now: datetime,
    births: Mapping[str, Birth] | None = None,
) -> None:
    """
    Let an alert speak for one more connection, on its channels as well.

    Nothing changes if it speaks for that connection already.
    """
    about = select(alert_connections.c.connection_id).where(
        alert_connections.c.alert_id == alert_id
    )
    if connection_id in tx.execute(about).scalars():
        return
    told = select(notifications.c.channel).where(notifications.c.alert_id == alert_id)
    known = set(tx.execute(told).scalars())
    tx.execute(insert(alert_connections).values(alert_id=alert_id, connection_id=connection_id))
    new = [name for name in channels if name not in known]
    _add_notifications(tx, alert_id, new, now, births or {})


def _add_notifications(
    tx: Transaction,
    alert_id: int,
    channels: Iterable[str],
    now: datetime,
    births: Mapping[str, Birth],
) -> None:
    rows = []
    for channel in channels:
        birth = births.get(channel, Birth(now))
        hold = birth.hold
        rows.append(
            {
                "alert_id": alert_id,
                "channel": channel,
                "state": NotificationState.DUE if hold is None else NotificationState.HELD,
                "attempts": 0,
                "due_since": now,
                "next_attempt_at": birth.send_at,
                "held_by": hold and hold.by.value,
                "held_until": hold and hold.until,
            }
        )
    if rows:
        tx.execute(insert(notifications), rows)


def was_announced(
    tx: Transaction,
    connection_ids: Collection[int],
    opening: Collection[AlertKind],
    closing: Collection[AlertKind],
) -> bool:
    """
    Tell whether an alert of *opening* about any of them went out since the last of *closing*.
    """
    of_connections = select(alert_connections.c.connection_id).join(alerts)
    for piece in in_pieces(connection_ids):
        last = (
            of_connections.add_columns(func.max(alerts.c.id).label("closed_by"))
            .where(
                alert_connections.c.connection_id.in_(piece),
                alerts.c.kind.in_(kind.value for kind in closing),
            )
            .group_by(alert_connections.c.connection_id)
            .subquery()
        )
        opened = of_connections.outerjoin(
            last, last.c.connection_id == alert_connections.c.connection_id
        ).where(
            alert_connections.c.connection_id.in_(piece),
            alerts.c.kind.in_(kind.value for kind in opening),
            alerts.c.id > func.coalesce(last.c.closed_by, 0),
            exists().where(notifications.c.alert_id == alerts.c.id),
        )
        if tx.execute(opened.limit(1)).first() is not None:
            return True
    return False


def about_of(tx: Transaction, alert_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """
    Return for each alert the names of its connections, by their ids.
    """
    names: dict[int, dict[int, str]] = {}
    for piece in in_pieces(alert_ids):
        rows = tx.execute(
            select(alert_connections.c.alert_id, connections.c.id, connections.c.name)
            .join(connections, connections.c.id == alert_connections.c.connection_id)
            .where(alert_connections.c.alert_id.in_(piece))
            .order_by(connections.c.id)
        )
        for alert_id, number, name in rows:
            names.setdefault(alert_id, {})[number] = name
    return names


def take_back(tx: Transaction, notification_ids: Collection[int]) -> None:
    """
    Take notifications out that nobody needs to hear of any more.
    """
    for piece in in_pieces(notification_ids):
        tx.execute(delete(notifications).where(notifications.c.id.in_(piece)))
