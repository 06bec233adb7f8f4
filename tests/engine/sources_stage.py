"""
A daemon in this process whose connections come from sources, read when a test wants that.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from monitor.clock import utc_now
from monitor.config.load import load_config
from monitor.engine.app import App
from monitor.store import sources
from monitor.store.connections import delete_connection, find_record
from monitor.store.engine import Database
from monitor.store.entries import find_change
from monitor.store.schema import alerts, authorizations, connections, entries
from monitor.web.dashboard import WebDashboard
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from monitor.judge.sources import SourceMemory

HEAD = """
[web]
listen = ""

[[channels]]
name = "ops"
url = "json://127.0.0.1:9"

"""
STORES = """
[[sources]]
name = "stores"
kind = "file"
path = "stores.jsonl"
every = "1h"
remove_after = "1s"
defaults = { provider = "countdown", authorized_on = 2026-01-15 }
"""


class Stage:
    """
    The files, and what the database says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "config.toml"
        self.configure(STORES)
        self.reload = asyncio.Event()

    def configure(self, text: str) -> None:
        self.path.write_text(HEAD + text)
        self.path.chmod(0o600)

    def list_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """
        Put a list into the place of the former one, all at once.
        """
        text = "".join(json.dumps(row) + "\n" for row in rows)
        beside = self.folder / "stores.jsonl.new"
        beside.write_text(text)
        beside.rename(self.folder / "stores.jsonl")

    def list_names(self, *names: str) -> None:
        self.list_rows({"name": name} for name in names)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        daemon = App(load_config(self.path), WebDashboard, load=lambda: load_config(self.path))
        task = asyncio.create_task(daemon.run(stop, self.reload))
        self._daemon = task
        try:
            yield
        finally:
            stop.set()
            await task

    def _open(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'connwatch.db'}")

    async def read(self, name: str = "stores") -> SourceMemory:
        """
        Have a source read once more from now on, and return what is remembered of it.
        """
        await until(lambda: self._daemon.done() or self._is_ready())
        with closing(self._open()) as database, database.write() as tx:
            sources.want_source(tx, name, "file", utc_now())
        await until(lambda: self._daemon.done() or name not in self.wanted())
        if self._daemon.done():
            await self._daemon
        return self.memory(name)

    async def read_gone(self, name: str = "stores") -> None:
        """
        Have a source looked at that is not in the file any more, until it is forgotten.
        """
        with closing(self._open()) as database, database.write() as tx:
            sources.want_source(tx, name, "file", utc_now())
        await until(lambda: self._daemon.done() or self.stored(name) is None)

    def changes(self) -> Any:
        """
        When anybody but the file last wrote settings.
        """
        with closing(self._open()) as database, database.read() as tx:
            return find_change(tx)

    def _is_ready(self) -> bool:
        if not (self.folder / "connwatch.db").exists():
            return False
        with closing(self._open()) as database, database.read() as tx:
            return bool(
                tx.exec_driver_sql("select 1 from sqlite_master where name = 'sources'").first()
            )

    def wanted(self) -> set[str]:
        with closing(self._open()) as database, database.read() as tx:
            return set(sources.list_wanted(tx))

    def memory(self, name: str = "stores") -> SourceMemory:
        found = self.stored(name)
        assert found is not None
        return found.memory

    def stored(self, name: str = "stores") -> sources.StoredSource | None:
        with closing(self._open()) as database, database.read() as tx:
            return sources.find_source(tx, name)

    def names(self) -> list[str]:
        """
        The names of what is watched.
        """
        query = select(connections.c.name).where(connections.c.is_configured)
        with closing(self._open()) as database, database.read() as tx:
            return sorted(tx.execute(query).scalars())

    def contents(self) -> dict[tuple[str, str], Any]:
        query = select(entries.c.owner, entries.c.name, entries.c.content)
        with closing(self._open()) as database, database.read() as tx:
            return {(row.owner, row.name): row.content for row in tx.execute(query)}

    def alerts(self) -> list[str]:
        with closing(self._open()) as database, database.read() as tx:
            return [
                str(k) for k in tx.execute(select(alerts.c.kind).order_by(alerts.c.id)).scalars()
            ]

    def accept(self, name: str = "stores") -> None:
        from monitor.judge.sources import Acceptance, accept

        with closing(self._open()) as database, database.write() as tx:
            found = sources.find_source(tx, name)
            assert found is not None
            said, memory = accept(found.memory)
            assert said is Acceptance.ACCEPTED
            sources.save_memory(tx, name, memory)

    def delete(self, name: str) -> None:
        with closing(self._open()) as database, database.write() as tx:
            record = find_record(tx, name)
            assert record is not None
            delete_connection(tx, record, utc_now())

    def dates(self) -> dict[str, Any]:
        """
        When the authorization of each connection was granted, hidden ones included.
        """
        query = select(connections.c.name, authorizations.c.authorized_at).join(authorizations)
        with closing(self._open()) as database, database.read() as tx:
            return {row.name: row.authorized_at for row in tx.execute(query)}

    def count_connections(self) -> int:
        with closing(self._open()) as database, database.read() as tx:
            return tx.execute(select(func.count()).select_from(connections)).scalar_one()
