"""
create the schema

Revision: 0001, after

Frozen, as `env.py` says: a change is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _create_connections()
    _create_checks()
    _create_authorizations()
    _create_quotas()
    _create_alerts()
    _create_suppression()
    _create_incidents()
    _create_web_access()


def _create_connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("next_check_at", INSTANT, nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("checked_at", INSTANT, nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("last_reason", sa.String(length=30), nullable=True),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("refusals_of_any_reason", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("announced_state", sa.String(length=10), nullable=True),
        sa.Column("announced_reason", sa.String(length=30), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("application", sa.String(length=100), nullable=True),
        sa.Column("token_host", sa.String(length=300), nullable=True),
        sa.Column("failed_host", sa.String(length=300), nullable=True),
        sa.Column("is_unexplained", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("name", name=op.f("uq_connections_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_connections_application"), "connections", ["application"])
    op.create_index(op.f("ix_connections_failed_host"), "connections", ["failed_host"])
    op.create_index(
        "ix_connections_host", "connections", ["host", "is_configured", "is_enabled", "is_paused"]
    )
    op.create_index(op.f("ix_connections_next_check_at"), "connections", ["next_check_at"])
    op.create_index(
        "ix_connections_token_host",
        "connections",
        ["token_host", "host", "is_configured", "is_enabled", "is_paused"],
    )
    op.create_table(
        "deletions",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deletions")),
    )
    op.create_table(
        "watermarks",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watermarks")),
    )
    op.create_table(
        "keys",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys")),
    )


def _create_checks() -> None:
    op.create_table(
        "checks",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("latency_us", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    op.create_table(
        "check_hours",
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("n_success", sa.Integer(), nullable=False),
        sa.Column("n_refusal", sa.Integer(), nullable=False),
        sa.Column("n_inconclusive", sa.Integer(), nullable=False),
        sa.Column("latency_us_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_us_max", sa.BigInteger(), nullable=False),
        sa.Column("n_latency", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", "connection_id", name=op.f("pk_check_hours")),
    )
    op.create_index("ix_check_hours_connection_id", "check_hours", ["connection_id", "starts_at"])
    op.create_table(
        "check_days",
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("n_success", sa.Integer(), nullable=False),
        sa.Column("n_refusal", sa.Integer(), nullable=False),
        sa.Column("n_inconclusive", sa.Integer(), nullable=False),
        sa.Column("latency_us_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_us_max", sa.BigInteger(), nullable=False),
        sa.Column("n_latency", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", "connection_id", name=op.f("pk_check_days")),
    )
    op.create_index("ix_check_days_connection_id", "check_days", ["connection_id", "starts_at"])
    op.create_table(
        "transitions",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("from_state", sa.String(length=10), nullable=False),
        sa.Column("to_state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        _belongs_to("transitions", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_connection_id"), "transitions", ["connection_id"])


def _create_authorizations() -> None:
    op.create_table(
        "authorizations",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("authorized_at", INSTANT, nullable=True),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("file_authorized_at", INSTANT, nullable=True),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("is_renewal_pending", sa.Boolean(), nullable=False),
        sa.Column("is_renewal_unrecorded", sa.Boolean(), nullable=False),
        sa.Column("next_step_at", INSTANT, nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("renewal_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("token_ends_at", INSTANT, nullable=True),
        _belongs_to("authorizations", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_authorizations")),
    )
    op.create_index(op.f("ix_authorizations_next_step_at"), "authorizations", ["next_step_at"])
    op.create_table(
        "applications",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("secret_created_at", INSTANT, nullable=True),
        sa.Column("secret_ends_at", INSTANT, nullable=True),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("next_step_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(length=30), nullable=True),
        sa.Column("refused_detail", sa.Text(), nullable=True),
        sa.Column("refused_at", INSTANT, nullable=True),
        sa.Column("asker_id", ID, nullable=True),
        sa.Column("announced_reason", sa.String(length=30), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_applications")),
    )
    op.create_index(op.f("ix_applications_next_step_at"), "applications", ["next_step_at"])
    op.create_table(
        "participations",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("marketplaces", sa.JSON(), nullable=False),
        _belongs_to("participations", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_participations")),
    )
    op.create_table(
        "handshakes",
        sa.Column("nonce_hash", sa.String(length=64), nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("session_hash", sa.String(length=64), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        _belongs_to("handshakes", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_handshakes")),
    )
    op.create_index(op.f("ix_handshakes_connection_id"), "handshakes", ["connection_id"])
    op.create_table(
        "stored_tokens",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("file_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("seller_id", sa.String(length=100), nullable=True),
        sa.Column("obtained_at", INSTANT, nullable=False),
        _belongs_to("stored_tokens", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_stored_tokens")),
    )


def _create_quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_key", sa.Text(), nullable=True),
        sa.Column("shown_limit", sa.BigInteger(), nullable=True),
        sa.Column("shown_remaining", sa.BigInteger(), nullable=True),
        sa.Column("shown_resets_at", INSTANT, nullable=True),
        sa.Column("known_limit", sa.BigInteger(), nullable=True),
        sa.Column("known_remaining", sa.BigInteger(), nullable=True),
        sa.Column("known_resets_at", INSTANT, nullable=True),
        sa.Column("window_s", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", INSTANT, nullable=True),
        sa.Column("longest_reset_s", sa.BigInteger(), nullable=True),
        sa.Column("is_payment_required", sa.Boolean(), nullable=False),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("told_limit", sa.BigInteger(), nullable=True),
        sa.Column("window", sa.String(length=60), server_default=sa.text("''"), nullable=False),
        sa.Column("unit", sa.String(length=20), server_default="requests", nullable=False),
        sa.Column("has_others", sa.Boolean(), server_default=sa.false(), nullable=False),
        _belongs_to("quotas", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_quotas")),
    )
    op.create_index(op.f("ix_quotas_account_key"), "quotas", ["account_key"])
    op.create_table(
        "quota_windows",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=True),
        _belongs_to("quota_windows", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_quota_windows")),
    )
    op.create_table(
        "quota_samples",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("window", sa.String(length=60), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("resets_at", INSTANT, nullable=True),
        _belongs_to("quota_samples", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", "window", "at", name=op.f("pk_quota_samples")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quota_forecasts",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("window", sa.String(length=60), nullable=False),
        sa.Column("sampled_at", INSTANT, nullable=False),
        sa.Column("sampled_remaining", sa.BigInteger(), nullable=False),
        sa.Column("sampled_limit", sa.BigInteger(), nullable=False),
        sa.Column("sampled_resets_at", INSTANT, nullable=True),
        sa.Column("foreseen_at", INSTANT, nullable=True),
        sa.Column("foreseen_remaining", sa.BigInteger(), nullable=True),
        sa.Column("is_foreseen", sa.Boolean(), nullable=False),
        sa.Column("exhausts_at", INSTANT, nullable=True),
        sa.Column("earliest_at", INSTANT, nullable=True),
        sa.Column("latest_at", INSTANT, nullable=True),
        sa.Column("told_exhausts_at", INSTANT, nullable=True),
        _belongs_to("quota_forecasts", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", "window", name=op.f("pk_quota_forecasts")),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("born_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert_connections",
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        _belongs_to("alert_connections", "alert_id", "alerts"),
        _belongs_to("alert_connections", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("alert_id", "connection_id", name=op.f("pk_alert_connections")),
    )
    op.create_index(
        op.f("ix_alert_connections_connection_id"), "alert_connections", ["connection_id"]
    )
    op.create_table(
        "notifications",
        sa.Column("id", ID, nullable=False),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_since", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("claimed_by", sa.String(length=50), nullable=True),
        sa.Column("claimed_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("held_by", sa.String(length=20), nullable=True),
        sa.Column("held_until", INSTANT, nullable=True),
        sa.Column("message_id", ID, nullable=True),
        _belongs_to("notifications", "alert_id", "alerts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notifications_alert_id"), "notifications", ["alert_id"])
    op.create_index(op.f("ix_notifications_held_until"), "notifications", ["held_until"])
    op.create_index("ix_notifications_sent_at", "notifications", ["channel", "sent_at"])
    op.create_index("ix_notifications_state", "notifications", ["state", "channel"])
    op.create_table(
        "reminders",
        sa.Column("alert_id", ID, autoincrement=False, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("n_sent", sa.Integer(), nullable=False),
        _belongs_to("reminders", "alert_id", "alerts"),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_reminders")),
    )
    op.create_index(op.f("ix_reminders_due_at"), "reminders", ["due_at"])
    op.create_table(
        "channel_states",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("failed_since", INSTANT, nullable=True),
        sa.Column("is_failure_told", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("digest_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channel_states")),
    )


def _create_suppression() -> None:
    op.create_table(
        "silences",
        sa.Column("id", ID, nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"])
    op.create_table(
        "acknowledgements",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        _belongs_to("acknowledgements", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_acknowledgements")),
    )


def _create_incidents() -> None:
    op.create_table(
        "outages",
        sa.Column("id", ID, nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outages_ended_at"), "outages", ["ended_at"])
    op.create_table(
        "inquiries",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        _belongs_to("inquiries", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_inquiries")),
    )
    op.create_table(
        "flappings",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("last_change_at", INSTANT, nullable=False),
        _belongs_to("flappings", "connection_id", "connections"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_flappings")),
    )
    op.create_index(op.f("ix_flappings_last_change_at"), "flappings", ["last_change_at"])
    op.create_table(
        "offline_times",
        sa.Column("id", ID, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("n_missed", sa.Integer(), nullable=False),
        sa.Column("alert_id", ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_times")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_offline_times_ended_at"), "offline_times", ["ended_at"])


def _create_web_access() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("is_read_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_table(
        "web_sessions",
        sa.Column("session_hash", sa.String(length=64), nullable=False),
        sa.Column("password_mark", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_web_sessions")),
    )
    op.create_index(op.f("ix_web_sessions_ends_at"), "web_sessions", ["ends_at"])


def _belongs_to(table: str, key: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{key}_{other}")
    return sa.ForeignKeyConstraint([key], [f"{other}.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in (
        "web_sessions",
        "api_tokens",
        "offline_times",
        "flappings",
        "inquiries",
        "outages",
        "acknowledgements",
        "silences",
        "channel_states",
        "reminders",
        "notifications",
        "alert_connections",
        "alerts",
        "quota_forecasts",
        "quota_samples",
        "quota_windows",
        "quotas",
        "stored_tokens",
        "handshakes",
        "participations",
        "applications",
        "authorizations",
        "transitions",
        "check_days",
        "check_hours",
        "checks",
        "keys",
        "watermarks",
        "deletions",
        "connections",
    ):
        op.drop_table(table)
