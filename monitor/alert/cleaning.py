"""
Make text from outside fit for a message.

Decides which characters may pass and what would ring a whole channel. Escaping
for the format of a service (HTML, Markdown) is left to `formats`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

_BREAKS = {"Cc", "Zl", "Zp"}
"""Categories that could forge a line; each becomes a space."""

_INVISIBLE = {"Cf", "Cs", "Co", "Cn"}
"""Categories that hide or turn text around, or that no mail server encodes."""

_ZERO_WIDTH_SPACE = "\u200b"

_MENTION = re.compile(r"(?<![\w.+-])@(?=[\w*])|<(?=[!@#]|\w[\w+.-]*:)|\](?=\()", re.IGNORECASE)
"""What chat services take for a call to somebody, or for a link under false colours."""

LONGEST_RUN = 120
"""Longer words are no words, and nobody reads them."""

_RUN = re.compile(rf"\S{{{LONGEST_RUN},}}")

_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}]{1,1990}", re.IGNORECASE)

FACT_LIMIT = 300
MOST_FACTS = 50
"""How much of a text, a list or an object a template gets to see."""

_SEPARATORS = re.compile(r"[\s/:@?&=#,;+]+")

_SHORTEST_MASKED = 3
"""Masking still shorter parts of a URL would make holes in ordinary words."""


def clean(text: str, limit: int) -> str:
    """
    Return *text* as one harmless line of at most *limit* visible characters.
    """
    return defuse(shorten(_RUN.sub(_cut_run, _keep_visible(text)), limit))


def clean_url(text: str) -> str:
    """
    Return an address that readers can follow as it is, or nothing.
    """
    return text if _URL.fullmatch(text) and text == _keep_visible(text) else ""


def clean_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a copy of *facts* in which every text is clean and nothing is large.
    """
    return {
        clean(str(name), FACT_LIMIT): _clean_fact(value)
        for name, value in list(facts.items())[:MOST_FACTS]
    }


def _clean_fact(value: Any) -> Any:
    match value:
        case str():
            return clean_url(value) or clean(value, FACT_LIMIT)
        case dict():
            return clean_facts(value)
        case list() | tuple():
            return [_clean_fact(item) for item in value[:MOST_FACTS]]
        case bool() | int() | float() | None:
            return value
    return ""


def _cut_run(match: re.Match[str]) -> str:
    return shorten(match.group(), LONGEST_RUN)


def _keep_visible(text: str) -> str:
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category in _BREAKS:
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(character)
    return " ".join("".join(kept).split())


def shorten(text: str, limit: int) -> str:
    """
    Cut *text* to *limit* characters, showing that something is missing.
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def defuse(text: str) -> str:
    """
    Keep *text* from calling anybody, without changing how it looks.
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
