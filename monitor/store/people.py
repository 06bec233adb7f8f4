"""Keep the people who were added in the dashboard; the file's users count before these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from monitor.store.schema import people

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from monitor.judge.access import Role
    from monitor.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """Somebody who may sign in.

    Args:
        groups: A list of those whose connections they see, unless the row was damaged; None for
            all.
        password_hash: By Argon2; None for whoever only a proxy lets in.
    """

    name: str
    role: Role
    groups: Any
    password_hash: str | None = field(repr=False)
    created_at: datetime


_STORED = select(
    people.c.name, people.c.role, people.c.groups, people.c.password_hash, people.c.created_at
)


def list_people(tx: Transaction) -> list[StoredPerson]:
    """Return all people, by name."""
    return [StoredPerson(*row) for row in tx.execute(_STORED.order_by(people.c.name))]


def find_person(tx: Transaction, name: str) -> StoredPerson | None:
    """Return who is called *name*."""
    row = tx.execute(_STORED.where(people.c.name == name)).first()
    return None if row is None else StoredPerson(*row)


def put_person(
    tx: Transaction,
    name: str,
    role: Role,
    groups: Collection[str] | None,
    password_hash: str | None,
    created_at: datetime,
) -> None:
    """Keep somebody, in the place of whoever has the name."""
    drop_person(tx, name)
    tx.execute(
        insert(people).values(
            name=name,
            role=role,
            groups=None if groups is None else sorted(groups),
            password_hash=password_hash,
            created_at=created_at,
        )
    )


def drop_person(tx: Transaction, name: str) -> bool:
    """Forget who is called *name*; tell whether there was somebody."""
    return tx.execute(delete(people).where(people.c.name == name)).rowcount == 1
