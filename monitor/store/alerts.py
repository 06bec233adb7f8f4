"""
Keep alerts, whom they are about, and the notifications that make them due.

Who is told, when, and what is held back is decided by whoever calls; how
notifications are sent stands in `outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, func, insert, select

from monitor.judge.alerts import CLOSED_BY, OPENED_BY
from monitor.judge.dispatch import NewAlert, NewNotification
from monitor.store import reminders
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.outbox import NotificationState
from monitor.store.pieces import in_pieces
from monitor.store.tables import connections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Select

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
    waits = births or {}
    notes = [
        NewNotification(name, now, birth.send_at, birth.hold)
        for name, birth in ((name, waits.get(name, Birth(now))) for name in channels)
    ]
    [number] = add_all(tx, [NewAlert(alert, dict.fromkeys(connection_ids, ""), now, notes)])
    assert number is not None
    return number


_ADD = insert(alerts).returning(alerts.c.id)


def add_all(tx: Transaction, made: Sequence[NewAlert | None]) -> list[int | None]:
    """
    Keep alerts, whom they are about, what makes them due, and when people are reminded of them.

    Returns:
        The id of each, None where there was none.
    """
    ids = [None if new is None else _add(tx, new) for new in made]
    kept = [(number, new) for number, new in zip(ids, made, strict=True) if new and number]
    about = [
        {"alert_id": number, "connection_id": each} for number, new in kept for each in new.about
    ]
    if about:
        tx.execute(insert(alert_connections), about)
    rows = [_notification(number, one) for number, new in kept for one in new.notifications]
    if rows:
        tx.execute(insert(notifications), rows)
    reminders.add(tx, [(number, new.remind_at) for number, new in kept if new.remind_at])
    return ids


def _add(tx: Transaction, new: NewAlert) -> int:
    values = {
        "kind": new.alert.kind.value,
        "severity": new.alert.severity.value,
        "facts": new.alert.facts,
        "born_at": new.born_at,
    }
    alert_id: int = tx.execute(_ADD, values).scalar_one()
    return alert_id


def _notification(alert_id: int, one: NewNotification) -> dict[str, Any]:
    hold = one.hold
    return {
        "alert_id": alert_id,
        "channel": one.channel,
        "state": NotificationState.DUE if hold is None else NotificationState.HELD,
        "attempts": 0,
        "due_since": one.due_since,
        "next_attempt_at": one.send_at,
        "held_by": hold and hold.by.value,
        "held_until": hold and hold.until,
    }


def _select_opened() -> Select[Any]:
    of_connections = select(alert_connections.c.connection_id).join(alerts)
    is_one = alert_connections.c.connection_id.in_(bindparam("ids", expanding=True))
    last = (
        of_connections.add_columns(func.max(alerts.c.id).label("closed_by"))
        .where(is_one, alerts.c.kind.in_(bindparam("closing", expanding=True)))
        .group_by(alert_connections.c.connection_id)
        .subquery()
    )
    return (
        of_connections.add_columns(alerts.c.id.label("alert_id"))
        .outerjoin(last, last.c.connection_id == alert_connections.c.connection_id)
        .where(
            is_one,
            alerts.c.kind.in_(bindparam("opening", expanding=True)),
            alerts.c.id > func.coalesce(last.c.closed_by, 0),
            exists().where(notifications.c.alert_id == alerts.c.id),
        )
    )


_OPENED = _select_opened()


def list_opened(
    tx: Transaction, connection_ids: Collection[int], closing: AlertKind, *, is_any: bool = False
) -> dict[int, list[int]]:
    """
    Return, by connection, the alerts that one of *closing* would close.

    They went out to a channel since the last one that closed such.

    Args:
        is_any: Stop as soon as some are found.
    """
    kinds = {
        "opening": [kind.value for kind in OPENED_BY[closing]],
        "closing": [kind.value for kind in CLOSED_BY[closing]],
    }
    found: dict[int, list[int]] = {}
    for piece in in_pieces(connection_ids):
        for number, alert_id in tx.execute(_OPENED, kinds | {"ids": piece}):
            found.setdefault(number, []).append(alert_id)
        if is_any and found:
            break
    return found


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
