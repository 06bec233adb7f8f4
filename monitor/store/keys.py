"""
Keep the random keys of this installation.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from monitor.store.tables import keys

if TYPE_CHECKING:
    from monitor.store.engine import Transaction

FINGERPRINT = "fingerprint"
"""Tells refresh tokens apart without keeping them."""

KEY_BYTES = 32


def find(tx: Transaction, name: str) -> bytes | None:
    """
    Return the key called *name*, if it was made.
    """
    value: bytes | None = tx.execute(
        select(keys.c.value).where(keys.c.name == name)
    ).scalar_one_or_none()
    return value


def find_or_make(tx: Transaction, name: str) -> bytes:
    """
    Return the key called *name*, made now if need be.
    """
    value = find(tx, name)
    if value is None:
        value = secrets.token_bytes(KEY_BYTES)
        tx.execute(insert(keys).values(name=name, value=value))
    return value


def fingerprint(key: bytes, value: str) -> str:
    """
    Return what tells *value* from others, and nothing else, to whoever lacks the *key*.
    """
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
