"""
Keep silences; what one covers is decided in `monitor.judge.silence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from monitor.judge.silence import Scope, Silence
from monitor.store.alert_tables import silences

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.store.engine import Transaction


# Asked for every alert: made once, it costs half.
_LASTING = (
    select(silences)
    .where(silences.c.ends_at > bindparam("now", type_=silences.c.ends_at.type))
    .order_by(silences.c.ends_at, silences.c.id)
)


def list_lasting(tx: Transaction, now: datetime) -> list[Silence]:
    """
    Return the silences that have not ended, the one that ends first at the top.
    """
    return [
        Silence(row.id, Scope(row.scope), row.target, row.reason, row.starts_at, row.ends_at)
        for row in tx.execute(_LASTING, {"now": now})
    ]


def add(
    tx: Transaction,
    scope: Scope,
    target: str | None,
    reason: str,
    starts_at: datetime,
    ends_at: datetime,
) -> int:
    """
    Begin a silence; return its id.
    """
    number: int = tx.execute(
        insert(silences)
        .values(
            scope=scope.value, target=target, reason=reason, starts_at=starts_at, ends_at=ends_at
        )
        .returning(silences.c.id)
    ).scalar_one()
    return number


def end(tx: Transaction, number: int, now: datetime) -> bool:
    """
    End a silence before its time; tell whether it lasted.
    """
    ended = tx.execute(
        update(silences)
        .where(silences.c.id == number, silences.c.ends_at > now)
        .values(ends_at=now)
    )
    return ended.rowcount == 1


def follow_names(tx: Transaction, renamed: Mapping[str, str]) -> None:
    """
    Have silences of connections stay with them under their new names.

    Args:
        renamed: The new name of each, by its old one.
    """
    for old, new in renamed.items():
        is_of_it = (silences.c.scope == Scope.CONNECTION.value, silences.c.target == old)
        tx.execute(update(silences).where(*is_of_it).values(target=new))
