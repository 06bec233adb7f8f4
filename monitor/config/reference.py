"""
Write the reference of all settings for `docs/configuration.md`.

`python -m monitor.config.reference` prints it; what it says comes from the JSON
Schema, which comes from the settings themselves.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from monitor.config.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]

_HEAD = """\
# Configuration

<!-- Written by `make reference` from the settings: change the descriptions there. -->

One TOML file: `--config FILE`, else `$CONNWATCH_CONFIG`, `./config.toml`,
`$XDG_CONFIG_HOME/connwatch/config.toml`, `/etc/connwatch/config.toml`, the first that is found.
Unknown keys are refused, and all mistakes are told at once, each with its place:
`connections[2].every: at least 10s, got 5s`.

- **Lengths of time** are texts: `"90s"`, `"5m"`, `"36h"`, `"7d"`. A bare number is not one.
- **Paths** are taken from the folder of the file.
- **Secrets** are `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }` (handed to
  the unit by systemd). A plain text works only if nobody but the owner can read the file.

`connwatch config check` looks for mistakes, `connwatch config show` lists what takes effect,
`connwatch config schema` describes the file to editors. `config.example.toml` shows every key in
its place.
"""

_FORMS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "table",
    "number": "number",
}


def write_reference() -> str:
    """
    Return the page, in Markdown.
    """
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
        yield "Every connection may have these keys; those of its provider come beside them.\n"
        yield from _keys({**kinds[0], "properties": shared}, tables)
    for kind in kinds:
        if shared:
            yield f'### `provider = "{kind["properties"]["provider"]["const"]}"`\n'
            yield f"{kind['description']}\n"
        own = {key: node for key, node in kind["properties"].items() if node != shared.get(key)}
        yield from _keys({**kind, "properties": own}, tables)


def _shared(kinds: Sequence[Json]) -> Json:
    """
    Return the keys that most of *kinds* describe in the same words.
    """
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
    """
    Yield the table of keys, and after it those of the tables that stand inside.
    """
    required = set(table.get("required", ()))
    rows = ["| key | form | default | meaning |", "|---|---|---|---|"]
    inner = {}
    for key, node in table["properties"].items():
        default = "required" if key in required else _default(node)
        meaning = node["description"].replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{key}` | {_form(node, tables)} | {default} | {meaning} |")
        if "properties" in _table(node, tables):
            inner[key] = _table(node, tables)
    yield "\n".join(rows) + "\n"
    for key, each in inner.items():
        yield f"`{key}` is a table of its own:\n"
        yield from _keys(each, tables)


def _default(node: Json) -> str:
    if "default" not in node:
        return ""
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _form(node: Json, tables: Json) -> str:
    """
    Return in a few words what can stand there.
    """
    node = {**_table(node, tables), **{key: node[key] for key in node if key != "$ref"}}
    words = _known_form(node)
    if words is not None:
        return words
    if node.get("type") == "array":
        return f"list of {_form(node['items'], tables)}"
    return _FORMS.get(node.get("type", ""), "table")


def _known_form(node: Json) -> str | None:
    """
    Return what is said of the forms that have a word of their own, or a list of values.
    """
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


if __name__ == "__main__":
    sys.stdout.write(write_reference())
