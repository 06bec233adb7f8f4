"""
Prepare what calls services: checkers, and what they share.

The daemon makes its checks with them; the dashboard validates and shakes hands.

Read and write the refresh tokens that the database keeps, with the key of the file.

Decides which of them still count: the file's token wins once it is another one
than when a handshake brought the stored one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.config.connections import AmazonConnection
from monitor.config.secret import SecretUnavailable
from monitor.providers.base import GrantLocks
from monitor.providers.registry import build_checker
from monitor.providers.tokens import HandshakeToken, HandshakeTokens
from monitor.store import checks, credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.config.model import Config
    from monitor.config.secret import Secret
    from monitor.providers.base import Checker
    from monitor.providers.transport import HttpClients
    from monitor.store.credentials import StoredToken
    from monitor.store.engine import Transaction


log = structlog.get_logger()

MAKE_KEY = "head -c 32 /dev/urandom | base64 | tr '+/' '-_' > fernet-key && chmod 600 fernet-key"
"""Makes a key without any of our programs."""

_REMEDY = "put the former key back, or renew the authorization on the dashboard"


class KeyUnusable(Exception):  # noqa: N818 - it states a condition, as SecretUnavailable does
    """Raised where stored tokens cannot be read or written; says why, never with which key."""


class Cipher:
    """
    The key that stored tokens are encrypted with.

    Args:
        key: The setting `web.key`; None if there is none.

    Raises:
        KeyUnusable: There is none, it cannot be read, or it is no Fernet key.
    """

    def __init__(self, key: Secret | None) -> None:
        from cryptography.fernet import Fernet

        if key is None:
            raise KeyUnusable("no `key` is set under [web]")
        try:
            self._fernet = Fernet(key.reveal())
        except SecretUnavailable as error:
            raise KeyUnusable(f"web.key cannot be read: {error}") from None
        except ValueError:
            raise KeyUnusable("web.key is no Fernet key: 32 bytes in URL-safe base64") from None

    def encrypt(self, token: str) -> bytes:
        """Return *token* as it may be stored."""
        return self._fernet.encrypt(token.encode())

    def decrypt(self, stored: bytes) -> str:
        """
        Return the token that was stored.

        Raises:
            KeyUnusable: It was encrypted with another key.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            raise KeyUnusable("web.key is not the key that the token was encrypted with") from None


def decrypt_tokens(
    config: Config,
    stored: Mapping[str, StoredToken],
    fingerprint: Callable[[str], str],
    on_unreadable: Callable[[str, KeyUnusable], None] | None = None,
) -> HandshakeTokens:
    """
    Return the tokens *stored* for connections of the file.

    Args:
        on_unreadable: Told of what cannot be decrypted; else that is logged, and
            the connection is not asked until it can be.
    """
    found = {}
    for name, each in stored.items():
        if not isinstance(config.connection(name), AmazonConnection):
            continue
        try:
            value = Cipher(config.web.key).decrypt(each.encrypted)
        except KeyUnusable as error:
            (on_unreadable or _warn)(name, error)
            why = f"{error}; {_REMEDY}"
            found[name] = HandshakeToken("", each.file_fingerprint, why)
        else:
            found[name] = HandshakeToken(value, each.file_fingerprint)
    return HandshakeTokens(fingerprint, found)


def _warn(name: str, error: KeyUnusable) -> None:
    log.warning(
        "stored_token.unreadable",
        connection=name,
        error=str(error),
        remedy=_REMEDY,
    )


def find_outdated_tokens(config: Config, held: HandshakeTokens) -> list[str]:
    """Return the connections whose token in the file is newer than the one held, and drop that."""
    outdated = []
    for name in held:
        connection = config.connection(name)
        assert isinstance(connection, AmazonConnection), "only such are held"
        if held.choose(name, connection.refresh_token) is None:
            outdated.append(name)
    return outdated


@dataclass(frozen=True, slots=True)
class CheckerSet:
    """
    What calls services.

    Args:
        checkers: By the name of the connection; those switched off have none.
        clients: Carry all calls; those that a reload brings are given out by them.
        held: The refresh tokens that handshakes brought.
        fingerprint: Tells refresh tokens apart without keeping them.
        stored: Those of the tokens that the database had.
    """

    checkers: Mapping[str, Checker]
    clients: HttpClients
    grants: GrantLocks
    held: HandshakeTokens
    fingerprint: Callable[[str], str]
    stored: HandshakeTokens


def prepare_checkers(
    tx: Transaction, config: Config, clients: HttpClients, former: CheckerSet | None = None
) -> CheckerSet:
    """
    Build the checker of each connection that is switched on.

    Stored refresh tokens that the file has newer ones for are forgotten.

    Args:
        clients: What the checkers call with.
        former: What calls services now, if anything does: exchanges under way and
            tokens held go on, and those that come meanwhile are not lost.

    Raises:
        ValueError: A setting cannot work, such as a CA file that was emptied just now.
    """
    fingerprint = partial(
        credentials.fingerprint, credentials.find_or_make_key(tx, credentials.FINGERPRINT_KEY)
    )
    stored = decrypt_tokens(config, credentials.list_refresh_tokens(tx), fingerprint)
    for name in find_outdated_tokens(config, stored):
        credentials.drop_refresh_token(tx, name)
    grants = former.grants if former else GrantLocks()
    held = former.held if former else stored
    worked = checks.list_authorized(tx)
    checkers = {
        connection.name: build_checker(connection, config, clients, grants, held, worked=worked)
        for connection in config.connections
        if connection.enabled
    }
    kept = former.clients if former else clients
    return CheckerSet(checkers, kept, grants, held, fingerprint, stored)
