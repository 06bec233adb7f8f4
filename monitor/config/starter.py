"""Write the first configuration file of a new user.

Asking the questions is left to `monitor.cli`. The text refers to secrets by
name, unless the person insists on typing them in: the file is theirs alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from monitor.config.errors import ConfigError, Problem
from monitor.config.http import PRESETS
from monitor.config.secret import SourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CHANNELS = "channels"
APPLICATIONS = "applications"
CONNECTIONS = "connections"

_OWNER_ONLY = 0o600
_DELETE = "\x7f"


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret is kept: a name or path, or for a literal the secret itself."""

    kind: SourceKind
    value: str = field(repr=False)


Value = str | SecretPlace | date
"""What a key of a new file can hold."""


@dataclass(frozen=True, slots=True)
class Table:
    """An entry of a new file, in a section such as `connections`; its keys in their order."""

    section: str
    keys: Mapping[str, Value]


def starter_config(tables: Sequence[Table], every: str = "5m") -> str:
    """Return the text of a new configuration file.

    The values are written as given: load the file to see whether they are any
    good. What is not there yet is shown as a comment.

    Args:
        every: How often connections are checked that have no rhythm of their own.
    """
    parts = [_HEAD.format(every=_text(every))]
    parts += [_write(table) for table in tables if table.section == CHANNELS] or [_NO_CHANNEL]
    parts += [_write(table) for table in tables if table.section == APPLICATIONS]
    entries = [table for table in tables if table.section == CONNECTIONS]
    parts += map(_write, entries)
    providers = {table.keys.get("provider") for table in entries}
    if "amazon" not in providers:
        parts.append(_NO_STORE)
    if "http" not in providers:
        parts.append(_NO_OTHER_API.format(presets=", ".join(PRESETS)))
    return "\n".join(parts)


def _write(table: Table) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in table.keys.items()]
    return "\n".join([f"[[{table.section}]]", *lines, ""])


def write_new(path: Path, text: str) -> None:
    """Write *text* to a new file that only its owner may read, or raise ConfigError."""
    try:
        descriptor = _open_new(path, _OWNER_ONLY)
    except FileExistsError:
        raise _refuse(path, "exists already and was not changed; choose another path") from None
    except OSError as error:
        raise _refuse(path, f"cannot be created: {error.strerror}") from error
    try:
        _fill(descriptor, path, text)
    except OSError as error:
        raise _refuse(path, f"cannot be written: {error.strerror}") from error


def create_file(path: Path, text: str, mode: int) -> None:
    """Create a file with *text* and permissions *mode*, whatever the umask, or raise OSError."""
    _fill(_open_new(path, mode), path, text)
    path.chmod(mode)


def _open_new(path: Path, mode: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def _fill(descriptor: int, path: Path, text: str) -> None:
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        # Half a file would keep the next attempt from writing a whole one.
        path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _refuse(path: Path, why: str) -> ConfigError:
    return ConfigError([Problem(str(path), why)], path)


def _value(value: Value) -> str:
    match value:
        case SecretPlace(SourceKind.LITERAL, secret):
            return _text(secret)
        case SecretPlace(kind, name):
            return f"{{ {kind} = {_text(name)} }}"
        case date():
            return value.isoformat()
        case _:
            return _text(value)


def _text(value: str) -> str:
    """Write *value* as a TOML string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")


_HEAD = """\
# Settings of connwatch. All keys, with their defaults: config.example.toml.
# After a change: connwatch config check

[checks]
every = {every}
"""

_NO_CHANNEL = """\
# No alerts are sent yet. To change that, put an Apprise URL (e-mail, Slack,
# Telegram, ...) into an environment variable and remove the # signs:
# [[channels]]
# name = "ops"
# url = { env = "CONNWATCH_CHANNEL_URL" }
"""

_NO_STORE = """\
# To monitor an Amazon store as well, fill this in and remove the # signs; one
# authorization opens one region: na, eu or fe.
# [[applications]]
# name = "our-app"
# client_id = "amzn1.application-oa2-client...."
# client_secret = { env = "LWA_CLIENT_SECRET" }
# client_secret_created_on = 2026-01-15
#
# [[connections]]
# name = "our-store"
# provider = "amazon"
# application = "our-app"
# region = "na"
# refresh_token = { env = "AMAZON_REFRESH_TOKEN" }
# authorized_on = 2026-01-15
"""

_NO_OTHER_API = """\
# Any other token that a business needs; presets: {presets}.
# Without a preset: url = "https://..." and what config.example.toml shows.
# [[connections]]
# name = "github"
# provider = "http"
# preset = "github"
# token = {{ env = "GITHUB_TOKEN" }}
"""
