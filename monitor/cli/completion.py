"""
Complete the names of connections, channels and kinds of alert in shells.

`connwatch --install-completion` sets it up. Nothing is asked and nothing said:
where the file cannot be read there is nothing to propose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.config.errors import ConfigError
from monitor.config.load import find_config, load_config
from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from monitor.config.model import Config


def complete_connection(context: typer.Context, incomplete: str) -> list[str]:
    """Return the connections whose names begin with *incomplete*."""
    config = _read(context)
    names = [] if config is None else [each.name for each in config.connections]
    return [name for name in names if name.startswith(incomplete)]


def complete_channel(context: typer.Context, incomplete: str) -> list[str]:
    """Return the channels whose names begin with *incomplete*."""
    config = _read(context)
    names = [] if config is None else [each.name for each in config.channels]
    return [name for name in names if name.startswith(incomplete)]


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of alert that begin with *incomplete*."""
    return [kind.value for kind in AlertKind if kind.startswith(incomplete)]


def _read(context: typer.Context) -> Config | None:
    try:
        return load_config(find_config(context.find_root().params.get("config_path")))
    except ConfigError:
        return None


ConnectionName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The connection.", autocompletion=complete_connection),
]
"""The argument that says which connection a command is about."""
