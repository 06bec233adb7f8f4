"""
Make and read the word that a change from a page must carry.

The same word stands in a cookie and in the page. It is signed together with
the session, so that neither another site nor a neighbour on another port of
this machine can put in a word of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

COOKIE = "connwatch_csrf"
FIELD = "csrf_token"
HEADER = "X-CSRF-Token"

_RANDOM_BYTES = 16


def make(key: bytes, session: str) -> str:
    """
    Return a new word for *session*.
    """
    word = secrets.token_urlsafe(_RANDOM_BYTES)
    return f"{word}.{_sign(key, word, session)}"


def is_genuine(key: bytes, session: str, token: str) -> bool:
    """
    Tell whether *token* was made here, for *session*.
    """
    word, _, signature = token.partition(".")
    return hmac.compare_digest(signature.encode(), _sign(key, word, session).encode())


def _sign(key: bytes, word: str, session: str) -> str:
    return hmac.new(key, f"{word}.{session}".encode(), hashlib.sha256).hexdigest()
