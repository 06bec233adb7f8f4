"""Bring a database to the present schema, copy it while it is in use, and restore a copy.

Alembic is imported only when there is something to migrate: commands that read compare one word,
`HEAD`, and stay quick. Decides how many of our own copies stay, and which copy is fit to take the
place of a database.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from glob import escape as glob_escape
from itertools import chain, count
from typing import TYPE_CHECKING, BinaryIO

from sqlalchemy import inspect, text

from monitor.resources import migrations_path
from monitor.store.engine import (
    BEFORE,
    BUSY_TIMEOUT_S,
    Database,
    StoreDamaged,
    StoreError,
    is_locked,
    lock_database,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from monitor.store.engine import Transaction


KEPT_BACKUPS = 2
"""How many copies from before migrations stay: a release is rarely taken back by two."""


def backup(database: Database, path: Path) -> None:
    """Write a consistent copy of the database to *path*, also while it is in use.

    Raises:
        StoreError: *path* exists, or cannot be written.
    """
    with new_backup_file(path) as file:
        fill_backup(database, path, file)


@contextmanager
def new_backup_file(path: Path) -> Iterator[BinaryIO]:
    """Create *path* for its owner alone; take it away again if it cannot be filled.

    Raises:
        StoreError: It exists, or cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise StoreError(f"{path} exists: name a new file for the backup") from error
    except OSError as error:
        raise StoreError(f"cannot write the backup {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
        except BaseException:
            # Half a copy would be taken for a whole one, and stand in the way of the next.
            file.truncate(0)
            if os.access(path.parent, os.W_OK):  # else root made it, and is another user by now
                path.unlink(missing_ok=True)
            raise


def fill_backup(database: Database, path: Path, file: BinaryIO) -> None:
    """Copy the database into *file*, which stands at *path* and is new.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        if os.fstat(file.fileno()).st_uid == os.geteuid():
            _copy(database, path)
        else:
            _copy_through(database, file)
        file.flush()
        os.fsync(file.fileno())
    except (sqlite3.Error, StoreError) as error:
        raise StoreError(f"cannot write the backup {path}: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot write the backup {path}: {error.strerror}") from error


def backup_before(database: Database, schema: str) -> Path:
    """Copy the database beside itself, for the time before it has *schema*; return where.

    The copy has its name only when it is whole. Older ones go.

    Raises:
        StoreError: It cannot be written.
    """
    copy = _backup_path(database, f"{BEFORE}{schema}")
    part = _backup_path(database, PART)
    part.unlink(missing_ok=True)
    backup(database, part)
    part.rename(copy)
    # By name, not by age: to a clock that was set back, this one may be the oldest.
    others = [old for old in database.list_backups() if old != copy]
    for old in others[KEPT_BACKUPS - 1 :]:
        old.unlink(missing_ok=True)
    return copy


RESTORING = ".restoring"
PART = ".part"


def remove_leftovers(database: Database) -> list[Path]:
    """Remove what commands left beside *database* that were killed; return what that was.

    Nothing of a command at work is touched: while a daemon or `db restore` has the database
    locked nothing is removed, and a copy belongs to the process that its name says.
    """
    found = _list_leftovers(database)
    if not found:
        return []
    try:
        with lock_database(database):
            # Looked for once more: what was at work a moment ago may have ended well.
            return clear_leftovers(database)
    except (OSError, StoreError):
        return []  # somebody is at work, or it belongs to another user: the next one removes it


def clear_leftovers(database: Database) -> list[Path]:
    """Remove them, where *database* is locked by us; return what that was.

    Raises:
        OSError: One cannot be removed.
    """
    removed = _list_leftovers(database)
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def _list_leftovers(database: Database) -> list[Path]:
    beside = database.path.parent.glob(f"{glob_escape(database.path.name)}.*")
    return sorted(path for path in beside if _is_leftover(path.name, database.path.name))


def _is_leftover(name: str, database: str) -> bool:
    """Tell whether nobody works any more with the file called *name*."""
    suffix = name.removeprefix(database)
    for log in ("-wal", "-shm", "-journal"):
        suffix = suffix.removesuffix(log)
    if suffix == RESTORING:
        return True
    number = suffix.removeprefix(f"{PART}-")
    return suffix.startswith(f"{PART}-") and number.isdecimal() and not _is_alive(int(number))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _backup_path(database: Database, suffix: str) -> Path:
    return database.path.with_name(database.path.name + suffix)


def _copy_through(database: Database, file: BinaryIO) -> None:
    """Copy into a file that only who opened it may write: SQLite would open it by its name."""
    part = _backup_path(database, f"{PART}-{os.getpid()}")
    try:
        backup(database, part)
        with part.open("rb") as whole:
            shutil.copyfileobj(whole, file)
    finally:
        part.unlink(missing_ok=True)


def _copy(database: Database, path: Path) -> None:
    with database.read() as tx:
        source = tx.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise StoreError("only an SQLite database can be copied; use the server's own tools")
        with closing(sqlite3.connect(path)) as target:
            source.backup(target)


HEAD = "0015"
"""The newest revision in `migrations/`; a test compares them."""

UNRELEASED_HEAD = "0007"
"""The last revision before the first release; its schema is that of `0001`, which replaced all."""

UNRELEASED_FIRST = "0001-unreleased"
"""What the first revision of that time is called here; its databases say `0001`."""

_UNRELEASED = frozenset({UNRELEASED_FIRST, "0002", "0003", "0004", "0005", "0006"})
_LAST_WITH_UNRELEASED = "8829279"
"""The commit whose program still migrates `_UNRELEASED` to `UNRELEASED_HEAD`."""


def current_revision(database: Database) -> str | None:
    """Return the revision of the database; None for one without tables.

    Raises:
        StoreError: The database cannot be read.
    """
    if not database.exists():
        return None
    with database.read() as tx:
        return revision_in(tx)


def revision_in(tx: Transaction) -> str | None:
    """Return the revision that *tx* sees; None for a database without tables."""
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
    """Refuse a database that this program cannot read as it is.

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
    """Migrate to `HEAD`; return the revision before and the path of the backup copy.

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
    copy = backup_before(database, HEAD)
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
    """Migrate as `upgrade` does, but not under a daemon of the release before, at work on it.

    Raises:
        StoreError: Such a daemon runs; else as `upgrade`.
    """
    revision = current_revision(database)
    if revision is not None and _is_older(revision) and is_locked(database):
        raise StoreError(
            f"the database {database.path} has schema {revision}, this program needs {HEAD}, and"
            " a daemon of the release before works on it: restart the daemon, which migrates it"
        )
    return upgrade(database)


def _undo(database: Database, revision: str, copy: Path, *, is_needed: bool) -> str:
    """Put the copy back if the migration left something behind; say how things stand."""
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
    """Refuse a schema that this program does not come from.

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


_MAGIC = b"SQLite format 3\0"


def restore(database: Database, source: Path, file: BinaryIO, now: datetime) -> Path | None:
    """Let the copy in *file* take the place of the database; return where that is kept now.

    The copy is looked through first. There is a database under the name at any
    instant, the old one or the new one.

    Args:
        source: The name of *file*, for people.

    Raises:
        StoreError: A daemon runs, or the copy is not fit; nothing has changed.
    """
    _require_copy(database, source, file)
    with lock_database(database):
        new = _backup_path(database, RESTORING)
        try:
            _take_over(file, new)
            _require_fit(new, source)
            kept = _set_aside(database, now)
            new.replace(database.path)
        except OSError as error:
            raise StoreError(f"cannot restore {database.path}: {error.strerror}") from error
        finally:
            _remove(new)
        _keep_names(database.path.parent)
        return kept


def _require_copy(database: Database, source: Path, file: BinaryIO) -> None:
    """Refuse what cannot be a copy, before anything is written."""
    if database.path.exists() and os.path.samestat(os.fstat(file.fileno()), database.path.stat()):
        raise StoreError(f"{source} is the database itself: name a copy of it")
    log = source.with_name(f"{source.name}-wal")
    # The owner of the database may not look into the folder that root reads the copy from.
    if os.path.isfile(log) and log.stat().st_size:  # noqa: PTH113 - Path.is_file raises there
        raise StoreError(
            f"{source} is in use, or was copied while it was: a part of it is in {log}. Make the"
            " copy with `connwatch db backup`, which leaves one file"
        )
    if file.read(len(_MAGIC)) != _MAGIC:
        raise StoreError(f"{source} is no database: name a file that `connwatch db backup` made")
    file.seek(0)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _take_over(file: BinaryIO, new: Path) -> None:
    _remove(new)  # what a killed restore left: SQLite would take its log for this one's
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as target:
        shutil.copyfileobj(file, target)
        target.flush()
        os.fsync(target.fileno())


def _require_fit(new: Path, source: Path) -> None:
    copy = Database(f"sqlite:///{new}")
    try:
        faults = copy.list_faults()
        revision = None if faults else current_revision(copy)
        if revision is not None:
            require_known(copy, revision)
    except StoreDamaged as error:
        raise StoreError(f"{source} is damaged: name another copy") from error
    except StoreError as error:
        raise StoreError(str(error).replace(str(new), str(source))) from error
    finally:
        copy.close()
    if faults:
        raise StoreError(f"{source} is damaged ({faults[0]}): name another copy")
    if revision is None:
        raise StoreError(f"{source} contains no tables of connwatch: name another file")


def _set_aside(database: Database, now: datetime) -> Path | None:
    """Give the present database a second name, and let nothing of its log meet the new one."""
    database.close()
    if not database.exists():
        return None
    kept = _name_aside(database.path, now)
    log = database.path.with_name(f"{database.path.name}-wal")
    kept_log = kept.with_name(f"{kept.name}-wal")
    kept_log.unlink(missing_ok=True)
    if log.exists():
        os.link(log, kept_log)
    try:
        is_folded = _has_folded_log(database.path)
    except StoreError:
        kept_log.unlink(missing_ok=True)
        raise
    if is_folded:
        kept_log.unlink(missing_ok=True)
    if not kept.exists():
        os.link(database.path, kept)
    for suffix in ("-wal", "-shm"):
        database.path.with_name(database.path.name + suffix).unlink(missing_ok=True)
    return kept


def _name_aside(path: Path, now: datetime) -> Path:
    """Return the second name for *path*: one that is free, or that a killed restore gave it."""
    stem = f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}"
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    others = (path.with_name(name) for name in names)
    return next(other for other in others if not other.exists() or other.samefile(path))


def _has_folded_log(path: Path) -> bool:
    """Bring what is in the log into the file, and the log away; not so if the file is damaged.

    Raises:
        StoreError: Somebody has it open, who would take the new one's log away in the end.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as old:
            old.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(
                f"the database {path} is in use by another command of connwatch, or by another"
                " program: end that one first"
            ) from error
        return False
    except sqlite3.DatabaseError:
        return False
    return True


def _keep_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
