"""Describe the settings: as JSON Schema, as `docs/configuration.md`, and as they take effect.

`python -m monitor.config.describe` prints the page; what it says comes from the schema, which
comes from the settings themselves. Rules between keys and entries are not in it. Secrets are shown
as a mask and their source.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from monitor.config.addresses import MASK, mask_url
from monitor.config.connections import Connection
from monitor.config.errors import place_of
from monitor.config.model import Config
from monitor.config.secret import Secret
from monitor.config.values import Settings, format_duration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence


# --- JSON Schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _FileSchema(GenerateJsonSchema):
    """Write defaults as they stand in the file."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 2020-12, of the configuration file."""
    schema = _tidy(Config.model_json_schema(by_alias=True, schema_generator=_FileSchema))
    return {"$schema": _DIALECT, **schema, "title": "connwatch configuration"}


def _tidy(node: Any) -> Any:
    """Take out what means nothing in TOML: null, defaults of tables, OpenAPI's additions."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not _is_noise(key, value)}
    choices = [choice for choice in tidy.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        # What is said beside the choice, such as the description, is nearer.
        return {**choices[0], **tidy}
    return {"anyOf": choices, **tidy} if choices else tidy


def _is_noise(key: str, value: Any) -> bool:
    return (
        (key == "default" and (value is None or isinstance(value, dict)))
        or (key == "discriminator" and isinstance(value, dict) and "propertyName" in value)
        or (key == "title" and isinstance(value, str))
    )


# --- the page of reference

Json = dict[str, Any]

_HEAD = """\
# Configuration

<!-- Written by `make reference` from the settings: change the descriptions there. -->

One TOML file: `--config FILE`, else `$CONNWATCH_CONFIG`, `./config.toml`,
`$XDG_CONFIG_HOME/connwatch/config.toml`, `/etc/connwatch/config.toml`, the first that is found.
Unknown keys are errors, and all errors are shown at once, each with its place:
`connections[2].every: at least 10s, got 5s`.

- **Lengths of time** are texts: `"90s"`, `"5m"`, `"36h"`, `"7d"`. A bare number is not one.
- **Paths** are taken from the folder of the file.
- **Secrets** are `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` (passed to
  the unit by systemd) or `{ command = ["op", "read", "op://vault/item"] }` (what a program prints:
  see [security](security.md#secrets-from-a-vault)). Plain text works only if the owner alone can
  read the file.
  A secret is examined before it is used: a byte order mark, an invisible or control character, a
  line break, and around a token quotation marks, spaces or `Bearer ` are errors for
  `config check`. `run` and `check` continue; only the connections that use it report `protocol`.

`connwatch config check` finds errors, `connwatch config show` lists the settings in effect,
`connwatch config schema` describes the file to editors. `config.example.toml` shows every key in
its place.
"""

_KINDS_OF = {
    "connections": (
        "provider",
        "Every connection may have these keys; those of its provider come beside them.",
    ),
    "sources": ("kind", "Every source may have these keys; those of its kind come beside them."),
}
"""The lists whose entries are of several kinds: the key that says which, and what they share."""

_FORMS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "table",
    "number": "number",
}


def write_reference() -> str:
    """Return the page, in Markdown."""
    schema = json_schema()
    parts = [_HEAD]
    for section, each in schema["properties"].items():
        parts += _section(section, each, schema["$defs"])
    return "\n".join(parts)


def _section(name: str, each: Json, tables: Json) -> Iterator[str]:
    is_list = "items" in each
    yield f"## `{f'[[{name}]]' if is_list else f'[{name}]'}`\n"
    yield f"{each['description']}\n"
    if not is_list:
        yield from _keys(_table(each, tables), tables)
        return
    kinds = [_table(kind, tables) for kind in each["items"].get("oneOf", [each["items"]])]
    shared = _shared(kinds) if len(kinds) > 1 else {}
    if shared:
        tag, words = _KINDS_OF[name]
        yield f"{words}\n"
        yield from _keys({**kinds[0], "properties": shared}, tables)
    for kind in kinds:
        if shared:
            yield f'### `{tag} = "{kind["properties"][tag]["const"]}"`\n'
            yield f"{kind['description']}\n"
        own = {key: node for key, node in kind["properties"].items() if node != shared.get(key)}
        yield from _keys({**kind, "properties": own}, tables)


def _shared(kinds: Sequence[Json]) -> Json:
    """Return the keys that most of *kinds* describe in the same words."""
    found = {}
    for key, node in kinds[0]["properties"].items():
        alike = [kind for kind in kinds if kind["properties"].get(key) == node]
        if len(alike) > len(kinds) / 2 and all(key in kind["properties"] for kind in kinds):
            found[key] = node
    return found


def _table(node: Json, tables: Json) -> Json:
    if "$ref" not in node:
        return node
    table: Json = tables[node["$ref"].rpartition("/")[2]]
    return table


def _keys(table: Json, tables: Json) -> Iterator[str]:
    """Yield the table of keys, and after it those of the tables that stand inside."""
    required = set(table.get("required", ()))
    rows = ["| key | form | default | meaning |", "|---|---|---|---|"]
    inner, lists = {}, {}
    for key, node in table["properties"].items():
        default = "required" if key in required else _default(node)
        meaning = node["description"].replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{key}` | {_form(node, tables)} | {default} | {meaning} |")
        if "properties" in _table(node, tables):
            inner[key] = _table(node, tables)
        if "properties" in _table(node.get("items", {}), tables):
            lists[key] = _table(node["items"], tables)
    yield "\n".join(rows) + "\n"
    for key, each in inner.items():
        yield f"`{key}` is a table of its own:\n"
        yield from _keys(each, tables)
    for key, each in lists.items():
        yield f"Each of `{key}` is a table of its own:\n"
        yield from _keys(each, tables)


def _default(node: Json) -> str:
    if "default" not in node:
        return ""
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _form(node: Json, tables: Json) -> str:
    """Return in a few words what can stand there."""
    node = {**_table(node, tables), **{key: node[key] for key in node if key != "$ref"}}
    words = _known_form(node)
    if words is not None:
        return words
    if node.get("type") == "array":
        inner = _form(node["items"], tables)
        return f"list of {inner}s" if inner == "table" else f"list of {inner}"
    return _FORMS.get(node.get("type", ""), "table")


def _known_form(node: Json) -> str | None:
    """Return what is said of the forms that have a word of their own, or a list of values."""
    values = [node["const"]] if "const" in node else node.get("enum", [])
    if "digest" in values:
        return "[kind](alerts.md)"
    if values:
        return ", ".join(f"`{json.dumps(each)}`" for each in values)
    if any("credential" in each.get("properties", {}) for each in node.get("oneOf", ())):
        return "secret"
    if any(each.get("format") == "date" for each in (node, *node.get("anyOf", ()))):
        return "day"
    is_length = "examples" in node and node.get("pattern", "").endswith("[smhd]$")
    return "length of time" if is_length else None


# --- effective settings


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting.

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
    """Yield all settings, in the order of the model."""
    for section in type(config).model_fields:
        content = getattr(config, section)
        if isinstance(content, tuple):
            for index, table in enumerate(content):
                yield from walk_table(f"{section}[{index}]", table, section)
        else:
            yield from walk_table(section, content, section)


@lru_cache
def _keys_of(kind: type[Settings]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a table, each with its key in the file."""
    return tuple((name, field.alias or name) for name, field in kind.model_fields.items())


def walk_table(
    place: str,
    table: Settings,
    section: str = "connections",
    only: Collection[str] | None = None,
) -> Iterator[Leaf]:
    """Yield the settings of one table, which stands at *place*.

    Args:
        only: The keys that matter; None for all.
    """
    for name, key in _keys_of(type(table)):
        if only is not None and key not in only:
            continue
        value, is_set = getattr(table, name), name in table.model_fields_set
        if isinstance(value, tuple) and value and isinstance(value[0], Settings):
            for position, each in enumerate(value):
                yield from walk_table(f"{place}.{key}[{position}]", each, section)
            continue
        # Entries of a table without fixed keys are settings by themselves: one may be a secret.
        entries: Iterable[tuple[str | int | None, Any]] = [(None, value)]
        if isinstance(value, dict) and value:
            entries = value.items()
        elif isinstance(value, tuple) and value and isinstance(value[0], Secret):
            entries = enumerate(value)
        for entry, inner in entries:
            path = [key] if entry is None else [key, entry]
            yield Leaf(f"{place}.{place_of(path)}".lstrip("."), section, key, table, inner, is_set)


NOT_SET = "not set"


class Origin(StrEnum):
    """Who says what a setting is."""

    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """An effective setting, ready to be printed."""

    place: str
    value: str
    origin: Origin


def list_settings(config: Config) -> list[Setting]:
    """Return all settings of *config* as they take effect."""
    return [
        Setting(
            leaf.place,
            _write_leaf(config, leaf),
            Origin.FILE if leaf.is_set else Origin.DEFAULT,
        )
        for leaf in walk(config)
    ]


def _write_leaf(config: Config, leaf: Leaf) -> str:
    written = _write(_effective(config, leaf))
    # The page for people is shown whole; an address that is called may hold a secret.
    return written if leaf.key == "renew_url" else mask_url(written)


def _effective(config: Config, leaf: Leaf) -> Any:
    if isinstance(leaf.table, Connection):
        if leaf.key == "every":
            return config.every_of(leaf.table)
        if leaf.key == "timeout":
            return config.timeout_of(leaf.table)
    return leaf.value


def _write(value: Any) -> str:  # noqa: PLR0911 - a table of cases
    """Write *value* much as it would stand in the file."""
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


if __name__ == "__main__":
    sys.stdout.write(write_reference())
