"""Keep the list of connections: in the file, paused, deleted, renamed, due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, func, insert, not_, select, update

from monitor.judge.connections import OWNER_FILE
from monitor.judge.outcome import Standing
from monitor.judge.verdict import spread
from monitor.store import authorizations, suppression
from monitor.store.damage import complete
from monitor.store.entries import list_owned, owners_of
from monitor.store.invites import revoke_open_of
from monitor.store.records import read_records, standing_values
from monitor.store.results import RECORDS, with_marketplaces, with_windows
from monitor.store.schedule import is_too_far
from monitor.store.schema import (
    alert_connections,
    alerts,
    check_days,
    check_hours,
    checks,
    connections,
    deletions,
    notifications,
)
from monitor.store.schema import entries as entry_rows
from monitor.store.sources import list_sources
from monitor.store.statements import delete_in, execute_many, in_groups, in_pieces, update_one

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord, Entry
    from monitor.store.engine import Transaction


def list_records(tx: Transaction, names: Sequence[str] = ()) -> list[ConnectionRecord]:
    """Return the connections that the file has, or only those of *names*."""
    query = RECORDS.where(connections.c.is_configured).order_by(connections.c.id)
    if names:
        query = query.where(connections.c.name.in_(names))
    return with_marketplaces(tx, with_windows(tx, read_records(tx.execute(query))))


def find_record(tx: Transaction, name: str) -> ConnectionRecord | None:
    """Return the record of *name*, hidden or not."""
    found = read_records(tx.execute(RECORDS.where(connections.c.name == name)))
    return next(iter(with_windows(tx, found)), None)


def find_all(tx: Transaction, names: Collection[str]) -> dict[str, ConnectionRecord]:
    """Return the records of those of *names* that have one, hidden or not, by name."""
    return {
        record.name: record
        for piece in in_pieces(names)
        for record in read_records(tx.execute(RECORDS.where(connections.c.name.in_(piece))))
    }


def find_name(tx: Transaction, connection_id: int) -> str | None:
    """Return the name of the connection with that id."""
    query = select(connections.c.name).where(connections.c.id == connection_id)
    found: str | None = tx.execute(query).scalar_one_or_none()
    return found


def list_names_of_account(tx: Transaction, application: str, account: str, most: int) -> list[str]:
    """Return the stores of an application whose account goes by the name *account*."""
    query = (
        select(connections.c.name)
        .where(
            connections.c.application == application,
            connections.c.account == account,
            connections.c.is_configured,
        )
        .order_by(connections.c.name)
        .limit(most)
    )
    return list(tx.execute(query).scalars())


def list_deleted(tx: Transaction) -> set[str]:
    """Return the names that `delete` took out although the file may have them."""
    return set(tx.execute(select(deletions.c.name)).scalars())


def sync(
    tx: Transaction,
    entries: Sequence[Entry],
    now: datetime,
    jitter: Callable[[], float] | None = None,
    taken_out: Collection[str] = (),
) -> set[str]:
    """Bring the list in line with the file; return the names that stay deleted.

    What other owners have stays as it is.

    Args:
        jitter: Given when the daemon starts, and then what is overdue is spread
            out: a number from 0 to 1, as a fraction of one place in the spread.
        taken_out: What the file had until now, where its rows say so no more.
    """
    named = {entry.name for entry in entries}
    complete(tx)
    taken_out = {*taken_out, *list_owned(tx, OWNER_FILE)} - named
    gone = list_deleted(tx)
    of_nobody = gone - named - owners_of(tx, gone, OWNER_FILE).keys()
    # Without any source, what nobody has any more can only have been in the file.
    lift_deletions(tx, gone & taken_out | (set() if list_sources(tx) else of_nobody))
    active = [entry for entry in entries if entry.name not in gone]
    # What was another owner's is none of the file's former names.
    olds = {entry.renamed_from for entry in active if entry.renamed_from is not None}
    others = owners_of(tx, olds - taken_out, OWNER_FILE).keys()
    _adopt_all(tx, active, now, jitter, named | others)
    adopted = _ids_of(tx, [entry.name for entry in active])
    # Those of others are not even listed: there may be a million of them.
    of_others = exists().where(
        entry_rows.c.name == connections.c.name, entry_rows.c.owner != OWNER_FILE
    )
    query = select(connections.c.id).where(connections.c.is_configured, not_(of_others))
    left = tx.execute(query).scalars().all()
    _hide(tx, [number for number in left if number not in adopted], now)
    return gone & named


def bring_in_line(
    tx: Transaction,
    entries: Sequence[Entry],
    now: datetime,
    taken_over: Collection[str] = (),
) -> None:
    """Bring some connections in line with their settings, and leave all others.

    Those that were deleted stay so.

    Args:
        taken_over: Former names whose history goes on, although somebody else has settings of
            the same name.
    """
    gone = list_deleted(tx) if entries else set()
    active = [entry for entry in entries if entry.name not in gone]
    olds = [entry.renamed_from for entry in active if entry.renamed_from is not None]
    in_use = owners_of(tx, olds).keys() - set(taken_over) if olds else set()
    _adopt_all(tx, active, now, None, {entry.name for entry in entries} | in_use)


def find_targets(tx: Transaction, names: Collection[str]) -> dict[str, tuple[str, str, str | None]]:
    """Return provider, host and application of those of *names* that were known, by name."""
    columns = (connections.c.name, connections.c.provider, connections.c.host)
    query = select(*columns, connections.c.application)
    return {
        row.name: (row.provider, row.host, row.application)
        for piece in in_pieces(names)
        for row in tx.execute(query.where(connections.c.name.in_(piece)))
    }


def hide(tx: Transaction, names: Collection[str], now: datetime) -> None:
    """Hide connections that nobody has settings of any more; history and deletion marks stay.

    Their invites end: should the name come back, it may be for somebody else.
    """
    query = select(connections.c.id).where(connections.c.is_configured)
    for piece in in_pieces(names):
        _hide(tx, list(tx.execute(query.where(connections.c.name.in_(piece))).scalars()), now)


def end_invites(tx: Transaction, names: Collection[str], now: datetime) -> None:
    """End the open invites of connections that are for something else by now."""
    revoke_open_of(tx, _ids_of(tx, names), now)


def lift_deletions(tx: Transaction, names: Collection[str]) -> None:
    """Let settings of *names* count again that were ignored since somebody deleted them."""
    execute_many(tx, _LIFT, [{"of_name": name} for name in names])


def _adopt_all(
    tx: Transaction,
    active: Sequence[Entry],
    now: datetime,
    jitter: Callable[[], float] | None,
    named: Collection[str],
) -> None:
    """Give each entry its row, the one that there is or a new one.

    With another provider, host or application the invites of a connection end: whoever has one
    must not see what it is now.

    Args:
        named: What a former name must not be: it is in use.
    """
    adopted: set[int] = set()
    position = 0
    for some in in_groups(active):
        known = _find_known(tx, some)
        new: list[dict[str, Any]] = []
        changed, aimed_elsewhere = [], []
        renamed = {}
        for entry in some:
            record = known.get(entry.name)
            if record is None and entry.renamed_from not in named:
                record = known.get(entry.renamed_from or "")
            first_check_at = now + spread(position, len(active), entry.every)
            if jitter is not None:
                first_check_at += jitter() * spread(1, len(active), entry.every)
            position += 1
            if record is None or record.id in adopted:
                new.append(_new_row(entry, first_check_at, now))
                continue
            adopted.add(record.id)
            if _target_of(record) != _target_of(entry):
                aimed_elsewhere.append(record.id)
            if record.name != entry.name:
                renamed[record.name] = entry.name
            values = _values(entry, record, first_check_at, now, is_start=jitter is not None)
            if any(getattr(record, name) != value for name, value in values.items()):
                changed.append(values | {"of_id": record.id})
        execute_many(tx, _ADOPT, changed)
        revoke_open_of(tx, aimed_elsewhere, now)
        suppression.rename_targets(tx, renamed)
        _insert(tx, new)
        authorizations.declare_all(
            tx, {entry.name: (entry.declared, entry.steps) for entry in some}, now
        )


def _target_of(one: ConnectionRecord | Entry) -> tuple[str, str, str | None]:
    return one.provider, one.host, one.application


def _find_known(tx: Transaction, entries: Sequence[Entry]) -> dict[str, ConnectionRecord]:
    """Return the rows of *entries* by name, and those of their former names."""
    names = {entry.name for entry in entries}
    names.update(entry.renamed_from for entry in entries if entry.renamed_from is not None)
    return find_all(tx, names)


def _ids_of(tx: Transaction, names: Collection[str]) -> set[int]:
    return {
        number
        for piece in in_pieces(names)
        for number in tx.execute(
            select(connections.c.id).where(connections.c.name.in_(piece))
        ).scalars()
    }


def _hide(tx: Transaction, ids: Collection[int], now: datetime) -> None:
    hidden = [{"of_id": number, "is_configured": False, "next_check_at": None} for number in ids]
    execute_many(tx, _HIDE, hidden)
    revoke_open_of(tx, ids, now)


def _entry_values(entry: Entry, next_check_at: datetime | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "provider": entry.provider,
        "host": entry.host,
        "application": entry.application,
        "token_host": entry.token_host,
        "group_name": entry.group,
        "is_configured": True,
        "is_enabled": entry.is_enabled,
        "next_check_at": next_check_at,
    }


def _new_row(entry: Entry, first_check_at: datetime, now: datetime) -> dict[str, Any]:
    values = _entry_values(entry, first_check_at if entry.is_enabled else None)
    return values | {"is_paused": False} | standing_values(Standing.unknown(now))


def _insert(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    highest = tx.execute(select(func.max(connections.c.id))).scalar_one()
    tx.execute(insert(connections), rows)
    # No id is given twice: all of the new ones are higher.
    complete(tx, highest)


def _values(
    entry: Entry,
    record: ConnectionRecord,
    first_check_at: datetime,
    now: datetime,
    *,
    is_start: bool,
) -> dict[str, Any]:
    """Give *entry* the history in *record*, and a place in the rhythm if it has none."""
    next_check_at = record.next_check_at
    if record.is_paused or not entry.is_enabled:
        next_check_at = None
    elif next_check_at is None or is_too_far(
        next_check_at, entry.every, record.standing.last_reason, now
    ):
        next_check_at = first_check_at
    elif is_start and next_check_at <= now:
        next_check_at = first_check_at
    return _entry_values(entry, next_check_at)


_ADOPT = update_one(
    connections.c.id,
    [
        "name",
        "provider",
        "host",
        "application",
        "token_host",
        "group_name",
        "is_configured",
        "is_enabled",
        "next_check_at",
    ],
)
_LIFT = delete(deletions).where(deletions.c.name == bindparam("of_name"))
_HIDE = update_one(connections.c.id, ["is_configured", "next_check_at"])


def pause(tx: Transaction, connection_id: int) -> None:
    """Stop calling; clocks and the state below go on."""
    tx.execute(
        update(connections)
        .where(connections.c.id == connection_id)
        .values(is_paused=True, next_check_at=None)
    )


def resume(tx: Transaction, record: ConnectionRecord, now: datetime) -> None:
    """Give back the state held before, end rows, and make the connection due."""
    tx.execute(
        update(connections)
        .where(connections.c.id == record.id)
        .values(
            is_paused=False,
            next_check_at=now if record.is_enabled else None,
            successes=0,
            refusals=0,
            refusals_of_any_reason=0,
            failures=0,
        )
    )


def restore_deleted(tx: Transaction, entry: Entry, now: datetime) -> None:
    """Lift a deletion: the entry of the file starts again, without history."""
    tx.execute(delete(deletions).where(deletions.c.name == entry.name))
    _insert(tx, [_new_row(entry, now, now)])
    authorizations.declare_all(tx, {entry.name: (entry.declared, entry.steps)}, now)


def delete_connection(tx: Transaction, record: ConnectionRecord, now: datetime) -> None:
    """Take out a connection with its history, its alerts and their notifications.

    Alerts that speak for others too lose only this connection. The entry of
    the file is ignored from now on.
    """
    shared = (
        select(alert_connections.c.alert_id)
        .where(alert_connections.c.connection_id != record.id)
        .scalar_subquery()
    )
    own = select(alert_connections.c.alert_id).where(
        alert_connections.c.connection_id == record.id, alert_connections.c.alert_id.not_in(shared)
    )
    own_ids = list(tx.execute(own).scalars())
    delete_in(tx, notifications.c.alert_id, own_ids)
    delete_in(tx, alerts.c.id, own_ids)
    for table in (checks, check_hours, check_days):
        tx.execute(delete(table).where(table.c.connection_id == record.id))
    tx.execute(delete(connections).where(connections.c.id == record.id))
    if record.is_configured:
        tx.execute(insert(deletions).values(name=record.name, at=now))
