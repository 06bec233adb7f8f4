"""Read a file that people name, within bounds of size and time.

Decides what counts as a file: a pipe is one while somebody writes to it, as a shell's
`<(command)` does; a device, a socket or a folder never is. What the content means is left to the
caller, as is what becomes of an error.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 1.0
"""How long a pipe may take as a whole, unless the caller is in a hurry."""

LARGEST_CA_FILE = 8 << 20
"""The lists of all public authorities take a quarter of a megabyte."""

_CHUNK = 1 << 20
_PAUSE_S = 0.01


class UnreadableFileError(OSError):
    """Raised where a path names nothing that can be read here; `strerror` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EINVAL, why)


def read_bounded(
    path: Path, most: int, patience_s: float = PATIENCE_S
) -> tuple[bytes, os.stat_result]:
    """Return the content of *path*, at most one byte more than *most*, and what is known of it.

    Args:
        patience_s: How long a pipe may take as a whole.

    Raises:
        OSError: It cannot be read; `strerror` says why, in words for people.
    """
    # Not blocking: a plain open of a pipe would last until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISFIFO(facts.st_mode):
            return _read_pipe(handle, most, patience_s), facts
        if not stat.S_ISREG(facts.st_mode):
            raise UnreadableFileError("it is a device, not a file")
        return _read_all(handle, most), facts
    finally:
        os.close(handle)


def require_file(path: Path, most: int | None = None) -> None:
    """Raise OSError unless *path* is an ordinary file that can be read, of at most *most* bytes."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(facts.st_mode):
            raise UnreadableFileError("it is a pipe or a device, not a file")
        # Whoever reads it afterwards waits without end where this has to wait.
        _read_all(handle, 0)
    finally:
        os.close(handle)
    if most is not None and facts.st_size > most:
        raise UnreadableFileError(f"it is larger than {most >> 10:,} KiB; is this the right file?")


def _read_all(handle: int, most: int) -> bytes:
    chunks = []
    left = most + 1
    try:
        while left > 0 and (chunk := os.read(handle, min(left, _CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
    except BlockingIOError:
        # A file by its kind, such as /proc/kmsg, and yet without an end.
        raise UnreadableFileError("it is a stream without end, not a file") from None
    return b"".join(chunks)


def _read_pipe(handle: int, most: int, patience_s: float) -> bytes:
    """Read until every writer has closed the pipe, or it has taken too long."""
    ends_at = monotonic() + patience_s
    content = b""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while len(content) <= most:
        poll.poll(max(0.0, ends_at - monotonic()) * 1000)
        try:
            chunk: bytes | None = os.read(handle, most + 1 - len(content))
        except BlockingIOError:
            chunk = None
        if chunk == b"" and content:
            return content
        content += chunk or b""
        if monotonic() >= ends_at:
            raise UnreadableFileError(
                "it is a pipe without end" if content else "it is a pipe that nothing writes to"
            )
        if chunk == b"":
            sleep(_PAUSE_S)  # a writer that left without a word ends every poll at once
    return content
