"""Read a source that is a database: one statement, in a transaction that may only read.

Rows come as they are asked for, so that a million of them take no more memory than ten. SQLite is
opened as a file that nobody writes to, PostgreSQL asked through psycopg, an extra. An error is
named by its class and code: what a database says of it may hold what is in its rows.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from monitor.sources.rows import (
    LARGEST_ROW,
    CellKind,
    SourceRow,
    UnreadableSource,
    cell_kinds,
    name_in,
    read_cells,
    read_dates,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 60.0
"""How long a statement may take, with all of its rows."""

NO_DRIVER = (
    'reading PostgreSQL needs the extra "postgres": install connwatch with it, as in'
    " pip install 'connwatch[postgres]'"
)

_CONNECT_WITHIN_S = 10
_AT_ONCE = 1000
_TOO_LARGE = f"larger than {LARGEST_ROW >> 10} KiB"
_STEPS_PER_LOOK = 10_000
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_DRIVER = re.compile(r"\+[a-z0-9_]+(?=://)", re.ASCII)


def read_database(
    url: str,
    query: str,
    folder: Path,
    defaults: Mapping[str, Any],
    patience_s: float = PATIENCE_S,
) -> Iterator[SourceRow]:
    """Yield the rows of *query*; not for event loops.

    Args:
        url: Such as `sqlite:///stores.db` or `postgresql://db/vendor`; a secret.
        folder: Where relative files are taken from.
        defaults: What holds for rows that do not say otherwise.

    Raises:
        UnreadableSource: Any of it cannot be read, perhaps after rows were yielded: then
            they are part of no list.
    """
    ends_at = monotonic() + patience_s
    statement = query.strip().rstrip(";").rstrip()
    if url.startswith("sqlite"):
        table = _read_sqlite(folder / url.partition(":///")[2], statement, ends_at)
    else:
        table = _read_postgresql(_DRIVER.sub("", url), statement, ends_at)
    names = next(table)
    _check_names(names)
    for index, cells in enumerate(table):
        if monotonic() > ends_at:
            raise _too_late()
        yield _make_row(index, names, cells, defaults)


def _too_late() -> UnreadableSource:
    return UnreadableSource("the statement took longer than it may")


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableSource(f"two columns are called {json.dumps(twice[:40])}")


def _make_row(
    index: int, names: Sequence[str], cells: Sequence[Any], defaults: Mapping[str, Any]
) -> SourceRow:
    values = dict(zip(names, cells, strict=True))
    provider = values.get("provider") or defaults.get("provider", "")
    kinds = cell_kinds(provider if isinstance(provider, str) else "")
    try:
        texts = {key: _write_cell(key, cell, kinds.get(key)) for key, cell in values.items()}
        if sum(len(text) for text in texts.values() if text) > LARGEST_ROW:
            return SourceRow(index, None, _TOO_LARGE, name=name_in(texts))
        return SourceRow(index, read_dates(read_cells(texts, defaults), defaults))
    except ValueError as error:
        return SourceRow(index, None, str(error), name=name_in(values))


def _write_cell(key: str, cell: Any, kind: CellKind | None) -> str | None:  # noqa: PLR0911 - a table of cases
    """Return a cell as CSV would have it: what it means is decided by its key."""
    match cell:
        case None:
            return None
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case 0 | 1 if kind is CellKind.BOOLEAN:
            return "true" if cell else "false"  # SQLite has no other
        case int() | Decimal() | UUID():
            return str(cell)
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case datetime():
            return (cell.astimezone(UTC) if cell.tzinfo else cell).date().isoformat()
        case date():
            return cell.isoformat()
        case list() | dict():
            return _write_json(key, cell)
        case _:
            raise ValueError(f"{key}: neither text, number, boolean nor date")


def _write_json(key: str, cell: Any) -> str:
    try:
        return json.dumps(cell, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(f"{key}: holds something that is no JSON") from None


# --- SQLite


def _read_sqlite(path: Path, statement: str, ends_at: float) -> Iterator[Sequence[Any]]:
    """Yield the names of the columns, and then the rows."""
    try:
        # The file is never made, and nobody who writes to it is kept waiting.
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5, isolation_level=None)) as reader:
            reader.set_progress_handler(lambda: monotonic() > ends_at, _STEPS_PER_LOOK)
            reader.execute("PRAGMA query_only = 1")
            reader.set_authorizer(_allow_reading)
            found = reader.execute(statement)
            if found.description is None:
                raise UnreadableSource("the statement yields no rows: write a SELECT")
            yield [column[0] for column in found.description]
            yield from found
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _explain_sqlite(error, ends_at) from None


def _allow_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _explain_sqlite(error: Exception, ends_at: float) -> UnreadableSource:
    code = getattr(error, "sqlite_errorname", "")
    if code == "SQLITE_INTERRUPT" or monotonic() > ends_at:
        return _too_late()
    if code.startswith("SQLITE_CANTOPEN"):
        return UnreadableSource("the file of the database cannot be opened (SQLITE_CANTOPEN)")
    if code == "SQLITE_AUTH":
        return UnreadableSource("the statement does more than read (SQLITE_AUTH)")
    shown = f" ({code})" if code else ""
    if "one statement" in str(error):
        return UnreadableSource("more than one statement")
    return UnreadableSource(f"the statement failed: {type(error).__name__}{shown}")


# --- PostgreSQL


def _read_postgresql(url: str, statement: str, ends_at: float) -> Iterator[Sequence[Any]]:
    """Yield the names of the columns, and then the rows."""
    try:
        import psycopg
    except ImportError:
        raise UnreadableSource(NO_DRIVER) from None
    left_ms = max(1, int((ends_at - monotonic()) * 1000))
    is_open = False
    try:
        with psycopg.connect(
            url,
            connect_timeout=min(_CONNECT_WITHIN_S, max(2, left_ms // 1000)),
            application_name="connwatch",
            options=f"-c default_transaction_read_only=on -c statement_timeout={left_ms}",
        ) as connection:
            is_open = True
            connection.read_only = True
            with connection.cursor("connwatch") as cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(statement.encode())
                if cursor.description is None:
                    raise UnreadableSource("the statement yields no rows: write a SELECT")
                yield [column.name for column in cursor.description]
                yield from cursor
            connection.rollback()
    except psycopg.Error as error:
        raise _explain_postgresql(error, is_open=is_open) from None


_CANCELLED = "57014"
_READ_ONLY = "25006"
_SYNTAX = "42601"


def _explain_postgresql(error: Any, *, is_open: bool) -> UnreadableSource:
    code = error.sqlstate or ""
    shown = f"{type(error).__name__}, SQLSTATE {code}" if code else type(error).__name__
    if code == _CANCELLED:
        return _too_late()
    if code == _READ_ONLY:
        return UnreadableSource(f"the statement does more than read ({shown})")
    if code == _SYNTAX:
        return UnreadableSource(f"it is not one SELECT ({shown})")
    if not is_open:
        return UnreadableSource(f"the database cannot be reached, or rejects the user ({shown})")
    return UnreadableSource(f"the statement failed ({shown})")
