"""Say in the audit what a new reading of the file changes, in the transaction that does.

One row for all that is put and one for all that is taken out, however many those are. Called before
the reading is stored: what was there until then is looked up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.config.entries import SET
from monitor.config.owners import FormerEntry, list_changed_keys
from monitor.judge.audit import FILE, Action, AuditRow
from monitor.judge.connections import OWNER_FILE
from monitor.store import entries
from monitor.store.audit import add_audit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from monitor.config.entries import Path
    from monitor.engine.settings import FileReading, RowSettings
    from monitor.judge.connections import WrittenEntry
    from monitor.store.engine import Transaction

FEW = 20
"""Of so many connections the keys are named; of more, how many there are."""


def audit_file(
    tx: Transaction,
    reading: FileReading,
    before: Mapping[str, str],
    now: datetime,
    tables: Collection[str] = (),
    former: RowSettings | None = None,
) -> None:
    """Keep what *reading* changes: nothing where that is nothing.

    Args:
        before: The digests of all that the file had, by name.
        tables: The other tables of the file that say something else than before.
        former: The settings in force, which know the secrets that the file had.
    """
    put = {one.name: one for one in reading.written if before.get(one.name) != one.digest}
    gone = before.keys() - {one.name for one in reading.written}
    renamed = _find_renamed(put.values(), gone) if gone else {}
    gone -= set(renamed.values())
    if put or tables:
        keys = _list_keys(tx, put, renamed, reading, former) if len(put) <= FEW else ()
        names = [f"[{table}]" for table in tables]
        count = len(put) or len(tables)
        add_audit(tx, _row(now, Action.PUT, put, (*keys, *names), count, _group_of(put)))
    if gone:
        add_audit(tx, _row(now, Action.DELETE, gone, (), len(gone)))


def _row(
    now: datetime,
    action: Action,
    names: Collection[str],
    keys: tuple[str, ...],
    count: int,
    group: str | None = None,
) -> AuditRow:
    name = next(iter(names)) if len(names) == 1 else None
    return AuditRow(now, FILE, action, name, group, keys, count)


def _find_renamed(put: Collection[WrittenEntry], gone: Collection[str]) -> dict[str, str]:
    """Return the former names of those that carry on what the file had under another."""
    olds = {one.name: one.write().get("renamed_from") for one in put}
    return {name: str(old) for name, old in olds.items() if old in gone}


def _group_of(put: Mapping[str, WrittenEntry]) -> str | None:
    """Return the group of what is put, where that is one connection: it has no row yet."""
    if len(put) != 1:
        return None
    [one] = put.values()
    group = one.write().get("group")
    return group if isinstance(group, str) else None


def _list_keys(
    tx: Transaction,
    put: Mapping[str, WrittenEntry],
    renamed: Mapping[str, str],
    reading: FileReading,
    former: RowSettings | None,
) -> tuple[str, ...]:
    """Return the names of the keys that say something else, of all that is put."""
    olds = {name: renamed.get(name, name) for name in put}
    rows = entries.find_all_of_owner(tx, OWNER_FILE, list(olds.values()))
    keys = set[str]()
    for name, one in put.items():
        secrets = reading.settings.inline_of(name, one.digest)
        after = FormerEntry(one.write(), secrets)
        row = rows.get(olds[name])
        if row is None or not isinstance(row.content, dict):
            keys.update(list_changed_keys(None, after))
            continue
        secrets = {} if former is None else former.inline_of(row.name, row.digest)
        if not secrets:
            # What the file held before the start is not known: by its place it is the same.
            secrets = _same_places(after.secrets, row.content)
        own = list_changed_keys(FormerEntry(row.content, secrets), after)
        keys.update(own or {str(path[0]) for path in after.secrets})
    return tuple(sorted(keys))


def _same_places(secrets: Mapping[Path, str], content: Mapping[str, Any]) -> dict[Path, str]:
    return {path: text for path, text in secrets.items() if _value_at(content, path) == SET}


def _value_at(content: Any, path: Path) -> Any:
    for step in path:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return None
    return content
