"""
Make text from outside fit for a message.

Decides which characters may pass and what would ring a whole channel. Escaping
for the format of a service (HTML, Markdown) is left to Apprise, which knows it.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

_BREAKS = {"Cc", "Zl", "Zp"}
"""Categories that could forge a line; each becomes a space."""

_INVISIBLE = {"Cf", "Cs", "Co", "Cn"}
"""Categories that hide or turn text around, or that no mail server encodes."""

_ZERO_WIDTH_SPACE = "\u200b"

_MENTION = re.compile(
    r"@(?=(?:channel|everyone|here|all|room)\b)|<(?=[!@#]|\w[\w+.-]*:)", re.IGNORECASE
)
"""What chat services take for a call to everybody, or for a link under false colours."""

_SEPARATORS = re.compile(r"[\s/:@?&=#,;+]+")

_SHORTEST_MASKED = 3
"""Masking still shorter parts of a URL would make holes in ordinary words."""


def clean(text: str, limit: int) -> str:
    """
    Return *text* as one harmless line of at most *limit* visible characters.
    """
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category in _BREAKS:
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(character)
    return defuse(shorten(" ".join("".join(kept).split()), limit))


def shorten(text: str, limit: int) -> str:
    """
    Cut *text* to *limit* characters, showing that something is missing.
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def defuse(text: str) -> str:
    """
    Keep *text* from mentioning everybody, without changing how it looks.
    """
    return _MENTION.sub(lambda match: match.group() + _ZERO_WIDTH_SPACE, text)


def mask_parts(text: str, url: str) -> str:
    """
    Hide in *text* every part of *url*, whichever of them may be secret.

    Channels keep their tokens anywhere in their URL, the place of the host
    included. Only the scheme is not hidden.
    """
    _, _, secret = url.partition("://")
    parts = {part for whole in (secret, unquote(secret)) for part in _SEPARATORS.split(whole)}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_MASKED:
            text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return text
