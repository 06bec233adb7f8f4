"""
Open the database: the only module that knows that it is SQLite.

Sets write-ahead logging, foreign keys and the busy timeout, and gives out
read and write transactions. A write transaction takes the write lock when it
begins: it waits there, if it must, and can never fail half-way for the lock.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

Transaction = Connection
"""What the store's functions work in: a connection of the word's other meaning."""

BUSY_TIMEOUT_S = 5
WAL_PAGES_PER_CHECKPOINT = 4000
"""
16 MB. The pages of the connections are written again and again; the longer the
log grows before it is folded back, the fewer of those writes reach the file.
"""


class StoreError(Exception):
    """
    The database could not be used: locked, full, read-only, damaged or gone.
    """


class Database:
    """
    One database file.

    Args:
        url: An SQLAlchemy URL, `sqlite:///…`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = Path(make_url(url).database or "")
        self._engine: Engine | None = None

    def exists(self) -> bool:
        """
        Tell whether there is a file yet.
        """
        return self.path.is_file() and self.path.stat().st_size > 0

    def create_file(self) -> None:
        """
        Create the file, readable by its owner alone, if it is not there.

        Raises:
            StoreError: The folder does not exist or cannot be written to.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"cannot open the database {self.path}: {error.strerror}; create its folder "
                "and let this user write there, or set monitor.database"
            ) from error

    @property
    def engine(self) -> Engine:
        """
        Return the engine, made on first use.
        """
        if self._engine is None:
            self._engine = _make_engine(self.url)
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """
        Give out a consistent view of the database.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """
        Give out the one write transaction; all of it is kept, or nothing.

        Raises:
            StoreError: The database cannot be written, or stayed locked.
        """
        with self._translated(), self.engine.connect() as connection:
            connection.execution_options(connwatch_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """
        Close the file; the next use opens it again.
        """
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            # The statement and its parameters are left out: they hold data.
            raise StoreError(f"database {self.path}: {error.orig}") from error


def _make_engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # transactions begin where `begin` below says
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_PER_CHECKPOINT}")

    @event.listens_for(engine, "begin")
    def begin(transaction: Transaction) -> None:
        is_write = transaction.get_execution_options().get("connwatch_write", False)
        transaction.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine
