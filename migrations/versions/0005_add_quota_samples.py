"""
add quota samples

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quota_samples",
        sa.Column("connection_id", _id(), autoincrement=False, nullable=False),
        sa.Column("window", sa.String(length=60), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("resets_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_quota_samples_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "window", "at", name=op.f("pk_quota_samples")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quota_forecasts",
        sa.Column("connection_id", _id(), autoincrement=False, nullable=False),
        sa.Column("window", sa.String(length=60), nullable=False),
        sa.Column("sampled_at", sa.BigInteger(), nullable=False),
        sa.Column("sampled_remaining", sa.BigInteger(), nullable=False),
        sa.Column("sampled_limit", sa.BigInteger(), nullable=False),
        sa.Column("sampled_resets_at", sa.BigInteger(), nullable=True),
        sa.Column("foreseen_at", sa.BigInteger(), nullable=True),
        sa.Column("foreseen_remaining", sa.BigInteger(), nullable=True),
        sa.Column("is_foreseen", sa.Boolean(), nullable=False),
        sa.Column("exhausts_at", sa.BigInteger(), nullable=True),
        sa.Column("earliest_at", sa.BigInteger(), nullable=True),
        sa.Column("latest_at", sa.BigInteger(), nullable=True),
        sa.Column("told_exhausts_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_quota_forecasts_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "window", name=op.f("pk_quota_forecasts")),
    )
    op.create_table(
        "quota_windows",
        sa.Column("connection_id", _id(), autoincrement=False, nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_quota_windows_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_quota_windows")),
    )
    with op.batch_alter_table("quotas") as batch:
        batch.add_column(
            sa.Column("window", sa.String(length=60), nullable=False, server_default=sa.text("''"))
        )
        batch.add_column(
            sa.Column("unit", sa.String(length=20), nullable=False, server_default="requests")
        )
        batch.add_column(
            sa.Column("has_others", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    with op.batch_alter_table("quotas") as batch:
        batch.drop_column("has_others")
        batch.drop_column("unit")
        batch.drop_column("window")
    op.drop_table("quota_windows")
    op.drop_table("quota_forecasts")
    op.drop_table("quota_samples")
