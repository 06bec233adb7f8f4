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
    return one_line(text)


def one_line(text: str) -> str:
    """Return *text* on one line, with one space for any run of what cannot be seen."""
    return " ".join(printable(text).split())


def printable(text: str) -> str:
    """Return *text* with a space for each letter that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
