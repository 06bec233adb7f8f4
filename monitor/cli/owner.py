"""
Become the user who owns the database, where a command was started by root.

What root creates beside the database, its log or its lock, would stop the daemon,
which runs as another user. So root gives up all it may do but one thing, if
that is needed: to pass through folders that are closed to the user, as
systemd keeps the state of a `DynamicUser` in one.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from pathlib import Path

from monitor.cli.ending import CommandError

_KEEP_CAPABILITIES = 8  # PR_SET_KEEPCAPS
_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_MAY_PASS = 1 << 2  # CAP_DAC_READ_SEARCH: read and pass through, never write
_PRIVATE = 0o077


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def become_owner(database: Path) -> None:
    """
    Become the owner of *database*, or of its folder while there is none; for good.

    Does nothing unless this is root and the owner is another user.

    Raises:
        CommandError: This root may not become another user.
    """
    owner = _find_owner(database) if os.geteuid() == 0 else None
    if owner is None:
        return
    uid, gid = owner
    # The program is as necessary as the database: most of it is loaded when it is used.
    needed = (database.parent, Path(__file__).parent, Path(os.__file__).parent, Path(sys.prefix))
    try:
        _leave_root(uid, gid)
        _keep(0 if all(os.access(folder, os.X_OK) for folder in needed) else _MAY_PASS)
    except OSError as error:
        raise CommandError(
            f"the database {database} belongs to user {_name_of(uid) or uid}, which this root may"
            f" not become ({error.strerror}): run the command as that user"
        ) from error


def _find_owner(database: Path) -> tuple[int, int] | None:
    for path in (database, database.parent):
        try:
            found = path.stat()
        except OSError:
            continue
        return (found.st_uid, found.st_gid) if found.st_uid else None
    return None


def _leave_root(uid: int, gid: int) -> None:
    os.umask(_PRIVATE)
    name = _name_of(uid)
    if name is None:
        os.setgroups([])
    else:
        os.initgroups(name, gid)
    os.setgid(gid)
    if sys.platform == "linux":
        _call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setuid(uid)


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None  # a number made up by systemd, or of a container


def _keep(capabilities: int) -> None:
    """
    Give up all capabilities that are left but these.
    """
    if sys.platform != "linux":
        return
    header = _Header(_CAPABILITY_VERSION, 0)
    low, high = _Sets(capabilities, capabilities, 0), _Sets(0, 0, 0)
    _call("capset", ctypes.byref(header), (_Sets * 2)(low, high))


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
