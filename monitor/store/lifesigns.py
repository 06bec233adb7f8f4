"""
Keep when the daemon was last seen to write.

One row, written again and again: whether a database accepts writes is known
only by writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.store import watermarks

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction

ALIVE = "alive"


def note_alive(tx: Transaction, now: datetime) -> None:
    """
    Keep that the daemon runs and writes *now*.
    """
    watermarks.keep(tx, ALIVE, now)
