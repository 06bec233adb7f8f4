"""Look whether it is our own machine that has no descriptors left, where an error does not say so.

Decides which errors hide that: without a descriptor a name server cannot be called, and a module
cannot be read, so that both count as not found; SQLite only says that it cannot open its file.
What else is a shortage is decided in `judge.shortage`.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from typing import TYPE_CHECKING

from monitor.judge.shortage import causes_of, find_shortage

if TYPE_CHECKING:
    from monitor.judge.shortage import Shortage

NEEDED = 4
"""Descriptors that a lookup may take, so that without them it finds nothing."""


def find_machine_shortage(error: BaseException) -> Shortage | None:
    """Return what shortage of this machine *error* comes from, said by it or not."""
    found = find_shortage(error)
    if found is not None:
        return found
    return find_missing_descriptors() if any(map(_may_hide_one, causes_of(error))) else None


def _may_hide_one(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")  # none where it comes from Python's own code
        return name.startswith("SQLITE_CANTOPEN")
    return isinstance(cause, socket.gaierror | ImportError)


def find_missing_descriptors() -> Shortage | None:
    """Return what is short if a few files cannot be opened now."""
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(NEEDED))
    except OSError as refused:
        return find_shortage(refused)
    finally:
        for one in opened:
            os.close(one)
    return None
