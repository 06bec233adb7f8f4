"""
add handshakes and stored tokens

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "handshakes",
        sa.Column("nonce_hash", sa.String(length=64), nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("session_hash", sa.String(length=64), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_handshakes_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_handshakes")),
    )
    op.create_index(
        op.f("ix_handshakes_connection_id"), "handshakes", ["connection_id"], unique=False
    )
    op.create_table(
        "stored_tokens",
        sa.Column("connection_id", ID, autoincrement=False, nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("file_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("seller_id", sa.String(length=100), nullable=True),
        sa.Column("obtained_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_stored_tokens_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_stored_tokens")),
    )


def downgrade() -> None:
    op.drop_table("stored_tokens")
    op.drop_table("handshakes")
