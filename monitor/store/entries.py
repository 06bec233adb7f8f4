"""Keep the settings of connections as their owners wrote them: the file, and whoever else may.

Of several of one name the one with the lowest rank counts; the others are kept for the day when it
goes. What a row means is decided in `monitor.config.entries`, which secrets may stand in one, by
whoever writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, cast, delete, func, insert, select, update

from monitor.judge.connections import OWNER_FILE
from monitor.store.schema import MICROSECOND, entries
from monitor.store.statements import AT_ONCE, execute_many, in_groups, in_pieces
from monitor.store.watermarks import find_watermark, save_watermark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from monitor.judge.connections import WrittenEntry
    from monitor.store.engine import Transaction

FILE_RANK = 0
"""What the configuration file says counts before all else."""

DASHBOARD_RANK = 1
"""Sources come after it, in their order."""


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

    @property
    def table(self) -> Mapping[str, Any]:
        """Return what was written, or nothing of a row that was damaged."""
        return self.content if isinstance(self.content, dict) else {}


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


def find_entries(
    tx: Transaction, names: Collection[str], besides: str | None = None
) -> dict[str, StoredEntry]:
    """Return the settings that count of those of *names* that have any.

    Args:
        besides: An owner as if whose settings were not there.
    """
    found: dict[str, StoredEntry] = {}
    for piece in in_pieces(names):
        for row in tx.execute(_without(_STORED, besides).where(entries.c.name.in_(piece))):
            found.setdefault(row.name, StoredEntry(*row))
    return found


def find_digests(
    tx: Transaction, names: Collection[str], besides: str | None = None
) -> dict[str, str]:
    """Return the digests of the settings that count of those of *names* that have any.

    Args:
        besides: An owner as if whose settings were not there.
    """
    found: dict[str, str] = {}
    for piece in in_pieces(names):
        query = _without(_DIGESTS, besides).where(entries.c.name.in_(piece))
        for name, digest in tx.execute(query):
            found.setdefault(name, digest)
    return found


def _without(query: Select[Any], besides: str | None) -> Select[Any]:
    return query if besides is None else query.where(entries.c.owner != besides)


def list_entries(tx: Transaction) -> Iterator[StoredEntry]:
    """Yield all settings that count, by name; they are not all held at once."""
    rows = tx.execute(_STORED, execution_options={"yield_per": AT_ONCE})
    for _, of_name in groupby(rows, attrgetter("name")):
        yield StoredEntry(*next(of_name))


def list_all_owners(tx: Transaction) -> list[str]:
    """Return who has written any settings, in order."""
    owners: list[str] = []
    query = select(func.min(entries.c.owner))
    # One look each into the index, where a list of what is distinct would read all of it.
    while (owner := tx.execute(query).scalar_one()) is not None:
        owners.append(owner)
        query = select(func.min(entries.c.owner)).where(entries.c.owner > owner)
    return owners


def list_names_from(tx: Transaction, owner: str, beginning: str, most: int) -> list[str]:
    """Return names of *owner* that begin with *beginning*, in order, at most so many."""
    of_owner = select(entries.c.name).where(entries.c.owner == owner)
    after = of_owner.where(entries.c.name >= beginning).order_by(entries.c.name).limit(most)
    return [name for name in tx.execute(after).scalars() if name.startswith(beginning)]


def list_names_near(tx: Transaction, owner: str, name: str, most: int) -> list[str]:
    """Return names of *owner* that come next after *name* and before it, at most so many each."""
    of_owner = select(entries.c.name).where(entries.c.owner == owner)
    after = of_owner.where(entries.c.name >= name).order_by(entries.c.name)
    before = of_owner.where(entries.c.name < name).order_by(entries.c.name.desc())
    return [found for query in (after, before) for found in tx.execute(query.limit(most)).scalars()]


def is_tag_of(tx: Transaction, owner: str, tag: str) -> bool:
    """Tell whether settings that *owner* wrote have that *tag*."""
    # Only rows that hold its letters are taken apart.
    letters = cast(entries.c.content, Text).contains(json.dumps(tag), autoescape=True)
    query = select(entries.c.content).where(entries.c.owner == owner, letters)
    rows = tx.execute(query, execution_options={"yield_per": AT_ONCE}).scalars()
    tags = (each.get("tags") for each in rows if isinstance(each, dict))
    return any(isinstance(each, list) and tag in each for each in tags)


def is_entry(tx: Transaction, name: str) -> bool:
    """Tell whether anybody has written settings of *name*."""
    return tx.execute(_DIGESTS.where(entries.c.name == name).limit(1)).first() is not None


def list_entry_names(tx: Transaction) -> list[str]:
    """Return all names that have settings, each once."""
    return list(tx.execute(select(entries.c.name).distinct()).scalars())


def count_entries(tx: Transaction) -> int:
    """Return how many names have settings."""
    return tx.execute(select(func.count(entries.c.name.distinct()))).scalar_one()


def find_of_owner(tx: Transaction, owner: str, name: str) -> StoredEntry | None:
    """Return what *owner* wrote of *name*, whether it counts or not."""
    of_owner = _STORED.where(entries.c.name == name, entries.c.owner == owner)
    row = tx.execute(of_owner).first()
    return None if row is None else StoredEntry(*row)


def find_all_of_owner(
    tx: Transaction, owner: str, names: Collection[str]
) -> dict[str, StoredEntry]:
    """Return what *owner* wrote of *names*, by name, whether it counts or not."""
    return {
        row.name: StoredEntry(*row)
        for piece in in_pieces(names)
        for row in tx.execute(_STORED.where(entries.c.owner == owner, entries.c.name.in_(piece)))
    }


def list_owners(tx: Transaction, name: str) -> list[str]:
    """Return who wrote settings of *name*, the one that counts first."""
    return [row.owner for row in tx.execute(_STORED.where(entries.c.name == name))]


def owners_of(
    tx: Transaction, names: Collection[str], besides: str | None = None
) -> dict[str, str]:
    """Return whose settings count, of those of *names* that have any.

    Args:
        besides: An owner as if whose settings were not there.
    """
    query = _without(select(entries.c.name, entries.c.owner).order_by(*_FIRST), besides)
    found: dict[str, str] = {}
    for piece in in_pieces(names):
        for name, owner in tx.execute(query.where(entries.c.name.in_(piece))):
            found.setdefault(name, owner)
    return found


def list_names_beside(tx: Transaction, owner: str) -> list[str]:
    """Return the names that have settings of anybody but *owner*."""
    query = select(entries.c.name).distinct().where(entries.c.owner != owner)
    return list(tx.execute(query).scalars())


def list_rhythms(tx: Transaction) -> list[tuple[str | None, str | None, str | None]]:
    """Return each provider, rhythm and timeout that stands in anybody's settings but the file's."""
    keys = [entries.c.content[key].as_string() for key in ("provider", "every", "timeout")]
    query = select(*keys).distinct().where(entries.c.owner != OWNER_FILE)
    return [(row[0], row[1], row[2]) for row in tx.execute(query)]


def list_groups_beside(tx: Transaction, owner: str) -> list[str]:
    """Return the groups that stand in the settings of anybody but *owner*, in order."""
    group = entries.c.content["group"].as_string()
    query = select(group).distinct().where(entries.c.owner != owner, group.is_not(None))
    return sorted(tx.execute(query).scalars())


def list_beside(tx: Transaction, owner: str, after: str) -> list[str]:
    """Return some names that have settings of anybody but *owner*, those that follow *after*."""
    query = (
        select(entries.c.name)
        .distinct()
        .where(entries.c.owner != owner, entries.c.name > after)
        .order_by(entries.c.name)
        .limit(AT_ONCE)
    )
    return list(tx.execute(query).scalars())


ENTRIES_CHANGED = "entries_changed"
"""When anybody but the file last wrote settings: whoever remembers something of them looks."""


def note_change(tx: Transaction, now: datetime) -> None:
    """Have those who remember something of the settings look again."""
    last = find_change(tx)
    # A mark that is new, even within one instant or after the clock was set back.
    save_watermark(tx, ENTRIES_CHANGED, now if last is None else max(now, last + MICROSECOND))


def find_change(tx: Transaction) -> datetime | None:
    """Return when settings were last written by anybody but the file."""
    return find_watermark(tx, ENTRIES_CHANGED)


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
        secrets=bindparam("new_secrets"),
    )
)
_DROP = delete(entries).where(
    entries.c.name == bindparam("of_name"), entries.c.owner == bindparam("of_owner")
)


def replace_owned(tx: Transaction, owner: str, rank: int, written: Iterable[WrittenEntry]) -> int:
    """Keep what *owner* has *written* in the place of all from before; return what was changed.

    What is as it was costs no write.
    """
    n_changed, seen = 0, set[str]()
    for some in in_groups(written):
        seen.update(one.name for one in some)
        n_changed += len(put_entries(tx, owner, rank, some))
    of_owner = select(entries.c.name).where(entries.c.owner == owner)
    gone = [name for name in tx.execute(of_owner).scalars() if name not in seen]
    drop_entries(tx, owner, gone)
    return n_changed + len(gone)


def put_entries(
    tx: Transaction, owner: str, rank: int, written: Sequence[WrittenEntry]
) -> dict[str, bool]:
    """Keep what *owner* has written, beside all else of it.

    Returns the names of what was not there like that; each with whether it is new.
    """
    known = _places_of(tx, owner, [one.name for one in written])
    new, changed = [], []
    put: dict[str, bool] = {}
    for one in written:
        place = rank, one.position, one.digest
        if one.name not in known:
            new.append(_row(owner, rank, one))
        elif known[one.name] != place:
            changed.append(_change(owner, rank, one))
        else:
            continue
        put[one.name] = one.name not in known
    execute_many(tx, insert(entries), new)
    execute_many(tx, _CHANGE, changed)
    return put


def drop_entries(tx: Transaction, owner: str, names: Iterable[str]) -> None:
    """Forget what *owner* wrote of *names*, with the secrets in it."""
    execute_many(tx, _DROP, [{"of_name": name, "of_owner": owner} for name in names])


def _places_of(
    tx: Transaction, owner: str, names: Collection[str]
) -> dict[str, tuple[int, int, str]]:
    query = select(entries.c.name, entries.c.rank, entries.c.position, entries.c.digest)
    return {
        name: (rank, position, digest)
        for piece in in_pieces(names)
        for name, rank, position, digest in tx.execute(
            query.where(entries.c.owner == owner, entries.c.name.in_(piece))
        )
    }


def _row(owner: str, rank: int, one: WrittenEntry) -> dict[str, Any]:
    return {
        "name": one.name,
        "owner": owner,
        "rank": rank,
        "position": one.position,
        "content": one.write(),
        "digest": one.digest,
        "secrets": one.seal(),
    }


def _change(owner: str, rank: int, one: WrittenEntry) -> dict[str, Any]:
    return {
        "of_name": one.name,
        "of_owner": owner,
        "new_rank": rank,
        "new_position": one.position,
        "new_content": one.write(),
        "new_digest": one.digest,
        "new_secrets": one.seal(),
    }
