"""
add people

Revision: 0011, after 0010

Frozen, as `env.py` says: a change is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("group_name", sa.String(length=100), nullable=True))
    op.create_index(op.f("ix_connections_group_name"), "connections", ["group_name"], unique=False)
    op.add_column(
        "api_tokens",
        sa.Column("role", sa.String(length=10), server_default="admin", nullable=False),
    )
    op.add_column("api_tokens", sa.Column("groups", sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE api_tokens SET role = 'viewer' WHERE is_read_only")
    op.add_column(
        "web_sessions",
        sa.Column("user", sa.String(length=100), server_default="admin", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("web_sessions", "user")
    op.drop_column("api_tokens", "groups")
    op.drop_column("api_tokens", "role")
    op.drop_index(op.f("ix_connections_group_name"), table_name="connections")
    op.drop_column("connections", "group_name")
