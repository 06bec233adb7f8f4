"""
Read what is known of well-known APIs: one data file each, in `presets/`.

A preset fills in keys of a connection that the file leaves out; the rest of it
is what no key can say: the service's words for what went wrong.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

PRESETS = ("anthropic", "github", "gitlab", "openai", "shopify", "slack")

PLACEHOLDER = "YOUR-"
"""Stands in an example of an address where the account's own name belongs."""

_FOLDER = Path(__file__).with_name("presets")


@dataclass(frozen=True, slots=True)
class Preset:
    """
    What is known of one API.

    Args:
        settings: Keys of the connection, as they would stand in the file.
        url_example: An address to copy, where each account has its own.
        renewal: A sentence that says where to get a new token.
        expires_at: The JSON pointer to the token's end in the answer.
        word_at: The JSON pointer to the word for what went wrong.
        words: What each of those words means.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    url_example: str = ""
    renewal: str = ""
    expires_at: str | None = None
    word_at: str | None = None
    words: Mapping[str, Reason] = field(default_factory=dict)


@lru_cache
def load_preset(name: str) -> Preset:
    """
    Return the preset called *name*, one of `PRESETS`.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset called {name}")
    content = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    words: dict[str, list[str]] = content.get("words", {})
    return Preset(
        settings=content.get("connection", {}),
        words={word: Reason(reason) for reason, each in words.items() for word in each},
        **content.get("service", {}),
    )
