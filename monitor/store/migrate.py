"""
Bring a database to the present schema.

Alembic is imported only when there is something to migrate: commands that read
compare one word, `HEAD`, and stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from monitor.resources import migrations_path
from monitor.store.copies import copy_before
from monitor.store.engine import Database, StoreError
from monitor.store.lock import is_held

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.engine import Transaction

HEAD = "0001"
"""The newest revision in `migrations/`; a test compares them."""

UNRELEASED_HEAD = "0007"
"""The last revision before the first release; its schema is that of `0001`, which replaced all."""

UNRELEASED_FIRST = "0001-unreleased"
"""What the first revision of that time is called here; its databases say `0001`."""

_UNRELEASED = frozenset({UNRELEASED_FIRST, "0002", "0003", "0004", "0005", "0006"})
_LAST_WITH_UNRELEASED = "8829279"
"""The commit whose program still migrates `_UNRELEASED` to `UNRELEASED_HEAD`."""


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
    # The table came with the last of the seven revisions that today's `0001` replaced.
    if revision == "0001" and not inspect(tx).has_table("handshakes"):
        return UNRELEASED_FIRST
    return revision


def require_head(database: Database) -> None:
    """
    Refuse a database that this program cannot read as it is.

    Raises:
        StoreError: Its schema is older or newer than the program.
    """
    revision = current_revision(database)
    if revision in _UNRELEASED:
        raise _too_old(database, revision)
    if revision is not None and revision != HEAD and not _is_older(revision):
        raise _too_new(database, revision)
    if revision != HEAD:
        raise StoreError(
            f"the database {database.path} has schema {revision or 'none'}, this program needs "
            f"{HEAD}: run `connwatch db upgrade`"
        )


def upgrade(database: Database) -> tuple[str | None, Path | None]:
    """
    Migrate to `HEAD`; return the revision before and the path of the backup copy.

    A database with data is copied beside itself first. A migration that fails,
    or is killed, leaves the database as it was: all is one transaction. Should one
    have committed something for all that, the copy is put back.

    Raises:
        StoreError: The database is newer than the program, or older than the first
            release, or cannot be written.
    """
    revision = current_revision(database)
    if revision == HEAD:
        return revision, None
    if revision is None:
        database.create_file()
        with database.write() as tx:
            _run_migrations(tx)
        return None, None
    require_known(database, revision)
    copy = copy_before(database, HEAD)
    with database.watch_commits() as has_commits:
        try:
            with database.write() as tx:
                if revision == UNRELEASED_HEAD:
                    _stamp(tx)
                _run_migrations(tx)
        except StoreError as error:
            said = _undo(database, revision, copy, is_needed=has_commits())
            raise StoreError(f"{error}; {said}") from error
        except BaseException as error:
            error.add_note(_undo(database, revision, copy, is_needed=has_commits()))
            raise
    return revision, copy


def upgrade_beside_daemon(database: Database) -> tuple[str | None, Path | None]:
    """
    Migrate as `upgrade` does, but not under a daemon of the release before, at work on it.

    Raises:
        StoreError: Such a daemon runs; else as `upgrade`.
    """
    revision = current_revision(database)
    if revision is not None and _is_older(revision) and is_held(database):
        raise StoreError(
            f"the database {database.path} has schema {revision}, this program needs {HEAD}, and"
            " a daemon of the release before works on it: restart the daemon, which migrates it"
        )
    return upgrade(database)


def _undo(database: Database, revision: str, copy: Path, *, is_needed: bool) -> str:
    """
    Put the copy back if the migration left something behind; say how things stand.
    """
    failed = f"the migration of {database.path} from schema {revision} to {HEAD} failed"
    advice = "the release before can go on with it; please report what this one said"
    if not is_needed:
        return f"{failed} and was taken back. The database is as it was: {advice}"
    try:
        database.overwrite_with(copy)
    except StoreError as error:
        return (
            f"{failed} half-way, and its copy could not be put back ({error}). Before you start"
            f" any release: connwatch db restore {copy}"
        )
    return f"{failed} half-way. The copy from before was put back: {advice}"


def require_known(database: Database, revision: str) -> None:
    """
    Refuse a schema that this program does not come from.

    Raises:
        StoreError: It is of a newer program, or from before the first release.
    """
    from alembic.script import ScriptDirectory

    if revision in _UNRELEASED:
        raise _too_old(database, revision)
    if revision == UNRELEASED_HEAD:
        return
    known = {script.revision for script in ScriptDirectory(migrations_path()).walk_revisions()}
    if revision not in known:
        raise _too_new(database, revision)


def _is_older(revision: str) -> bool:
    """Tell whether *revision* can be brought to `HEAD`; they are numbered."""
    return revision == UNRELEASED_HEAD or (revision < HEAD and revision not in _UNRELEASED)


def _too_old(database: Database, revision: str) -> StoreError:
    return StoreError(
        f"the database {database.path} has schema {revision}, which is older than the first "
        f"release and cannot be migrated to {HEAD} by this program: run `connwatch db upgrade` of "
        f"commit {_LAST_WITH_UNRELEASED} on it first, or move the file away to begin with an "
        "empty one"
    )


def _too_new(database: Database, revision: str) -> StoreError:
    return StoreError(
        f"the database {database.path} has schema {revision}, which is newer than this "
        f"program ({HEAD}): install the newer connwatch again, or restore the backup that "
        "was made before it migrated"
    )


def _stamp(tx: Transaction) -> None:
    """Let a database of `UNRELEASED_HEAD` say that it has the schema of `0001`, as it does."""
    stamp = "UPDATE alembic_version SET version_num = '0001' WHERE version_num = :last"
    tx.execute(text(stamp), {"last": UNRELEASED_HEAD})


def _run_migrations(tx: Transaction) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")
