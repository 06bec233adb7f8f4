"""
Keep who may enter: API tokens and sessions of the dashboard.

A token or session is stored as its SHA-256: it is random enough that nobody
can try all, and whoever reads the database cannot enter with what stands there.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from monitor.store.web_tables import api_tokens, web_sessions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from monitor.store.engine import Transaction

TOKEN_PREFIX = "cw_"  # noqa: S105 - by this, scanners for leaked secrets can know one
_RANDOM_BYTES = 32

CSRF = "csrf"
"""The key that signs what changes must carry."""

CALENDAR = "calendar"
"""The key that makes the secret addresses of the calendar and of badges."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """
    What lets a program in.
    """

    name: str
    is_read_only: bool
    created_at: datetime
    last_used_at: datetime | None


def hash_secret(secret: str) -> str:
    """
    Return what is kept of a token or session.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def add_token(tx: Transaction, name: str, now: datetime, *, is_read_only: bool) -> str | None:
    """
    Make a token called *name* and return it, the only time; None if the name is taken.
    """
    if tx.execute(select(api_tokens.c.name).where(api_tokens.c.name == name)).first():
        return None
    token = TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    tx.execute(
        insert(api_tokens).values(
            name=name, token_hash=hash_secret(token), is_read_only=is_read_only, created_at=now
        )
    )
    return token


def list_tokens(tx: Transaction) -> list[ApiToken]:
    """
    Return all tokens, by name.
    """
    return [_read(row) for row in tx.execute(select(api_tokens).order_by(api_tokens.c.name))]


def find_token(tx: Transaction, token: str) -> ApiToken | None:
    """
    Return what *token* stands for, if it was not revoked.
    """
    row = tx.execute(
        select(api_tokens).where(api_tokens.c.token_hash == hash_secret(token))
    ).first()
    return None if row is None else _read(row)


def _read(row: Row[tuple[object, ...]]) -> ApiToken:
    fields = row._asdict()
    return ApiToken(
        fields["name"], fields["is_read_only"], fields["created_at"], fields["last_used_at"]
    )


def note_use(tx: Transaction, name: str, now: datetime) -> None:
    """
    Keep when a token was last used.
    """
    tx.execute(update(api_tokens).where(api_tokens.c.name == name).values(last_used_at=now))


def revoke_token(tx: Transaction, name: str) -> bool:
    """
    Take the token called *name* away; tell whether there was one.
    """
    return tx.execute(delete(api_tokens).where(api_tokens.c.name == name)).rowcount == 1


def open_session(tx: Transaction, password_mark: str, now: datetime, ends_at: datetime) -> str:
    """
    Begin a session and return its secret; those that ended go.

    Args:
        password_mark: Tells the password that opened it from later ones.
    """
    tx.execute(delete(web_sessions).where(web_sessions.c.ends_at <= now))
    secret = secrets.token_urlsafe(_RANDOM_BYTES)
    tx.execute(
        insert(web_sessions).values(
            session_hash=hash_secret(secret),
            password_mark=password_mark,
            created_at=now,
            ends_at=ends_at,
        )
    )
    return secret


def has_session(tx: Transaction, secret: str, password_mark: str, now: datetime) -> bool:
    """
    Tell whether a session lasts, and was opened with the present password.
    """
    found = select(web_sessions.c.session_hash).where(
        web_sessions.c.session_hash == hash_secret(secret),
        web_sessions.c.password_mark == password_mark,
        web_sessions.c.ends_at > now,
    )
    return tx.execute(found).first() is not None


def close_session(tx: Transaction, secret: str) -> None:
    """
    End a session.
    """
    tx.execute(delete(web_sessions).where(web_sessions.c.session_hash == hash_secret(secret)))
