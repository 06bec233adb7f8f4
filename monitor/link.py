"""
Note that our own link is there again, whoever has found that out.

What checks say of the link is decided in `judge.connectivity`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.connectivity import describe_online
from monitor.store import offline
from monitor.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.plan import Plan
    from monitor.store.engine import Transaction


def end_offline(tx: Transaction, plan: Plan, now: datetime) -> bool:
    """Note that the link is there, announce it if it was not, and return whether that is news."""
    time = offline.find_open(tx)
    if time is None:
        return False
    offline.end(tx, time, now)
    alert = describe_online(time, now)
    if alert is not None:
        tell(tx, alert, {}, plan, now)
    offline.take_back_overtaken(tx, now)
    return True
