"""
Keep a second daemon from the same database.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.engine import Database


def is_held(database: Database) -> bool:
    """
    Tell whether a daemon holds the database; leaves no trace.

    Raises:
        StoreError: This user may not look.
    """
    try:
        descriptor = os.open(_lock_file(database), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot open {_lock_file(database)}: {error.strerror}") from error
    with os.fdopen(descriptor) as file:
        try:
            # Shared, so that two who only look do not take each other for a daemon.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_file(database: Database) -> Path:
    return database.path.with_name(f"{database.path.name}.lock")


@contextmanager
def hold_lock(database: Database) -> Iterator[None]:
    """
    Hold the database as the only daemon.

    The kernel lets the lock go with the process, however it ends.

    Raises:
        StoreError: Another daemon holds it, or its folder cannot be written to.
    """
    path = _lock_file(database)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open {path}: {error.strerror}; let this user write in that folder, or set "
            "monitor.database"
        ) from error
    with os.fdopen(descriptor) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"the database {database.path} is in use by another `connwatch run`: stop that "
                "one first, or set monitor.database to another file"
            ) from error
        yield
