"""
Say what to do when the database cannot be used, by the words of SQLite.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

REMEDIES = {
    "locked": "another program holds it: try again, or find that program",
    "not a database": "set monitor.database to another file, or put back a copy of it",
    "malformed": "it is damaged: put back a copy of it",
    "disk I/O error": "is the disk full or failing?",
    "full": "the disk is full: make room, and it goes on by itself",
    "readonly": "run as the user who owns the file, or let this user write to it and its folder",
    "unable to open": "run as the user who owns the file, or let this user into its folder",
    "no such table": "a part of it is missing: put back a copy of it",
    "already exists": "it belongs to another program: set monitor.database to another file",
}

READ_ONLY_DISK = (
    "its disk is mounted read-only, as the kernel does with one that fails: look into the kernel's"
    " log, and mount it for writing again"
)


def find_remedy(said: str, folder: Path, list_copies: Callable[[], Sequence[Path]]) -> str:
    """
    Return what to do about what SQLite *said*; empty if nothing is known.

    Args:
        folder: Where the database stands.
        list_copies: Returns the copies beside it, the newest first.
    """
    if is_disk_read_only(folder):
        return READ_ONLY_DISK
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in said), "")
    if "a copy of it" not in remedy:
        return remedy
    newest = next(iter(list_copies()), None)
    there = f", say {newest}" if newest else " that `connwatch db backup` made"
    return f"{remedy}{there}: stop the daemon, then `connwatch db restore COPY`"


def is_disk_read_only(folder: Path) -> bool:
    """
    Tell whether nothing can be written on the disk of *folder*.
    """
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
