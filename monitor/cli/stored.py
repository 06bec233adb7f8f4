"""
Read the refresh tokens that the database keeps, for commands that ask services.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from monitor.cli.ending import CommandError

if TYPE_CHECKING:
    from collections.abc import Collection

    from monitor.check.held import HeldTokens
    from monitor.cli.session import Session
    from monitor.store.engine import Database


def find_held(
    session: Session, database: Database | None, names: Collection[str]
) -> HeldTokens | None:
    """
    Return the refresh tokens that handshakes brought *names*, if there is a key for that yet.

    Raises:
        CommandError: One is there and cannot be read: to ask with the file's
            would only find out that it is an old one.
    """
    from monitor.store import keys, stored_tokens
    from monitor.stored_secrets import hold_tokens

    if database is None:
        return None
    with database.read() as tx:
        key = keys.find(tx, keys.FINGERPRINT)
        stored = stored_tokens.list_tokens(tx)
    if key is None:
        return None
    wanted = {name: token for name, token in stored.items() if name in names}
    return hold_tokens(session.config, wanted, partial(keys.fingerprint, key), _refuse_unreadable)


def _refuse_unreadable(name: str, error: Exception) -> None:
    raise CommandError(
        f"{name} was renewed on the dashboard, and its token cannot be read from here: {error}"
    )
