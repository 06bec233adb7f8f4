"""
Keep the windows of a quota that do not decide, for services that have several.

They change with every answer and matter little: which change is worth writing
is decided here. The window that decides is kept in the table `quotas`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from monitor.judge.outcome import QuotaReading, QuotaUnit
from monitor.judge.quota import NOTHING_READ, Quota, is_same_reset
from monitor.store.columns import EPOCH, MICROSECOND
from monitor.store.pieces import in_pieces
from monitor.store.quota_tables import quota_windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction

MUCH = 50
"""A change of more than one part in so many of the limit is written at once."""

SEEN_AT_PRECISION = timedelta(hours=1)
"""Whatever has changed is written after so long."""

SHOWN_PARTS = ("limit", "remaining", "resets_at")


def are_news(before: Sequence[Quota], after: Sequence[Quota]) -> bool:
    """
    Tell whether other windows have changed enough to be written.

    Both are in the order of their names.
    """
    if len(before) != len(after):
        return True
    return any(_is_news(one, other) for one, other in zip(before, after, strict=True))


def _is_news(before: Quota, after: Quota) -> bool:
    if before.seen_at is None or after.seen_at is None:
        return before != after
    if after.seen_at - before.seen_at >= SEEN_AT_PRECISION:
        return True
    if _fixed_parts(before) != _fixed_parts(after):
        return True
    if not is_same_reset(before.known.resets_at, after.known.resets_at):
        return True
    change = abs((before.known.remaining or 0) - (after.known.remaining or 0))
    return change * MUCH > (after.known.limit or 0) if change else False


def _fixed_parts(window: Quota) -> tuple[Any, ...]:
    """
    Return what is not expected to change with every answer.
    """
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
    """
    Return the parts that are known, and that the latest answer did not tell.
    """
    return [
        part
        for part in SHOWN_PARTS
        if getattr(window.known, part) is not None and getattr(window.shown, part) is None
    ]


def with_windows(tx: Transaction, records: Sequence[ConnectionRecord]) -> list[ConnectionRecord]:
    """
    Return *records* with all windows of their quotas.
    """
    known = load(tx, [record.id for record in records if record.has_other_windows])
    return [
        replace(record, quota=replace(record.quota, others=known[record.id]))
        if record.id in known
        else record
        for record in records
    ]


def load(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Quota, ...]]:
    """
    Return the windows that do not decide, of the connections that have some.
    """
    found = {}
    for piece in in_pieces(ids):
        rows = tx.execute(select(quota_windows).where(quota_windows.c.connection_id.in_(piece)))
        found.update({row.connection_id: tuple(map(_read, row.windows)) for row in rows})
    return found


def save(tx: Transaction, changed: Mapping[int, Sequence[Quota]]) -> None:
    """
    Keep the windows that do not decide, by connection.
    """
    if not changed:
        return
    tx.execute(delete(quota_windows).where(quota_windows.c.connection_id.in_(changed)))
    rows = [
        {
            "connection_id": number,
            "windows": list(map(_values, windows)),
            "seen_at": max((each.seen_at for each in windows if each.seen_at), default=None),
        }
        for number, windows in changed.items()
        if windows
    ]
    if rows:
        tx.execute(insert(quota_windows), rows)


def _values(window: Quota) -> dict[str, Any]:
    """
    Return *window* as JSON; what is unknown is left out.
    """
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


def _read(values: Mapping[str, Any]) -> Quota:
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
