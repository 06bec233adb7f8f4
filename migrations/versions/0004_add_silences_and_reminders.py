"""
add silences and reminders

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.add_column("notifications", sa.Column("held_by", sa.String(length=20), nullable=True))
    op.add_column("notifications", sa.Column("held_until", INSTANT, nullable=True))
    op.add_column("notifications", sa.Column("message_id", ID, nullable=True))
    op.create_index(
        op.f("ix_notifications_sent_at"), "notifications", ["channel", "sent_at"], unique=False
    )
    op.create_index(
        op.f("ix_notifications_held_until"), "notifications", ["held_until"], unique=False
    )
    _numbered(
        "silences",
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"], unique=False)
    _of_other(
        "acknowledgements",
        "connection_id",
        "connections",
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
    )
    _of_other(
        "reminders",
        "alert_id",
        "alerts",
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("n_sent", sa.Integer(), nullable=False),
    )
    op.create_index(op.f("ix_reminders_due_at"), "reminders", ["due_at"], unique=False)
    _of_other(
        "flappings",
        "connection_id",
        "connections",
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("last_change_at", INSTANT, nullable=False),
    )
    op.create_index(
        op.f("ix_flappings_last_change_at"), "flappings", ["last_change_at"], unique=False
    )
    _create_states()


def _create_states() -> None:
    op.create_table(
        "channel_states",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("failed_since", INSTANT, nullable=True),
        sa.Column("is_failure_told", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("digest_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channel_states")),
    )
    _numbered(
        "offline_times",
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("n_missed", sa.Integer(), nullable=False),
        sa.Column("alert_id", ID, nullable=True),
    )
    op.create_index(op.f("ix_offline_times_ended_at"), "offline_times", ["ended_at"], unique=False)


def _numbered(table: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("id", ID, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sqlite_autoincrement=True,
    )


def _of_other(table: str, key: str, other: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column(key, ID, autoincrement=False, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            [key], [f"{other}.id"], name=op.f(f"fk_{table}_{key}_{other}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
    )


def downgrade() -> None:
    for table in (
        "offline_times",
        "channel_states",
        "flappings",
        "reminders",
        "acknowledgements",
        "silences",
    ):
        op.drop_table(table)
    op.drop_index(op.f("ix_notifications_held_until"), table_name="notifications")
    op.drop_index(op.f("ix_notifications_sent_at"), table_name="notifications")
    for column in ("message_id", "held_until", "held_by"):
        op.drop_column("notifications", column)
