"""Keep the settings of connections as their owners wrote them: the file, and whoever else may.

Of several of one name the one with the lowest rank counts; the others are kept for the day when it
goes. What a row means is decided in `monitor.config.entries`, which secrets may stand in one, by
whoever writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from monitor.store.schema import entries
from monitor.store.statements import AT_ONCE, execute_many, in_groups, in_pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from monitor.judge.connections import WrittenEntry
    from monitor.store.engine import Transaction

FILE_RANK = 0
"""What the configuration file says counts before all else."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The settings of one connection, as they are kept.

    Args:
        owner: Who wrote them: the file, the dashboard, or a source.
        content: A table, unless the row was damaged.
        secrets: Those of them that are kept, encrypted.
    """

    name: str
    owner: str
    position: int
    content: Any
    digest: str
    secrets: bytes | None = field(repr=False)


_FIRST = (entries.c.name, entries.c.rank)
_STORED = select(
    entries.c.name,
    entries.c.owner,
    entries.c.position,
    entries.c.content,
    entries.c.digest,
    entries.c.secrets,
).order_by(*_FIRST)
_DIGESTS = select(entries.c.name, entries.c.digest).order_by(*_FIRST)


def find_entries(tx: Transaction, names: Collection[str]) -> dict[str, StoredEntry]:
    """Return the settings that count of those of *names* that have any."""
    found: dict[str, StoredEntry] = {}
    for piece in in_pieces(names):
        for row in tx.execute(_STORED.where(entries.c.name.in_(piece))):
            found.setdefault(row.name, StoredEntry(*row))
    return found


def find_digests(tx: Transaction, names: Collection[str]) -> dict[str, str]:
    """Return the digests of the settings that count of those of *names* that have any."""
    found: dict[str, str] = {}
    for piece in in_pieces(names):
        for name, digest in tx.execute(_DIGESTS.where(entries.c.name.in_(piece))):
            found.setdefault(name, digest)
    return found


def list_entries(tx: Transaction) -> Iterator[StoredEntry]:
    """Yield all settings that count, by name; they are not all held at once."""
    rows = tx.execute(_STORED, execution_options={"yield_per": AT_ONCE})
    for _, of_name in groupby(rows, attrgetter("name")):
        yield StoredEntry(*next(of_name))


def is_entry(tx: Transaction, name: str) -> bool:
    """Tell whether anybody has written settings of *name*."""
    return tx.execute(_DIGESTS.where(entries.c.name == name).limit(1)).first() is not None


def list_entry_names(tx: Transaction) -> list[str]:
    """Return all names that have settings, each once."""
    return list(tx.execute(select(entries.c.name).distinct()).scalars())


def count_entries(tx: Transaction) -> int:
    """Return how many names have settings."""
    return tx.execute(select(func.count(entries.c.name.distinct()))).scalar_one()


def list_owned(tx: Transaction, owner: str) -> dict[str, str]:
    """Return the digests of all that *owner* wrote, by name."""
    query = select(entries.c.name, entries.c.digest).where(entries.c.owner == owner)
    return {row.name: row.digest for row in tx.execute(query)}


_CHANGE = (
    update(entries)
    .where(entries.c.name == bindparam("of_name"), entries.c.owner == bindparam("of_owner"))
    .values(
        rank=bindparam("new_rank"),
        position=bindparam("new_position"),
        content=bindparam("new_content", type_=entries.c.content.type),
        digest=bindparam("new_digest"),
    )
)
_DROP = delete(entries).where(
    entries.c.name == bindparam("of_name"), entries.c.owner == bindparam("of_owner")
)


def replace_owned(tx: Transaction, owner: str, rank: int, written: Iterable[WrittenEntry]) -> int:
    """Keep what *owner* has *written* in the place of all from before; return what was changed.

    What is as it was costs no write.
    """
    n_changed, seen = 0, set()
    for some in in_groups(written):
        known = _places_of(tx, owner, [one.name for one in some])
        new, changed = [], []
        for one in some:
            seen.add(one.name)
            place = rank, one.position, one.digest
            if one.name not in known:
                new.append(_row(owner, rank, one))
            elif known[one.name] != place:
                changed.append(_change(owner, rank, one))
        execute_many(tx, insert(entries), new)
        execute_many(tx, _CHANGE, changed)
        n_changed += len(new) + len(changed)
    of_owner = select(entries.c.name).where(entries.c.owner == owner)
    gone = [name for name in tx.execute(of_owner).scalars() if name not in seen]
    execute_many(tx, _DROP, [{"of_name": name, "of_owner": owner} for name in gone])
    return n_changed + len(gone)


def _places_of(
    tx: Transaction, owner: str, names: Collection[str]
) -> dict[str, tuple[int, int, str]]:
    query = select(entries.c.name, entries.c.rank, entries.c.position, entries.c.digest)
    rows = tx.execute(query.where(entries.c.owner == owner, entries.c.name.in_(names)))
    return {name: (rank, position, digest) for name, rank, position, digest in rows}


def _row(owner: str, rank: int, one: WrittenEntry) -> dict[str, Any]:
    return {
        "name": one.name,
        "owner": owner,
        "rank": rank,
        "position": one.position,
        "content": one.write(),
        "digest": one.digest,
        "secrets": None,
    }


def _change(owner: str, rank: int, one: WrittenEntry) -> dict[str, Any]:
    return {
        "of_name": one.name,
        "of_owner": owner,
        "new_rank": rank,
        "new_position": one.position,
        "new_content": one.write(),
        "new_digest": one.digest,
    }
