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

    from monitor.store.engine import Database


@contextmanager
def hold_lock(database: Database) -> Iterator[None]:
    """
    Hold the database as the only daemon.

    The kernel lets the lock go with the process, however it ends.

    Raises:
        StoreError: Another daemon holds it, or its folder cannot be written to.
    """
    path = database.path.with_name(f"{database.path.name}.lock")
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
