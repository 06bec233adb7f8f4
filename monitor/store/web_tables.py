"""
Declare the tables of the web: who may enter.

Of what lets somebody in, only hashes are kept.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table

from monitor.store.columns import Instant, metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("is_read_only", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("session_hash", String(64), primary_key=True),
    Column("password_mark", String(64), nullable=False),  # another password ends it
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
)
