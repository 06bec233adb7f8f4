"""
Copy the database while it is in use, and keep few of the copies made by ourselves.

Putting a copy back is left to `restore`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from monitor.store.engine import BEFORE, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.engine import Database

KEPT = 2
"""How many copies from before migrations stay: a release is rarely taken back by two."""


def backup(database: Database, path: Path) -> None:
    """
    Write a consistent copy of the database to *path*, also while it is in use.

    Raises:
        StoreError: *path* exists, or cannot be written.
    """
    with new_file(path) as file:
        fill(database, path, file)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """
    Create *path* for its owner alone; take it away again if it cannot be filled.

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


def fill(database: Database, path: Path, file: BinaryIO) -> None:
    """
    Copy the database into *file*, which stands at *path* and is new.

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


def copy_before(database: Database, schema: str) -> Path:
    """
    Copy the database beside itself, for the time before it has *schema*; return where.

    The copy has its name only when it is whole. Older ones go.

    Raises:
        StoreError: It cannot be written.
    """
    copy = _beside(database, f"{BEFORE}{schema}")
    part = _beside(database, ".part")
    part.unlink(missing_ok=True)
    backup(database, part)
    part.rename(copy)
    # By name, not by age: to a clock that was set back, this one may be the oldest.
    others = [old for old in database.list_copies() if old != copy]
    for old in others[KEPT - 1 :]:
        old.unlink(missing_ok=True)
    return copy


def _beside(database: Database, suffix: str) -> Path:
    return database.path.with_name(database.path.name + suffix)


def _copy_through(database: Database, file: BinaryIO) -> None:
    """
    Copy into a file that only who opened it may write: SQLite would open it by its name.
    """
    part = _beside(database, f".part-{os.getpid()}")
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
