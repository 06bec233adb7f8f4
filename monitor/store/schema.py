"""
Hold all tables at once, for migrations and for whoever makes a database.
"""

from __future__ import annotations

from monitor.store import alert_tables, columns, quota_tables, tables

metadata = columns.metadata
TABLES = (alert_tables, quota_tables, tables)
"""The modules that have filled `metadata`."""
