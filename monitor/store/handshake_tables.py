"""
Declare the tables of handshakes: those under way, and the tokens that came of others.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table

from monitor.store.columns import Id, Instant, metadata, of_connection

# Sellers who were sent to a consent page and are not back yet.
handshakes = Table(
    "handshakes",
    metadata,
    Column("nonce_hash", String(64), primary_key=True),
    Column(
        "connection_id",
        Id,
        ForeignKey("connections.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("session_hash", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
)

# Refresh tokens that a handshake brought, encrypted.
stored_tokens = Table(
    "stored_tokens",
    metadata,
    of_connection(),
    Column("token", LargeBinary, nullable=False),
    # Which token the file had then: another one there is newer than this.
    Column("file_fingerprint", String(64)),
    Column("seller_id", String(100)),
    Column("obtained_at", Instant, nullable=False),
)
