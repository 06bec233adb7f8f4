"""
Give tests of the store a disk that is too small, and a database whose rows can be damaged.
"""

from __future__ import annotations

import resource
import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.store.engine import Database
from tests.store.sound import write_sound_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.store.engine import StoreWorker


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """
    Let no file grow beyond a size until the test ends: as good as a full disk.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def worker(store: StoreWorker) -> StoreWorker:
    """What elsewhere is called the store, is here one part of it."""
    return store


@pytest.fixture(scope="session")
def sound_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with rows in each of its tables, written once and copied for each test."""
    path = tmp_path_factory.mktemp("sound") / "connwatch.db"
    write_sound_database(path)
    return path


@pytest.fixture
def sound(sound_path: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "connwatch.db"
    shutil.copy(sound_path, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()
