"""
add applications and outages

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("connections", sa.Column("application", sa.String(length=100), nullable=True))
    op.add_column("connections", sa.Column("token_host", sa.String(length=300), nullable=True))
    op.add_column("connections", sa.Column("failed_host", sa.String(length=300), nullable=True))
    op.add_column(
        "connections",
        sa.Column("is_unexplained", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    for column in ("application", "failed_host"):
        op.create_index(op.f(f"ix_connections_{column}"), "connections", [column], unique=False)
    for table_column, others in (("host", []), ("token_host", ["host"])):
        op.create_index(
            op.f(f"ix_connections_{table_column}"),
            "connections",
            [table_column, *others, "is_configured", "is_enabled", "is_paused"],
            unique=False,
        )
    for column in ("fingerprint", "renewal_fingerprint"):
        op.add_column("authorizations", sa.Column(column, sa.String(length=64), nullable=True))
    op.add_column("authorizations", sa.Column("token_ends_at", sa.BigInteger(), nullable=True))
    _create_applications()
    _create_outages()
    _of_connections("participations", sa.Column("marketplaces", sa.JSON(), nullable=False))
    op.create_table(
        "keys",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys")),
    )


def _create_applications() -> None:
    op.create_table(
        "applications",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("secret_created_at", sa.BigInteger(), nullable=True),
        sa.Column("secret_ends_at", sa.BigInteger(), nullable=True),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("next_step_at", sa.BigInteger(), nullable=True),
        sa.Column("refused_reason", sa.String(length=30), nullable=True),
        sa.Column("refused_detail", sa.Text(), nullable=True),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("asker_id", ID, nullable=True),
        sa.Column("announced_reason", sa.String(length=30), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_applications")),
    )
    op.create_index(
        op.f("ix_applications_next_step_at"), "applications", ["next_step_at"], unique=False
    )


def _create_outages() -> None:
    op.create_table(
        "outages",
        sa.Column("id", ID, nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outages_ended_at"), "outages", ["ended_at"], unique=False)
    _of_connections(
        "inquiries",
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
    )


def _of_connections(table: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f(f"fk_{table}_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f(f"pk_{table}")),
    )


def downgrade() -> None:
    for table in ("keys", "participations", "inquiries", "outages", "applications"):
        op.drop_table(table)
    for column in ("token_ends_at", "renewal_fingerprint", "fingerprint"):
        op.drop_column("authorizations", column)
    for column in ("application", "failed_host", "host", "token_host"):
        op.drop_index(op.f(f"ix_connections_{column}"), table_name="connections")
    for column in ("is_unexplained", "failed_host", "token_host", "application"):
        op.drop_column("connections", column)
