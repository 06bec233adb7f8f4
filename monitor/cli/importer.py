"""Take rows into the database as connections of the dashboard, some thousand at a time.

Which row is refused, and with which words, is decided here; the command prints the end.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import re
import signal
from array import array
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from monitor.cli.children import make_mortal
from monitor.cli.errors import CommandError, print_error
from monitor.cli.settings import describe_owner
from monitor.clock import utc_now
from monitor.config.entries import find_set
from monitor.config.hosts import find_unreachable_hosts
from monitor.config.owners import (
    EntryRefused,
    EntryRules,
    NamedAddress,
    find_address,
    without_answer,
)
from monitor.config.plan import Describer
from monitor.engine.ciphers import Cipher, KeyUnusable, seal_secrets
from monitor.engine.entries import DASHBOARD, NO_KEY, EntryWriter, open_former
from monitor.judge.audit import Action
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE, WrittenEntry
from monitor.sources.rows import UnreadableSource
from monitor.store import credentials, entries
from monitor.store.audit import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from monitor.cli.session import Session
    from monitor.config.entries import Path
    from monitor.config.owners import FormerEntry
    from monitor.judge.connections import Entry
    from monitor.sources.rows import SourceRow
    from monitor.store.engine import Transaction

AT_ONCE = 1000
"""So many rows are stored in one transaction: a daemon waits no longer for its turn."""

MOST_HOSTS = 50_000
"""So many are remembered; each is looked up once."""

_ABOUT_KEY = re.compile(r"([a-z_]+): (.*)", re.DOTALL)
"""How a cell is refused that does not mean what its key is for."""

Problems = tuple[tuple[str, str], ...]

_ALONE = 5
"""So many pieces are checked here: for fewer rows, other processes are not worth their start."""

_MOST_PROCESSES = 3

_COLLECT_AFTER = (10_000, 5, 5)


def _n_processes() -> int:
    """Return how many processes check rows, beside the one that stores them."""
    return min(len(os.sched_getaffinity(0)) - 1, _MOST_PROCESSES)


@dataclass(slots=True)
class ImportCounts:
    """What became of the rows so far."""

    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Importable:
    """A row that can be stored, unless its address or its name is refused yet.

    Args:
        content: What its owner wrote, without the secrets in it.
        sealed: Those, encrypted.
        secrets: Those, where they are stored like that already: encrypting costs much.
    """

    entry: Entry
    address: NamedAddress | None
    digest: str
    content: dict[str, Any]
    sealed: bytes | None
    secrets: dict[Path, str] = field(repr=False)

    def write(self, cipher: Cipher | None) -> WrittenEntry:
        """Return it as it may be stored."""

        def seal() -> bytes | None:
            if self.secrets and cipher is not None:
                return seal_secrets(self.secrets, cipher)
            return self.sealed

        return WrittenEntry(self.entry.name, 0, self.digest, lambda: self.content, seal)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row whose name may be imported.

    Args:
        values: Secrets included.
        digest: Of what is stored of it.
    """

    values: dict[str, Any] = field(repr=False)
    former: FormerEntry | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class RowChecker:
    """Checks rows, in whichever process; what it needs of the database is given to it."""

    rules: EntryRules
    describe: Describer
    cipher: Cipher | None = field(repr=False)

    def check_all(self, candidates: Sequence[_Candidate]) -> list[_Importable | Problems | None]:
        """Return for each what can be stored, or why not; None where a key is missing."""
        return [self._check(one) for one in candidates]

    def _check(self, one: _Candidate) -> _Importable | Problems | None:
        try:
            checked = self.rules.check(one.values, one.former)
        except EntryRefused as error:
            return error.problems
        if checked.secrets and self.cipher is None:
            return None
        is_same = checked.digest == one.digest
        sealed = None
        if checked.secrets and self.cipher is not None and not is_same:
            sealed = seal_secrets(checked.secrets, self.cipher)
        return _Importable(
            self.describe.entry(checked.connection),
            find_address(checked.content, checked.connection),
            checked.digest,
            dict(checked.content),
            sealed,
            dict(checked.secrets) if is_same else {},
        )


_checker: RowChecker | None = None
"""Inherited by the processes that check rows."""


def _check_here(candidates: Sequence[_Candidate]) -> list[_Importable | Problems | None]:
    assert _checker is not None, "it is set before any process is started"
    return _checker.check_all(candidates)


def _begin_helping(become_mortal: Callable[[], None] | None) -> None:
    """Leave interrupts to the parent, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if become_mortal is not None:
        become_mortal()


@dataclass(slots=True)
class _Piece:
    """Rows on their way into the database.

    Args:
        refused: Why some are, by number.
        numbers: Those of the rows that are being checked.
    """

    rows: Sequence[SourceRow]
    refused: dict[int, Problems]
    numbers: list[int]
    checked: Callable[[], list[_Importable | Problems | None]]


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
        rules = EntryRules(common, partial(credentials.fingerprint, self._find_key()), utc_now())
        self._checker = RowChecker(rules, Describer(common), self._writer.cipher)
        self._pool: ProcessPoolExecutor | None = None
        self._under_way: deque[_Piece] = deque()
        self._n_pieces = 0
        self._hosts: dict[tuple[str, int], str | None] = {}
        self._seen = SeenNames()
        self._tally = Tally(session.who, Action.IMPORT)
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
        # Other commands end before garbage is worth collecting; here, it would fill the memory.
        gc.set_threshold(*_COLLECT_AFTER)
        some: list[SourceRow] = []
        try:
            for row in rows:
                some.append(row)
                if len(some) == AT_ONCE:
                    full, some = some, []
                    self._begin(full)
        except UnreadableSource:
            self._begin(some)
            self._finish(0)
            raise
        else:
            self._begin(some)
            self._finish(0)
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def _begin(self, rows: Sequence[SourceRow]) -> None:
        """Have *rows* checked; store those before them that were."""
        refused: dict[int, Problems] = {}
        owners, formers, digests = self._look_up(rows)
        numbers: list[int] = []
        candidates: list[_Candidate] = []
        for number, row in enumerate(rows):
            try:
                values = self._require_usable(row, owners)
            except EntryRefused as error:
                refused[number] = error.problems
                continue
            name = _name_of(row)
            numbers.append(number)
            candidates.append(_Candidate(values, formers.get(name), digests.get(name)))
        self._under_way.append(_Piece(rows, refused, numbers, self._start(candidates)))
        self._finish(0 if self._pool is None else 2 * _n_processes())

    def _start(
        self, candidates: Sequence[_Candidate]
    ) -> Callable[[], list[_Importable | Problems | None]]:
        """Return what gives the verdicts on *candidates*: of many, other processes look at them."""
        global _checker  # noqa: PLW0603 - so it is there in a process that is forked
        self._n_pieces += 1
        if self._pool is None and self._n_pieces > _ALONE and _n_processes() > 0:
            _checker = self._checker
            self._pool = ProcessPoolExecutor(
                _n_processes(), get_context("fork"), _begin_helping, (make_mortal(),)
            )
        if self._pool is None:
            return partial(self._checker.check_all, candidates)
        try:
            return self._pool.submit(_check_here, candidates).result
        except BrokenProcessPool as error:
            raise _cut_off() from error

    def _finish(self, left: int) -> None:
        """Store what was checked, in its order, until so many pieces are *left*."""
        while len(self._under_way) > left:
            self._take_in(self._under_way.popleft())

    def _take_in(self, piece: _Piece) -> None:
        refused, ready = piece.refused, dict[int, _Importable]()
        try:
            verdicts = piece.checked()
        except BrokenProcessPool as error:
            raise _cut_off() from error
        for number, verdict in zip(piece.numbers, verdicts, strict=True):
            if verdict is None:
                refused[number] = (("", "its secrets cannot be stored without `web.key`"),)
                self.remedy = NO_KEY
            elif not isinstance(verdict, _Importable):
                refused[number] = verdict
            elif not self._seen.add(verdict.entry.name):
                refused[number] = (("name", "another row before it has the same name"),)
            else:
                ready[number] = verdict
        for number, problems in self._find_unreachable(ready).items():
            refused[number] = problems
            del ready[number]
        refused |= self._store(ready)
        self.counts.refused += len(refused)
        for number in sorted(refused):
            _report(piece.rows[number], refused[number])

    def _look_up(
        self, rows: Sequence[SourceRow]
    ) -> tuple[Mapping[str, str], Mapping[str, FormerEntry | None], Mapping[str, str]]:
        """Return who owns the names of *rows*, what is stored where secrets are kept, digests."""
        named = {name: row.values for row in rows if (name := _name_of(row)) and row.values}
        if self._database is None or not named:
            return {}, {}, {}
        keeping = [name for name, values in named.items() if any(find_set(values))]
        with self._database.read() as tx:
            owners = entries.owners_of(tx, named, OWNER_FILE)
            stored = entries.find_all_of_owner(tx, OWNER_DASHBOARD, keeping)
            digests = entries.find_digests(tx, named, OWNER_FILE)
        rows_of = self._session.settings.rows
        formers = {name: open_former(rows_of, row) for name, row in stored.items()}
        return owners, formers, digests

    def _require_usable(self, row: SourceRow, owners: Mapping[str, str]) -> dict[str, Any]:
        """Return what *row* says of a connection whose name is free.

        Raises:
            EntryRefused: It says nothing, or the name is another owner's.
        """
        if row.values is None:
            about_key = _ABOUT_KEY.fullmatch(row.why)
            raise EntryRefused(((about_key[1], about_key[2]) if about_key else ("", row.why),))
        name = _name_of(row)
        if name:
            self._require_free(name, owners)
        return without_answer(row.values)

    def _require_free(self, name: str, owners: Mapping[str, str]) -> None:
        owner = owners.get(name, OWNER_DASHBOARD)
        if self._session.config.connection(name) is not None:
            owner = OWNER_FILE
        if owner != OWNER_DASHBOARD:
            raise EntryRefused((("name", f"is owned by {describe_owner(owner)}: change it there"),))

    def _find_unreachable(self, ready: Mapping[int, _Importable]) -> dict[int, Problems]:
        """Return the rows whose address may not be called."""
        named = {n: one.address for n, one in ready.items() if one.address is not None}
        places = {address.place for address in named.values()}
        if unknown := places - self._hosts.keys():
            if len(self._hosts) + len(unknown) > MOST_HOSTS:
                self._hosts.clear()
                unknown = places
            allowed = self._session.config.web.reachable
            self._hosts.update(asyncio.run(find_unreachable_hosts(unknown, allowed)))
        return {
            number: address.refuse(why).problems
            for number, address in named.items()
            if (why := self._hosts[address.place]) is not None
        }

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
        put = self._writer.put_described(
            tx, [one.write(self._writer.cipher) for one in ready], described, now
        )
        self._tally.add(tx, now, put.created | put.changed)
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
            self.counts.changed += digest not in {None, one.digest}
            self.counts.same += digest == one.digest
        return refused


def _cut_off() -> CommandError:
    return CommandError(
        "a process that checked rows was killed, perhaps for lack of memory: the rows before that"
        " are stored; import the file again"
    )


def _name_of(row: SourceRow) -> str:
    name = None if row.values is None else row.values.get("name")
    return name if isinstance(name, str) else ""


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
