"""
Read structured header fields (RFC 9651): the only module that knows the library.

Decides what an item of a list or dictionary is; what it means is left to the
caller. Safe with any text: what is malformed is None as a whole, as the RFC
wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from http_sf import StructuredFieldError, Token, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FIELD = 4096
"""No quota needs more; what is longer is not read."""


@dataclass(frozen=True, slots=True)
class Item:
    """
    One value with its parameters; inner lists and other odd values are None.
    """

    value: int | str | None
    parameters: Mapping[str, int | str | None] = field(default_factory=dict)


def parse_list(text: str) -> list[Item] | None:
    """
    Return the items of a list; None if it is none.
    """
    members = _parse(text, "list")
    return [_item(member) for member in members] if isinstance(members, list) else None


def parse_dictionary(text: str) -> dict[str, Item] | None:
    """
    Return the items of a dictionary; None if it is none.
    """
    members = _parse(text, "dictionary")
    if not isinstance(members, dict):
        return None
    return {key: _item(member) for key, member in members.items()}


def _parse(text: str, kind: str) -> object:
    if len(text) > MAX_FIELD or not text.isascii():
        return None
    try:
        return parse(text.encode("ascii"), tltype=kind)
    except StructuredFieldError:
        return None


def _item(member: object) -> Item:
    value, parameters = member if isinstance(member, tuple) else (member, {})
    return Item(_plain(value), {key: _plain(each) for key, each in parameters.items()})


def _plain(value: object) -> int | str | None:
    # True is an int to Python, and no count.
    if isinstance(value, bool):
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Token):
        return str(value)
    return value if isinstance(value, int | str) else None
