"""See the settings of all connections as a command does: the file as it is now, and other owners.

Names that the file has mean what the file says, whatever the database has heard of that; for others
the rows of their owners are looked up by name, and only then anything of the engine is loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.config.plan import MemorySettings
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.config.plan import Intervals
    from monitor.engine.settings import RowSettings
    from monitor.judge.connections import Entry, Watched
    from monitor.store.engine import Transaction


class CommandSettings:
    """The settings of the connections of all owners: a `SettingsSource`.

    Each question takes None for a transaction where there is no database yet.

    Args:
        before_rows: Called before the first row is read: what means nothing is logged.
    """

    def __init__(self, config: Config, before_rows: Callable[[], None] = lambda: None) -> None:
        self.file = MemorySettings.of(config)
        self._before_rows = before_rows
        self._config = config
        self._owners: dict[str, str] = {}

    @cached_property
    def rows(self) -> RowSettings:
        """Return the rows of other owners than the file."""
        from monitor.config.entries import InlineSecrets
        from monitor.engine.settings import RowSettings

        self._before_rows()
        common = self._config.with_connections(())
        intervals = self.file.intervals
        return RowSettings(common, InlineSecrets(), intervals, besides=OWNER_FILE)

    def owner_of(self, name: str) -> str:
        """Return who owns a connection that was looked up before."""
        return self._owners.get(name, OWNER_FILE)

    def _outside(self, tx: Transaction | None, names: Iterable[str]) -> list[str]:
        """Return those of *names* that other owners have, and the file has not."""
        missing = [name for name in names if name not in self.file.watched]
        if tx is None or not missing:
            return []
        from monitor.store import entries

        owners = entries.owners_of(tx, missing, OWNER_FILE)
        self._owners.update(owners)
        return [name for name in missing if name in owners]

    def watched_of(self, tx: Transaction | None, names: Iterable[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are watched, as the rules see them."""
        names = list(names)
        watched = self.file.watched_of(tx, names)
        outside = self._outside(tx, names)
        if tx is None or not outside:
            return watched
        return {**watched, **self.rows.watched_of(tx, outside)}

    def connections_of(
        self, tx: Transaction | None, names: Iterable[str]
    ) -> Mapping[str, Connection]:
        """Return the settings of those of *names* that are watched, as their owner wrote them."""
        names = list(names)
        return {**self.file.connections_of(tx, names), **self.connections_outside(tx, names)}

    def connections_outside(
        self, tx: Transaction | None, names: Iterable[str]
    ) -> Mapping[str, Connection]:
        """Return the settings of those of *names* that are not in the file."""
        outside = self._outside(tx, names)
        return {} if tx is None or not outside else self.rows.connections_of(tx, outside)

    def entries_of(self, tx: Transaction | None, names: Iterable[str]) -> list[Entry]:
        """Return those of *names* that are watched, as the store needs them.

        Those of the file come first, in its order, then the others, in that of their names.
        """
        names = list(names)
        entries = self.file.entries_of(tx, names)
        outside = self._outside(tx, names)
        if tx is None or not outside:
            return entries
        from monitor.store.statements import in_groups

        for some in in_groups(sorted(outside)):
            entries += self.rows.entries_of(tx, some)
        return entries

    def names(self, tx: Transaction | None) -> Collection[str]:
        """Return the names of all that is watched, those of the file first, in its order."""
        return self.file.watched.keys() if tx is None else _AllNames(self, tx)

    def list_outside(self, tx: Transaction) -> list[str]:
        """Return the names that other owners have, and the file has not, in order."""
        from monitor.store import entries

        beside = entries.list_names_beside(tx, OWNER_FILE)
        return sorted(name for name in beside if name not in self.file.watched)

    def list_in_line(self, tx: Transaction, names: Iterable[str]) -> list[str]:
        """Return those of *names* that the database has as their owners do, whoever that is.

        A name that the file had, when the daemon last read it, is none of them.
        """
        outside = self._outside(tx, names)
        if not outside:
            return []
        from monitor.store import entries

        counting = entries.owners_of(tx, outside)
        return [name for name in outside if counting.get(name) != OWNER_FILE]

    def names_of(self, tx: Transaction | None, names: Iterable[str]) -> Collection[str]:
        """Return those of *names* that are watched, looked up at once."""
        names = list(names)
        return {*self.file.names_of(tx, names), *self._outside(tx, names)}

    def list_tags(self, tx: Transaction | None) -> set[str]:
        """Return the tags that any connection has; all rows are looked at once."""
        tags = self.file.list_tags(tx)
        return tags if tx is None else tags | self.rows.list_tags(tx)

    @property
    def intervals(self) -> Intervals:
        """Return how often connections of the file are checked, and how long that may take."""
        return self.file.intervals


def describe_owner(owner: str) -> str:
    """Return where the settings of an owner are, as a part of a sentence."""
    return {OWNER_FILE: "the file", OWNER_DASHBOARD: "the dashboard"}.get(
        owner, f'source "{owner}"'
    )


class _AllNames(Collection[str]):
    """The names that are watched: one is looked up, all are listed."""

    def __init__(self, settings: CommandSettings, tx: Transaction) -> None:
        self._settings = settings
        self._tx = tx

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._settings.names_of(self._tx, (name,))

    def __iter__(self) -> Iterator[str]:
        yield from self._settings.file.watched
        yield from self._settings.list_outside(self._tx)

    def __len__(self) -> int:
        return len(self._settings.file.watched) + len(self._settings.list_outside(self._tx))


def list_names_near(tx: Transaction, name: str, most: int) -> list[str]:
    """Return names of other owners than the file that come next to *name* in their order."""
    from monitor.store import entries

    return [
        found
        for owner in entries.list_all_owners(tx)
        if owner != OWNER_FILE
        for found in entries.list_names_near(tx, owner, name, most)
    ]


def is_tag_of_others(tx: Transaction, tag: str) -> bool:
    """Tell whether other owners than the file have given a connection that *tag*."""
    from monitor.store import entries

    owners = (owner for owner in entries.list_all_owners(tx) if owner != OWNER_FILE)
    return any(entries.is_tag_of(tx, owner, tag) for owner in owners)


def list_names_from(tx: Transaction, beginning: str, most: int) -> list[str]:
    """Return names of other owners than the file that begin with *beginning*, so many of each."""
    from monitor.store import entries

    return [
        found
        for owner in entries.list_all_owners(tx)
        if owner != OWNER_FILE
        for found in entries.list_names_from(tx, owner, beginning, most)
    ]
