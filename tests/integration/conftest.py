"""
Give tests a real database file, migrated to head.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.store.engine import Database
from monitor.store.migrate import upgrade
from monitor.store.worker import StoreWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A database without rows, migrated once and copied for each test.
    """
    path = tmp_path_factory.mktemp("store") / "empty.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def database_path(empty_database: Path, tmp_path: Path) -> Path:
    path = tmp_path / "connwatch.db"
    shutil.copy(empty_database, path)
    return path


@pytest.fixture
def open_database(database_path: Path) -> Iterator[Callable[[], Database]]:
    """
    Open the test's database once more, as another process would.
    """
    opened: list[Database] = []

    def open_it() -> Database:
        opened.append(Database(f"sqlite:///{database_path}"))
        return opened[-1]

    yield open_it
    for database in opened:
        database.close()


@pytest.fixture
def store(database: Database) -> Iterator[StoreWorker]:
    """
    The one that writes to the test's database, as a daemon has it.
    """
    store = StoreWorker(database)
    yield store
    store.close()


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()
