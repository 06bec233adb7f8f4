"""
Put a copy of the database back in its place.

Decides which copy is fit to stand there, and keeps what stood there before. Making
copies is left to `copies`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from monitor.store.engine import BUSY_TIMEOUT_S, Database, StoreDamaged, StoreError
from monitor.store.lock import hold_lock
from monitor.store.migrate import current_revision, require_known

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_MAGIC = b"SQLite format 3\0"


def restore(database: Database, source: Path, file: BinaryIO, now: datetime) -> Path | None:
    """
    Let the copy in *file* take the place of the database; return where that is kept now.

    The copy is looked through first. There is a database under the name at any
    instant, the old one or the new one.

    Args:
        source: The name of *file*, for people.

    Raises:
        StoreError: A daemon runs, or the copy is not fit; nothing has changed.
    """
    _require_copy(database, source, file)
    with hold_lock(database):
        new = database.path.with_name(f"{database.path.name}.restoring")
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
    """
    Refuse what cannot be a copy, before anything is written.
    """
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
        raise StoreError(f"{source} holds no tables of connwatch: name another file")


def _set_aside(database: Database, now: datetime) -> Path | None:
    """
    Give the present database a second name, and let nothing of its log meet the new one.
    """
    database.close()
    if not database.exists():
        return None
    kept = database.path.with_name(f"{database.path.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    log = database.path.with_name(f"{database.path.name}-wal")
    kept_log = kept.with_name(f"{kept.name}-wal")
    if log.exists():
        os.link(log, kept_log)
    try:
        is_folded = _has_folded_log(database.path)
    except StoreError:
        kept_log.unlink(missing_ok=True)
        raise
    if is_folded:
        kept_log.unlink(missing_ok=True)
    os.link(database.path, kept)
    for suffix in ("-wal", "-shm"):
        database.path.with_name(database.path.name + suffix).unlink(missing_ok=True)
    return kept


def _has_folded_log(path: Path) -> bool:
    """
    Bring what is in the log into the file, and the log away; not so if the file is damaged.

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
