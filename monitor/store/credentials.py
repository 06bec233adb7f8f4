"""Keep what lets somebody in: refresh tokens and handshakes, random keys, API tokens, sessions.

Refresh tokens come in and go out encrypted; who can read them is decided in
`monitor.engine.checkers`. An API token or a session is stored as its SHA-256: it is random enough
that nobody can try all, and whoever reads the database cannot enter with what stands there.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update

from monitor.judge.access import Role
from monitor.store.schema import (
    api_tokens,
    channels,
    connections,
    entries,
    handshakes,
    keys,
    proposals,
    stored_tokens,
    web_sessions,
)
from monitor.store.statements import in_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement

    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A refresh token as it is kept.

    Args:
        encrypted: The token itself.
        file_fingerprint: Which token the file had when this one came.
        seller_id: Whose authorization it is, as Amazon names the account.
    """

    encrypted: bytes = field(repr=False)
    file_fingerprint: str | None
    seller_id: str | None
    obtained_at: datetime


_REFRESH_TOKENS = select(
    stored_tokens.c.token,
    stored_tokens.c.file_fingerprint,
    stored_tokens.c.seller_id,
    stored_tokens.c.obtained_at,
)


def list_refresh_tokens(tx: Transaction, after: datetime | None = None) -> dict[str, StoredToken]:
    """Return the stored tokens by the name of their connection.

    Args:
        after: Only those that came later.
    """
    query = _REFRESH_TOKENS.join(connections).add_columns(connections.c.name)
    if after is not None:
        query = query.where(stored_tokens.c.obtained_at > after)
    rows = tx.execute(query)
    return {name: StoredToken(*token) for *token, name in rows}


def find_refresh_token(tx: Transaction, connection_id: int) -> StoredToken | None:
    """Return the stored token of a connection."""
    is_of = stored_tokens.c.connection_id == connection_id
    row = tx.execute(_REFRESH_TOKENS.where(is_of)).first()
    return None if row is None else StoredToken(*row)


def list_names_of_seller(tx: Transaction, seller_id: str, most: int) -> list[str]:
    """Return the connections whose latest authorization was that account's, as Amazon names it."""
    query = (
        select(connections.c.name)
        .join(stored_tokens, stored_tokens.c.connection_id == connections.c.id)
        .where(stored_tokens.c.seller_id == seller_id, connections.c.is_configured)
        .order_by(connections.c.name)
        .limit(most)
    )
    return list(tx.execute(query).scalars())


def save_refresh_token(tx: Transaction, connection_id: int, token: StoredToken) -> None:
    """Keep *token* in the place of any earlier one."""
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


def drop_refresh_token(tx: Transaction, name: str) -> None:
    """Forget the stored token of a connection: the file has a newer one."""
    drop_refresh_tokens(tx, [name])


def drop_refresh_tokens(tx: Transaction, names: Collection[str]) -> None:
    """Forget the stored tokens of some connections."""
    for piece in in_pieces(names):
        of_them = select(connections.c.id).where(connections.c.name.in_(piece))
        tx.execute(delete(stored_tokens).where(stored_tokens.c.connection_id.in_(of_them)))


ENCRYPTED = (stored_tokens.c.token, entries.c.secrets, channels.c.secrets, proposals.c.sealed)
"""All that is stored encrypted with `web.key`."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of encrypting everything anew.

    Args:
        n_rows: How many values there are.
        unreadable: The connections and channels whose value no key can read.
    """

    n_rows: int
    unreadable: tuple[str, ...] = ()


def rotate_encrypted(tx: Transaction, rotate: Callable[[bytes], bytes | None]) -> Rotated:
    """Put what *rotate* makes of each encrypted value in its place.

    Args:
        rotate: Returns None for what it cannot read, which stays as it is.
    """
    n_rows, unreadable = 0, []
    for column in ENCRYPTED:
        keys = list(column.table.primary_key)
        rows = tx.execute(select(column, *keys).where(column.is_not(None))).all()
        n_rows += len(rows)
        for value, *key in rows:
            renewed = rotate(value)
            is_it = and_(*(each == part for each, part in zip(keys, key, strict=True)))
            if renewed is None:
                unreadable.append(_owner_of(tx, column, is_it))
            else:
                tx.execute(update(column.table).where(is_it).values({column: renewed}))
    return Rotated(n_rows, tuple(unreadable))


def _owner_of(tx: Transaction, column: Column[Any], is_it: ColumnElement[bool]) -> str:
    named = column.table.c.get("name")
    of_it = select(connections.c.name).join(column.table) if named is None else select(named)
    return str(tx.execute(of_it.where(is_it)).scalar_one())


def use_handshake(
    tx: Transaction,
    nonce_hash: str,
    connection_id: int | None,
    session_hash: str,
    started_at: datetime,
) -> bool:
    """Note that a handshake was answered; tell whether it was not before.

    Args:
        connection_id: For which connection; None for a store that there was none of.
    """
    is_it = handshakes.c.nonce_hash == nonce_hash
    if tx.execute(select(handshakes.c.nonce_hash).where(is_it)).first() is not None:
        return False
    tx.execute(
        insert(handshakes).values(
            nonce_hash=nonce_hash,
            connection_id=connection_id,
            session_hash=session_hash,
            started_at=started_at,
        )
    )
    return True


def forget_handshakes(tx: Transaction, before: datetime) -> None:
    """Forget the answered handshakes begun *before* an instant: they count no more."""
    tx.execute(delete(handshakes).where(handshakes.c.started_at < before))


FINGERPRINT_KEY = "fingerprint"
"""Tells refresh tokens apart without keeping them."""

HANDSHAKE_KEY = "handshake"
"""Signs what a consent page must send back."""

KEY_BYTES = 32


def find_key(tx: Transaction, name: str) -> bytes | None:
    """Return the key called *name*, if it was made."""
    value: bytes | None = tx.execute(
        select(keys.c.value).where(keys.c.name == name)
    ).scalar_one_or_none()
    return value


def find_or_make_key(tx: Transaction, name: str) -> bytes:
    """Return the key called *name*, made now if need be."""
    value = find_key(tx, name)
    if value is None:
        value = secrets.token_bytes(KEY_BYTES)
        tx.execute(insert(keys).values(name=name, value=value))
    return value


def save_key(tx: Transaction, name: str, value: bytes) -> None:
    """Keep *value* as the key called *name*, in the place of any before it."""
    tx.execute(delete(keys).where(keys.c.name == name))
    tx.execute(insert(keys).values(name=name, value=value))


def fingerprint(key: bytes, value: str) -> str:
    """Return what tells *value* from others, and nothing else, to whoever lacks the *key*."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


API_TOKEN_PREFIX = "cw_"  # noqa: S105 - by this, scanners for leaked secrets can know one
_RANDOM_BYTES = 32

CSRF_KEY = "csrf"
"""The key that signs what changes must carry."""

CALENDAR_KEY = "calendar"
"""The key that makes the secret addresses of the calendar and of badges."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What lets a program in.

    Args:
        groups: Those whose connections it sees; None for all connections.
    """

    name: str
    role: Role
    groups: frozenset[str] | None
    created_at: datetime
    last_used_at: datetime | None

    @property
    def is_read_only(self) -> bool:
        """Tell whether it changes nothing."""
        return self.role is Role.VIEWER


def hash_secret(secret: str) -> str:
    """Return what is kept of a token or session."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_api_token(
    tx: Transaction,
    name: str,
    now: datetime,
    role: Role = Role.ADMIN,
    groups: frozenset[str] | None = None,
) -> str | None:
    """Make a token called *name* and return it, the only time; None if the name is taken."""
    if tx.execute(select(api_tokens.c.name).where(api_tokens.c.name == name)).first():
        return None
    token = API_TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    tx.execute(
        insert(api_tokens).values(
            name=name,
            token_hash=hash_secret(token),
            is_read_only=role is Role.VIEWER,
            created_at=now,
            role=role,
            groups=None if groups is None else sorted(groups),
        )
    )
    return token


_API_TOKENS = select(
    api_tokens.c.name,
    api_tokens.c.role,
    api_tokens.c.groups,
    api_tokens.c.created_at,
    api_tokens.c.last_used_at,
)


def list_api_tokens(tx: Transaction) -> list[ApiToken]:
    """Return all tokens, by name."""
    return [_read_api_token(*row) for row in tx.execute(_API_TOKENS.order_by(api_tokens.c.name))]


def find_api_token(tx: Transaction, token: str) -> ApiToken | None:
    """Return what *token* stands for, if it was not revoked."""
    is_it = api_tokens.c.token_hash == hash_secret(token)
    row = tx.execute(_API_TOKENS.where(is_it)).first()
    return None if row is None else _read_api_token(*row)


def _read_api_token(
    name: str,
    role: Role,
    groups: list[str] | None,
    created_at: datetime,
    last_used_at: datetime | None,
) -> ApiToken:
    seen = None if groups is None else frozenset(groups)
    return ApiToken(name, role, seen, created_at, last_used_at)


def note_token_use(tx: Transaction, name: str, now: datetime) -> None:
    """Keep when a token was last used."""
    tx.execute(update(api_tokens).where(api_tokens.c.name == name).values(last_used_at=now))


def revoke_api_token(tx: Transaction, name: str) -> bool:
    """Take the token called *name* away; tell whether there was one."""
    return tx.execute(delete(api_tokens).where(api_tokens.c.name == name)).rowcount == 1


def open_session(
    tx: Transaction, user: str, password_mark: str, now: datetime, ends_at: datetime
) -> str:
    """Begin a session of *user* and return its secret; those that ended go.

    Args:
        password_mark: Tells the password that opened it from later ones.
    """
    tx.execute(delete(web_sessions).where(web_sessions.c.ends_at <= now))
    secret = secrets.token_urlsafe(_RANDOM_BYTES)
    tx.execute(
        insert(web_sessions).values(
            session_hash=hash_secret(secret),
            user=user,
            password_mark=password_mark,
            created_at=now,
            ends_at=ends_at,
        )
    )
    return secret


@dataclass(frozen=True, slots=True)
class WebSession:
    """Whose session it is, and by which password it was opened."""

    user: str
    password_mark: str


def find_session(tx: Transaction, secret: str, now: datetime) -> WebSession | None:
    """Return the session that *secret* stands for, if it has not ended."""
    found = select(web_sessions.c.user, web_sessions.c.password_mark).where(
        web_sessions.c.session_hash == hash_secret(secret), web_sessions.c.ends_at > now
    )
    row = tx.execute(found).first()
    return None if row is None else WebSession(*row)


def close_session(tx: Transaction, secret: str) -> None:
    """End a session."""
    tx.execute(delete(web_sessions).where(web_sessions.c.session_hash == hash_secret(secret)))
