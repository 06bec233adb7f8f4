"""
Read what a batch of checks is judged by, and write what it led to.

All functions work inside a transaction that the caller opened: `cycle.settle`
does everything about a batch in one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from monitor.judge.sharing import Member
from monitor.store import windows
from monitor.store.forecasts import OUTLOOK_COLUMNS
from monitor.store.pieces import IDS_PER_QUERY, in_pieces
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
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome
    from monitor.judge.quota import Quota
    from monitor.judge.state import Standing, Transition
    from monitor.store.engine import Transaction

SEEN_AT_PRECISION = timedelta(hours=1)
"""An unchanged quota is not written again for its date of reading alone."""

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


_ACCOUNTS = (
    select(connections.c.name, quotas)
    .join(connections)
    .where(quotas.c.account_key.in_(bindparam("keys", expanding=True)), is_watched())
)


def load_accounts(tx: Transaction, keys: Collection[str]) -> dict[str, dict[int, Member]]:
    """Return the watched connections of accounts, by account and id."""
    found: dict[str, dict[int, Member]] = {key: {} for key in keys}
    listed = sorted(keys)
    for start in range(0, len(listed), IDS_PER_QUERY):
        piece = {"keys": listed[start : start + IDS_PER_QUERY]}
        rows = [row._asdict() for row in tx.execute(_ACCOUNTS, piece)]
        others = windows.load(tx, [one["connection_id"] for one in rows if one["has_others"]])
        for one in rows:
            number = one["connection_id"]
            quota = read_quota(one, others.get(number, ()))
            found[one["account_key"]][number] = Member(number, one["name"], quota)
    return found


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


def is_quota_news(before: Quota, after: Quota) -> bool:
    """Tell whether a quota has changed enough to be written."""
    if before is after:
        return False
    if before.seen_at is not None and after.seen_at is not None:
        if after.seen_at - before.seen_at >= SEEN_AT_PRECISION:
            return True
        if _LASTING(before) == _LASTING(after):
            return False
        before = replace(before, seen_at=after.seen_at)
    elif before == after:
        return False
    # Not all that is known is stored: only what is can be news.
    return quota_values(before) != quota_values(after)


_LASTING = attrgetter(
    "shown",
    "known",
    "longest_reset_s",
    "is_payment_required",
    "told_step",
    "told_limit",
    "others",
)


def add_transitions(tx: Transaction, changes: Sequence[tuple[int, Transition]]) -> None:
    """
    Append changes of state or reason to the history.
    """
    values = [
        {
            "connection_id": connection_id,
            "at": transition.at,
            "from_state": transition.from_state.value,
            "to_state": transition.to_state.value,
            "reason": transition.reason.value,
            "detail": transition.detail,
        }
        for connection_id, transition in changes
    ]
    if values:
        tx.execute(insert(transitions), values)
