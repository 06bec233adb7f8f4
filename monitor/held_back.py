"""
Announce what one cause spoke for, and what is still true after it.

What is still true is decided in `judge.correlation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.correlation import release
from monitor.store import results
from monitor.telling import announce_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def tell_held_back(
    tx: Transaction, records: Sequence[ConnectionRecord], plan: Plan, now: datetime
) -> None:
    """Announce of each of *records* what was held back and is still true."""
    watched = plan.watched_of([record.name for record in records])
    released = release(records, watched, now)
    announce_all(tx, released.proposals, plan, now)
    results.save_announced(tx, released.announced)
