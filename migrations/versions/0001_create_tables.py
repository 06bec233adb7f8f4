"""
create tables

Revision: 0001, after
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("born_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "check_days",
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "connection_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("n_success", sa.Integer(), nullable=False),
        sa.Column("n_refusal", sa.Integer(), nullable=False),
        sa.Column("n_inconclusive", sa.Integer(), nullable=False),
        sa.Column("latency_us_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_us_max", sa.BigInteger(), nullable=False),
        sa.Column("n_latency", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", "connection_id", name=op.f("pk_check_days")),
    )
    op.create_index(
        "ix_check_days_connection_id", "check_days", ["connection_id", "starts_at"], unique=False
    )

    op.create_table(
        "check_hours",
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "connection_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("n_success", sa.Integer(), nullable=False),
        sa.Column("n_refusal", sa.Integer(), nullable=False),
        sa.Column("n_inconclusive", sa.Integer(), nullable=False),
        sa.Column("latency_us_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_us_max", sa.BigInteger(), nullable=False),
        sa.Column("n_latency", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", "connection_id", name=op.f("pk_check_hours")),
    )
    op.create_index(
        "ix_check_hours_connection_id", "check_hours", ["connection_id", "starts_at"], unique=False
    )

    op.create_table(
        "checks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("latency_us", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("next_check_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("last_reason", sa.String(length=30), nullable=True),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("refusals_of_any_reason", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("announced_state", sa.String(length=10), nullable=True),
        sa.Column("announced_reason", sa.String(length=30), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("name", name=op.f("uq_connections_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_connections_next_check_at"), "connections", ["next_check_at"], unique=False
    )

    op.create_table(
        "deletions",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deletions")),
    )
    op.create_table(
        "watermarks",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watermarks")),
    )
    op.create_table(
        "alert_connections",
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_alert_connections_alert_id_alerts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_alert_connections_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alert_id", "connection_id", name=op.f("pk_alert_connections")),
    )
    op.create_index(
        op.f("ix_alert_connections_connection_id"),
        "alert_connections",
        ["connection_id"],
        unique=False,
    )

    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_since", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.String(length=50), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_notifications_alert_id_alerts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notifications_alert_id"), "notifications", ["alert_id"], unique=False)
    op.create_index("ix_notifications_state", "notifications", ["state", "channel"], unique=False)

    op.create_table(
        "quotas",
        sa.Column(
            "connection_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("account_key", sa.Text(), nullable=True),
        sa.Column("shown_limit", sa.BigInteger(), nullable=True),
        sa.Column("shown_remaining", sa.BigInteger(), nullable=True),
        sa.Column("shown_resets_at", sa.BigInteger(), nullable=True),
        sa.Column("known_limit", sa.BigInteger(), nullable=True),
        sa.Column("known_remaining", sa.BigInteger(), nullable=True),
        sa.Column("known_resets_at", sa.BigInteger(), nullable=True),
        sa.Column("window_s", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("longest_reset_s", sa.BigInteger(), nullable=True),
        sa.Column("is_payment_required", sa.Boolean(), nullable=False),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("told_limit", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_quotas_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_quotas")),
    )
    op.create_index(op.f("ix_quotas_account_key"), "quotas", ["account_key"], unique=False)

    op.create_table(
        "transitions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.String(length=10), nullable=False),
        sa.Column("to_state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_transitions_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(
        op.f("ix_transitions_connection_id"), "transitions", ["connection_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_transitions_connection_id"), table_name="transitions")
    op.drop_table("transitions")
    op.drop_index(op.f("ix_quotas_account_key"), table_name="quotas")
    op.drop_table("quotas")
    op.drop_index("ix_notifications_state", table_name="notifications")
    op.drop_index(op.f("ix_notifications_alert_id"), table_name="notifications")
    op.drop_table("notifications")
    op.drop_index(op.f("ix_alert_connections_connection_id"), table_name="alert_connections")
    op.drop_table("alert_connections")
    op.drop_table("watermarks")
    op.drop_table("deletions")
    op.drop_index(op.f("ix_connections_next_check_at"), table_name="connections")
    op.drop_table("connections")
    op.drop_table("checks")
    op.drop_index("ix_check_hours_connection_id", table_name="check_hours")
    op.drop_table("check_hours")
    op.drop_index("ix_check_days_connection_id", table_name="check_days")
    op.drop_table("check_days")
    op.drop_table("alerts")
