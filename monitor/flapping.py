"""
End the flapping of connections that have not changed for long enough.

How often is too often is decided in `judge.flapping`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.held_back import tell_held_back
from monitor.judge.flapping import WINDOW
from monitor.store import flappings, outages, results

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def has_settled(tx: Transaction, now: datetime) -> bool:
    """Tell whether any connection has stopped flapping."""
    return bool(flappings.find_settled(tx, now - WINDOW))


def end_flapping(tx: Transaction, plan: Plan, now: datetime) -> None:
    """
    End what has not changed for long enough, and announce what is still true.

    Where a host is out, the end of that will announce it.
    """
    settled = flappings.find_settled(tx, now - WINDOW)
    flappings.end(tx, settled)
    out = outages.list_open(tx)
    records = results.load_records(tx, settled).values()
    certain = [one for one in records if out.keys().isdisjoint({one.host, one.token_host})]
    tell_held_back(tx, certain, plan, now)
