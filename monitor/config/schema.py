"""
Describe the file to editors, as JSON Schema.

Rules between keys and entries are not in it; `connwatch config check` has them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from monitor.config.duration import format_duration
from monitor.config.model import Config

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _FileSchema(GenerateJsonSchema):
    """
    Write defaults as they stand in the file.
    """

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """
    Return the JSON Schema, draft 2020-12, of the configuration file.
    """
    schema = _tidy(Config.model_json_schema(by_alias=True, schema_generator=_FileSchema))
    return {"$schema": _DIALECT, **schema, "title": "connwatch configuration"}


def _tidy(node: Any) -> Any:
    """
    Take out what means nothing in TOML: null, defaults of tables, OpenAPI's additions.
    """
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
