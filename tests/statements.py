"""
Count what the database is asked, statement by statement.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.engine import Database


@contextmanager
def counted(database: Database) -> Iterator[Counter[str]]:
    """
    Count the statements by their first word, while the context lasts.
    """
    seen: Counter[str] = Counter()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen[statement.split(maxsplit=1)[0]] += 1

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
