"""
Run the daemon's database work in a thread of its own.

One thread, one piece of work at a time: the event loop never waits for a disk
or a lock, and the daemon is its own only writer.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from monitor.store.engine import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.store.engine import Database, Transaction

ResultT = TypeVar("ResultT")


class StoreWorker:
    """
    A thread that owns the daemon's use of *database*.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self.written_at: float | None = None
        """When the database last accepted a write, by the monotonic clock."""
        self.damage: StoreDamaged | None = None
        """What was found when the database turned out to be damaged."""

    async def read(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        """
        Run *work* on a consistent view of the database.

        Raises:
            StoreError: The database cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, work)

    async def write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        """
        Run *work* in one write transaction.

        Raises:
            StoreError: The database cannot be written; nothing of *work* was kept.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    def close(self) -> None:
        """
        End the thread after its present work.
        """
        self._thread.shutdown(wait=True)

    def _read(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        with self._noting_damage(), self._database.read() as tx:
            return work(tx)

    def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        with self._noting_damage(), self._database.write() as tx:
            result = work(tx)
        self.written_at = time.monotonic()
        return result

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except StoreDamaged as error:
            self.damage = error
            raise
