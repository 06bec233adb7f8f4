"""Declare the arguments and options that commands share, and complete their names in shells.

`connwatch --install-completion` sets that up. Nothing is checked and nothing said: where the
file cannot be read there is nothing to propose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.config.errors import ConfigError
from monitor.config.load import find_config, load_config
from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.config.connections import Connection
    from monitor.config.model import Channel, Config
    from monitor.store.engine import Transaction


MOST_PROPOSED = 1000
"""So many names of each owner other than the file."""


def complete_connection(context: typer.Context, incomplete: str) -> list[str]:
    """Return the connections whose names begin with *incomplete*."""
    config = _read(context)
    if config is None:
        return []
    found = _matching(config.connections, incomplete)
    return list(dict.fromkeys([*found, *_list_outside(config, incomplete)]))


def _list_outside(config: Config, incomplete: str) -> list[str]:
    """Return the first of those that are not in the file."""
    from monitor.cli.settings import list_names_from

    return _ask_database(config, lambda tx: list_names_from(tx, incomplete, MOST_PROPOSED))


def _ask_database(config: Config, ask: Callable[[Transaction], list[str]]) -> list[str]:
    """Return what *ask* finds in the database; nothing where it cannot be read."""
    from monitor.cli.errors import CommandError
    from monitor.cli.session import become_owner
    from monitor.store.engine import Database, StoreError
    from monitor.store.migrate import require_head

    try:
        become_owner(config.monitor.database_path)
        database = Database(config.monitor.database)
        if not database.exists():
            return []
        require_head(database)
        with database.read() as tx:
            return ask(tx)
    except (CommandError, StoreError):
        return []


def complete_channel(context: typer.Context, incomplete: str) -> list[str]:
    """Return the channels whose names begin with *incomplete*."""
    config = _read(context)
    if config is None:
        return []
    from monitor.store.channels import list_channel_names

    found = _matching(config.channels, incomplete)
    stored = _ask_database(config, list_channel_names)
    return list(dict.fromkeys([*found, *(one for one in stored if one.startswith(incomplete))]))


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of alert that begin with *incomplete*."""
    return [kind.value for kind in AlertKind if kind.startswith(incomplete)]


def _matching(tables: Sequence[Channel | Connection], incomplete: str) -> list[str]:
    return [each.name for each in tables if each.name.startswith(incomplete)]


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

ConnectionNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Only these connections; default: all.",
        autocompletion=complete_connection,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Wide = Annotated[bool, typer.Option("--wide", help="Show full names, however long.")]

AsObject = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
