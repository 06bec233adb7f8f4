"""List past searches of a SoldScope account, and wait for one to end (`searches`).

Only what is free is asked: no command starts a search or spends quota. The asking stands in
`cli.search_runner`, which brings in the HTTP client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from monitor.cli.completion import AsObject  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import CommandError
from monitor.config.connections import SoldscopeConnection
from monitor.config.errors import did_you_mean

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.config.model import Channel

Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="A SoldScope connection.")]


class _ListsByDefault(TyperGroup):
    """A group that takes a name where it expects a command: `searches NAME` lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help", "-h"}:
            args = ["list", *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


commands = typer.Typer(cls=_ListsByDefault, no_args_is_help=True)


@commands.command("list")
def list_(context: typer.Context, name: Name, is_json: AsObject = False) -> None:
    """List past searches; `searches CONNECTION` does the same. Costs nothing."""
    from monitor.cli.search_runner import list_searches

    session: Session = context.obj
    list_searches(session, _find(session, name), is_json=is_json)


@commands.command()
def wait(
    context: typer.Context,
    name: Name,
    search_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the search.")],
    channel_name: Annotated[
        str | None,
        typer.Option("--notify", metavar="CHANNEL", help="Notify this channel of the result."),
    ] = None,
) -> None:
    """Wait until a search has ended. Costs nothing.

    Exit codes: 0 ended, with or without results, 2 token rejected, 3 failed, 4 quota used up.
    """
    from monitor.cli.search_runner import follow_search

    session: Session = context.obj
    connection = _find(session, name)
    channel = None if channel_name is None else _find_channel(session, channel_name)
    raise typer.Exit(follow_search(session, connection, search_id, channel))


def _find(session: Session, name: str) -> SoldscopeConnection:
    """Return the connection called *name*, with a token that can be read."""
    session.read_ahead({name}, with_channels=False)
    connection = session.connection(name)
    if not isinstance(connection, SoldscopeConnection):
        raise CommandError(f'"{name}" is no connection to SoldScope: only that has searches')
    session.require_usable({name}, with_channels=False)
    return connection


def _find_channel(session: Session, name: str) -> Channel:
    channels = session.config_with_channels.channels
    for channel in channels:
        if channel.name == name:
            return channel
    hint = did_you_mean(name, [channel.name for channel in channels])
    raise CommandError(f'no channel is called "{name}"{hint}')
