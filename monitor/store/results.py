"""
Read what a batch of checks is judged by, and write what it led to.

All functions work inside a transaction that the caller opened: `cycle.settle`
does everything about a batch in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from monitor.store import windows
from monitor.store.forecasts import OUTLOOK_COLUMNS
from monitor.store.pieces import in_pieces
from monitor.store.quota_tables import quota_forecasts
from monitor.store.records import (
    quota_values,
    read_quota,
    read_records,
    standing_values,
)
from monitor.store.tables import authorizations, checks, connections, quotas, transitions
from monitor.store.watched import is_watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
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
    for piece in in_pieces(ids):
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
