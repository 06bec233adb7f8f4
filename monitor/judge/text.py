"""Make text from outside fit to be kept: one line, no more than people read.

Decides which letters may be kept. Databases refuse some (NUL, halves of letters), and others would
turn what is shown around (bidirectional overrides) or hide it. That text holds no secret is decided
where it comes from.
"""

from __future__ import annotations

LONGEST = 500
"""Letters of anything that a service, a plug-in or a channel has said."""


def tidy(text: str, limit: int = LONGEST) -> str:
    """Return *text* on one line, without letters that cannot be seen, *limit* long at most."""
    if len(text) > limit:
        text = text[:limit].rstrip()[: limit - 1] + "…"
    if text.isprintable():
        return text
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
