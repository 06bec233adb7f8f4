"""
Read what charts of one connection are drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from monitor.judge.outcome import Reason, State
from monitor.judge.state import Transition
from monitor.store.tables import check_days, check_hours, transitions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from monitor.store.engine import Transaction

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SumRow:
    """
    The checks of an hour or a day.

    Args:
        mean_ms: None where no answer was measured.
    """

    starts_at: datetime
    length: timedelta
    mean_ms: float | None
    n_failed: int


def list_sums(
    tx: Transaction, connection_id: int, since: datetime, hourly_since: datetime
) -> list[SumRow]:
    """
    Return whole days, and hours from the beginning of the day of *hourly_since*; the oldest first.

    Every hour of a connection lies in another place of the file: ninety days of
    them would be two thousand places to read.
    """
    seam = hourly_since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = _list_sums_of(tx, check_days, DAY, connection_id, since, seam)
    hours = _list_sums_of(tx, check_hours, HOUR, connection_id, seam)
    return days + hours


def _list_sums_of(
    tx: Transaction,
    table: Table,
    length: timedelta,
    connection_id: int,
    since: datetime,
    until: datetime | None = None,
) -> list[SumRow]:
    query = select(table).where(table.c.connection_id == connection_id, table.c.starts_at >= since)
    if until is not None:
        query = query.where(table.c.starts_at < until)
    return [
        SumRow(
            row.starts_at,
            length,
            row.latency_us_sum / row.n_latency / 1000 if row.n_latency else None,
            row.n_refusal + row.n_inconclusive,
        )
        for row in tx.execute(query.order_by(table.c.starts_at))
    ]


def list_states(tx: Transaction, connection_id: int, since: datetime) -> list[Transition]:
    """
    Return the changes of state after *since*, and the last one before it; the oldest first.
    """
    of_connection = select(transitions).where(transitions.c.connection_id == connection_id)
    before = tx.execute(
        of_connection.where(transitions.c.at < since).order_by(transitions.c.id.desc()).limit(1)
    ).all()
    after = tx.execute(
        of_connection.where(transitions.c.at >= since).order_by(transitions.c.id)
    ).all()
    return [
        Transition(
            row.at, State(row.from_state), State(row.to_state), Reason(row.reason), row.detail
        )
        for row in (*before, *after)
    ]
