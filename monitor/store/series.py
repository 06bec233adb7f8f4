"""
Read what charts of one connection are drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from monitor.judge.outcome import Reason, State
from monitor.judge.state import Transition
from monitor.store.tables import check_hours, transitions

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class HourRow:
    """
    The checks of one hour.

    Args:
        mean_ms: None where no answer was measured.
    """

    starts_at: datetime
    mean_ms: float | None
    max_ms: float
    n_failed: int


def list_hours(tx: Transaction, connection_id: int, since: datetime) -> list[HourRow]:
    """
    Return the hours that have been summed, the oldest first.
    """
    rows = tx.execute(
        select(check_hours)
        .where(check_hours.c.connection_id == connection_id, check_hours.c.starts_at >= since)
        .order_by(check_hours.c.starts_at)
    )
    return [
        HourRow(
            row.starts_at,
            row.latency_us_sum / row.n_latency / 1000 if row.n_latency else None,
            row.latency_us_max / 1000,
            row.n_refusal + row.n_inconclusive,
        )
        for row in rows
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
