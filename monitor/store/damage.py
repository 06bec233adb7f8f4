"""Find the rows that cannot be read, and set them aside: none of them may stop all others.

Decides what a value of each column may be, by the column's type, and what becomes of a row that
holds another one. What a connection is watched by goes on with the value it began with; any other
row is taken out. As it was, each row stays readable in the file beside the database. Looking is
left to SQLite, which needs no Python for a row that is sound.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary
from sqlalchemy import text as sql

from monitor.judge.outcome import QuotaUnit
from monitor.store.schema import EnumText, Instant, metadata

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Column, Table
    from sqlalchemy.engine import Connection


SUFFIX = ".set-aside"
"""Ends the name of the file with the rows as they were."""

MOST_AT_ONCE = 1000
"""Of one table; more at once are the next look's."""

APPENDED = {"checks", "check_hours", "check_days", "quota_samples", "transitions"}
"""Millions of rows, which nothing but people reads: looked at when that has failed."""

FIRST_INSTANT = -62_135_596_800_000_000
LAST_INSTANT = 253_370_764_800_000_000
"""The years 1 to 9998, in microseconds."""

NOW = "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
UNKNOWN: dict[str, str] = {}

HEALED: dict[str, dict[str, str]] = {
    "connections": {
        "name": "'unreadable-' || id",
        "provider": "''",
        "host": "''",
        "is_configured": "1",
        "is_enabled": "1",
        "is_paused": "0",
        "next_check_at": NOW,
        "state": "'pending'",
        "reason": "'not_checked'",
        "detail": "''",
        "since": NOW,
        "successes": "0",
        "refusals": "0",
        "refusals_of_any_reason": "0",
        "failures": "0",
        "is_unexplained": "0",
        **dict.fromkeys(
            (
                *("checked_at", "latency_ms", "last_reason", "announced_state"),
                *("announced_reason", "account", "application", "token_host", "failed_host"),
            ),
            "NULL",
        ),
    },
    "quotas": {
        "is_payment_required": "0",
        "window": "''",
        "unit": "'requests'",
        "has_others": "0",
        **dict.fromkeys(
            (
                *("account_key", "shown_limit", "shown_remaining", "shown_resets_at"),
                *("known_limit", "known_remaining", "known_resets_at", "window_s", "seen_at"),
                *("longest_reset_s", "told_step", "told_limit"),
            ),
            "NULL",
        ),
    },
    # Rather sent twice than never.
    "notifications": {
        "state": "'due'",
        "attempts": "0",
        "due_since": NOW,
        "next_attempt_at": NOW,
        **dict.fromkeys(
            (
                *("claimed_by", "claimed_until", "sent_at", "error"),
                *("held_by", "held_until", "message_id"),
            ),
            "NULL",
        ),
    },
    "alerts": {"severity": "'critical'", "facts": "'{}'", "born_at": NOW},
    "stored_tokens": {"file_fingerprint": "NULL", "seller_id": "NULL", "obtained_at": NOW},
}
"""What such a column begins with; a row without is taken out."""


@dataclass(frozen=True, slots=True)
class DamagedValue:
    """A value that cannot be read: where it stands, not what it is."""

    table: str
    key: str
    column: str

    def __str__(self) -> str:
        return f"table {self.table}, row {self.key}, column {self.column}"


def find_damage(tx: Connection, *, is_thorough: bool = True) -> list[DamagedValue]:
    """Return the values that cannot be read.

    Args:
        is_thorough: Look at every table, and at each letter of texts.
    """
    return [value for value, _ in _find(tx, is_thorough=is_thorough)]


def set_aside(tx: Connection, file: Path, *, is_thorough: bool = True) -> list[DamagedValue]:
    """Take what cannot be read out of the tables, write it to *file*, and return where it was."""
    found = list(_find(tx, is_thorough=is_thorough))
    rows: dict[tuple[str, str], list[DamagedValue]] = {}
    for value, place in found:
        rows.setdefault((value.table, place), []).append(value)
    records = [
        {
            "at": tx.exec_driver_sql("SELECT datetime('now')").scalar_one(),
            "table": table,
            "key": values[0].key,
            "columns": [value.column for value in values],
            "row": _quote_row(tx, metadata.tables[table], place),
        }
        for (table, place), values in rows.items()
    ]
    _append(file, records)
    for (table, place), values in rows.items():
        columns = HEALED.get(table, UNKNOWN)
        where = _is_at(metadata.tables[table])
        if all(value.column in columns for value in values):
            healed = ", ".join(f'"{value.column}" = {columns[value.column]}' for value in values)
            change = f'UPDATE "{table}" SET {healed} WHERE {where}'  # noqa: S608 - our own names
        else:
            change = f'DELETE FROM "{table}" WHERE {where}'  # noqa: S608 - likewise
        tx.execute(sql(change), {"place": place})
    return [value for value, _ in found]


def read_set_aside(file: Path) -> list[DamagedValue]:
    """Return what stands in *file*: what was set aside since it was last deleted."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    values = []
    for line in lines:
        try:
            record = json.loads(line)
            values += [
                DamagedValue(str(record["table"]), str(record["key"]), str(column))
                for column in record["columns"]
            ]
        except (ValueError, LookupError, TypeError):
            continue  # cut off by a full disk
    return list(dict.fromkeys(values))


def _append(file: Path, records: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    if text:
        descriptor = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)


def _find(tx: Connection, *, is_thorough: bool) -> Iterator[tuple[DamagedValue, str]]:
    """Yield each damaged value with the place of its row."""
    for table in metadata.sorted_tables:
        if not is_thorough and table.name in APPENDED:
            continue
        checks = {
            column.name: f"({_is_damaged(column, is_thorough=is_thorough)})" for column in table.c
        }
        flags = ", ".join(checks.values())
        query = (
            f"SELECT {_place(table)}, {_key(table)}, {flags} FROM {_quoted(table.name)}"  # noqa: S608 - our own names
            f" WHERE {' OR '.join(checks.values())} LIMIT {MOST_AT_ONCE}"
        )
        for place, key, *damaged in tx.exec_driver_sql(query):
            for name, is_damaged in zip(checks, damaged, strict=True):
                if is_damaged:
                    shown = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
                    yield DamagedValue(table.name, str(shown), name), str(place)


def add_functions(raw: sqlite3.Connection) -> None:
    """Give a new connection to SQLite what `find_damage` calls."""
    raw.create_function("is_utf8", 1, _is_utf8, deterministic=True)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged(column: Column[Any], *, is_thorough: bool) -> str:
    """Return the condition under which a value of *column* cannot be read."""
    name = _quoted(column.name)
    kind = column.type
    match kind:
        case Instant():
            bad = (
                f"typeof({name}) <> 'integer'"
                f" OR {name} NOT BETWEEN {FIRST_INSTANT} AND {LAST_INSTANT}"
            )
        case EnumText():
            members = ", ".join(f"'{member.value}'" for member in kind.kind)
            bad = f"typeof({name}) <> 'text' OR {name} NOT IN ({members})"
        case Boolean():
            bad = f"typeof({name}) <> 'integer' OR {name} NOT IN (0, 1)"
        case Integer():
            bad = f"typeof({name}) <> 'integer'"
        case Float():
            bad = f"typeof({name}) NOT IN ('real', 'integer') OR abs({name}) > 1e300"
        case LargeBinary():
            bad = f"typeof({name}) <> 'blob'"
        case JSON():
            bad = _is_json_damaged(column)
        case _:
            bad = f"typeof({name}) <> 'text'"
            if is_thorough:
                bad += f" OR NOT is_utf8(CAST({name} AS BLOB))"
    return f"{name} IS NOT NULL AND ({bad})"


def _is_json_damaged(column: Column[Any]) -> str:
    name = _quoted(column.name)
    units = ", ".join(f"'{unit.value}'" for unit in QuotaUnit)
    shapes = {
        "facts": "json_type({0}) <> 'object'",
        "marketplaces": (
            "json_type({0}) <> 'array' OR EXISTS (SELECT 1 FROM json_each({0}) AS one"
            " WHERE one.type <> 'object' OR json_type(one.value, '$.id') IS NOT 'text'"
            " OR json_type(one.value, '$.country') IS NOT 'text'"
            " OR json_type(one.value, '$.is_participating') NOT IN ('true', 'false')"
            " OR json_type(one.value, '$.is_participating') IS NULL"
            " OR (SELECT count(*) FROM json_each(one.value)) <> 5)"
        ),
        "windows": (
            "json_type({0}) <> 'array' OR EXISTS (SELECT 1 FROM json_each({0}) AS one"  # noqa: S608 - likewise
            " WHERE one.type <> 'object' OR json_type(one.value, '$.name') IS NOT 'text'"
            f" OR json_extract(one.value, '$.unit') NOT IN ({units}))"
        ),
    }
    shape = shapes.get(column.name, "0").format(name)
    return (
        f"CASE WHEN typeof({name}) <> 'text' THEN 1 WHEN NOT json_valid({name}) THEN 1"
        f" ELSE ({shape}) END"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _has_rowid(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"].get("with_rowid", True))


def _place(table: Table) -> str:
    """Return what tells one row of *table* from all others, whatever is wrong with it."""
    if _has_rowid(table):
        return "CAST(rowid AS TEXT)"
    return " || '/' || ".join(f"hex(quote({_quoted(column.name)}))" for column in table.primary_key)


def _is_at(table: Table) -> str:
    return "rowid = CAST(:place AS INTEGER)" if _has_rowid(table) else f"{_place(table)} = :place"


def _key(table: Table) -> str:
    """Return what people know a row by: an id or a name, and never a hash."""
    first = next(iter(table.primary_key.columns))
    if first.name in {"id", "connection_id", "alert_id"} or not _has_rowid(table):
        return f"CAST(quote({_quoted(first.name)}) AS BLOB)"
    if first.name == "name":
        name = _quoted(first.name)
        return f"CASE WHEN typeof({name}) = 'text' THEN CAST({name} AS BLOB) ELSE rowid END"
    return "rowid"


def _quote_row(tx: Connection, table: Table, place: str) -> dict[str, Any]:
    """Return the row at *place* as SQL writes its values."""
    names = [column.name for column in table.c]
    # In hexadecimal: a text may hold what is none.
    columns = ", ".join(f"typeof({_quoted(name)}), hex({_quoted(name)})" for name in names)
    query = f'SELECT {columns} FROM "{table.name}" WHERE {_is_at(table)}'  # noqa: S608 - likewise
    found = list(tx.execute(sql(query), {"place": place}).one())
    return {
        name: {"type": found[2 * at], "hex": found[2 * at + 1]} for at, name in enumerate(names)
    }
