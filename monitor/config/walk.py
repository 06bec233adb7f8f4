"""
Go through all settings of a configuration, each with its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.config.wording import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.base import Settings
    from monitor.config.model import Config


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    One setting.

    Args:
        place: Where, such as `connections[2].every`.
        section: The table it stands in, such as `connections`.
        key: Its name in the file.
        table: The settings it belongs to.
        is_set: The file says it; otherwise the value is a default.
    """

    place: str
    section: str
    key: str
    table: Settings
    value: Any
    is_set: bool


def walk(config: Config) -> Iterator[Leaf]:
    """
    Yield all settings, in the order of the model.
    """
    for section in type(config).model_fields:
        content = getattr(config, section)
        if isinstance(content, tuple):
            for index, table in enumerate(content):
                yield from _leaves(f"{section}[{index}]", section, table)
        else:
            yield from _leaves(section, section, content)


def _leaves(place: str, section: str, table: Settings) -> Iterator[Leaf]:
    for name, field in type(table).model_fields.items():
        key = field.alias or name
        value, is_set = getattr(table, name), name in table.model_fields_set
        # Entries of a table without fixed keys are settings by themselves: one may be a secret.
        entries = value.items() if isinstance(value, dict) and value else [(None, value)]
        for entry, inner in entries:
            path = [key] if entry is None else [key, entry]
            yield Leaf(f"{place}.{place_of(path)}", section, key, table, inner, is_set)
