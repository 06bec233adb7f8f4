"""
Write down where a page of a list ended, and read it again.

A cursor is the sort key of the last entry: entries that come and go meanwhile
neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
import re

_NUMBERS = re.compile(rb"[0-9]{1,20}(?:\.[0-9]{1,20})*")


def write_cursor(key: tuple[int, ...]) -> str:
    """
    Return *key* as one opaque word.
    """
    text = ".".join(str(number) for number in key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, length: int) -> tuple[int, ...] | None:
    """
    Return the key in *cursor*, or None for the beginning.

    Raises:
        ValueError: It was not made here, or for another list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    key = tuple(int(part) for part in text.split(b".")) if _NUMBERS.fullmatch(text) else ()
    if len(key) != length or max(key) >= 2**63:
        raise ValueError("not a cursor of this list: use `next` of the page before, as it stands")
    return key
