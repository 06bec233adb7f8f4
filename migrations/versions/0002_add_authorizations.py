"""
add authorizations

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "authorizations",
        sa.Column(
            "connection_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("authorized_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("file_authorized_at", sa.BigInteger(), nullable=True),
        sa.Column("told_step", sa.Integer(), nullable=True),
        sa.Column("is_renewal_pending", sa.Boolean(), nullable=False),
        sa.Column("is_renewal_unrecorded", sa.Boolean(), nullable=False),
        sa.Column("next_step_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_authorizations_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_authorizations")),
    )
    op.create_index(
        op.f("ix_authorizations_next_step_at"), "authorizations", ["next_step_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_authorizations_next_step_at"), table_name="authorizations")
    op.drop_table("authorizations")
