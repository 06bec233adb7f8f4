"""Keep who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from monitor.judge.audit import AuditRow
from monitor.store.schema import audit

if TYPE_CHECKING:
    from collections.abc import Collection

    from monitor.store.engine import Transaction


def add_audit(tx: Transaction, row: AuditRow) -> None:
    """Keep *row*."""
    tx.execute(
        insert(audit).values(
            at=row.at,
            who=row.who,
            action=row.action,
            connection=row.connection,
            group_name=row.group,
            keys=list(row.keys),
            count=row.count,
        )
    )


_COLUMNS = (
    audit.c.id,
    audit.c.at,
    audit.c.who,
    audit.c.action,
    audit.c.connection,
    audit.c.group_name,
    audit.c["keys"],
    audit.c.count,
)


def list_audit(
    tx: Transaction,
    *,
    connection: str | None = None,
    groups: Collection[str] | None = None,
    before: int | None = None,
    most: int = 100,
) -> list[tuple[int, AuditRow]]:
    """Return what was changed, the latest first, each with its id.

    Args:
        connection: Only what was done to this one.
        groups: Only what was done to connections of these groups; None for everything.
        before: Only what is older than the row of this id.
    """
    found = select(*_COLUMNS).order_by(audit.c.id.desc()).limit(most)
    if connection is not None:
        found = found.where(audit.c.connection == connection)
    if groups is not None:
        found = found.where(audit.c.group_name.in_(groups))
    if before is not None:
        found = found.where(audit.c.id < before)
    return [
        (number, AuditRow(at, who, action, name, group, tuple(keys), count))
        for number, at, who, action, name, group, keys, count in tx.execute(found)
    ]
