"""Keep who changed what, in the transaction of the change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from monitor.judge.audit import AuditRow
from monitor.store.schema import audit, connections

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.audit import Action
    from monitor.store.engine import Transaction

KEEP_AUDIT = timedelta(days=730)


def add_audit(tx: Transaction, row: AuditRow) -> int:
    """Keep *row*, and return its id.

    The group is that of the connection now, unless the row says one: write what is about to be
    deleted before it is.
    """
    group = row.group
    if group is None and row.connection is not None:
        of_name = select(connections.c.group_name).where(connections.c.name == row.connection)
        group = tx.execute(of_name).scalars().first()
    values = {
        "at": row.at,
        "who": row.who,
        "action": row.action,
        "connection": row.connection,
        "group_name": group,
        "keys": list(row.keys),
        "count": row.count,
    }
    number: int = tx.execute(insert(audit).values(values).returning(audit.c.id)).scalar_one()
    return number


@dataclass(slots=True)
class Tally:
    """The one row of a change that takes several transactions; each adds what it changed.

    Nothing that changed nothing is written. One connection alone is named.
    """

    who: str
    action: Action
    _id: int | None = field(default=None, repr=False)

    def add(
        self,
        tx: Transaction,
        at: datetime,
        names: Collection[str],
        keys: Collection[str] = (),
    ) -> None:
        """Add to the row that *names* were changed, in the transaction that changes them.

        Args:
            keys: The names of what was changed of them.
        """
        if not names:
            return
        # What a transaction wrote that was taken back is not there, and begins anew.
        own = (audit.c.id == self._id, audit.c.who == self.who, audit.c.action == self.action)
        row = tx.execute(select(audit.c["keys"], audit.c.count).where(*own)).first()
        former, n_former = ([], 0) if row is None else row
        count = n_former + len(names)
        known = (*former, *sorted(set(keys) - set(former)))
        if row is None:
            name = next(iter(names)) if count == 1 else None
            self._id = add_audit(tx, AuditRow(at, self.who, self.action, name, None, known, count))
            return
        several = {"connection": None, "group_name": None, "keys": list(known), "count": count}
        tx.execute(update(audit).where(*own).values(several))


def prune_audit(tx: Transaction, now: datetime) -> None:
    """Forget what is too old."""
    tx.execute(delete(audit).where(audit.c.at < now - KEEP_AUDIT))


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
