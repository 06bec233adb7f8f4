"""Find the settings of connections in the database, and make of them what is due.

Nothing here holds the world: what was used last is kept, up to a number, and made anew from its row
when it is needed again. What a row means is decided in `monitor.config.entries`.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

from monitor.config.entries import (
    LATEST,
    EntryUnusable,
    InlineSecrets,
    find_set,
    read_entry,
    write_entries,
)
from monitor.config.owners import PLACE_FORM, aim_of_content
from monitor.config.plan import Describer, Intervals
from monitor.config.registry import PROVIDERS
from monitor.config.secret import Secret
from monitor.config.values import Reading, parse_duration
from monitor.engine.ciphers import Cipher, KeyUnusable, open_secrets
from monitor.judge.connections import OWNER_FILE
from monitor.store import credentials, entries
from monitor.store.statements import in_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from monitor.config.connections import Connection
    from monitor.config.entries import Path
    from monitor.config.model import Config
    from monitor.judge.connections import Entry, Watched, WrittenEntry
    from monitor.providers.base import Checker
    from monitor.store.engine import Transaction
    from monitor.store.entries import StoredEntry

log = structlog.get_logger()

KEPT = 10_000
"""So many connections are kept ready, those used last; a fifth of a kilobyte short of 5 KB each."""


@dataclass(slots=True)
class ReadyConnection:
    """A connection as its row says it, and what was made of that so far.

    Args:
        digest: Of the row; with another one there, this is out of date.
        checker: What checks it, once that was needed.
    """

    digest: str
    connection: Connection
    watched: Watched
    checker: Checker | None = None


class RowSettings:
    """The settings of the connections, in the rows of the database: a `SettingsSource`.

    Args:
        config: What all connections have in common.
        inline: The secrets that stand in the file itself.
        intervals: Of all connections.
        most: How many are kept ready.
        besides: An owner as if whose rows were not there.
    """

    def __init__(
        self,
        config: Config,
        inline: InlineSecrets,
        intervals: Intervals,
        most: int = KEPT,
        besides: str | None = None,
    ) -> None:
        self._besides = besides
        self._inline = inline
        self._of_file = self._intervals = intervals
        self._most = most
        self._describe = Describer(config)
        self._common = config
        self._refresh = config.checks.secrets_refresh
        self._reading = Reading(config.path, LATEST, dict(os.environ), has_text_dates=True)
        self._cipher: Cipher | None = None
        self._tags: set[str] | None = None
        self._seen_change: datetime | None = None
        self._ready: OrderedDict[str, ReadyConnection] = OrderedDict()
        # The threads that read and write, and the event loop.
        self._lock = Lock()

    def follow(self, newer: InlineSecrets) -> None:
        """Read rows that a newer reading of the file is about to bring, until it is in force."""
        self._inline.follow(newer)

    def ready_of(self, tx: Transaction, names: Iterable[str]) -> dict[str, ReadyConnection]:
        """Return those of *names* that have settings, in that order."""
        names = list(dict.fromkeys(names))
        digests = entries.find_digests(tx, names, self._besides)
        found: dict[str, ReadyConnection] = {}
        with self._lock:
            for name, digest in digests.items():
                one = self._ready.get(name)
                if one is not None and one.digest == digest:
                    self._ready.move_to_end(name)
                    found[name] = one
        made = self._make(tx, [name for name in digests if name not in found])
        with self._lock:
            self._ready.update(made)
            while len(self._ready) > self._most:
                self._ready.popitem(last=False)
        found |= made
        return {name: found[name] for name in names if name in found}

    def put_first_ready(
        self, written: Sequence[WrittenEntry], connections: Sequence[Connection]
    ) -> None:
        """Keep ready what was just read, as far as there is room."""
        pairs = zip(written[: self._most], connections, strict=False)
        made = {
            row.name: ReadyConnection(row.digest, one, self._describe.watched(one))
            for row, one in pairs
        }
        with self._lock:
            self._ready.update(made)

    def list_ready(self) -> list[ReadyConnection]:
        """Return what is kept ready."""
        with self._lock:
            return list(self._ready.values())

    def build_anew(self, names: Collection[str]) -> None:
        """Have the checkers of *names* made anew when they are needed."""
        with self._lock:
            for name in names:
                if name in self._ready:
                    self._ready[name].checker = None

    def _make(self, tx: Transaction, names: Collection[str]) -> dict[str, ReadyConnection]:
        made = {}
        rows = entries.find_entries(tx, names, self._besides) if names else {}
        for name, row in rows.items():
            try:
                connection = self._read(row)
            except EntryUnusable as error:
                log.warning("entry.unusable", connection=name, owner=row.owner, why=str(error))
            else:
                watched = replace(self._describe.watched(connection), owner=row.owner)
                made[name] = ReadyConnection(row.digest, connection, watched)
        return made

    def _read(self, row: StoredEntry) -> Connection:
        if row.owner == OWNER_FILE:
            secrets: Mapping[Path, Any] = self._inline.of(row.name, row.digest)
            place: tuple[str, int | str] = ("connections[{}]", row.position)
        else:
            secrets, place = self.secrets_of(row), (PLACE_FORM, row.name)
        connection = read_entry(row.content, secrets, self._reading, place, self._refresh)
        self._common.complete(connection)
        return connection

    def secrets_of(self, row: StoredEntry) -> Mapping[Path, Any]:
        """Return the secrets that are stored with *row*; each that cannot be read says why."""
        if row.secrets is None:
            return {}
        try:
            return open_secrets(row.secrets, self._find_cipher())
        except KeyUnusable as error:
            unreadable = Secret.unreadable(f"{error}; put the former key into web.old_keys")
            return dict.fromkeys(find_set(row.content), unreadable)

    def inline_of(self, name: str, digest: str) -> Mapping[Path, str]:
        """Return the secrets that stand in the file itself, of a row with that *digest*."""
        return self._inline.of(name, digest)

    def _find_cipher(self) -> Cipher:
        if self._cipher is None:
            self._cipher = Cipher.of(self._common.web)
        return self._cipher

    def watched_of(self, tx: Transaction, names: Iterable[str]) -> Mapping[str, Watched]:
        """Return the settings of those of *names* that are watched, as the rules see them."""
        return {name: one.watched for name, one in self.ready_of(tx, names).items()}

    def connections_of(self, tx: Transaction, names: Iterable[str]) -> Mapping[str, Connection]:
        """Return the settings of those of *names* that are watched, as their owner wrote them."""
        return {name: one.connection for name, one in self.ready_of(tx, names).items()}

    def entries_of(self, tx: Transaction, names: Iterable[str]) -> list[Entry]:
        """Return those of *names* that are watched, as the store needs them."""
        say = self._describe.entry
        return [say(one.connection) for one in self.ready_of(tx, names).values()]

    def names(self, tx: Transaction) -> Collection[str]:
        """Return the names of all that is watched; each is looked up when asked for."""
        return _StoredNames(tx)

    def names_of(self, tx: Transaction, names: Iterable[str]) -> Collection[str]:
        """Return those of *names* that are watched, looked up at once."""
        return entries.find_digests(tx, list(names)).keys()

    def list_tags(self, tx: Transaction) -> set[str]:
        """Return the tags that any connection has; all rows are looked at once."""
        self.look(tx)
        if self._tags is None:
            # A row may hold anything: one that means nothing is said when it is due.
            tables = (one.content for one in entries.list_entries(tx))
            listed = (each.get("tags") for each in tables if isinstance(each, dict))
            self._tags = {str(tag) for tags in listed if isinstance(tags, list) for tag in tags}
        return self._tags

    def look(self, tx: Transaction) -> None:
        """Take in what others have written meanwhile: tags, and how often is checked."""
        change = entries.find_change(tx)
        if change == self._seen_change:
            return
        self._tags, self._seen_change = None, change
        found = Intervals.over(
            rhythm for each in entries.list_rhythms(tx) if (rhythm := self._rhythm(*each))
        )
        self._intervals = self._of_file.joined(found)

    def _rhythm(
        self, provider: str | None, every: str | None, timeout: str | None
    ) -> tuple[timedelta, timedelta] | None:
        model = PROVIDERS.get(provider or "")
        usual = None if model is None else model.own_rhythm
        try:
            own = parse_duration(every) if every else usual
            longest = parse_duration(timeout) if timeout else self._common.checks.timeout
        except ValueError:
            return None  # such a row means nothing, which is said when it is due
        rhythm = own or self._common.checks.every
        return rhythm, min(longest, rhythm)

    @property
    def intervals(self) -> Intervals:
        """Return how often connections are checked, and how long that may take."""
        return self._intervals

    def list_before(
        self, tx: Transaction, digests: Mapping[str, str], after: Mapping[str, Connection]
    ) -> Iterator[Connection]:
        """Yield the connections of the file as they are in force, to compare with a newer reading.

        What is as it was is taken from there, unless it was used lately: a secret may
        have another value since.

        Args:
            digests: What the rows of *after* would have.
            after: The connections of the newer reading, by name.
        """
        for some in in_groups(entries.list_owned(tx, OWNER_FILE).items()):
            with self._lock:
                ready = {name: self._ready.get(name) for name, _ in some}
            changed = [
                name
                for name, digest in some
                if digests.get(name) != digest and not _is_of(ready[name], digest)
            ]
            made = self._make(tx, changed)
            for name, digest in some:
                one = ready[name]
                if one is not None and _is_of(one, digest):
                    yield one.connection
                elif name in made:
                    yield made[name].connection
                elif name in after:
                    yield after[name]


def _is_of(one: ReadyConnection | None, digest: str) -> bool:
    return one is not None and one.digest == digest


class _StoredNames(Collection[str]):
    """The names that have settings: one is looked up, all are listed."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and entries.is_entry(self._tx, name)

    def __iter__(self) -> Iterator[str]:
        return iter(entries.list_entry_names(self._tx))

    def __len__(self) -> int:
        return entries.count_entries(self._tx)


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What the file had until now.

    Args:
        names: All of it.
        taken_over: The connections of other owners that come into force by that.
        moved: What it has still, but for another service, account or region.
    """

    names: frozenset[str]
    taken_over: list[Entry]
    moved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FileReading:
    """The connections of one reading of the file, as they come into force.

    Args:
        written: As rows; without their secrets, which stay in *inline*.
        settings: What comes of the rows.
    """

    written: Sequence[WrittenEntry]
    settings: RowSettings

    @classmethod
    def of(cls, config: Config, key: bytes, former: RowSettings | None = None) -> FileReading:
        """Return those of *config*, which holds its connections itself.

        Args:
            key: Tells secrets apart without revealing any.
            former: The settings in force; they see the rows of this reading for a moment.
        """
        inline = InlineSecrets()
        if former is not None:
            former.follow(inline)
        written = list(
            write_entries(config, inline, lambda text: credentials.fingerprint(key, text))
        )
        common = config.with_connections(())
        intervals = Intervals.over(map(Describer(common).rhythm, config.connections))
        settings = RowSettings(common, inline, intervals)
        settings.put_first_ready(written, config.connections)
        return cls(written, settings)

    def store(self, tx: Transaction, had: Mapping[str, str] | None = None) -> TakenOut:
        """Keep the rows in the place of those of the reading before; return what is no more.

        Args:
            had: The digests of all that the file had, by name, where they are known.
        """
        digests = {one.name: one.digest for one in self.written}
        former = entries.list_owned(tx, OWNER_FILE) if had is None else had
        dropped = former.keys() - digests
        changed = [name for name, digest in digests.items() if former.get(name, digest) != digest]
        before = _aims_of(tx, changed)
        entries.replace_owned(tx, OWNER_FILE, entries.FILE_RANK, self.written)
        after = _aims_of(tx, changed)
        moved = frozenset(name for name in changed if before[name] != after[name])
        self.settings.look(tx)
        return TakenOut(frozenset(dropped), self.settings.entries_of(tx, sorted(dropped)), moved)


def _aims_of(tx: Transaction, names: Collection[str]) -> dict[str, tuple[object, ...]]:
    """Return what those of the file called *names* are for, by name."""
    return {
        name: aim_of_content(row.content)
        for some in in_groups(names)
        for name, row in entries.find_all_of_owner(tx, OWNER_FILE, some).items()
    }
