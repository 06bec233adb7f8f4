"""Keep alerts, whom they are about, and their notifications; take back unsent ones.

Who receives an alert, when, and what is suppressed is decided by whoever calls; how notifications
are sent stands in `outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, insert, not_, or_, select, update

from monitor.judge.alerts import CLOSED_BY, OPENED_BY, AlertKind
from monitor.judge.batch import Retractable
from monitor.judge.dispatch import NewAlert, NewNotification
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import State
from monitor.store import reminders
from monitor.store.outbox import is_unclaimed
from monitor.store.schema import alert_connections, alerts, connections, notifications, outages
from monitor.store.statements import delete_in, execute_many, in_pieces, is_watched, select_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from monitor.judge.alerts import AlertDue
    from monitor.judge.suppression import Suppression
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class NotificationStart:
    """How a notification begins.

    Args:
        send_at: Not before that, so that others of its kind can join it.
        hold: What holds it back; None if it may go.
    """

    send_at: datetime
    hold: Suppression | None = None


def add_alert(
    tx: Transaction,
    alert: AlertDue,
    connection_ids: Sequence[int],
    channels: Iterable[str],
    now: datetime,
    births: Mapping[str, NotificationStart] | None = None,
) -> int:
    """Keep an alert and the notifications that make it due; return the alert's id.

    Args:
        births: How the notifications of channels begin that must wait.
    """
    waits = births or {}
    notes = [
        NewNotification(name, now, birth.send_at, birth.hold)
        for name, birth in ((name, waits.get(name, NotificationStart(now))) for name in channels)
    ]
    [number] = add_all(tx, [NewAlert(alert, dict.fromkeys(connection_ids, ""), now, notes)])
    assert number is not None
    return number


_ADD = insert(alerts).returning(alerts.c.id)


def add_all(tx: Transaction, made: Sequence[NewAlert | None]) -> list[int | None]:
    """Keep alerts, whom they are about, what makes them due, and when people are reminded of them.

    Returns:
        The id of each, None where there was none.
    """
    ids = [None if new is None else _add(tx, new) for new in made]
    kept = [(number, new) for number, new in zip(ids, made, strict=True) if new and number]
    about = [
        {"alert_id": number, "connection_id": each} for number, new in kept for each in new.about
    ]
    execute_many(tx, insert(alert_connections), about)
    rows = [_notification(number, one) for number, new in kept for one in new.notifications]
    execute_many(tx, insert(notifications), rows)
    reminders.add_reminder(tx, [(number, new.remind_at) for number, new in kept if new.remind_at])
    return ids


def _add(tx: Transaction, new: NewAlert) -> int:
    alert = new.alert
    values = {"kind": alert.kind, "severity": alert.severity, "facts": alert.facts}
    alert_id: int = tx.execute(_ADD, values | {"born_at": new.born_at}).scalar_one()
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
        "held_by": hold and hold.by,
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
    """Return, by connection, the alerts that one of *closing* would close.

    They went out to a channel since the last one that closed such.

    Args:
        is_any: Stop as soon as some are found.
    """
    kinds = {"opening": OPENED_BY[closing], "closing": CLOSED_BY[closing]}
    found: dict[int, list[int]] = {}
    for piece in in_pieces(connection_ids):
        for number, alert_id in tx.execute(_OPENED, kinds | {"ids": piece}):
            found.setdefault(number, []).append(alert_id)
        if is_any and found:
            break
    return found


def about_of(tx: Transaction, alert_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """Return for each alert the names of its connections, by their ids."""
    query = (
        select(alert_connections.c.alert_id, connections.c.id, connections.c.name)
        .join(connections, connections.c.id == alert_connections.c.connection_id)
        .order_by(connections.c.id)
    )
    names: dict[int, dict[int, str]] = {}
    for alert_id, number, name in select_in(tx, query, alert_connections.c.alert_id, alert_ids):
        names.setdefault(alert_id, {})[number] = name
    return names


def withdraw_notifications(tx: Transaction, notification_ids: Collection[int]) -> None:
    """Take notifications out that nobody needs to hear of any more."""
    delete_in(tx, notifications.c.id, notification_ids)


def list_retractable(
    tx: Transaction, host: str | None, now: datetime, also: Collection[int] = ()
) -> list[Retractable]:
    """Return the errors of the connections that fail at *host* of which no word has gone out yet.

    Args:
        host: None for all hosts.
        also: Connections that fail there since just now.
    """
    fails = connections.c.failed_host
    is_here = fails.is_not(None) if host is None else fails == host
    of_alert = notifications.c.alert_id == alerts.c.id
    rows = tx.execute(
        select(
            alerts.c.id,
            connections.c.id,
            connections.c.reason,
            connections.c.is_unexplained,
            connections.c.announced_reason,
            connections.c.application,
        )
        .join(alert_connections, alert_connections.c.connection_id == connections.c.id)
        .join(alerts, alerts.c.id == alert_connections.c.alert_id)
        .where(
            is_watched(),
            or_(is_here, connections.c.id.in_(also)) if also else is_here,
            connections.c.announced_state == State.ERROR,
            alerts.c.kind == AlertKind.ERROR,
            alerts.c.born_at >= connections.c.since,
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
        .order_by(connections.c.id, alerts.c.id)
    )
    return [
        Retractable(
            alert_id,
            number,
            reason,
            is_unexplained,
            application if announced and announced.is_of_application else None,
        )
        for alert_id, number, reason, is_unexplained, announced, application in rows
    ]


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
            alerts.c.kind == AlertKind.OUTAGE,
            alerts.c.born_at >= started_at.scalar_subquery(),
            exists().where(of_alert),
            ~exists().where(of_alert, _is_begun(now)),
        )
    )
    return {row.id: row.facts["host"] for row in rows}


def withdraw_outages(tx: Transaction, unsent: Mapping[int, str]) -> None:
    """Take back the news of hosts that are out.

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
    delete_in(tx, alerts.c.id, alert_ids)
