"""Load what a batch of checks is judged by, and save what it led to.

All functions work inside a transaction that the caller opened: `monitor.engine.evaluate` does
everything about a batch in one. Quotas and their other windows change with every answer and matter
little: which change is worth writing is decided here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select

from monitor.judge.outcome import Marketplace, QuotaReading, QuotaUnit
from monitor.judge.quota import NOTHING_READ, Quota, is_same_reset
from monitor.judge.sharing import Member
from monitor.store.quota import OUTLOOK_COLUMNS
from monitor.store.records import (
    STANDING_COLUMNS,
    quota_values,
    read_quota,
    read_records,
    standing_values,
)
from monitor.store.schema import (
    EPOCH,
    MICROSECOND,
    authorizations,
    checks,
    connections,
    participations,
    quota_forecasts,
    quota_windows,
    quotas,
    transitions,
)
from monitor.store.statements import (
    IDS_PER_QUERY,
    execute_many,
    in_pieces,
    is_watched,
    names_of,
    replace_rows,
    select_in,
    update_one,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.outcome import Outcome, Standing, Transition
    from monitor.store.engine import Transaction


MUCH = 50
"""A change of more than one part in so many of the limit is written at once."""

WINDOW_SEEN_AT_PRECISION = timedelta(hours=1)
"""Whatever has changed is written after so long."""

SHOWN_PARTS = ("limit", "remaining", "resets_at")


def have_windows_changed(before: Sequence[Quota], after: Sequence[Quota]) -> bool:
    """Tell whether other windows have changed enough to be written.

    Both are in the order of their names.
    """
    if len(before) != len(after):
        return True
    return any(_has_window_changed(one, other) for one, other in zip(before, after, strict=True))


def _has_window_changed(before: Quota, after: Quota) -> bool:
    if before.seen_at is None or after.seen_at is None:
        return before != after
    if after.seen_at - before.seen_at >= WINDOW_SEEN_AT_PRECISION:
        return True
    if _fixed_parts(before) != _fixed_parts(after):
        return True
    if not is_same_reset(before.known.resets_at, after.known.resets_at):
        return True
    change = abs((before.known.remaining or 0) - (after.known.remaining or 0))
    return change * MUCH > (after.known.limit or 0) if change else False


def _fixed_parts(window: Quota) -> tuple[Any, ...]:
    """Return what is not expected to change with every answer."""
    known = window.known
    return (
        known.name,
        known.unit,
        known.limit,
        known.window_s,
        known.remaining == 0,
        _unshown(window),
        window.told_step,
        window.told_limit,
    )


def _unshown(window: Quota) -> list[str]:
    """Return the parts that are known, and that the latest answer did not tell."""
    return [
        part
        for part in SHOWN_PARTS
        if getattr(window.known, part) is not None and getattr(window.shown, part) is None
    ]


def with_windows(tx: Transaction, records: Sequence[ConnectionRecord]) -> list[ConnectionRecord]:
    """Return *records* with all windows of their quotas."""
    known = load_windows(tx, [record.id for record in records if record.has_other_windows])
    return [
        replace(record, quota=replace(record.quota, others=known[record.id]))
        if record.id in known
        else record
        for record in records
    ]


def load_windows(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Quota, ...]]:
    """Return the windows that do not decide, of the connections that have some."""
    rows = select_in(tx, select(quota_windows), quota_windows.c.connection_id, ids)
    return {row.connection_id: tuple(map(_read_window, row.windows)) for row in rows}


def save_windows(tx: Transaction, changed: Mapping[int, Sequence[Quota]]) -> None:
    """Keep the windows that do not decide, by connection."""
    rows = [
        {
            "connection_id": number,
            "windows": list(map(_window_values, windows)),
            "seen_at": max((each.seen_at for each in windows if each.seen_at), default=None),
        }
        for number, windows in changed.items()
        if windows
    ]
    replace_rows(tx, quota_windows, changed, rows)


def _window_values(window: Quota) -> dict[str, Any]:
    """Return *window* as JSON; what is unknown is left out."""
    known = window.known
    values = {
        "name": known.name,
        "unit": known.unit.value,
        "limit": known.limit,
        "remaining": known.remaining,
        "resets_at": _to_number(known.resets_at),
        "window_s": known.window_s,
        "unshown": _unshown(window) or None,
        "seen_at": _to_number(window.seen_at),
        "longest_reset_s": window.longest_reset_s,
        "told_step": window.told_step,
        "told_limit": window.told_limit,
    }
    return {name: value for name, value in values.items() if value is not None}


def _read_window(values: Mapping[str, Any]) -> Quota:
    known = QuotaReading(
        values.get("limit"),
        values.get("remaining"),
        _to_instant(values.get("resets_at")),
        values.get("window_s"),
        values["name"],
        QuotaUnit(values["unit"]),
    )
    unshown: dict[str, Any] = dict.fromkeys(values.get("unshown", ()))
    shown = replace(known, **unshown)
    return Quota(
        shown=NOTHING_READ if shown.is_empty else shown,
        known=known,
        seen_at=_to_instant(values.get("seen_at")),
        longest_reset_s=values.get("longest_reset_s"),
        told_step=values.get("told_step"),
        told_limit=values.get("told_limit"),
    )


def _to_number(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MICROSECOND


def _to_instant(number: int | None) -> datetime | None:
    return None if number is None else EPOCH + number * MICROSECOND


SEEN_AT_PRECISION = timedelta(hours=1)
"""An unchanged quota is not written again for its date of reading alone."""

CLOCK_COLUMNS = [
    # The quota's step has that name too.
    column.label("clock_told_step") if column.name == "told_step" else column
    for column in authorizations.c
    if column.name != "connection_id"
]

RECORDS = (
    select(connections, quotas, *CLOCK_COLUMNS, *OUTLOOK_COLUMNS)
    .join(quotas)
    .outerjoin(authorizations)
    .outerjoin(
        quota_forecasts,
        (quota_forecasts.c.connection_id == connections.c.id)
        & (quota_forecasts.c.window == quotas.c.window),
    )
)
_RECORDS_BY_ID = RECORDS.where(connections.c.id.in_(bindparam("ids", expanding=True)))


def load_records(tx: Transaction, ids: Sequence[int]) -> dict[int, ConnectionRecord]:
    """Return the records of *ids*; deleted connections are absent."""
    records: list[ConnectionRecord] = []
    for piece in in_pieces(ids):
        records += read_records(tx.execute(_RECORDS_BY_ID, {"ids": piece}))
    return {record.id: record for record in with_windows(tx, records)}


_ACCOUNTS = (
    select(connections.c.name, quotas)
    .join(connections)
    .where(quotas.c.account_key.in_(bindparam("keys", expanding=True)), is_watched())
)


def load_accounts(tx: Transaction, keys: Collection[str]) -> dict[str, dict[int, Member]]:
    """Return the watched connections of accounts, by account and id."""
    found: dict[str, dict[int, Member]] = {key: {} for key in keys}
    for piece in in_pieces(keys):
        rows = [row._asdict() for row in tx.execute(_ACCOUNTS, {"keys": piece})]
        others = load_windows(tx, [one["connection_id"] for one in rows if one["has_others"]])
        for one in rows:
            number = one["connection_id"]
            quota = read_quota(one, others.get(number, ()))
            found[one["account_key"]][number] = Member(number, one["name"], quota)
    return found


def add_checks(tx: Transaction, rows: Iterable[tuple[int, datetime, Outcome]]) -> None:
    """Append one row a check."""
    values = [
        {
            "connection_id": connection_id,
            "at": at,
            "reason": outcome.reason,
            "latency_us": None if outcome.latency_ms is None else round(outcome.latency_ms * 1000),
            "detail": outcome.detail or None,
        }
        for connection_id, at, outcome in rows
    ]
    execute_many(tx, insert(checks), values)


_SAVE_STANDING = update_one(connections.c.id, [*STANDING_COLUMNS, "next_check_at", "account"])


def save_standings(
    tx: Transaction, rows: Iterable[tuple[int, Standing, datetime | None, str | None]]
) -> None:
    """Keep what is known now: id, standing, when it is due next, account."""
    values = [
        standing_values(standing)
        | {"of_id": connection_id, "next_check_at": next_check_at, "account": account}
        for connection_id, standing, next_check_at, account in rows
    ]
    execute_many(tx, _SAVE_STANDING, values)


_SAVE_ANNOUNCED = update_one(connections.c.id, ["announced_state", "announced_reason"])


def save_announced(tx: Transaction, records: Iterable[ConnectionRecord]) -> None:
    """Keep what people were told of each of *records*, and nothing else of them."""
    values = [
        {
            "of_id": record.id,
            "announced_state": record.standing.announced_state,
            "announced_reason": record.standing.announced_reason,
        }
        for record in records
    ]
    execute_many(tx, _SAVE_ANNOUNCED, values)


_SAVE_QUOTA = update_one(quotas.c.connection_id, names_of(quotas))


def save_quotas(tx: Transaction, changed: Mapping[int, tuple[Quota, str | None]]) -> None:
    """Keep what is known of quotas, and whose they are, by connection."""
    values = [
        quota_values(quota) | {"of_id": connection_id, "account_key": account_key}
        for connection_id, (quota, account_key) in changed.items()
    ]
    execute_many(tx, _SAVE_QUOTA, values)


def is_quota_news(before: Quota, after: Quota) -> bool:
    """Tell whether a quota has changed enough to be written.

    Not all that is known is stored: only what is can be news.
    """
    if before is after:
        return False
    if before.seen_at is None or after.seen_at is None:
        if before.seen_at is not after.seen_at:
            return True
    elif after.seen_at - before.seen_at >= SEEN_AT_PRECISION:
        return True
    if _KEPT(before) != _KEPT(after) or bool(before.others) != bool(after.others):
        return True
    return before.shown is not after.shown and _SHOWN(before.shown) != _SHOWN(after.shown)


_KEPT = attrgetter("known", "longest_reset_s", "is_payment_required", "told_step", "told_limit")
_SHOWN = attrgetter("limit", "remaining", "resets_at")


def add_transitions(tx: Transaction, changes: Sequence[tuple[int, Transition]]) -> None:
    """Append changes of state or reason to the history."""
    values = [{"connection_id": number} | values_of(transition) for number, transition in changes]
    execute_many(tx, insert(transitions), values)


def with_marketplaces(tx: Transaction, records: list[ConnectionRecord]) -> list[ConnectionRecord]:
    """Return *records* with what their accounts sell in, where that is known."""
    ids = [record.id for record in records if record.application is not None]
    known = load_marketplaces(tx, ids)
    return [
        replace(record, marketplaces=known[record.id]) if record.id in known else record
        for record in records
    ]


def load_marketplaces(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Marketplace, ...]]:
    """Return what the accounts of *ids* sell in, as last seen."""
    rows = select_in(tx, select(participations), participations.c.connection_id, ids)
    return {
        row.connection_id: tuple(Marketplace(**one) for one in row.marketplaces) for row in rows
    }


def list_authorized(tx: Transaction, names: Collection[str] = ()) -> dict[str, str | None]:
    """Return the connections whose account was ever seen, with the refresh token used last.

    Args:
        names: Those asked for, with more than a few of which come all the others; empty for all.
    """
    query = (
        select(connections.c.name, authorizations.c.fingerprint)
        .select_from(participations.join(connections).outerjoin(authorizations))
        .where(connections.c.is_configured)
    )
    # Databases limit how many names a question may have.
    if 0 < len(names) <= IDS_PER_QUERY:
        query = query.where(connections.c.name.in_(list(names)))
    return {row.name: row.fingerprint for row in tx.execute(query)}


def save_marketplaces(tx: Transaction, seen: Mapping[int, tuple[Marketplace, ...]]) -> None:
    """Keep what accounts sell in; only what has changed is written."""
    known = load_marketplaces(tx, list(seen))
    changed = {number: value for number, value in seen.items() if known.get(number) != value}
    rows = [
        {"connection_id": number, "marketplaces": [values_of(one) for one in value]}
        for number, value in changed.items()
    ]
    replace_rows(tx, participations, changed, rows)
