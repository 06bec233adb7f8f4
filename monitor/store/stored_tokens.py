"""
Keep refresh tokens that a handshake brought, and the handshakes under way.

Tokens come in and go out encrypted; who can read them is decided in
`monitor.stored_secrets`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from monitor.store.handshake_tables import handshakes, stored_tokens
from monitor.store.tables import connections

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class StoredToken:
    """
    A refresh token as it is kept.

    Args:
        encrypted: The token itself.
        file_fingerprint: Which token the file had when this one came.
        seller_id: Whose authorization it is, as Amazon names the account.
    """

    encrypted: bytes = field(repr=False)
    file_fingerprint: str | None
    seller_id: str | None
    obtained_at: datetime


def list_tokens(tx: Transaction) -> dict[str, StoredToken]:
    """
    Return all stored tokens by the name of their connection.
    """
    rows = tx.execute(select(connections.c.name, stored_tokens).join(stored_tokens))
    return {
        row.name: StoredToken(row.token, row.file_fingerprint, row.seller_id, row.obtained_at)
        for row in rows
    }


def find_token(tx: Transaction, connection_id: int) -> StoredToken | None:
    """
    Return the stored token of a connection.
    """
    row = tx.execute(
        select(stored_tokens).where(stored_tokens.c.connection_id == connection_id)
    ).first()
    if row is None:
        return None
    return StoredToken(row.token, row.file_fingerprint, row.seller_id, row.obtained_at)


def save_token(tx: Transaction, connection_id: int, token: StoredToken) -> None:
    """
    Keep *token* in the place of any earlier one.
    """
    tx.execute(delete(stored_tokens).where(stored_tokens.c.connection_id == connection_id))
    tx.execute(
        insert(stored_tokens).values(
            connection_id=connection_id,
            token=token.encrypted,
            file_fingerprint=token.file_fingerprint,
            seller_id=token.seller_id,
            obtained_at=token.obtained_at,
        )
    )


def drop_token(tx: Transaction, name: str) -> None:
    """
    Forget the stored token of a connection: the file has a newer one.
    """
    of_name = select(connections.c.id).where(connections.c.name == name).scalar_subquery()
    tx.execute(delete(stored_tokens).where(stored_tokens.c.connection_id == of_name))


def begin_handshake(
    tx: Transaction, nonce_hash: str, connection_id: int, session_hash: str, now: datetime
) -> None:
    """
    Remember that somebody was sent to the consent page.
    """
    tx.execute(
        insert(handshakes).values(
            nonce_hash=nonce_hash,
            connection_id=connection_id,
            session_hash=session_hash,
            started_at=now,
        )
    )


@dataclass(frozen=True, slots=True)
class Handshake:
    """
    A handshake that was begun, and which has been taken up just now.
    """

    connection: str
    session_hash: str
    started_at: datetime


def take_handshake(tx: Transaction, nonce_hash: str) -> Handshake | None:
    """
    Return a handshake that was begun, and forget it: nobody can take it up twice.
    """
    row = tx.execute(
        select(connections.c.name, handshakes)
        .join(handshakes)
        .where(handshakes.c.nonce_hash == nonce_hash)
    ).first()
    tx.execute(delete(handshakes).where(handshakes.c.nonce_hash == nonce_hash))
    return None if row is None else Handshake(row.name, row.session_hash, row.started_at)


def forget_handshakes(tx: Transaction, before: datetime) -> None:
    """
    Forget handshakes begun *before* an instant: nobody came back from them.
    """
    tx.execute(delete(handshakes).where(handshakes.c.started_at < before))
