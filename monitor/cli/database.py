"""Offer the commands about the database: migrate it, say its schema, copy it, put a copy back."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations when the program runs
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.errors import CommandError, print_error
from monitor.clock import utc_now
from monitor.config.files import require_file

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.store.engine import Database

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def upgrade(context: typer.Context) -> None:
    """Migrate the database to the current schema; create it if there is none.

    `run` does the same when it starts. Data is copied beside the file first.
    """
    from monitor.store import migrate

    session: Session = context.obj
    database = session.database
    before, copy = migrate.upgrade_beside_daemon(database)
    if before == migrate.HEAD:
        typer.echo(f"{database.path}: schema {before}, nothing to do")
    elif copy is None:
        typer.echo(f"{database.path}: made, schema {migrate.HEAD}")
    else:
        typer.echo(f"{database.path}: from schema {before} to {migrate.HEAD}; before it: {copy}")


@commands.command()
def current(context: typer.Context) -> None:
    """Print the schema of the database."""
    from monitor.store import migrate
    from monitor.store.engine import StoreError

    database = _existing(context)
    revision = migrate.current_revision(database)
    if revision is None:
        raise CommandError(
            f"{database.path} contains no tables of connwatch: is monitor.database right?"
        )
    typer.echo(revision)
    try:
        migrate.require_head(database)
    except StoreError as error:
        print_error(str(error))  # it was asked for the schema only, and has it


@commands.command()
def backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new file.")],
) -> None:
    """Back up the database; the daemon may run."""
    from monitor.store import migrate

    session: Session = context.obj
    target = path.absolute()
    _require_database(session)
    # Before root becomes the owner of the database, who may not write there.
    with migrate.new_backup_file(target) as file:
        migrate.fill_backup(session.database, target, file)
    typer.echo(f"{target}: a copy of {session.database.path}, readable only by you")


@commands.command()
def restore(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What `db backup` wrote.")],
) -> None:
    """Restore the database from a backup; the daemon must not run.

    The copy is looked through first. What it replaces is kept beside it.
    """
    from monitor.store.migrate import restore as put_back

    session: Session = context.obj
    session.config  # noqa: B018 - a mistake in the file is told before anything is opened
    source = path.absolute()
    try:
        require_file(source)  # a pipe would be waited for
        file = source.open("rb")
    except OSError as error:
        raise CommandError(f"cannot read {source}: {error.strerror}") from error
    with file:
        kept = put_back(session.database, source, file, utc_now())
    typer.echo(f"{session.database.path}: restored from {source}")
    if kept is not None:
        typer.echo(f"what it replaced is kept in {kept}")


def _existing(context: typer.Context) -> Database:
    session: Session = context.obj
    _require_database(session)
    return session.database


def _require_database(session: Session) -> None:
    """Look for the database without becoming its owner."""
    from monitor.store.engine import Database

    database = Database(session.config.monitor.database)
    if not database.exists():
        raise CommandError(
            f"there is no database at {database.path} yet: `connwatch run` or"
            " `connwatch db upgrade` creates it"
        )
