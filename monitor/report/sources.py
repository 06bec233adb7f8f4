"""Say how the sources are: those of the file, and those whose connections are not gone yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from monitor.judge.sources import SourceState
from monitor.report.status import instant
from monitor.store import sources
from monitor.store.sources import StoredSource

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.store.engine import Transaction


MOST_NAMED = 20
"""So many connections of a source are named in one place; of more, the number is known."""


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """Which connections of a source are special.

    Args:
        n_owned: How many it has.
        missing: The first that its last good reading lacked, and since when.
        n_missing: How many it lacked.
        shadowed: The first that others have too, and whose settings count instead.
    """

    n_owned: int = 0
    missing: tuple[tuple[str, datetime], ...] = ()
    n_missing: int = 0
    shadowed: tuple[tuple[str, str], ...] = ()


def read_details(tx: Transaction, name: str) -> SourceDetails:
    """Return which connections of the source called *name* are special."""
    return SourceDetails(
        sources.count_owned(tx, name),
        tuple(sources.list_missing(tx, name, MOST_NAMED)),
        sources.count_missing(tx, name),
        tuple(sources.list_shadowed(tx, name, MOST_NAMED)),
    )


class SourceJson(TypedDict):
    """How one source is."""

    name: str
    kind: str
    state: str
    read_at: str | None
    rows: int
    bad: int
    pending_removals: int
    error: str | None


def list_sources(tx: Transaction | None, config: Config) -> list[StoredSource]:
    """Return what is known of all sources, those of the file in their order."""
    known = {} if tx is None else sources.list_sources(tx)
    of_file = {
        one.name: known.get(one.name, StoredSource(one.name, one.kind)) for one in config.sources
    }
    return list((of_file | {k: v for k, v in known.items() if k not in of_file}).values())


def source_json(one: StoredSource) -> SourceJson:
    """Return how one source is, for programs."""
    memory = one.memory
    return SourceJson(
        name=one.name,
        kind=one.kind,
        state=memory.state.value,
        read_at=instant(memory.read_at),
        rows=memory.rows,
        bad=memory.bad,
        pending_removals=memory.pending,
        error=None if memory.state is SourceState.OK else memory.error,
    )
