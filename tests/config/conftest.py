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


def write_entry(section: str, usual: list[str], lines: tuple[str, ...]) -> str:
    """
    Return the text of an entry; *lines* are added and win over the usual ones.
    """
    keys = {line.partition(" = ")[0]: line for line in (*usual, *lines)}
    return "\n".join([f"[[{section}]]", *keys.values(), ""])


@pytest.fixture
def connection():
    def write_connection(*lines: str) -> str:
        usual = [
            'name = "a"',
            'provider = "soldscope"',
            'base_url = "https://api.example.com"',
            'token = { env = "TOKEN" }',
        ]
        return write_entry("connections", usual, lines)

    return write_connection


@pytest.fixture
def application():
    def write_application(*lines: str) -> str:
        usual = [
            'name = "our-app"',
            'client_id = "amzn1.application-oa2-client.0123"',
            'client_secret = { env = "LWA_CLIENT_SECRET" }',
        ]
        return write_entry("applications", usual, lines)

    return write_application


@pytest.fixture
def store():
    def write_store(*lines: str, undated: bool = False) -> str:
        usual = [
            'name = "acme"',
            'provider = "amazon"',
            'application = "our-app"',
            'region = "na"',
            'refresh_token = { env = "REFRESH_TOKEN" }',
            *([] if undated else ["authorized_on = 2026-01-15"]),
        ]
        return write_entry("connections", usual, lines)

    return write_store
