"""
Read what a batch of checks is judged by, and write what it led to.

All functions work inside a transaction that the caller opened: `cycle.settle`
does everything about a batch in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, insert, select, update

from monitor.store import windows
from monitor.store.alert_tables import alert_connections, alerts, notifications
from monitor.store.columns import IDS_PER_QUERY
from monitor.store.forecasts import OUTLOOK_COLUMNS
from monitor.store.quota_tables import quota_forecasts
from monitor.store.records import (
    ConnectionRecord,
    quota_values,
    read_quota,
    read_records,
    standing_values,
)
from monitor.store.tables import authorizations, checks, connections, quotas, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertDue, AlertKind
    from monitor.judge.outcome import Outcome
    from monitor.judge.quota import Quota
    from monitor.judge.state import Standing, Transition
    from monitor.store.engine import Transaction

CLOCK_COLUMNS = [
    # The quota's step has that name too.
    column.label("clock_told_step") if column.name == "told_step" else column
    for column in authorizations.c
    if column.name != "connection_id"
]

RECORDS = (
    select(connections, quotas, *CLOCK_COLUMNS, *OUTLOOK_COLUMNS)
    .join(quotas)
    .outerjoin(authorizations)
    .outerjoin(
        quota_forecasts,
        (quota_forecasts.c.connection_id == connections.c.id)
        & (quota_forecasts.c.window == quotas.c.window),
    )
)
_RECORDS_BY_ID = RECORDS.where(connections.c.id.in_(bindparam("ids", expanding=True)))


def load_records(tx: Transaction, ids: Sequence[int]) -> dict[int, ConnectionRecord]:
    """
    Return the records of *ids*; deleted connections are absent.
    """
    records: list[ConnectionRecord] = []
    for start in range(0, len(ids), IDS_PER_QUERY):
        piece = ids[start : start + IDS_PER_QUERY]
        records += read_records(tx.execute(_RECORDS_BY_ID, {"ids": piece}))
    return {record.id: record for record in windows.with_windows(tx, records)}


def load_siblings(tx: Transaction, account_key: str, but: int) -> list[tuple[int, str, Quota]]:
    """
    Return id, name and quota of the other watched connections of one account.
    """
    rows = tx.execute(
        select(connections.c.name, quotas)
        .join(connections)
        .where(
            quotas.c.account_key == account_key,
            quotas.c.connection_id != but,
            is_watched(),
        )
        .order_by(quotas.c.connection_id)
    )
    found = [row._asdict() for row in rows]
    others = windows.load(tx, [one["connection_id"] for one in found if one["has_others"]])
    return [
        (number := one["connection_id"], one["name"], read_quota(one, others.get(number, ())))
        for one in found
    ]


def add_checks(tx: Transaction, rows: Iterable[tuple[int, datetime, Outcome]]) -> None:
    """
    Append one row a check.
    """
    values = [
        {
            "connection_id": connection_id,
            "at": at,
            "reason": outcome.reason.value,
            "latency_us": None if outcome.latency_ms is None else round(outcome.latency_ms * 1000),
            "detail": outcome.detail or None,
        }
        for connection_id, at, outcome in rows
    ]
    if values:
        tx.execute(insert(checks), values)


_SAVE_STANDING = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "reason",
                "detail",
                "since",
                "checked_at",
                "latency_ms",
                "last_reason",
                "successes",
                "refusals",
                "refusals_of_any_reason",
                "failures",
                "announced_state",
                "announced_reason",
                "next_check_at",
                "account",
            )
        }
    )
)


def save_standings(
    tx: Transaction, rows: Iterable[tuple[int, Standing, datetime | None, str | None]]
) -> None:
    """
    Keep what is known now: id, standing, when it is due next, account.
    """
    values = [
        standing_values(standing)
        | {"of_id": connection_id, "next_check_at": next_check_at, "account": account}
        for connection_id, standing, next_check_at, account in rows
    ]
    if values:
        tx.execute(_SAVE_STANDING, values)


_SAVE_ANNOUNCED = (
    update(connections)
    .where(connections.c.id == bindparam("of_id"))
    .values(
        announced_state=bindparam("announced_state"), announced_reason=bindparam("announced_reason")
    )
)


def save_announced(tx: Transaction, records: Iterable[ConnectionRecord]) -> None:
    """
    Keep what people were told of each of *records*, and nothing else of them.
    """
    values = [
        {
            "of_id": record.id,
            "announced_state": record.standing.announced_state,
            "announced_reason": record.standing.announced_reason,
        }
        for record in records
    ]
    if values:
        tx.execute(_SAVE_ANNOUNCED, values)


_SAVE_QUOTA = (
    update(quotas)
    .where(quotas.c.connection_id == bindparam("of_id"))
    .values({column.name: bindparam(column.name) for column in quotas.c if not column.primary_key})
)


def save_quotas(tx: Transaction, changed: Mapping[int, tuple[Quota, str | None]]) -> None:
    """
    Keep what is known of quotas, and whose they are, by connection.
    """
    values = [
        quota_values(quota) | {"of_id": connection_id, "account_key": account_key}
        for connection_id, (quota, account_key) in changed.items()
    ]
    if values:
        tx.execute(_SAVE_QUOTA, values)


def add_transition(tx: Transaction, connection_id: int, transition: Transition) -> None:
    """
    Append a change of state or reason to the history.
    """
    tx.execute(
        insert(transitions).values(
            connection_id=connection_id,
            at=transition.at,
            from_state=transition.from_state.value,
            to_state=transition.to_state.value,
            reason=transition.reason.value,
            detail=transition.detail,
        )
    )


def add_alert(
    tx: Transaction,
    alert: AlertDue,
    connection_ids: Sequence[int],
    channels: Iterable[str],
    now: datetime,
) -> int:
    """
    Keep an alert and the notifications that make it due; return the alert's id.
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
    _add_notifications(tx, alert_id, channels, now)
    return alert_id


def add_to_alert(
    tx: Transaction, alert_id: int, connection_id: int, channels: Iterable[str], now: datetime
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
    _add_notifications(tx, alert_id, [name for name in channels if name not in known], now)


def _add_notifications(
    tx: Transaction, alert_id: int, channels: Iterable[str], now: datetime
) -> None:
    rows = [
        {
            "alert_id": alert_id,
            "channel": channel,
            "state": "due",
            "attempts": 0,
            "due_since": now,
            "next_attempt_at": now,
        }
        for channel in channels
    ]
    if rows:
        tx.execute(insert(notifications), rows)


def was_announced(
    tx: Transaction,
    connection_id: int,
    opening: Collection[AlertKind],
    closing: Collection[AlertKind],
) -> bool:
    """
    Tell whether an alert of *opening* went to any channel since the last of *closing*.
    """
    of_connection = (
        select(alerts.c.id)
        .join(alert_connections)
        .where(alert_connections.c.connection_id == connection_id)
    )
    last_closing = (
        of_connection.with_only_columns(func.coalesce(func.max(alerts.c.id), 0))
        .where(alerts.c.kind.in_(kind.value for kind in closing))
        .scalar_subquery()
    )
    opened = of_connection.where(
        alerts.c.kind.in_(kind.value for kind in opening),
        alerts.c.id > last_closing,
        exists().where(notifications.c.alert_id == alerts.c.id),
    )
    return tx.execute(opened.limit(1)).first() is not None
