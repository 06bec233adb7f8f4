"""
List the effective settings, each with where it comes from.

Secrets are shown as a mask and their source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from monitor.config.base import Settings
from monitor.config.connection import Connection
from monitor.config.duration import format_duration
from monitor.config.secret import MASK, Secret
from monitor.config.walk import walk

if TYPE_CHECKING:
    from monitor.config.model import Config
    from monitor.config.walk import Leaf

NOT_SET = "not set"


class Origin(StrEnum):
    """
    Who says what a setting is.
    """

    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """
    An effective setting, ready to be printed.
    """

    place: str
    value: str
    origin: Origin


def describe(config: Config) -> list[Setting]:
    """
    Return all settings of *config* as they take effect.
    """
    return [
        Setting(
            leaf.place,
            _write(_effective(config, leaf)),
            Origin.FILE if leaf.is_set else Origin.DEFAULT,
        )
        for leaf in walk(config)
    ]


def _effective(config: Config, leaf: Leaf) -> Any:
    if isinstance(leaf.table, Connection):
        if leaf.key == "every":
            return config.every_of(leaf.table)
        if leaf.key == "timeout":
            return config.timeout_of(leaf.table)
    return leaf.value


def _write(value: Any) -> str:  # noqa: PLR0911 - a table of cases
    """
    Write *value* much as it would stand in the file.
    """
    match value:
        case None:
            return NOT_SET
        case Secret():
            return f"{MASK} ({value.source})"
        case bool():
            return str(value).lower()
        case timedelta():
            return format_duration(value)
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case tuple():
            return f"[{', '.join(map(_write, value))}]"
        case frozenset():
            return f"[{', '.join(map(_write, sorted(value)))}]"
        case Settings():
            fields = type(value).model_fields.items()
            pairs = [(field.alias or name, getattr(value, name)) for name, field in fields]
            return f"{{ {', '.join(f'{key} = {_write(inner)}' for key, inner in pairs)} }}"
        case _:
            return str(value)
