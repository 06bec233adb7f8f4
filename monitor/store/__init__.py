"""Keep what is known: rows and SQL, the only package that knows SQLAlchemy.

Functions take a transaction and return values of `monitor.judge`; `engine` alone knows which
database it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.store.engine import Database, StoreError, StoreWorker

__all__ = ["Database", "StoreError", "StoreWorker"]

__getattr__ = lazily(
    {
        "Database": "monitor.store.engine",
        "StoreError": "monitor.store.engine",
        "StoreWorker": "monitor.store.engine",
    }
)
