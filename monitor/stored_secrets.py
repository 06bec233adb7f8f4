"""
Read and write the refresh tokens that the database keeps, with the key of the file.

Decides which of them still count: the file's token wins once it is another one
than when a handshake brought the stored one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.check.held import HeldToken, HeldTokens
from monitor.config.amazon import AmazonConnection
from monitor.config.secret import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.config.model import Config
    from monitor.config.secret import Secret
    from monitor.store.stored_tokens import StoredToken

log = structlog.get_logger()

MAKE_KEY = "head -c 32 /dev/urandom | base64 | tr '+/' '-_' > fernet-key && chmod 600 fernet-key"
"""Makes a key without any of our programs."""

_REMEDY = "put the former key back, or renew the authorization on the dashboard"


class KeyUnusable(Exception):  # noqa: N818 - it states a condition, as SecretUnavailable does
    """
    Raised where stored tokens cannot be read or written; says why, never with which key.
    """


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
        """
        Return *token* as it may be stored.
        """
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


def hold_tokens(
    config: Config,
    stored: Mapping[str, StoredToken],
    fingerprint: Callable[[str], str],
    on_unreadable: Callable[[str, KeyUnusable], None] | None = None,
) -> HeldTokens:
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
            found[name] = HeldToken("", each.file_fingerprint, why)
        else:
            found[name] = HeldToken(value, each.file_fingerprint)
    return HeldTokens(fingerprint, found)


def _warn(name: str, error: KeyUnusable) -> None:
    log.warning(
        "stored_token.unreadable",
        connection=name,
        error=str(error),
        remedy=_REMEDY,
    )


def find_outdated(config: Config, held: HeldTokens) -> list[str]:
    """
    Return the connections whose token in the file is newer than the one held, and drop that.
    """
    outdated = []
    for name in held:
        connection = config.connection(name)
        assert isinstance(connection, AmazonConnection), "only such are held"
        if held.choose(name, connection.refresh_token) is None:
            outdated.append(name)
    return outdated
