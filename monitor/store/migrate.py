"""
Bring a database to the present schema, and copy it.

Alembic is imported only when there is something to migrate: commands that read
compare one word, `HEAD`, and stay quick.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from monitor.resources import migrations_path
from monitor.store.engine import Database, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.engine import Transaction

HEAD = "0007"
"""The newest revision in `migrations/`; a test compares them."""


def current_revision(database: Database) -> str | None:
    """
    Return the revision of the database; None for one without tables.

    Raises:
        StoreError: The database cannot be read.
    """
    if not database.exists():
        return None
    with database.read() as tx:
        return revision_in(tx)


def revision_in(tx: Transaction) -> str | None:
    """
    Return the revision that *tx* sees; None for a database without tables.
    """
    if not inspect(tx).has_table("alembic_version"):
        return None
    revision: str | None = tx.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return revision


def require_head(database: Database) -> None:
    """
    Refuse a database that this program cannot read as it is.

    Raises:
        StoreError: Its schema is older or newer than the program.
    """
    revision = current_revision(database)
    if revision is not None and revision > HEAD:  # they are numbered
        raise _too_new(database, revision)
    if revision != HEAD:
        raise StoreError(
            f"the database {database.path} has schema {revision or 'none'}, this program needs "
            f"{HEAD}: run `connwatch db upgrade`"
        )


def upgrade(database: Database) -> tuple[str | None, Path | None]:
    """
    Migrate to `HEAD`; return the revision before and the path of the backup copy.

    A database with data is copied beside itself first. A migration that fails
    leaves the database as it was.

    Raises:
        StoreError: The database is newer than the program, or cannot be written.
    """
    revision = current_revision(database)
    if revision == HEAD:
        return revision, None
    copy = None
    if revision is not None:
        _require_known(database, revision)
        copy = database.path.with_name(f"{database.path.name}.before-{HEAD}")
        copy.unlink(missing_ok=True)
        backup(database, copy)
    database.create_file()
    with database.write() as tx:
        _run_migrations(tx)
    return revision, copy


def _require_known(database: Database, revision: str) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(migrations_path()).walk_revisions()}
    if revision not in known:
        raise _too_new(database, revision)


def _too_new(database: Database, revision: str) -> StoreError:
    return StoreError(
        f"the database {database.path} has schema {revision}, which is newer than this "
        f"program ({HEAD}): install the newer connwatch again, or restore the backup that "
        "was made before it migrated"
    )


def _run_migrations(tx: Transaction) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def backup(database: Database, path: Path) -> None:
    """
    Write a consistent copy of the database to *path*, also while it is in use.

    Raises:
        StoreError: *path* exists, or cannot be written.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{path} exists: name a new file for the backup") from error
    except OSError as error:
        raise StoreError(f"cannot write the backup {path}: {error.strerror}") from error
    try:
        _copy(database, path)
    except (sqlite3.Error, StoreError) as error:
        # Half a copy would be taken for a whole one, and stand in the way of the next.
        path.unlink(missing_ok=True)
        raise StoreError(f"cannot write the backup {path}: {error}") from error


def _copy(database: Database, path: Path) -> None:
    with database.read() as tx:
        source = tx.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise StoreError("only an SQLite database can be copied; use the server's own tools")
        target = sqlite3.connect(path)
        try:
            source.backup(target)
        finally:
            target.close()
