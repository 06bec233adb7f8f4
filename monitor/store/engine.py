"""Open the database: the only module that knows that it is SQLite.

Decides how it is opened, and gives out read and write transactions. A write transaction takes the
write lock when it begins: it waits there, if it must, and can never fail half-way for the lock.
The daemon's work runs in one thread, one piece at a time: the event loop never waits for a disk,
and a lock beside the file keeps a second daemon away. Says what to do about SQLite's errors.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from monitor.store import damage
from monitor.store.values import STRICT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.store.damage import DamagedValue


REMEDIES = {
    "locked": "another program holds it: try again, or find that program",
    "not a database": "set monitor.database to another file, or put back a copy of it",
    "malformed": "it is damaged: put back a copy of it",
    "disk I/O error": "is the disk full or failing?",
    "full": "the disk is full: make room, and it continues automatically",
    "readonly": "run as the user who owns the file, or let this user write to it and its folder",
    "unable to open": "run as the user who owns the file, or let this user into its folder",
    "no such table": "a part of it is missing: put back a copy of it",
    "already exists": "it belongs to another program: set monitor.database to another file",
}

DISK_PROBLEMS = {
    "full": "the disk of the database is full",
    "disk I/O error": "the disk of the database is full or failing",
    "readonly": "the database is read-only",
    "read-only": "the database is read-only",
}
"""What keeps the database from being written until somebody acts; names no file."""

READ_ONLY_DISK = (
    "its disk is mounted read-only, as the kernel does with one that fails: look into the kernel's"
    " log, and mount it for writing again"
)


def find_remedy(said: str, folder: Path, list_backups: Callable[[], Sequence[Path]]) -> str:
    """Return what to do about what SQLite *said*; empty if nothing is known.

    Args:
        folder: Where the database stands.
        list_backups: Returns the copies beside it, the newest first.
    """
    if is_disk_read_only(folder):
        return READ_ONLY_DISK
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in said), "")
    if "a copy of it" not in remedy:
        return remedy
    newest = next(iter(list_backups()), None)
    there = f", say {newest}" if newest else " that `connwatch db backup` made"
    return f"{remedy}{there}: stop the daemon, then `connwatch db restore COPY`"


def is_disk_read_only(folder: Path) -> bool:
    """Tell whether nothing can be written on the disk of *folder*."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


Transaction = Connection
"""What the store's functions work in: a connection of the word's other meaning."""

BUSY_TIMEOUT_S = 5
_TRIES_PER_SECOND = 50
_MOST_FAULTS = 5
PAGE_BYTES = 2048
"""
Half of SQLite's default: a second's results touch a few places, and each place
costs whole pages.
"""

WAL_PAGES_PER_CHECKPOINT = 8000
"""
16 MB. The pages of the connections are written again and again; the longer the
log grows before it is folded back, the fewer of those writes reach the file.
"""

_DAMAGED = ("malformed", "not a database")
_ROW_DAMAGED = ("decode to UTF-8", "malformed JSON")
"""Said of one value, where all else may be sound."""

_MAYBE_ROW_DAMAGED = ("is full", "UNIQUE constraint failed")
"""Said of a disk without room or a fault of ours, and of an id near the end of SQLite's numbers."""

_SIGNS_OF_DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""What reading a value ends with that is not what it should be."""

LOOK_AGAIN_AFTER_S = 60.0
"""How soon a fault of ours is taken for damage once more."""

BEFORE = ".before-"
"""Stands in the names of the copies from before migrations."""


_NO_FOLDER = "create its folder and let this user write there, or set monitor.database"


class StoreError(Exception):
    """The database could not be used: locked, full, read-only, damaged or gone."""


class StoreDamaged(StoreError):  # noqa: N818 - it says what happened to the file
    """What is in the file is no database any more: no later try will do better."""


class RowsSetAside(StoreError):  # noqa: N818 - it says what happened to rows
    """Rows could not be read, and were set aside: the same work can be done now."""


class RowRefused(StoreError):  # noqa: N818 - it says what happened to a row
    """A row breaks a rule of the tables: a fault of ours, the same at every try."""


class Database:
    """One database file.

    Args:
        url: An SQLAlchemy URL, `sqlite:///…`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = Path(make_url(url).database or "")
        self._engine: Engine | None = None
        self.on_set_aside: Callable[[Sequence[DamagedValue]], None] = _ignore
        """Told of rows that could not be read, where each stood; once each."""
        self.may_set_aside = True
        """Whether a row that cannot be read may be taken out."""
        self._looked_in_vain_at: dict[bool, float] = {}

    def exists(self) -> bool:
        """Tell whether there is a file yet, with something in it.

        Raises:
            StoreError: This user may not even look.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StoreError(
                f"cannot look at the database {self.path}: {error.strerror}; run as root, or as"
                " the user who owns it"
            ) from error
        return stat.S_ISREG(found.st_mode) and found.st_size > 0

    def create_file(self) -> None:
        """Create the file, readable by its owner alone, if it is not there.

        Raises:
            StoreError: The folder does not exist or cannot be written to.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"cannot open the database {self.path}: {error.strerror}; "
                + (READ_ONLY_DISK if is_disk_read_only(self.path.parent) else _NO_FOLDER)
            ) from error

    @property
    def engine(self) -> Engine:
        """Return the engine, made on first use."""
        if self._engine is None:
            self._engine = _make_engine(self.url)
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give out a consistent view of the database.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give out the one write transaction; all of it is kept, or nothing.

        Raises:
            StoreError: The database cannot be written, or stayed locked.
        """
        with self._translated(), self.engine.connect() as connection:
            connection.execution_options(connwatch_write=True)
            with connection.begin():
                yield connection

    @property
    def set_aside_path(self) -> Path:
        """Return the file with the rows that were set aside."""
        return self.path.with_name(f"{self.path.name}{damage.SUFFIX}")

    def set_aside_damage(self, *, is_thorough: bool = True) -> list[DamagedValue]:
        """Set aside every row that cannot be read, and return where each stood.

        Raises:
            StoreError: The database cannot be written.
        """
        # Most find nothing: a look that takes seconds must keep nobody from writing meanwhile.
        with self.read() as tx:
            if not damage.find_damage(tx, is_thorough=is_thorough):
                return []
        try:
            with self.write() as tx:
                found = damage.set_aside(tx, self.set_aside_path, is_thorough=is_thorough)
        except OSError as error:
            raise StoreError(f"cannot write {self.set_aside_path}: {error.strerror}") from error
        if found:
            self.on_set_aside(found)
        return found

    def list_faults(self) -> list[str]:
        """Read the whole file, and return what is damaged in it.

        Raises:
            StoreError: It cannot be read at all.
        """
        with self.read() as tx:
            said = tx.exec_driver_sql(f"PRAGMA quick_check({_MOST_FAULTS})").scalars().all()
        return [] if said == ["ok"] else [str(fault) for fault in said]

    @contextmanager
    def watch_commits(self) -> Iterator[Callable[[], bool]]:
        """Give out a function that tells whether anybody has committed anything since."""
        with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as watching:

            def version() -> int:
                found: int = watching.execute("PRAGMA data_version").fetchone()[0]
                return found

            before = version()
            yield lambda: version() != before

    def overwrite_with(self, copy: Path) -> None:
        """Put the content of *copy* into the file, in one transaction.

        Raises:
            StoreError: It cannot be written; the file is as it was.
        """
        try:
            with (
                # A copy that is gone must not be made, empty, and be put in the place of all.
                closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=rw", uri=True)) as source,
                closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            raise StoreError(f"database {self.path}: {error}") from error

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            said = str(error.orig)
            is_row = any(words in said for words in _ROW_DAMAGED)
            is_damaged = not is_row and any(words in said for words in _DAMAGED)
            kind = StoreDamaged if is_damaged else StoreError
            kind = RowRefused if isinstance(error, IntegrityError | DataError) else kind
            if is_row:
                self._explain_damage(error)
            elif any(words in said for words in _MAYBE_ROW_DAMAGED):
                self._explain_damage(error, is_thorough=False)
            # The statement and its parameters are left out: they hold data.
            remedy = self._remedy(said)
            raise kind(f"database {self.path}: {said}{remedy}") from error
        except _SIGNS_OF_DAMAGE as error:
            self._explain_damage(error)
            raise

    def _explain_damage(self, error: Exception, *, is_thorough: bool = True) -> None:
        """Set rows aside that nobody can read, if that is what *error* came from.

        Raises:
            RowsSetAside: There were some.
        """
        now = time.monotonic()
        last = self._looked_in_vain_at.get(is_thorough)
        if not self.may_set_aside or (last is not None and now - last < LOOK_AGAIN_AFTER_S):
            return
        # Looking does not look again.
        self._looked_in_vain_at[is_thorough] = now
        if found := self.set_aside_damage(is_thorough=is_thorough):
            self._looked_in_vain_at.clear()
            raise RowsSetAside(
                f"database {self.path}: {len(found)} values are damaged, the first in"
                f" {found[0]}: `connwatch doctor` names them all"
            ) from error

    def _remedy(self, said: str) -> str:
        found = find_remedy(said, self.path.parent, self.list_backups)
        return f"; {found}" if found else ""

    def list_backups(self) -> list[Path]:
        """Return the copies of the database that were made beside it, the newest first."""
        found = self.path.parent.glob(f"{self.path.name}{BEFORE}*")
        whole = [path for path in found if not path.name.endswith(("-wal", "-shm", "-journal"))]
        return sorted(whole, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _ignore(_found: Sequence[DamagedValue]) -> None:
    pass


def _write_ahead(raw: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, however many others do so at this moment.

    For this one statement SQLite does not wait by itself.
    """
    for _ in range(int(BUSY_TIMEOUT_S * _TRIES_PER_SECOND)):
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            sleep(1 / _TRIES_PER_SECOND)
        else:
            return
    raw.execute("PRAGMA journal_mode = WAL")


def _make_engine(url: str) -> Engine:
    path = quote(os.path.abspath(make_url(url).database or ""))  # noqa: PTH100 - resolves no links

    def connect() -> sqlite3.Connection:
        # Never makes the file: where it was deleted, an empty one would take its place.
        address = f"file:{path}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

    engine = create_engine(url, hide_parameters=True, creator=connect)
    engine.dialect.colspecs = {**engine.dialect.colspecs, **STRICT}

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: object) -> None:
        damage.add_functions(raw)
        raw.isolation_level = None  # transactions begin where `begin` below says
        raw.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # counts for a new file only
        _write_ahead(raw)
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_PER_CHECKPOINT}")

    @event.listens_for(engine, "begin")
    def begin(transaction: Transaction) -> None:
        is_write = transaction.get_execution_options().get("connwatch_write", False)
        transaction.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine


ResultT = TypeVar("ResultT")


class StoreWorker:
    """A thread that owns the daemon's use of *database*."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self.written_at: float | None = None
        """When the database last accepted a write, by the monotonic clock."""
        self.disk_problem: str | None = None
        """Why the latest write failed, if that is the disk: the next success ends it."""
        self.damage: StoreDamaged | None = None
        """What was found when the database turned out to be damaged."""

    async def read(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        """Run *work* on a consistent view of the database.

        Raises:
            StoreError: The database cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, work)

    async def write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        """Run *work* in one write transaction.

        Raises:
            StoreError: The database cannot be written; nothing of *work* was kept.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    def close(self) -> None:
        """End the thread after its present work."""
        self._thread.shutdown(wait=True)

    def _read(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            return self._read_once(work)
        except RowsSetAside:
            return self._read_once(work)

    def _read_once(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        with self._noting_damage(), self._database.read() as tx:
            return work(tx)

    def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            result = self._write_once(work)
        except RowsSetAside:
            result = self._write_once(work)
        self.written_at = time.monotonic()
        self.disk_problem = None
        return result

    def _write_once(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        try:
            with self._noting_damage(), self._database.write() as tx:
                return work(tx)
        except RowsSetAside:
            raise  # what looked like a disk without room was a damaged id
        except StoreError as error:
            # Without the statement, whose words say nothing of the disk.
            said = str(getattr(error.__cause__, "orig", ""))
            found = (words for each, words in DISK_PROBLEMS.items() if each in said)
            self.disk_problem = next(found, self.disk_problem)
            raise

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except StoreDamaged as error:
            self.damage = error
            raise


def is_locked(database: Database) -> bool:
    """Tell whether a daemon holds the database; leaves no trace.

    Raises:
        StoreError: This user may not look.
    """
    try:
        descriptor = os.open(_lock_file(database), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot open {_lock_file(database)}: {error.strerror}") from error
    with os.fdopen(descriptor) as file:
        try:
            # Shared, so that two who only look do not take each other for a daemon.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_file(database: Database) -> Path:
    return database.path.with_name(f"{database.path.name}.lock")


@contextmanager
def lock_database(database: Database) -> Iterator[None]:
    """Lock the database as the only daemon.

    The kernel lets the lock go with the process, however it ends.

    Raises:
        StoreError: Another daemon holds it, or its folder cannot be written to.
    """
    path = _lock_file(database)
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
