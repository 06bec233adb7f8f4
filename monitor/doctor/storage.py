"""
Look at the database's files and at the disk below them; no table is read.
"""

from __future__ import annotations

import os
import pwd
import shutil
from typing import TYPE_CHECKING

from monitor.doctor.finding import Area, Finding, may_others_read
from monitor.store.engine import StoreError
from monitor.store.migrate import HEAD, current_revision, require_head
from monitor.validation import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.engine import Database

_BESIDE = ("-wal", "-shm", ".lock")
"""What stands beside the file while somebody uses it."""

_LARGE_LOG = 256 << 20
_SCARCE = 200 << 20
_FULL = 20 << 20
_MB = 1 << 20


def examine_files(path: Path) -> Iterator[Finding]:
    """
    Yield what is wrong with the owners, the permissions and the sizes of the files.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        words = f"there is no database at {path} yet"
        yield Finding(Area.DATABASE, Mark.WARNING, words, "connwatch run makes it")
        return
    except OSError as error:
        words = f"{path} cannot be looked at: {error.strerror}"
        yield Finding(Area.DATABASE, Mark.FAILED, words, "run this as its owner, or as root")
        return
    for name in _BESIDE:
        other = path.with_name(path.name + name)
        if other.exists() and other.stat().st_uid != facts.st_uid:
            yield Finding(
                Area.DATABASE,
                Mark.FAILED,
                f"{other} belongs to {_user(other.stat().st_uid)}, the database to"
                f" {_user(facts.st_uid)}: the daemon will not be able to write",
                f"chown --reference={path} {other}",
            )
    if may_others_read(facts):
        words = f"others on this machine may read {path}"
        yield Finding(Area.DATABASE, Mark.WARNING, words, f"chmod 600 {path}")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        yield Finding(
            Area.DATABASE,
            Mark.WARNING,
            f"{log} has grown to {_size(log.stat().st_size)}: some program holds the database open"
            " and keeps it from being folded back",
            f"look who has it open (fuser -v {path})",
        )


def examine_schema(database: Database) -> Iterator[Finding]:
    """
    Yield whether the database can be read, is whole, and has this program's schema.
    """
    try:
        if current_revision(database) is None:
            return
        require_head(database)
        faults = database.list_faults()
    except StoreError as error:
        yield Finding(Area.DATABASE, Mark.FAILED, str(error))
        return
    for fault in faults:
        yield Finding(
            Area.DATABASE,
            Mark.FAILED,
            f"{database.path} is damaged: {fault}",
            "stop the daemon, then: connwatch db restore COPY",
        )
    if not faults:
        size = _size(database.path.stat().st_size)
        words = f"{database.path}: whole, schema {HEAD}, {size}"
        yield Finding(Area.DATABASE, Mark.OK, words)


def examine_disk(path: Path) -> Iterator[Finding]:
    """
    Yield how much room there is for the database at *path* to grow and to be copied.
    """
    folder = path.parent
    try:
        free = shutil.disk_usage(folder).free
        nodes = os.statvfs(folder)
        size = path.stat().st_size if path.is_file() else 0
    except OSError as error:
        words = f"{folder} cannot be looked at: {error.strerror}"
        yield Finding(Area.DISK, Mark.SKIPPED, words)
        return
    words = f"{_size(free)} free in {folder}"
    if nodes.f_flag & os.ST_RDONLY:
        words = f"the disk of {folder} is mounted read-only"
        remedy = "look into the kernel's log, and mount it for writing again"
        yield Finding(Area.DISK, Mark.FAILED, words, remedy)
    elif free < _FULL:
        remedy = "make room now: results and alerts wait in memory until there is some"
        yield Finding(Area.DISK, Mark.FAILED, words, remedy)
    elif free < max(_SCARCE, 2 * size):
        remedy = "make room: an upgrade copies the database first"
        yield Finding(Area.DISK, Mark.WARNING, words, remedy)
    else:
        yield Finding(Area.DISK, Mark.OK, words)
    if nodes.f_files and not nodes.f_favail:
        words = f"no more files can be made in {folder}"
        yield Finding(Area.DISK, Mark.FAILED, words, "delete some: its table of files is full")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _size(count: int) -> str:
    return f"{count / _MB:,.0f} MB" if count >= 10 * _MB else f"{count / _MB:,.1f} MB"
