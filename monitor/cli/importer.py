"""Take rows into the database as connections of the dashboard, some thousand at a time.

Which row is refused, and with which words, is decided here; the command prints the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from array import array
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.cli.errors import CommandError, print_error
from monitor.cli.settings import describe_owner
from monitor.clock import utc_now
from monitor.config.entries import find_set
from monitor.config.hosts import explain_refusal, find_unreachable_host
from monitor.config.owners import EntryRefused, EntryRules
from monitor.config.plan import Describer
from monitor.engine.ciphers import Cipher, KeyUnusable
from monitor.engine.entries import DASHBOARD, NO_KEY, EntryWriter, KeyMissing, open_former
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.sources.rows import UnreadableSource
from monitor.store import credentials, entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.cli.session import Session
    from monitor.config.owners import CheckedEntry, FormerEntry
    from monitor.judge.connections import Entry, WrittenEntry
    from monitor.sources.rows import SourceRow
    from monitor.store.engine import Transaction

AT_ONCE = 1000
"""So many rows are stored in one transaction: a daemon waits no longer for its turn."""

MOST_HOSTS = 50_000
"""So many are remembered; each is looked up once."""

LOOKUPS_AT_ONCE = 50

_ABOUT_KEY = re.compile(r"([a-z_]+): (.*)", re.DOTALL)
"""How a cell is refused that does not mean what its key is for."""

IGNORED = frozenset(("owner", "shadowed_by"))
"""What our own answers say beside an entry: to send it back changes nothing."""

Problems = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class ImportCounts:
    """What became of the rows so far."""

    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Called:
    """What an entry calls.

    Args:
        key: Which key of the entry says so.
    """

    key: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Importable:
    """A row that can be stored, unless its address or its name is refused yet."""

    row: SourceRow
    written: WrittenEntry
    entry: Entry
    address: _Called | None


class SeenNames:
    """The names that were seen: a million of them take 16 MB, as sets of texts take 100."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << 12))
        self._mask = (1 << 12) - 1
        self._n_taken = 0

    def add(self, name: str) -> bool:
        """Note *name*; tell whether it is new."""
        digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
        if not self._put(int.from_bytes(digest) or 1):
            return False
        self._n_taken += 1
        if self._n_taken * 3 > self._mask * 2:
            self._grow()
        return True

    def _put(self, mark: int) -> bool:
        slots, mask = self._slots, self._mask
        at = mark & mask
        while (found := slots[at]) != 0:
            if found == mark:
                return False
            at = (at + 1) & mask
        slots[at] = mark
        return True

    def _grow(self) -> None:
        former = self._slots
        self._mask = self._mask * 2 + 1
        self._slots = array("Q", bytes(8 * (self._mask + 1)))
        for mark in former:
            if mark:
                self._put(mark)


class Importer:
    """Imports rows, and reports each that is refused.

    Args:
        is_dry: Nothing is stored.
    """

    def __init__(self, session: Session, *, is_dry: bool) -> None:
        self._session = session
        self._is_dry = is_dry
        self._database = session.open_for_reading() if is_dry else session.open_for_writing()
        common = session.config.with_connections(())
        self._writer = EntryWriter(common, session.plan, DASHBOARD, _find_cipher(session))
        self._rules = EntryRules(
            common, partial(credentials.fingerprint, self._find_key()), utc_now()
        )
        self._describe = Describer(common)
        self._hosts: dict[tuple[str, int], str | None] = {}
        self._seen = SeenNames()
        self.counts = ImportCounts()
        self.remedy = ""

    def _find_key(self) -> bytes:
        """Return what tells secrets apart."""
        key = None
        if self._database is not None:
            with self._database.read() as tx:
                key = credentials.find_key(tx, credentials.FINGERPRINT_KEY)
        # Where there is none, nothing is stored yet that could be the same.
        return key or os.urandom(credentials.KEY_BYTES)

    def take(self, rows: Iterable[SourceRow]) -> None:
        """Import *rows*, as they come; where they break off, those before that are."""
        some: list[SourceRow] = []
        try:
            for row in rows:
                some.append(row)
                if len(some) == AT_ONCE:
                    full, some = some, []
                    self._take_some(full)
        except UnreadableSource:
            self._take_some(some)
            raise
        self._take_some(some)

    def _take_some(self, rows: Sequence[SourceRow]) -> None:
        refused: dict[int, Problems] = {}
        owners, formers = self._look_up(rows)
        ready: dict[int, _Importable] = {}
        for number, row in enumerate(rows):
            try:
                ready[number] = self._check(row, owners, formers)
            except EntryRefused as error:
                refused[number] = error.problems
            except KeyMissing:
                refused[number] = (("", "its secrets cannot be stored without `web.key`"),)
                self.remedy = NO_KEY
        for number, problems in self._find_unreachable(ready).items():
            refused[number] = problems
            del ready[number]
        refused |= self._store(ready)
        self.counts.refused += len(refused)
        for number in sorted(refused):
            _report(rows[number], refused[number])

    def _look_up(
        self, rows: Sequence[SourceRow]
    ) -> tuple[Mapping[str, str], Mapping[str, FormerEntry | None]]:
        """Return who else owns the names of *rows*, and what is stored where secrets are kept."""
        named = {name: row.values for row in rows if (name := _name_of(row)) and row.values}
        if self._database is None or not named:
            return {}, {}
        keeping = [name for name, values in named.items() if any(find_set(values))]
        with self._database.read() as tx:
            owners = entries.owners_of(tx, named, OWNER_FILE)
            stored = entries.find_all_of_owner(tx, OWNER_DASHBOARD, keeping)
        rows_of = self._session.settings.rows
        return owners, {name: open_former(rows_of, row) for name, row in stored.items()}

    def _check(
        self,
        row: SourceRow,
        owners: Mapping[str, str],
        formers: Mapping[str, FormerEntry | None],
    ) -> _Importable:
        """Return what *row* means.

        Raises:
            EntryRefused: It cannot be used.
            KeyMissing: It holds a secret that nothing can encrypt.
        """
        if row.values is None:
            about_key = _ABOUT_KEY.fullmatch(row.why)
            raise EntryRefused(((about_key[1], about_key[2]) if about_key else ("", row.why),))
        name = _name_of(row)
        if name:
            self._require_free(name, owners)
        values = {key: value for key, value in row.values.items() if key not in IGNORED}
        checked = self._rules.check(values, formers.get(name))
        if not self._seen.add(name):
            raise EntryRefused((("name", "another row before it has the same name"),))
        return _Importable(
            row,
            self._writer.seal(checked),
            self._describe.entry(checked.connection),
            _address_of(checked),
        )

    def _require_free(self, name: str, owners: Mapping[str, str]) -> None:
        owner = owners.get(name, OWNER_DASHBOARD)
        if self._session.config.connection(name) is not None:
            owner = OWNER_FILE
        if owner != OWNER_DASHBOARD:
            raise EntryRefused((("name", f"is owned by {describe_owner(owner)}: change it there"),))

    def _find_unreachable(self, ready: Mapping[int, _Importable]) -> dict[int, Problems]:
        """Return the rows whose address may not be called."""
        at = {
            number: (one.address.host, one.address.port)
            for number, one in ready.items()
            if one.address is not None
        }
        if unknown := {*at.values()} - self._hosts.keys():
            if len(self._hosts) + len(unknown) > MOST_HOSTS:
                self._hosts.clear()
                unknown = {*at.values()}
            self._hosts.update(asyncio.run(self._examine(unknown)))
        found: dict[int, Problems] = {}
        for number, place in at.items():
            why, address = self._hosts[place], ready[number].address
            if why is not None and address is not None:
                said = f"{address.host} is not called: {explain_refusal(why)}"
                found[number] = ((address.key, said),)
        return found

    async def _examine(
        self, places: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], str | None]:
        allowed = self._session.config.web.reachable
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        found: dict[tuple[str, int], str | None] = {}

        async def examine(place: tuple[str, int]) -> None:
            async with slots:
                found[place] = await find_unreachable_host(*place, allowed)

        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(examine(place))
        return found

    def _store(self, ready: Mapping[int, _Importable]) -> dict[int, Problems]:
        """Store rows in one transaction, or look what would come of that; return the refused."""
        if not ready:
            return {}
        if self._is_dry:
            return self._pretend(ready)
        assert self._database is not None
        refused: dict[int, Problems] = {}
        now = utc_now()
        with self._database.write() as tx:
            left = dict(ready)
            # Each for itself: one name that cannot be taken over refuses that row alone.
            for number in [n for n, one in ready.items() if one.entry.renamed_from is not None]:
                try:
                    self._put(tx, [left.pop(number)], now)
                except EntryRefused as error:
                    refused[number] = error.problems
            self._put(tx, list(left.values()), now)
        return refused

    def _put(self, tx: Transaction, ready: Sequence[_Importable], now: Any) -> None:
        if not ready:
            return
        described = {one.entry.name: one.entry for one in ready}
        put = self._writer.put_described(tx, [one.written for one in ready], described, now)
        self.counts.created += len(put.created)
        self.counts.changed += len(put.changed)
        self.counts.same += put.n_same

    def _pretend(self, ready: Mapping[int, _Importable]) -> dict[int, Problems]:
        """Count what would come of storing rows; return those that would be refused."""
        digests: dict[str, str] = {}
        refused: dict[int, Problems] = {}
        names = [one.entry.name for one in ready.values()]
        if self._database is not None:
            with self._database.read() as tx:
                stored = entries.find_all_of_owner(tx, OWNER_DASHBOARD, names)
                digests = {name: row.digest for name, row in stored.items()}
                for number, one in ready.items():
                    try:
                        self._writer.list_former_names(tx, {one.entry.name: one.entry})
                    except EntryRefused as error:
                        refused[number] = error.problems
        for number, one in ready.items():
            if number in refused:
                continue
            digest = digests.get(one.entry.name)
            self.counts.created += digest is None
            self.counts.changed += digest not in {None, one.written.digest}
            self.counts.same += digest == one.written.digest
        return refused


def _name_of(row: SourceRow) -> str:
    name = None if row.values is None else row.values.get("name")
    return name if isinstance(name, str) else ""


def _address_of(checked: CheckedEntry) -> _Called | None:
    key = next((key for key in ("url", "base_url") if checked.content.get(key)), None)
    if key is None:
        return None
    parts = urlsplit(checked.connection.called_url)
    return _Called(key, parts.hostname or "", parts.port or {"http": 80}.get(parts.scheme, 443))


def _find_cipher(session: Session) -> Cipher | None:
    """Return what encrypts secrets; None where there is no key.

    Raises:
        CommandError: There is one, and it is of no use.
    """
    if session.config.web.key is None:
        return None
    try:
        return Cipher.of(session.config.web)
    except KeyUnusable as error:
        raise CommandError(str(error)) from error


def _report(row: SourceRow, problems: Problems) -> None:
    for place, why in problems:
        where = f"{row.place}.{place}" if place else row.place
        print_error(f"{where}: {why}")
