"""Notice that the database was deleted, replaced or damaged under the daemon, and lose nothing.

The daemon would go on writing into a file without a name. So it ends, after it has written down
what it knows: under the old name if that is free, else beside what somebody has put there. Whoever
started it may start it anew. The log beside the file is a part of it.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.clock import utc_now
from monitor.engine.scheduler import Job
from monitor.store import migrate
from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.engine import Database, StoreWorker

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=1)


class DatabaseLost(StoreError):  # noqa: N818 - it says what happened to the file
    """The file is not the one any more that the daemon has open; it may begin anew."""


class IntegrityCheck:
    """Looks after the file of *database* while the daemon runs, and closes it at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log_path = database.path.with_name(f"{database.path.name}-wal")
        self._known = _identity(database.path)
        self._known_log = self._find_log()
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when the daemon cannot go on with the file."""

    def job(self, store: StoreWorker) -> Job:
        """Return the job that looks whether the file is there and whole."""

        async def look() -> None:
            fault: StoreError | None = store.damage
            if fault is None:
                fault = await asyncio.to_thread(self._find_loss)
            if fault is not None and not self.fault.done():
                self.fault.set_exception(fault)

        return Job("look_after_database", LOOK_EVERY, look)

    def close(self) -> None:
        """Close the database; if its file is gone, write down what it held."""
        if not self.fault.cancel() and not self.fault.cancelled():
            self.fault.exception()  # told by whoever waited for it, or overtaken by another end
        kept = None if self._find_loss() is None else self._rescue()
        self._database.close()
        if kept is not None:
            self._put_back(kept)

    def _find_loss(self) -> DatabaseLost | None:
        path = self._database.path
        try:
            if _identity(path) != self._known:
                what = "was replaced by another file"
            elif self._is_log_lost():
                what = f"lost its log {self._log_path.name}"
            else:
                return None
        except FileNotFoundError:
            what = "was deleted"
        except OSError:
            return None  # its disk is in trouble: that is told by whoever reads or writes next
        return DatabaseLost(f"the database {path} {what} while the daemon ran")

    def _is_log_lost(self) -> bool:
        """Tell whether the log is another one by now: it stays as long as the file is open."""
        found = self._find_log()
        if self._known_log is not None and found != self._known_log:
            return True
        self._known_log = found
        return False

    def _find_log(self) -> tuple[int, int] | None:
        return _identity(self._log_path) if self._log_path.exists() else None

    def _rescue(self) -> Path | None:
        path = self._database.path
        kept = path.with_name(f"{path.name}.rescued-{utc_now():%Y%m%dT%H%M%SZ}")
        try:
            migrate.backup(self._database, kept)
        except StoreError as error:
            log.error("database.not_rescued", error=str(error))  # noqa: TRY400 - it says all
            return None
        return kept

    def _put_back(self, kept: Path) -> None:
        path = self._database.path
        if path.exists() and _identity(path) == self._known:
            # Still ours, and no more than a part of what was known without its log.
            self._remove_logs()
            kept.replace(path)
            log.error("database.log_lost", put_back=str(path))
            return
        if self._known_log is not None and self._find_log() == self._known_log:
            self._remove_logs()
        if path.exists():
            log.error("database.replaced", goes_on_with=str(path), what_was_known=str(kept))
            return
        os.link(kept, path)  # unlike a rename, it replaces nothing that came meanwhile
        kept.unlink()
        log.error("database.deleted", put_back=str(path))

    def _remove_logs(self) -> None:
        """Take away the log of the file that is gone: SQLite would take it for the next one's.

        What is in it is in the copy. Who put another file there may have put its own log there.
        """
        self._log_path.unlink(missing_ok=True)
        self._log_path.with_name(f"{self._database.path.name}-shm").unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino
