from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.connections import Application
from monitor.config.describe import json_schema
from monitor.config.model import Channel, Config
from monitor.config.registry import PROVIDERS
from monitor.config.values import parse_duration
from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json_schema()


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from nodes(item)


def test_schema_is_json_and_names_its_dialect():
    assert json.loads(json.dumps(SCHEMA))["$schema"].endswith("/draft/2020-12/schema")


def test_every_table_refuses_unknown_keys():
    tables = [node for node in nodes(SCHEMA) if "properties" in node and "type" in node]
    assert len(tables) > 10
    assert [table for table in tables if table.get("additionalProperties") is not False] == []


@pytest.mark.parametrize("model", [Config, Channel, Application, *PROVIDERS.values()])
def test_every_setting_is_in_the_schema_with_its_description(model):
    definition = SCHEMA if model is Config else SCHEMA["$defs"][model.__name__]
    properties = definition["properties"]
    assert set(properties) == {field.alias or name for name, field in model.model_fields.items()}
    assert [key for key, value in properties.items() if not value.get("description")] == []


def test_tables_of_free_keys_say_what_their_values_are():
    properties = SCHEMA["$defs"]["HttpConnection"]["properties"]
    free = [key for key, value in properties.items() if value.get("additionalProperties")]
    assert free == ["headers", "expect_json"]


def test_references_lead_somewhere():
    names = {node["$ref"].removeprefix("#/$defs/") for node in nodes(SCHEMA) if "$ref" in node}
    assert names <= set(SCHEMA["$defs"])


def test_durations_are_texts_with_defaults_that_can_be_read():
    every = SCHEMA["$defs"]["CheckSettings"]["properties"]["every"]
    assert every["type"] == "string"
    assert every["default"] == "5m"
    assert re.search(every["pattern"], "36h")
    assert not re.search(every["pattern"], "5 minutes")
    lengths = [node for node in nodes(SCHEMA) if "90s" in node.get("examples", [])]
    assert all(parse_duration(node["default"]) for node in lengths if "default" in node)


def test_secret_is_a_text_or_one_of_four_tables():
    token = SCHEMA["$defs"]["SoldscopeConnection"]["properties"]["token"]["oneOf"]
    assert token[0]["type"] == "string"
    keys = [["env"], ["file"], ["credential"], ["command"]]
    assert [table["required"] for table in token[1:]] == keys
    assert token[4]["properties"]["command"]["items"] == {"type": "string"}


@pytest.mark.parametrize(
    ("table", "key"), [("Application", "client_secret"), ("AmazonConnection", "refresh_token")]
)
def test_secrets_of_amazon_are_secrets(table, key):
    assert len(SCHEMA["$defs"][table]["properties"][key]["oneOf"]) == 5


def test_region_and_probe_are_choices():
    assert SCHEMA["$defs"]["Region"]["enum"] == ["na", "eu", "fe"]
    assert SCHEMA["$defs"]["Probe"]["enum"] == ["sellers", "token"]


def test_kinds_are_listed():
    kinds = SCHEMA["$defs"]["Channel"]["properties"]["kinds"]
    assert kinds["items"]["enum"] == [kind.value for kind in AlertKind]


def test_nothing_is_left_that_toml_does_not_have():
    assert [node for node in nodes(SCHEMA) if node.get("type") == "null"] == []
    assert [node for node in nodes(SCHEMA) if node.get("default", 0) is None] == []
    assert [node for node in nodes(SCHEMA) if "minLength" in node and "items" in node] == []
