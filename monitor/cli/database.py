"""
Offer the commands about the database: migrate it, say its schema, copy it.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations when the program runs
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.ending import CommandError, complain

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.store.engine import Database

commands = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """
    Add `db` to *app*.
    """
    app.add_typer(commands, name="db", help="Migrate, inspect and copy the database.")


@commands.command()
def upgrade(context: typer.Context) -> None:
    """
    Bring the database to this program's schema; makes it if there is none.

    `run` does the same when it starts. Data is copied beside the file first.
    """
    from monitor.store import migrate

    session: Session = context.obj
    database = session.database
    before, copy = migrate.upgrade(database)
    if before == migrate.HEAD:
        typer.echo(f"{database.path}: schema {before}, nothing to do")
    elif copy is None:
        typer.echo(f"{database.path}: made, schema {migrate.HEAD}")
    else:
        typer.echo(f"{database.path}: from schema {before} to {migrate.HEAD}; before it: {copy}")


@commands.command()
def current(context: typer.Context) -> None:
    """
    Print the schema of the database.
    """
    from monitor.store import migrate
    from monitor.store.engine import StoreError

    database = _existing(context)
    revision = migrate.current_revision(database)
    if revision is None:
        raise CommandError(
            f"{database.path} holds no tables of connwatch: is monitor.database right?"
        )
    typer.echo(revision)
    try:
        migrate.require_head(database)
    except StoreError as error:
        complain(str(error))  # it was asked for the schema only, and has it


@commands.command()
def backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new file.")],
) -> None:
    """
    Write a consistent copy of the database, also while the daemon runs.
    """
    from monitor.store import migrate

    database = _existing(context)
    target = path.absolute()
    migrate.backup(database, target)
    typer.echo(f"{target}: a copy of {database.path}, readable by you alone")


def _existing(context: typer.Context) -> Database:
    session: Session = context.obj
    database = session.database
    if not database.exists():
        raise CommandError(
            f"there is no database at {database.path} yet: `connwatch run` or"
            " `connwatch db upgrade` makes it"
        )
    return database
