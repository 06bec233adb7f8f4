"""Say in a few plain words why a channel did not take a message.

Libraries and services word their errors for programmers; the words here are for whoever has to
fix the channel. The library's own text is kept beside them, for details.
"""

from __future__ import annotations

import re

_CLASSES: dict[str, tuple[str, ...]] = {
    # Ours come first: they say already what is wrong.
    "its URL cannot be read": ("cannot be read",),
    "its URL cannot be used": ("no Apprise URL", "cannot use this URL", "the URL is empty"),
    "it was removed from the configuration": ("not in the configuration any more",),
    "TLS or certificate error": ("certificate", r"\bSSL", r"\bTLS"),
    "connection refused": ("connection refused", "refused the connection", r"errno 111\b"),
    "host name not found": (
        "name or service not known",
        "nodename nor servname",
        "no address associated",
        "name ?resolution",
        "getaddrinfo",
        r"errno -[235]\b",
    ),
    "timed out": ("timed? ?out", "timeout", "did not answer", "no answer"),
    "network unreachable": ("network is unreachable", "no route to host", "host is unreachable"),
    "connection lost": ("connection (was )?reset", "broken pipe", "remote end closed", "aborted"),
    "not authorized: check its token or password": (
        r"\b(401|403|535)\b",
        "unauthori[sz]ed",
        "forbidden",
        "authentication",
        "invalid_auth",
        "invalid token",
        "not_authed",
        "login failed",
    ),
    "rate limited": (r"\b429\b", "rate.?limit", "too many requests"),
    "address not found: check its URL": (
        r"\b(404|410)\b",
        "not.found",
        "no_service",
    ),
    "message rejected": (r"\b(400|413|422)\b", "bad request", "too (long|large)"),
    "server error": (r"\b5\d\d\b", "server error", "bad gateway", "service unavailable"),
}
"""The words, and what the texts of libraries and services have in them; the first match counts."""

_KNOWN = {
    words: re.compile("|".join(patterns), re.IGNORECASE) for words, patterns in _CLASSES.items()
}

UNKNOWN = "message not delivered"


def name_failure(error: str) -> str:
    """Return the plain words for *error*, as a sender worded it."""
    return next((words for words, pattern in _KNOWN.items() if pattern.search(error)), UNKNOWN)
