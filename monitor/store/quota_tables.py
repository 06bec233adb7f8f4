"""
Declare the tables of what quotas were and will be.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, String, Table

from monitor.store.columns import Instant, metadata, of_connection

# Kept in the order of its key, without a second copy of it: about 35 bytes a row.
quota_samples = Table(
    "quota_samples",
    metadata,
    of_connection(),
    Column("window", String(60), primary_key=True),  # empty where a service has only one
    Column("at", Instant, primary_key=True),
    Column("remaining", BigInteger, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("resets_at", Instant),
    sqlite_with_rowid=False,
)

# The windows that do not decide, of services that have several.
quota_windows = Table(
    "quota_windows",
    metadata,
    of_connection(),
    Column("windows", JSON, nullable=False),
    Column("seen_at", Instant),
)

# Of windows that decide: the last sample, what is foreseen, what was told of it.
quota_forecasts = Table(
    "quota_forecasts",
    metadata,
    of_connection(),
    Column("window", String(60), primary_key=True),
    Column("sampled_at", Instant, nullable=False),
    Column("sampled_remaining", BigInteger, nullable=False),
    Column("sampled_limit", BigInteger, nullable=False),
    Column("sampled_resets_at", Instant),
    Column("foreseen_at", Instant),
    Column("foreseen_remaining", BigInteger),
    Column("is_foreseen", Boolean, nullable=False),
    Column("exhausts_at", Instant),
    Column("earliest_at", Instant),
    Column("latest_at", Instant),
    Column("told_exhausts_at", Instant),
)
