"""
Keep what Amazon accounts sell in, as they were last seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from monitor.store.pieces import IDS_PER_QUERY, in_pieces
from monitor.store.records import marketplace_values, read_marketplaces
from monitor.store.tables import authorizations, connections, participations

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from monitor.judge.connections import ConnectionRecord
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
    for piece in in_pieces(ids):
        rows = tx.execute(select(participations).where(participations.c.connection_id.in_(piece)))
        found.update({row.connection_id: read_marketplaces(row.marketplaces) for row in rows})
    return found


def list_let_in(tx: Transaction, names: Collection[str] = ()) -> dict[str, str | None]:
    """
    Return the connections whose account was ever seen, with the refresh token used last.

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
