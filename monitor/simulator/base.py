"""
Hold what the books of both services need.

Decides which names and addresses are accepted, and what is kept of a secret value.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from monitor.simulator.errors import SimulatorError

MAX_NAME = 100


def checked_name(field_name: str, name: str) -> str:
    """Return a name without the space around it, or refuse it."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise SimulatorError(f"{field_name}: 1 to {MAX_NAME} printable characters")
    return name


def is_web_address(text: str) -> bool:
    """Tell whether *text* is an http or https address that can stand in a header."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def digest(value: str) -> bytes:
    """Return what is kept of a secret value."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
