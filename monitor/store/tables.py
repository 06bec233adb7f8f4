"""
Declare the tables of connections, and of what checks said; alerts are in `alert_tables`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from monitor.store.columns import Id, Instant, metadata, of_connection

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
    # An OAuth client shared with others, and the host that gives it tokens.
    Column("application", String(100), index=True),
    Column("token_host", String(300)),
    # The host against which the latest check speaks; NULL in good times.
    Column("failed_host", String(300), index=True),
    Column("is_unexplained", Boolean, nullable=False, server_default=false()),
    Index("ix_connections_host", "host", "is_configured", "is_enabled", "is_paused"),
    Index(
        "ix_connections_token_host",
        "token_host",
        "host",
        "is_configured",
        "is_enabled",
        "is_paused",
    ),
    sqlite_autoincrement=True,  # an id is never given twice: late results find nobody
)

quotas = Table(
    "quotas",
    metadata,
    of_connection(),
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
    Column("window", String(60), nullable=False, server_default=text("''")),  # "" if only one
    Column("unit", String(20), nullable=False, server_default="requests"),
    Column("has_others", Boolean, nullable=False, server_default=false()),  # in quota_windows
)

# Of the connections whose authorization somebody has dated.
authorizations = Table(
    "authorizations",
    metadata,
    of_connection(),
    Column("authorized_at", Instant),
    Column("ends_at", Instant),
    Column("source", String(10), nullable=False),
    Column("file_authorized_at", Instant),  # the date last seen in the file
    Column("told_step", Integer),
    Column("is_renewal_pending", Boolean, nullable=False),
    Column("is_renewal_unrecorded", Boolean, nullable=False),
    Column("next_step_at", Instant, index=True),  # NULL: time alone changes nothing more
    # Which refresh token was used last, and which when a renewal was recorded.
    Column("fingerprint", String(64)),
    Column("renewal_fingerprint", String(64)),
    Column("token_ends_at", Instant),  # observed
)

# OAuth clients of the file, and what is wrong with them.
applications = Table(
    "applications",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("is_configured", Boolean, nullable=False),
    Column("secret_created_at", Instant),
    Column("secret_ends_at", Instant),
    Column("told_step", Integer),
    Column("next_step_at", Instant, index=True),
    Column("refused_reason", String(30)),  # NULL: nothing is known against it
    Column("refused_detail", Text),
    Column("refused_at", Instant),
    Column("asker_id", Id),  # the one connection that is asked until it is accepted again
    Column("announced_reason", String(30)),
)

# The last three months' hosts that were out; one without an end is out now.
outages = Table(
    "outages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(300), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, index=True),
    Column("is_told", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# Neighbours of a connection that was refused unexplained, asked and yet to answer.
inquiries = Table(
    "inquiries",
    metadata,
    of_connection(),
    Column("host", String(300), nullable=False),
    Column("asked_at", Instant, nullable=False),
)

# What Amazon accounts sell in, as they were last seen.
participations = Table(
    "participations",
    metadata,
    of_connection(),
    Column("marketplaces", JSON, nullable=False),
)

# Random keys of this installation, made when first needed.
keys = Table(
    "keys",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("value", LargeBinary, nullable=False),
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

# Names that `delete` took out although the file still has them.
deletions = Table(
    "deletions",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("at", Instant, nullable=False),
)

# Instants by name: how far the roll-ups have come, and suchlike.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("at", Instant, nullable=False),
)
