"""Keep what is remembered of sources: how each is, and which of its connections are missing.

The connections themselves are rows of `entries`; what a reading means is decided in
`monitor.judge.sources`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from monitor.judge.sources import SourceMemory, SourceState
from monitor.store.schema import entries, missing_entries, sources
from monitor.store.statements import execute_many, in_pieces, values_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from monitor.store.engine import Transaction

MOST_PROBLEMS = 20
"""So many bad rows are named; of more, the number is known."""

_MEMORY = tuple(each.name for each in fields(SourceMemory))


@dataclass(frozen=True, slots=True)
class StoredSource:
    """All that is remembered of one source.

    Args:
        kind: As in the file; kept for the day when it is no longer there.
        problems: What is wrong with the first of its bad rows.
        etag: What its service calls the list that was read.
        settings_mark: Tells by which settings that was.
        most_removed: The share of its connections that may vanish at once.
        wanted_at: When a command wanted it to be read at once; None for never.
    """

    name: str
    kind: str
    memory: SourceMemory = field(default_factory=SourceMemory)
    problems: tuple[str, ...] = ()
    etag: str = ""
    settings_mark: str = ""
    most_removed: float = 0.1
    wanted_at: datetime | None = None


def list_sources(tx: Transaction) -> dict[str, StoredSource]:
    """Return what is remembered of all sources, by name."""
    found = tx.execute(select(sources).order_by(sources.c.name))
    return {row["name"]: _read(row) for row in found.mappings()}


def find_source(tx: Transaction, name: str) -> StoredSource | None:
    """Return what is remembered of one source, if it was ever read."""
    row = tx.execute(select(sources).where(sources.c.name == name)).mappings().first()
    return None if row is None else _read(row)


def _read(row: Any) -> StoredSource:
    problems = row["problems"]
    return StoredSource(
        row["name"],
        row["kind"],
        SourceMemory(**{name: row[name] for name in _MEMORY}),
        # A row may hold anything.
        tuple(map(str, problems)) if isinstance(problems, list) else (),
        row["etag"],
        row["settings_mark"],
        row["most_removed"],
        row["wanted_at"],
    )


def save_source(tx: Transaction, one: StoredSource) -> None:
    """Remember *one*, but for what commands want of it."""
    values = {
        **values_of(one.memory),
        "kind": one.kind,
        "problems": list(one.problems[:MOST_PROBLEMS]),
        "etag": one.etag,
        "settings_mark": one.settings_mark,
        "most_removed": one.most_removed,
    }
    changed = tx.execute(update(sources).where(sources.c.name == one.name).values(values))
    if not changed.rowcount:
        tx.execute(insert(sources).values(name=one.name, wanted_at=one.wanted_at, **values))


def save_memory(tx: Transaction, name: str, memory: SourceMemory) -> None:
    """Remember how a source is, and nothing else of it."""
    tx.execute(update(sources).where(sources.c.name == name).values(values_of(memory)))


def want_source(tx: Transaction, name: str, kind: str, now: datetime) -> None:
    """Have a source read at once."""
    wanted = update(sources).where(sources.c.name == name).values(wanted_at=now)
    if not tx.execute(wanted).rowcount:
        save_source(tx, StoredSource(name, kind, wanted_at=now))


def list_wanted(tx: Transaction) -> dict[str, datetime]:
    """Return which sources commands want to be read at once, and since when."""
    query = select(sources.c.name, sources.c.wanted_at).where(sources.c.wanted_at.is_not(None))
    return {row.name: row.wanted_at for row in tx.execute(query)}


def drop_wish(tx: Transaction, name: str, wanted_at: datetime) -> None:
    """Forget that a source was wanted, unless it was wanted again since."""
    tx.execute(
        update(sources)
        .where(sources.c.name == name, sources.c.wanted_at <= wanted_at)
        .values(wanted_at=None)
    )


def drop_source(tx: Transaction, name: str) -> None:
    """Forget a source that has no connections any more, and is not in the file."""
    tx.execute(delete(missing_entries).where(missing_entries.c.owner == name))
    tx.execute(delete(sources).where(sources.c.name == name))


def count_owned(tx: Transaction, owner: str) -> int:
    """Return how many connections a source has."""
    query = select(func.count()).select_from(entries).where(entries.c.owner == owner)
    return tx.execute(query).scalar_one()


def find_known(tx: Transaction, owner: str, names: Collection[str]) -> dict[str, str]:
    """Return the digests of those of *names* that a source has, by name."""
    found: dict[str, str] = {}
    query = select(entries.c.name, entries.c.digest).where(entries.c.owner == owner)
    for piece in in_pieces(names):
        rows = tx.execute(query.where(entries.c.name.in_(piece))).all()
        found.update((name, digest) for name, digest in rows)
    return found


def list_known(tx: Transaction, owner: str, after: str, most: int) -> list[str]:
    """Return the next names that a source has, in their order."""
    query = (
        select(entries.c.name)
        .where(entries.c.owner == owner, entries.c.name > after)
        .order_by(entries.c.name)
        .limit(most)
    )
    return list(tx.execute(query).scalars())


def list_shadowed(tx: Transaction, owner: str, most: int) -> list[tuple[str, str]]:
    """Return connections of a source that others have too, and whose settings count."""
    other = entries.alias("other")
    query = (
        select(entries.c.name, other.c.owner)
        .join(other, other.c.name == entries.c.name)
        .where(entries.c.owner == owner, other.c.rank < entries.c.rank)
        .order_by(entries.c.name, other.c.rank)
        .limit(most)
    )
    found: dict[str, str] = {}
    for row in tx.execute(query):
        found.setdefault(row.name, row.owner)
    return list(found.items())


def list_missing(
    tx: Transaction, owner: str, most: int | None = None
) -> Iterator[tuple[str, datetime]]:
    """Yield the connections of a source that its last good reading lacked, and since when."""
    query = (
        select(missing_entries.c.name, missing_entries.c.since)
        .where(missing_entries.c.owner == owner)
        .order_by(missing_entries.c.name)
        .limit(most)
    )
    for row in tx.execute(query):
        yield row.name, row.since


def count_missing(tx: Transaction, owner: str) -> int:
    """Return how many connections of a source are missing and not removed yet."""
    query = select(func.count()).select_from(missing_entries)
    return tx.execute(query.where(missing_entries.c.owner == owner)).scalar_one()


def find_missing(tx: Transaction, owner: str, names: Collection[str]) -> dict[str, datetime]:
    """Return since when those of *names* are missing that are, by name."""
    found: dict[str, datetime] = {}
    query = select(missing_entries.c.name, missing_entries.c.since)
    for piece in in_pieces(names):
        chosen = query.where(missing_entries.c.owner == owner, missing_entries.c.name.in_(piece))
        found |= {row.name: row.since for row in tx.execute(chosen)}
    return found


def add_missing(tx: Transaction, owner: str, names: Collection[str], since: datetime) -> None:
    """Remember that connections of a source are missing."""
    rows = [{"owner": owner, "name": name, "since": since} for name in names]
    execute_many(tx, insert(missing_entries), rows)


def drop_missing(tx: Transaction, owner: str, names: Collection[str]) -> None:
    """Forget that connections are missing: they are back, or gone."""
    for piece in in_pieces(names):
        tx.execute(
            delete(missing_entries).where(
                missing_entries.c.owner == owner, missing_entries.c.name.in_(piece)
            )
        )


def is_source_held(tx: Transaction, name: str) -> bool:
    """Tell whether removals of a source are held, or it cannot be read since they were."""
    found = find_source(tx, name)
    return (
        found is not None and bool(found.memory.held) and found.memory.state is not SourceState.OK
    )
