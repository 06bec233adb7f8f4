"""
Say which connections are watched: the file has them, and nobody switched them off.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, not_

from monitor.store.tables import connections


def is_watched(table: Any = connections) -> Any:
    """
    Select watched connections.

    Args:
        table: `connections`, or an alias of it.
    """
    return and_(table.c.is_configured, table.c.is_enabled, not_(table.c.is_paused))
