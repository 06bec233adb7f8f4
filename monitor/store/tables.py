"""
Declare the tables.

Instants are stored as whole microseconds since 1970 UTC: they sort, they take
eight bytes, and every database agrees on them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """
    An aware UTC datetime, stored as microseconds since 1970.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """
        Return what is stored for *value*.
        """
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """
        Return the instant that was stored as *value*.
        """
        return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite counts ids of BigInteger columns only when they are plain INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

connections = Table(
    "connections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("provider", String(50), nullable=False),
    Column("host", String(300), nullable=False),
    # From the file: an entry taken out is hidden and keeps its history.
    Column("is_configured", Boolean, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    # From `pause`; the state below it is kept for `resume`.
    Column("is_paused", Boolean, nullable=False),
    Column("next_check_at", Instant, index=True),  # NULL: never
    Column("state", String(10), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("checked_at", Instant),
    Column("latency_ms", Float),
    Column("last_reason", String(30)),
    Column("successes", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("refusals_of_any_reason", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("announced_state", String(10)),
    Column("announced_reason", String(30)),
    Column("account", Text),
    sqlite_autoincrement=True,  # an id is never given twice: late results find nobody
)

quotas = Table(
    "quotas",
    metadata,
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("account_key", Text, index=True),
    Column("shown_limit", BigInteger),
    Column("shown_remaining", BigInteger),
    Column("shown_resets_at", Instant),
    Column("known_limit", BigInteger),
    Column("known_remaining", BigInteger),
    Column("known_resets_at", Instant),
    Column("window_s", BigInteger),
    Column("seen_at", Instant),
    Column("longest_reset_s", BigInteger),
    Column("is_payment_required", Boolean, nullable=False),
    Column("told_step", Integer),
    Column("told_limit", BigInteger),
)

# Of the connections whose authorization somebody has dated.
authorizations = Table(
    "authorizations",
    metadata,
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("authorized_at", Instant),
    Column("ends_at", Instant),
    Column("source", String(10), nullable=False),
    Column("file_authorized_at", Instant),  # the date last seen in the file
    Column("told_step", Integer),
    Column("is_renewal_pending", Boolean, nullable=False),
    Column("is_renewal_unrecorded", Boolean, nullable=False),
    Column("next_step_at", Instant, index=True),  # NULL: time alone changes nothing more
)

# Only ever appended to, and pruned from its front. Without an index or a key on
# the connection a row costs about 60 bytes of writing instead of several
# kilobytes; the latest rows of one connection are found by walking back from
# the end.
checks = Table(
    "checks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", String(30), nullable=False),
    Column("latency_us", Integer),
    Column("detail", Text),
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("starts_at", Instant, primary_key=True),
        Column("connection_id", Id, primary_key=True, autoincrement=False),
        Column("n_success", Integer, nullable=False),
        Column("n_refusal", Integer, nullable=False),
        Column("n_inconclusive", Integer, nullable=False),
        Column("latency_us_sum", BigInteger, nullable=False),
        Column("latency_us_max", BigInteger, nullable=False),
        Column("n_latency", Integer, nullable=False),
        Index(f"ix_{name}_connection_id", "connection_id", "starts_at"),
    )


check_hours = _rollup("check_hours")
check_days = _rollup("check_days")

transitions = Table(
    "transitions",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("at", Instant, nullable=False),
    Column("from_state", String(10), nullable=False),
    Column("to_state", String(10), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("detail", Text, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(30), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("born_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

alert_connections = Table(
    "alert_connections",
    metadata,
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", String(100), nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_since", Instant, nullable=False),  # `retry_for` counts from here
    Column("next_attempt_at", Instant, nullable=False),
    Column("claimed_by", String(50)),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("error", Text),
    Index("ix_notifications_state", "state", "channel"),
    sqlite_autoincrement=True,
)

# Names that `delete` took out although the file still has them.
deletions = Table(
    "deletions",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("at", Instant, nullable=False),
)

# How far the roll-ups have come.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("at", Instant, nullable=False),
)
