"""Find the rows that cannot be read, and set them aside: none of them may stop all others.

Decides what a value of each column may be, by the column's type, and what becomes of a row that
holds another one. Where a column has a value to begin with, the row goes on with that; any other
row is taken out, with what belongs to it. As they were, all of them are in the file beside the
database, each with the statement that puts it back. Looking is left to SQLite, which needs no
Python for a row that is sound. Which ids are none, `ids` decides.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    Integer,
    LargeBinary,
    UniqueConstraint,
    false,
    insert,
    select,
)
from sqlalchemy import text as sql

from monitor.judge.outcome import QuotaUnit
from monitor.store import ids
from monitor.store.ids import APPENDED, COUNTED, LARGEST_ID, SEQUENCE, IdLimits
from monitor.store.schema import EnumText, Instant, connections, keys, metadata, quotas
from monitor.store.values import FIRST_INSTANT, LARGEST_FLOAT, LARGEST_INTEGER, LAST_INSTANT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Column, Table
    from sqlalchemy.engine import Connection


SUFFIX = ".set-aside"
"""Ends the name of the file with the rows as they were."""

MOST_AT_ONCE = 1000
"""Of one table, so that a large file does not fill the memory; then the next so many."""

SHORTEST_KEY_BYTES = 16
"""A key that is shorter keeps nobody out."""

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
                "group_name",
            ),
            "NULL",
        ),
    },
    # The next reading of the file, or of a source, puts them right.
    "entries": {"rank": "1", "position": "0", "digest": "''", "secrets": "NULL"},
    # Without its URL a channel says why nothing is sent to it.
    "channels": {"digest": "''", "secrets": "NULL"},
    # What is remembered of a source is put right by its next reading.
    "sources": {
        "kind": "''",
        "state": "'ok'",
        "error": "''",
        "problems": "'[]'",
        "most_removed": "0.1",
        **dict.fromkeys(("rows", "bad", "pending", "failures"), "0"),
        **dict.fromkeys(("held", "shown", "accepted", "etag", "settings_mark"), "''"),
        **dict.fromkeys(("is_failure_reported", "is_hold_reported"), "0"),
        **dict.fromkeys(("read_at", "tried_at", "since", "wanted_at"), "NULL"),
    },
    "missing_entries": {"since": NOW},
    # The sweep finds the next step; whose date is lost is dated by the file, or by people.
    "authorizations": {
        "is_renewal_pending": "0",
        "is_renewal_unrecorded": "0",
        "next_step_at": NOW,
        **dict.fromkeys(("told_step", "fingerprint", "renewal_fingerprint"), "NULL"),
        "token_ends_at": "NULL",
    },
    "applications": {
        "is_configured": "1",
        "next_step_at": NOW,
        **dict.fromkeys(
            (
                *("secret_created_at", "secret_ends_at", "told_step", "refused_reason"),
                *("refused_detail", "refused_at", "asker_id", "announced_reason"),
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
    "reminders": {"due_at": NOW, "n_sent": "0"},
    "silences": {"reason": "''", "starts_at": NOW},
    "acknowledgements": {"at": NOW, "note": "''"},
    "channel_states": {"failed_since": "NULL", "is_failure_told": "0", "digest_at": "NULL"},
    "deletions": {"at": NOW},
    # Without what it may do, a token may read; without its hash it lets nobody in.
    "api_tokens": {
        "is_read_only": "1",
        "role": "'viewer'",
        "groups": "'[]'",
        "created_at": NOW,
        "last_used_at": "NULL",
    },
    "people": {
        "role": "'viewer'",
        "groups": "'[]'",
        "password_hash": "NULL",
        "created_at": NOW,
    },
    # Who did what is known without it.
    "audit": {"keys": "'[]'"},
    "stored_tokens": {"file_fingerprint": "NULL", "seller_id": "NULL", "obtained_at": NOW},
}
"""What such a column begins with, never allowing more than it did; a row without is taken out."""


@dataclass(frozen=True, slots=True)
class DamagedValue:
    """A value that cannot be read, or be what it says: where it stands, not what it is.

    Args:
        column: Empty for a sound row that was removed with one that it belonged to.
        removed_with: Names that one.
        is_twice: The value is none because another row has it, and only one may.
    """

    table: str
    key: str
    column: str
    removed_with: str = ""
    is_twice: bool = False

    def __str__(self) -> str:
        row = f"table {self.table}, row {self.key}"
        return f"{row}, column {self.column}" if self.column else row


def find_damage(tx: Connection, *, is_thorough: bool = True) -> list[DamagedValue]:
    """Return the values that cannot be read.

    Args:
        is_thorough: Look at every table, and at each letter of texts.
    """
    limits = IdLimits.read(tx)
    return [value for value, _ in _find(tx, limits, is_thorough=is_thorough)]


def set_aside(tx: Connection, file: Path, *, is_thorough: bool = True) -> list[DamagedValue]:
    """Take what cannot be read out of the tables, write it to *file*, and return where it was.

    What belongs to a row that is taken out goes with it, and is written too. All of it is on the
    disk before the tables change: what cannot be written stays where it is.
    """
    all_found: list[DamagedValue] = []
    limits = IdLimits.read(tx)
    is_over = False
    while not is_over:
        found = list(_find(tx, limits, is_thorough=is_thorough))
        is_over = len(found) < MOST_AT_ONCE
        if found:
            repair = _plan_repair(tx, limits, found)
            _append(file, repair.records)
            _carry_out(tx, limits, repair)
        all_found += [value for value, _ in found]
    return all_found


@dataclass(slots=True)
class _Repair:
    """What is to be done to rows.

    Args:
        rows: The damaged ones, with what is damaged of each.
        new_ids: The id that a row gets in place of its own, by table and place.
        belonging: Sound rows that go with one of those.
        records: What is written of all of them.
    """

    rows: dict[_Row, list[DamagedValue]]
    new_ids: dict[_Row, int]
    belonging: dict[_Row, _Row]
    records: list[dict[str, Any]] = field(default_factory=list)


def _plan_repair(
    tx: Connection, limits: IdLimits, found: Iterable[tuple[DamagedValue, str]]
) -> _Repair:
    rows: dict[_Row, list[DamagedValue]] = {}
    for value, place in found:
        rows.setdefault(_Row(value.table, place), []).append(value)
    lost_ids: dict[str, list[int]] = {}
    for row, values in rows.items():
        if _is_healed(values) and any(_is_counted_id(value) for value in values):
            lost_ids.setdefault(row.table, []).append(int(row.place))
    assigned = ids.assign_ids(tx, limits, lost_ids)
    new_ids = {_Row(name, str(old)): new for (name, old), new in assigned.items()}
    lost = [row for row, values in rows.items() if not _is_healed(values)]
    belonging = _list_belonging(tx, lost, set(rows))
    belonging |= _list_orphans(tx, new_ids, {*rows, *belonging})
    repair = _Repair(rows, new_ids, belonging)
    at = tx.exec_driver_sql("SELECT datetime('now')").scalar_one()
    repair.records += [
        _record(tx, at, row, values, new_ids.get(row)) for row, values in rows.items()
    ]
    repair.records += [
        {**_record(tx, at, row, []), "removed_with": str(rows[owner][0])}
        for row, owner in belonging.items()
    ]
    return repair


def _carry_out(tx: Connection, limits: IdLimits, repair: _Repair) -> None:
    # A row and what refers to it change one after the other.
    tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for row, values in repair.rows.items():
        change = _change(row, values)
        if change:
            tx.execute(sql(change), {"place": row.place})
    for row in repair.belonging:
        where = _is_at(metadata.tables[row.table])
        delete = f'DELETE FROM "{row.table}" WHERE {where}'  # noqa: S608 - our own names
        tx.execute(sql(delete), {"place": row.place})
    for row, new in repair.new_ids.items():
        ids.move_row(tx, row.table, int(row.place), new)
    found = [value for values in repair.rows.values() for value in values]
    counts = {value.key for value in found if value.table == SEQUENCE.name}
    ids.count_on(tx, counts | (limits.lost & set(COUNTED)), limits)
    for name in sorted({value.table for value in found if value.is_twice}):
        tx.exec_driver_sql(f"REINDEX {_quoted(name)}")  # it did not know of one of the two
    complete(tx)


def complete(tx: Connection, above: int | None = None) -> None:
    """Give each connection the row of its quota, without which nothing finds it.

    Args:
        above: The highest id that there was before some came, which alone lack theirs.
    """
    without_quota = select(connections.c.id, false()).where(
        connections.c.id.not_in(select(quotas.c.connection_id))
        if above is None
        else connections.c.id > above
    )
    tx.execute(insert(quotas).from_select(["connection_id", "is_payment_required"], without_quota))


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
            table, key = str(record["table"]), str(record["key"])
            values += [DamagedValue(table, key, str(column)) for column in record["columns"]]
            if "removed_with" in record:
                values.append(DamagedValue(table, key, "", str(record["removed_with"])))
        except (ValueError, LookupError, TypeError):
            continue  # cut off by a full disk
    return list(dict.fromkeys(values))


@dataclass(frozen=True, slots=True)
class _Row:
    """One row, by its *place* in a table."""

    table: str
    place: str


def _is_healed(values: Sequence[DamagedValue]) -> bool:
    """Tell whether the row of all these *values* goes on with others."""
    return all(
        value.column in HEALED.get(value.table, UNKNOWN)
        or _is_counted_id(value)
        or value.table == SEQUENCE.name
        for value in values
    )


def _is_counted_id(value: DamagedValue) -> bool:
    return value.column == "id" and value.table in COUNTED


def _change(row: _Row, values: Sequence[DamagedValue]) -> str:
    """Return the statement that takes a row out, or heals it but for its id; empty if none."""
    if row.table == SEQUENCE.name:
        return ""
    where = _is_at(metadata.tables[row.table])
    if not _is_healed(values):
        return f'DELETE FROM "{row.table}" WHERE {where}'  # noqa: S608 - our own names
    columns = HEALED.get(row.table, UNKNOWN)
    healed = ", ".join(
        f'"{value.column}" = {columns[value.column]}' for value in values if value.column in columns
    )
    return f'UPDATE "{row.table}" SET {healed} WHERE {where}' if healed else ""  # noqa: S608 - likewise


def _list_belonging(tx: Connection, lost: Iterable[_Row], damaged: set[_Row]) -> dict[_Row, _Row]:
    """Return the rows that the database deletes with those *lost*, each with its own of these."""
    belonging: dict[_Row, _Row] = {}
    waiting = [(row, row) for row in lost]
    while waiting:
        row, owner = waiting.pop()
        for table in metadata.sorted_tables:
            for key in table.foreign_keys:
                if key.ondelete != "CASCADE" or key.column.table.name != row.table:
                    continue
                query = (
                    f'SELECT {_place(table)} FROM "{table.name}" WHERE "{key.parent.name}" ='  # noqa: S608 - our own names
                    f' (SELECT "{key.column.name}" FROM "{row.table}"'
                    f" WHERE {_is_at(key.column.table)})"
                )
                for place in tx.execute(sql(query), {"place": row.place}).scalars():
                    found = _Row(table.name, str(place))
                    if found not in belonging and found not in damaged:
                        belonging[found] = owner
                        waiting.append((found, owner))
    return belonging


def _list_orphans(
    tx: Connection, new_ids: Mapping[_Row, int], known: set[_Row]
) -> dict[_Row, _Row]:
    """Return the rows whose owner lost its id, which no other row tells; each with such a one."""
    orphans: dict[_Row, _Row] = {}
    for one in ids.REFERENCES:
        owners = [row for row in new_ids if row.table == one.parent]
        if not owners or not one.is_key or one.table in APPENDED:
            continue
        kept = ", ".join(str(new_ids[row]) for row in owners)
        query = (
            f'SELECT {_place(metadata.tables[one.table])} FROM "{one.table}"'  # noqa: S608 - our own names
            f' WHERE {one.missing} AND "{one.column}" NOT IN ({kept})'
        )
        for place in tx.exec_driver_sql(query).scalars():
            found = _Row(one.table, str(place))
            if found not in known:
                orphans.setdefault(found, owners[0])
    return orphans


def _record(
    tx: Connection, at: str, row: _Row, values: Sequence[DamagedValue], new_id: int | None = None
) -> dict[str, Any]:
    """Return all that is known of a *row*, and the statement that would put it back."""
    table = _table(row.table)
    stored = _read_row(tx, table, row.place)
    key = f"SELECT {_key(table)} FROM {_quoted(table.name)} WHERE {_is_at(table)}"  # noqa: S608 - our own names
    return {
        "at": at,
        "table": row.table,
        "key": _show(tx.execute(sql(key), {"place": row.place}).scalar_one()),
        "columns": [value.column for value in values],
        "row": {name: {"type": kind, "hex": raw} for name, (kind, raw) in stored.items()},
        "restore": _make_restoring(table, stored, new_id),
    }


def _table(name: str) -> Table:
    return SEQUENCE if name == SEQUENCE.name else metadata.tables[name]


def _make_restoring(table: Table, stored: Mapping[str, tuple[str, str]], new_id: int | None) -> str:
    """Return the statement that puts a row back, whether it was changed or taken out."""
    if new_id is not None or table is SEQUENCE:
        values = ", ".join(
            f"{_quoted(name)} = {_literal(*value)}" for name, value in stored.items()
        )
        which = f"name = {_literal(*stored['name'])}" if new_id is None else f"id = {new_id}"
        return f'UPDATE "{table.name}" SET {values} WHERE {which};'  # noqa: S608 - our own names
    names = ", ".join(_quoted(name) for name in stored)
    literals = ", ".join(_literal(kind, raw) for kind, raw in stored.values())
    keys_of_row = [column.name for column in table.primary_key]
    key = ", ".join(_quoted(name) for name in keys_of_row)
    # REPLACE would delete what belongs to the row.
    changes = ", ".join(
        f"{_quoted(name)} = excluded.{_quoted(name)}" for name in stored if name not in keys_of_row
    )
    then = f"UPDATE SET {changes}" if changes else "NOTHING"
    return (
        f'INSERT INTO "{table.name}" ({names}) VALUES ({literals})'  # noqa: S608 - our own names
        f" ON CONFLICT ({key}) DO {then};"
    )


def _literal(kind: str, raw: str) -> str:
    """Return what SQL calls a value, whose bytes as text are *raw* in hexadecimal."""
    data = bytes.fromhex(raw)
    match kind:
        case "null":
            return "NULL"
        case "integer" | "real":
            # Infinity has no name in SQL.
            return {"Inf": "9e999", "-Inf": "-9e999"}.get(data.decode(), data.decode())
        case "text":
            text = data.decode("utf-8", "replace")
            if text.isprintable() and "\ufffd" not in text:
                return "'" + text.replace("'", "''") + "'"
            return f"CAST(X'{raw}' AS TEXT)"
        case _:
            return f"X'{raw}'"


def _append(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add to *file*, for its owner alone, and come back when the disk has it."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    descriptor = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        os.fchmod(descriptor, 0o600)
        if os.fstat(descriptor).st_size:
            text = f"\n{text}"  # the last line may have been cut off by a full disk
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)


def _find(
    tx: Connection, limits: IdLimits, *, is_thorough: bool
) -> Iterator[tuple[DamagedValue, str]]:
    """Yield each damaged value with the place of its row."""
    for table in metadata.sorted_tables:
        columns = list(table.c)
        if not is_thorough and table.name in APPENDED:
            columns = [table.c.id] if table.name in limits.lost else []
        checks = {
            column.name: f"({_is_damaged(column, limits, is_thorough=is_thorough)})"
            for column in columns
        }
        if not checks:
            continue
        flags = ", ".join(checks.values())
        query = (
            f"SELECT {_place(table)}, {_key(table)}, {flags} FROM {_quoted(table.name)}"  # noqa: S608 - our own names
            f" WHERE {' OR '.join(checks.values())} LIMIT {MOST_AT_ONCE}"
        )
        for place, key, *damaged in tx.exec_driver_sql(query):
            for name, is_damaged in zip(checks, damaged, strict=True):
                if is_damaged:
                    yield DamagedValue(table.name, _show(key), name), str(place)
        if is_thorough or table.name not in APPENDED:
            yield from _find_doubles(tx, table)
    for name, place in ids.find_damaged_counts(tx, limits):
        yield DamagedValue(SEQUENCE.name, name, "seq"), place


def _find_doubles(tx: Connection, table: Table) -> Iterator[tuple[DamagedValue, str]]:
    """Yield the values that an earlier row has too, although its index allows only one."""
    if not _has_rowid(table):
        return
    for columns in _list_unique(table):
        names = ", ".join(_quoted(name) for name in columns)
        # The index is what is wrong.
        query = (
            f"SELECT place, key FROM (SELECT {_place(table)} AS place, {_key(table)} AS key,"  # noqa: S608 - our own names
            f" row_number() OVER (PARTITION BY {names} ORDER BY rowid) AS n"
            f" FROM {_quoted(table.name)} NOT INDEXED"
            f" WHERE {' AND '.join(f'{_quoted(name)} IS NOT NULL' for name in columns)})"
            f" WHERE n > 1 LIMIT {MOST_AT_ONCE}"
        )
        for place, key in tx.exec_driver_sql(query):
            yield DamagedValue(table.name, _show(key), columns[0], is_twice=True), str(place)


def _list_unique(table: Table) -> Iterator[list[str]]:
    """Yield the columns of each index that allows a value once."""
    # A key that is one number is the place of the row itself.
    key = [column.name for column in table.primary_key]
    if len(key) > 1 or not isinstance(table.c[key[0]].type, Integer):
        yield key
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]


def _show(key: object) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def add_functions(raw: sqlite3.Connection) -> None:
    """Give a new connection to SQLite what `find_damage` calls."""
    raw.create_function("is_utf8", 1, _is_utf8, deterministic=True)


def _is_utf8(value: bytes | None) -> bool:
    if value is None:
        return True  # SQLite may ask before it has looked whether there is a value
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged(column: Column[Any], limits: IdLimits, *, is_thorough: bool) -> str:
    """Return the condition under which a value of *column* cannot be read."""
    name = _quoted(column.name)
    bad = _is_no_id(column, limits) or _is_no_value(column, is_thorough=is_thorough)
    if column.nullable:
        return f"{name} IS NOT NULL AND ({bad})"
    return f"{name} IS NULL OR ({bad})"


def _is_no_id(column: Column[Any], limits: IdLimits) -> str:
    """Return the condition under which *column*, if it holds ids, holds none."""
    name = _quoted(column.name)
    if column.name == "id" and column.primary_key:
        largest = limits.largest[column.table.name]
        return f"typeof({name}) <> 'integer' OR {name} NOT BETWEEN 1 AND {largest}"
    refers = ids.find_reference(column)
    if refers is None:
        return ""
    is_none = f"typeof({name}) <> 'integer'"
    if not refers.is_key:
        return f"{is_none} OR ({name} NOT BETWEEN 1 AND {LARGEST_ID} AND {refers.missing})"
    # Where owners lost their ids, which of these rows are whose is found out later.
    return is_none if refers.parent in limits.lost else f"{is_none} OR {refers.missing}"


def _is_no_value(column: Column[Any], *, is_thorough: bool) -> str:
    """Return the condition under which what is not NULL is no value of *column*."""
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
            bad = (
                f"typeof({name}) <> 'integer'"
                f" OR {name} NOT BETWEEN -{LARGEST_INTEGER} AND {LARGEST_INTEGER}"
            )
        case Float():
            bad = f"typeof({name}) NOT IN ('real', 'integer') OR abs({name}) > {LARGEST_FLOAT}"
        case LargeBinary():
            bad = f"typeof({name}) <> 'blob'"
            if column.table is keys:
                bad += f" OR length({name}) < {SHORTEST_KEY_BYTES}"
        case JSON():
            bad = _is_json_damaged(column)
        case _:
            bad = f"typeof({name}) <> 'text'"
            if is_thorough:
                bad += f" OR NOT is_utf8(CAST({name} AS BLOB))"
    return bad


def _is_json_damaged(column: Column[Any]) -> str:
    name = _quoted(column.name)
    units = ", ".join(f"'{unit.value}'" for unit in QuotaUnit)
    texts = (
        "json_type({0}) <> 'array' OR EXISTS (SELECT 1 FROM json_each({0}) AS one"
        " WHERE one.type <> 'text')"
    )
    shapes = {
        # Letters of a text would be groups, and nothing at all would be every group.
        "groups": texts,
        "keys": texts,
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


def _read_row(tx: Connection, table: Table, place: str) -> dict[str, tuple[str, str]]:
    """Return the type of each value of a row, and its bytes in hexadecimal, as text if a number."""
    names = [column.name for column in table.c]
    # In hexadecimal: a text may hold what is none.
    columns = ", ".join(
        f"typeof({name}), hex(CASE WHEN typeof({name}) = 'real' THEN quote({name}) ELSE {name} END)"
        for name in map(_quoted, names)
    )
    query = f'SELECT {columns} FROM "{table.name}" WHERE {_is_at(table)}'  # noqa: S608 - our own names
    found = list(tx.execute(sql(query), {"place": place}).one())
    return {name: (found[2 * at], found[2 * at + 1]) for at, name in enumerate(names)}
