"""
note new stores

Revision: 0015, after 0014

Frozen, as `env.py` says: a change is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("handshakes") as batch:
        batch.alter_column("connection_id", existing_type=sa.BigInteger(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM handshakes WHERE connection_id IS NULL")
    with op.batch_alter_table("handshakes") as batch:
        batch.alter_column("connection_id", existing_type=sa.BigInteger(), nullable=False)
