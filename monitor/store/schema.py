"""
Hold all tables at once, for migrations and for whoever makes a database.
"""

from __future__ import annotations

from monitor.store import (
    alert_tables,
    columns,
    handshake_tables,
    quota_tables,
    tables,
    web_tables,
)

metadata = columns.metadata
TABLES = (alert_tables, handshake_tables, quota_tables, tables, web_tables)
"""The modules that have filled `metadata`."""
