"""
Write and load configuration files in a folder of the test's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitor.config.load import load_config

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VARIABLES = ("CONNWATCH_CONFIG", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "XDG_CONFIG_HOME")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path: Path):
    def write_config(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write_config


@pytest.fixture
def load(write):
    return lambda text, mode=0o600: load_config(write(text, mode), NOON)


@pytest.fixture
def connection():
    """
    Return the text of a connection; *lines* are added and win over the usual ones.
    """

    def write_connection(*lines: str) -> str:
        usual = {
            "name": 'name = "a"',
            "provider": 'provider = "soldscope"',
            "base_url": 'base_url = "https://api.example.com"',
            "token": 'token = { env = "TOKEN" }',
        }
        keys = {line.partition(" = ")[0]: line for line in lines}
        return "\n".join(["[[connections]]", *(usual | keys).values(), ""])

    return write_connection
