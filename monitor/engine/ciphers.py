"""Encrypt what is stored and nobody may read: refresh tokens, and the secrets of entries.

Which keys there are is a matter of the file: `web.key` encrypts, those of `web.old_keys` decrypt as
well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from monitor.config.secret import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.fernet import Fernet

    from monitor.config.entries import Path
    from monitor.config.model import WebSettings
    from monitor.config.secret import Secret

MAKE_KEY = "connwatch web key > fernet-key && chmod 600 fernet-key"
"""Makes a key beside the file."""

_OTHER_KEY = "web.key is not the key that the token was encrypted with, nor is any of web.old_keys"


class KeyUnusable(Exception):  # noqa: N818 - it states a condition, as SecretUnavailable does
    """Raised where stored tokens cannot be read or written; says why, never with which key."""


class Cipher:
    """The keys of what is stored encrypted: the first encrypts, all of them decrypt.

    Args:
        key: The setting `web.key`; None if there is none.
        old_keys: The setting `web.old_keys`.

    Raises:
        KeyUnusable: There is none, one cannot be read, or is no Fernet key.
    """

    def __init__(self, key: Secret | None, old_keys: Sequence[Secret] = ()) -> None:
        from cryptography.fernet import MultiFernet

        if key is None:
            raise KeyUnusable("no `key` is set under [web]")
        keys = [_read_key(key, "web.key")]
        keys += [_read_key(old, f"web.old_keys[{n}]") for n, old in enumerate(old_keys)]
        self._fernet = MultiFernet(keys)

    @classmethod
    def of(cls, web: WebSettings) -> Self:
        """Return the keys of the settings; raise KeyUnusable if they are of no use."""
        return cls(web.key, web.old_keys)

    @classmethod
    def find(cls, web: WebSettings) -> Self | None:
        """Return the keys of the settings; None if they are of no use."""
        try:
            return cls.of(web)
        except KeyUnusable:
            return None

    def encrypt(self, token: str) -> bytes:
        """Return *token* as it may be stored."""
        return self._fernet.encrypt(token.encode())

    def decrypt(self, stored: bytes) -> str:
        """Return the token that was stored.

        Raises:
            KeyUnusable: It was encrypted with another key.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            raise KeyUnusable(_OTHER_KEY) from None

    def rotate(self, stored: bytes) -> bytes:
        """Return what was *stored*, encrypted with the present key.

        Raises:
            KeyUnusable: It was encrypted with a key that is not among those known.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.rotate(stored)
        except InvalidToken:
            raise KeyUnusable(_OTHER_KEY) from None


def _read_key(key: Secret, place: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key.reveal())
    except SecretUnavailable as error:
        raise KeyUnusable(f"{place} cannot be read: {error}") from None
    except ValueError:
        raise KeyUnusable(f"{place} is no Fernet key: make one with `connwatch web key`") from None


def seal_secrets(secrets: Mapping[Path, str], cipher: Cipher) -> bytes:
    """Return the *secrets* of an entry as they may be stored."""
    return cipher.encrypt(json.dumps([[list(path), text] for path, text in secrets.items()]))


def open_secrets(stored: bytes, cipher: Cipher) -> dict[Path, str]:
    """Return the secrets that `seal_secrets` stored.

    Raises:
        KeyUnusable: They were encrypted with another key.
    """
    return {tuple(path): text for path, text in json.loads(cipher.decrypt(stored))}
