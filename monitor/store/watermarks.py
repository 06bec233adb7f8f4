"""Keep instants by name: how far something has come, or when the daemon was last seen to write.

Whether a database accepts writes is known only by writing, so that one row is written again and
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from monitor.store.schema import watermarks

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction

ALIVE = "alive"

RELOAD_FAILED = "reload_failed"
"""When the daemon read the file and could not use it; dropped when it next can."""


def find_watermark(tx: Transaction, name: str) -> datetime | None:
    """Return the instant that is kept as *name*; None if none is."""
    at: datetime | None = tx.execute(
        select(watermarks.c.at).where(watermarks.c.name == name)
    ).scalar_one_or_none()
    return at


def save_watermark(tx: Transaction, name: str, at: datetime) -> None:
    """Keep *at* as *name*, instead of any before it."""
    moved = tx.execute(update(watermarks).where(watermarks.c.name == name).values(at=at))
    if moved.rowcount == 0:
        tx.execute(insert(watermarks).values(name=name, at=at))


def drop_watermark(tx: Transaction, name: str) -> None:
    """Keep nothing as *name* any more."""
    tx.execute(delete(watermarks).where(watermarks.c.name == name))


def note_alive(tx: Transaction, now: datetime) -> None:
    """Keep that the daemon runs and writes *now*."""
    save_watermark(tx, ALIVE, now)
