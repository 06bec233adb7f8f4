"""
Make what areas work on: a database in a folder of its own, with something of everything in it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from monitor.store.engine import Database
from monitor.store.migrate import upgrade
from tests.builders import Story

if TYPE_CHECKING:
    from monitor.config.plan import Plan


class TemporaryStore:
    """
    A database with the connections of *plan*, until it is closed.
    """

    def __init__(self, plan: Plan) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory()))
        self.plan = plan
        self.database = Database(f"sqlite:///{self.folder / 'connwatch.db'}")
        self._stack.callback(self.database.close)
        upgrade(self.database)
        self.story = Story.begin(self.database, plan)

    def close(self) -> None:
        self._stack.close()
