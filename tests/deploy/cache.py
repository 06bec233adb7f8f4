"""
Keep what takes minutes to make from one run to the next, outside the tree.

What is kept is named after all that it was made from, so that nothing goes
stale; what was left half-made is never found.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N_KEPT = 3
"""Of each kind: more would fill a machine that tests for years."""

MEMORY = Path("/dev/shm")
N_BYTES_OF_IMAGES = 6 * 1024**3
"""Each step of a build is a copy of the whole."""


@contextmanager
def passing_folder(name: str) -> Iterator[Path]:
    """
    Give out a folder for a build and take it away again: in memory, if there is enough.

    Ten thousands of small files take minutes on a busy disk.
    """
    is_fit = (
        MEMORY.is_dir()
        and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(MEMORY).free > N_BYTES_OF_IMAGES
    )
    where = MEMORY if is_fit else None
    with tempfile.TemporaryDirectory(prefix=f"connwatch-{name}-", dir=where) as folder:
        yield Path(folder)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(base if base and Path(base).is_absolute() else "/var/cache") / "connwatch-test"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def cached(kind: str, made_from: object, make: Callable[[Path], None]) -> Path:
    """
    Return the folder that *make* filled, in this run or an earlier one.
    """
    key = hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{kind}-{key}"
    if not folder.exists():
        begun = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=folder.parent))
        begun.chmod(0o755)
        try:
            make(begun)
            begun.rename(folder)
        finally:
            shutil.rmtree(begun, ignore_errors=True)
    folder.touch()
    _forget_old(kind)
    return folder


def _forget_old(kind: str) -> None:
    folders = sorted(cache_folder().glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-N_KEPT]:
        shutil.rmtree(folder)
