from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.connections import Application
from monitor.config.load import build_config, load_config
from monitor.config.model import (
    AlertSettings,
    Channel,
    CheckSettings,
    Config,
    Group,
    HeartbeatSettings,
    MonitorSettings,
    WebSettings,
)
from monitor.config.registry import PROVIDERS
from monitor.config.remarks import check_secrets, notices
from monitor.config.sources import SOURCE_KINDS
from monitor.config.values import Reading, Settings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

TABLES: dict[str, tuple[type[Settings], ...]] = {
    "monitor": (MonitorSettings,),
    "checks": (CheckSettings,),
    "alerts": (AlertSettings,),
    "web": (WebSettings,),
    "heartbeat": (HeartbeatSettings,),
    "channels": (Channel,),
    "applications": (Application,),
    "groups": (Group,),
    "connections": tuple(PROVIDERS.values()),
    "sources": tuple(SOURCE_KINDS.values()),
}

SETTINGS = list(
    dict.fromkeys(
        (section, field.alias or name)
        for section, models in TABLES.items()
        for model in models
        for name, field in model.model_fields.items()
    )
)


def uncommented() -> str:
    """
    Return the example with every key that is commented out switched on.
    """
    return re.sub(r"(?m)^# (\w+ = )", r"\1", TEXT)


def section_of(name: str) -> str:
    pattern = rf"(?ms)^\[\[?{name}\]\]?$(.*?)(?=^\[|\Z)"
    return "".join(re.findall(pattern, TEXT))


def test_example_works_as_it_is(monkeypatch):
    for name in re.findall(r'env = "(\w+)"', TEXT):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OPS_CHANNEL_URL", "json://localhost")
    monkeypatch.setenv("VENDOR_DATABASE_URL", "postgresql://localhost/vendor")
    config = load_config(EXAMPLE)
    providers = [one.provider for one in config.connections]
    assert list(dict.fromkeys(providers)) == list(PROVIDERS)
    assert len(config.channels) == len(config.applications) == 1
    assert check_secrets(config).problems == ()
    assert notices(config) == []


def test_example_works_with_everything_switched_on():
    data = tomllib.loads(uncommented())
    config = build_config(data, Reading(Path("config.toml"), NOON, {}))
    assert config.connections[0].valid_days == 365
    assert notices(config) == []


@pytest.mark.parametrize(("section", "key"), SETTINGS, ids=".".join)
def test_every_setting_that_does_something_is_in_the_example(section, key):
    assert re.search(rf"(?m)^(# )?{key} = ", section_of(section))


def test_all_tables_are_looked_at():
    assert set(TABLES) == set(Config.model_fields)
    assert len(SETTINGS) > 30


@pytest.mark.parametrize("section", ["checks", "alerts"])
def test_example_shows_the_defaults(section):
    shown = load_config(EXAMPLE).model_dump()[section]
    assert shown == Config().model_dump()[section]
