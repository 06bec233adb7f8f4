"""
Keep what Amazon accounts sell in, as they were last seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from monitor.store.columns import IDS_PER_QUERY
from monitor.store.records import ConnectionRecord, marketplace_values, read_marketplaces
from monitor.store.tables import participations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.judge.outcome import Marketplace
    from monitor.store.engine import Transaction


def with_marketplaces(tx: Transaction, records: list[ConnectionRecord]) -> list[ConnectionRecord]:
    """
    Return *records* with what their accounts sell in, where that is known.
    """
    ids = [record.id for record in records if record.application is not None]
    known = load_marketplaces(tx, ids)
    return [
        replace(record, marketplaces=known[record.id]) if record.id in known else record
        for record in records
    ]


def load_marketplaces(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Marketplace, ...]]:
    """
    Return what the accounts of *ids* sell in, as last seen.
    """
    found = {}
    for start in range(0, len(ids), IDS_PER_QUERY):
        piece = ids[start : start + IDS_PER_QUERY]
        rows = tx.execute(select(participations).where(participations.c.connection_id.in_(piece)))
        found.update({row.connection_id: read_marketplaces(row.marketplaces) for row in rows})
    return found


def save_marketplaces(tx: Transaction, seen: Mapping[int, tuple[Marketplace, ...]]) -> None:
    """
    Keep what accounts sell in; only what has changed is written.
    """
    known = load_marketplaces(tx, list(seen))
    changed = {number: value for number, value in seen.items() if known.get(number) != value}
    if not changed:
        return
    tx.execute(delete(participations).where(participations.c.connection_id.in_(changed)))
    tx.execute(
        insert(participations),
        [
            {"connection_id": number, "marketplaces": marketplace_values(value)}
            for number, value in changed.items()
        ],
    )
