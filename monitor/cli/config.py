"""
Offer the commands about the configuration file: make, check, show, describe it.

What the file means is decided in `monitor.config`; the questions for a first
file stand in `first_config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.ending import CommandError
from monitor.clock import utc_now
from monitor.config.errors import ConfigError, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.cli.session import Session

commands = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """
    Add `config` to *app*.
    """
    app.add_typer(commands, name="config", help="Make, check and show the configuration file.")


@commands.command()
def init(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write; default: --config, else ./config.toml."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the SoldScope API is.")
    ] = None,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment variable with the token.")
    ] = None,
    token_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file with the token.")
    ] = None,
    channel_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the Apprise URL."),
    ] = None,
    channel_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file with the Apprise URL.")
    ] = None,
    no_channel: Annotated[bool, typer.Option("--no-channel", help="Tell nobody yet.")] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call the connection; default: soldscope."),
    ] = None,
) -> None:
    """
    Write a first configuration file; asks for what the options do not say.

    A file that exists is never touched.
    """
    from monitor.cli.first_config import Given, write_first_config

    named = context.find_root().params.get("config_path")
    write_first_config(
        (output or Path(named or "config.toml")).absolute(),
        Given(base_url, token_env, token_file, channel_env, channel_file, no_channel, name),
    )


@commands.command()
def check(context: typer.Context) -> None:
    """
    Look for mistakes in the file and in all that it refers to; calls nothing.
    """
    from monitor.config.load import check_secrets
    from monitor.config.wording import say_count
    from monitor.doctor.settings import list_problems, list_remarks

    session: Session = context.obj
    config = session.config
    secrets = check_secrets(config)
    path = config.monitor.database_path
    problems = list_problems(config, secrets, path, utc_now())
    # Last: it opens the database, for which root becomes a user who may see less.
    for remark in (*list_remarks(config, secrets), *_deleted(session)):
        typer.echo(f"note: {remark}", err=True)
    if problems:
        raise ConfigError(problems, session.path)
    typer.echo(
        f"{_shown(session.path)}: {say_count(len(config.connections), 'connection')},"
        f" {say_count(len(config.channels), 'channel')}, no problem found"
    )


def _deleted(session: Session) -> Iterable[Notice]:
    """
    Return the entries of the file that `delete` took out.
    """
    from monitor.config.wording import as_argument
    from monitor.store import connections
    from monitor.store.engine import StoreError

    try:
        database = session.open_for_reading()
        if database is None:
            return
        with database.read() as tx:
            deleted = connections.list_deleted(tx)
    except (CommandError, StoreError) as error:
        yield Notice("monitor.database", f"not looked at: {error}")
        return
    for position, connection in enumerate(session.config.connections):
        if connection.name in deleted:
            yield Notice(
                f"connections[{position}]",
                f'"{connection.name}" was deleted and is ignored although it stands here: take it'
                " out, or bring it back with:"
                f" connwatch resume {as_argument(connection.name)}",
            )


@commands.command()
def show(
    context: typer.Context,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """
    List all settings as they take effect, and which of them the file sets.
    """
    from rich.text import Text

    from monitor.cli.output import Row, open_console, print_json, print_rows
    from monitor.config.show import Origin, describe

    session: Session = context.obj
    settings = describe(session.config)
    if is_json:
        print_json(
            {
                "settings": [
                    {"place": each.place, "value": each.value, "origin": each.origin.value}
                    for each in settings
                ]
            }
        )
        return
    rows = [
        Row(
            (
                each.place,
                each.value or '""',
                Text("" if each.origin is Origin.FILE else "default", "dim"),
            )
        )
        for each in settings
    ]
    print_rows(open_console(), rows, header=("SETTING", "VALUE", "FROM"))


@commands.command()
def schema() -> None:
    """
    Print the JSON Schema of the file, for editors.
    """
    from monitor.cli.output import print_json
    from monitor.config.schema import json_schema

    print_json(json_schema())


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
