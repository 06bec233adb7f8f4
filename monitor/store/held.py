"""
Keep what is held back, hold what is due, and find what bears on it.

What holds a notification is decided in `monitor.judge.hold`, whether it is
still worth sending in `monitor.judge.held`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from monitor.judge.alerts import (
    CLOSED_BY,
    OPENED_BY,
    OPENING_OR_CLOSING,
    RELATED,
    AlertKind,
    Key,
    Severity,
    is_known_by_connections,
    keys_of,
)
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.alerts import about_of
from monitor.store.outbox import NotificationState, is_unclaimed
from monitor.store.pieces import in_pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Row, Select

    from monitor.judge.hold import Hold
    from monitor.store.engine import Transaction

_RELATED = {kind.value for kind in RELATED}
_LARGER = {kind.value for kind in RELATED if not is_known_by_connections(kind)}
_WIDE = {kind.value for kind in OPENING_OR_CLOSING if not is_known_by_connections(kind)}
MOST_WIDE_BEFORE = 500
"""How far back the beginning of a trouble is looked for that no connection leads to."""


@dataclass(frozen=True, slots=True)
class Pending:
    """
    A notification that was not sent yet, with what it tells.

    Args:
        about: The names of the connections, by their ids.
    """

    id: int
    alert_id: int
    channel: str
    kind: AlertKind
    severity: Severity
    about: dict[int, str]
    is_held: bool


@dataclass(frozen=True, slots=True)
class Past:
    """
    An alert that may bear on what is held.

    Args:
        channels: Where it is, or was, to be told.
    """

    id: int
    kind: AlertKind
    keys: frozenset[Key]
    channels: frozenset[str]


def is_any_over(tx: Transaction, now: datetime) -> bool:
    """
    Tell whether something was held until *now*.
    """
    query = select(notifications.c.id).where(notifications.c.held_until <= now).limit(1)
    return tx.execute(query).first() is not None


_PENDING = select(
    notifications.c.id,
    notifications.c.alert_id,
    notifications.c.channel,
    notifications.c.state,
    alerts.c.kind,
    alerts.c.severity,
).join(alerts, alerts.c.id == notifications.c.alert_id)


_IS_DUE = notifications.c.state == NotificationState.DUE


def list_held(
    tx: Transaction, until: datetime | None = None, alert_id: int | None = None
) -> list[Pending]:
    """
    Return what is held, or only what is held until *until*, or of one alert; the oldest first.
    """
    query = _PENDING.where(notifications.c.state == NotificationState.HELD)
    if until is not None:
        query = query.where(notifications.c.held_until <= until)
    if alert_id is not None:
        query = query.where(notifications.c.alert_id == alert_id)
    return _read(tx, query)


def list_unsent(tx: Transaction, now: datetime) -> list[Pending]:
    """
    Return what waits to be sent, and is not being sent at this moment; the oldest first.
    """
    return _read(tx, _PENDING.where(_IS_DUE, is_unclaimed(now)))


def has_unsent(tx: Transaction, channels: Collection[str], now: datetime) -> bool:
    """
    Tell whether something waits to be sent to *channels* that is not critical.
    """
    query = _PENDING.where(
        _IS_DUE,
        is_unclaimed(now),
        notifications.c.channel.in_(channels),
        alerts.c.severity != Severity.CRITICAL,
    )
    return tx.execute(query.limit(1)).first() is not None


def _read(tx: Transaction, query: Select[Any]) -> list[Pending]:
    rows = tx.execute(query.order_by(notifications.c.id)).all()
    about = about_of(tx, {row.alert_id for row in rows})
    return [
        Pending(
            row.id,
            row.alert_id,
            row.channel,
            AlertKind(row.kind),
            Severity(row.severity),
            about.get(row.alert_id, {}),
            row.state == NotificationState.HELD,
        )
        for row in rows
    ]


_HOLD = (
    update(notifications)
    .where(notifications.c.id == bindparam("of_id"))
    .values(
        state=NotificationState.HELD,
        held_by=bindparam("held_by"),
        held_until=bindparam("held_until"),
    )
)


def hold(tx: Transaction, held: Iterable[tuple[int, Hold]]) -> None:
    """
    Hold notifications back, by their ids.
    """
    values = [
        {"of_id": number, "held_by": one.by.value, "held_until": one.until} for number, one in held
    ]
    if values:
        tx.execute(_HOLD, values)


def release(tx: Transaction, numbers: Collection[int], now: datetime) -> None:
    """
    Make notifications due that were held back; the time for retries begins now.
    """
    for piece in in_pieces(numbers):
        tx.execute(
            update(notifications)
            .where(notifications.c.id.in_(piece))
            .values(
                state=NotificationState.DUE,
                held_by=None,
                held_until=None,
                due_since=now,
                next_attempt_at=now,
            )
        )


def list_dead(tx: Transaction) -> list[Pending]:
    """
    Return what was given up, the oldest first.
    """
    return _read(tx, _PENDING.where(notifications.c.state == NotificationState.DEAD))


def list_since(
    tx: Transaction,
    alert_id: int,
    connection_ids: Collection[int],
    *,
    with_larger: bool,
    only_sent: bool = False,
) -> list[Past]:
    """
    Return, from *alert_id* on, what begins, ends or overtakes a trouble of *connection_ids*.

    Args:
        with_larger: Those that are about something larger as well.
        only_sent: Name the channels alone that have taken it.
    """
    is_later = alerts.c.id >= alert_id
    found: set[int] = set()
    for piece in in_pieces(connection_ids):
        of_them = (
            select(alerts.c.id)
            .join(alert_connections, alert_connections.c.alert_id == alerts.c.id)
            .where(
                alert_connections.c.connection_id.in_(piece), is_later, alerts.c.kind.in_(_RELATED)
            )
        )
        found.update(tx.execute(of_them).scalars())
    if with_larger:
        larger = select(alerts.c.id).where(is_later, alerts.c.kind.in_(_LARGER))
        found.update(tx.execute(larger).scalars())
    return _read_past(tx, found, only_sent=only_sent)


def list_before(tx: Transaction, alert_id: int, connection_ids: Collection[int]) -> list[Past]:
    """
    Return the alerts before *alert_id* to which the end of a trouble may belong.

    That is of each kind the latest about each of *connection_ids* on each
    channel, and those that are about something larger.
    """
    kinds = {kind.value for pair in (*OPENED_BY.items(), *CLOSED_BY.items()) for kind in pair[1]}
    found: set[int] = set()
    for piece in in_pieces(connection_ids):
        latest = (
            select(func.max(alerts.c.id))
            .select_from(alerts)
            .join(alert_connections, alert_connections.c.alert_id == alerts.c.id)
            .join(notifications, notifications.c.alert_id == alerts.c.id)
            .where(
                alert_connections.c.connection_id.in_(piece),
                alerts.c.id < alert_id,
                alerts.c.kind.in_(kinds),
            )
            .group_by(alert_connections.c.connection_id, alerts.c.kind, notifications.c.channel)
        )
        found.update(tx.execute(latest).scalars())
    wide = (
        select(alerts.c.id)
        .where(alerts.c.id < alert_id, alerts.c.kind.in_(_WIDE))
        .order_by(alerts.c.id.desc())
        .limit(MOST_WIDE_BEFORE)
    )
    found.update(tx.execute(wide).scalars())
    return _read_past(tx, found)


def _read_past(tx: Transaction, ids: Collection[int], *, only_sent: bool = False) -> list[Past]:
    """
    Return alerts as what may bear on others, the oldest first.
    """
    rows: list[Row[Any]] = []
    for piece in in_pieces(ids):
        query = select(alerts).where(alerts.c.id.in_(piece)).order_by(alerts.c.id)
        rows += tx.execute(query).all()
    about = about_of(tx, ids)
    channels: dict[int, set[str]] = {}
    for piece in in_pieces(ids):
        told = select(notifications.c.alert_id, notifications.c.channel).where(
            notifications.c.alert_id.in_(piece)
        )
        if only_sent:
            told = told.where(notifications.c.state == NotificationState.SENT)
        for number, channel in tx.execute(told):
            channels.setdefault(number, set()).add(channel)
    return [_past(row, about.get(row.id, {}), channels.get(row.id, set())) for row in rows]


def _past(row: Row[Any], about: Iterable[int], channels: Iterable[str]) -> Past:
    kind = AlertKind(row.kind)
    return Past(row.id, kind, keys_of(kind, row.facts, about), frozenset(channels))
