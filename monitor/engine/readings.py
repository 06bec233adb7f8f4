"""Take one reading of a source in: what each row means, and what is different from before.

Nothing is put in force here. What is new or otherwise is kept in a temporary table, secrets
encrypted, so that a reading takes no more memory than a few hundred rows; a row that is as it was
costs a digest and a look. What the whole means is decided in `monitor.judge.sources`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import sqlite3
import threading
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from monitor.config.entries import as_text
from monitor.config.model import secret_keys
from monitor.config.owners import EntryRefused, EntryRules, find_address
from monitor.config.plan import Describer
from monitor.config.registry import PROVIDERS
from monitor.config.sources import FileSource, HttpSource, SqlSource
from monitor.engine.ciphers import Cipher
from monitor.engine.entries import EntryWriter, KeyMissing, Owner
from monitor.judge.authorizations import Declared
from monitor.judge.connections import Entry, WrittenEntry
from monitor.judge.sources import ReadingFacts
from monitor.sources.databases import read_database
from monitor.sources.files import read_files
from monitor.sources.lists import open_list
from monitor.sources.rows import UnreadableSource
from monitor.store import credentials
from monitor.store.entries import DASHBOARD_RANK
from monitor.store.sources import MOST_PROBLEMS
from monitor.store.statements import AT_ONCE, in_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitor.config.connections import Connection
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.config.sources import Source
    from monitor.providers.transport import HttpClients
    from monitor.sources.rows import SourceRow

ResultT = TypeVar("ResultT")

_SECRET_KEYS = ("refresh_token", "token", "password")
_NOT_SECRETS = frozenset({"headers", "proxy"})


def owner_of(config: Config, source: Source) -> Owner:
    """Return how much what *source* says counts: what comes later in the file counts less."""
    names = [one.name for one in config.sources]
    return Owner(source.name, DASHBOARD_RANK + 1 + names.index(source.name))


def list_rows(source: Source, config: Config) -> Iterator[SourceRow]:
    """Return the rows of a source on this machine, or of a database; not for event loops."""
    if isinstance(source, FileSource):
        return read_files(source.path, source.written_defaults)
    assert isinstance(source, SqlSource), "a service is read on the event loop"
    folder = config.path.absolute().parent
    url = source.url.reveal_fresh()
    return read_database(url, source.query, folder, source.written_defaults)


@dataclass(frozen=True, slots=True)
class RowMeaning:
    """A row that can be used.

    Args:
        written: As it may be stored.
        entry: As the store needs it.
    """

    written: WrittenEntry
    entry: Entry


class BadRow(Exception):  # noqa: N818 - it states a condition
    """Raised for a row that cannot be used; says where and why."""


class RowRules:
    """Says what the rows of one source mean.

    Args:
        key: Tells texts apart without revealing any.
        now: The present instant: later dates are refused.
    """

    def __init__(
        self, config: Config, plan: Plan, source: Source, key: bytes, now: datetime
    ) -> None:
        self._config, self._source = config, source
        self.owner = owner_of(config, source)
        self._key = hashlib.blake2b(key, digest_size=32).digest()
        self._rules = EntryRules(config, partial(credentials.fingerprint, key), now)
        self.writer = EntryWriter(config, plan, self.owner, Cipher.find(config.web))
        self._describe = Describer(config)
        self._trusted = source.written_defaults
        self._template = source.template
        # Whatever else of the file decides what a row means.
        self.mark = self._digest(
            source.written_defaults,
            source.secret,
            source.prefix,
            _place_of(source),
            self.owner.rank,
            sorted(one.name for one in config.applications),
            sorted(one.name for one in config.channels),
            config.web.allowed_hosts,
        )
        self._marked = hashlib.blake2b(self.mark.encode(), key=self._key, digest_size=16)

    def _digest(self, *parts: Any) -> str:
        text = json.dumps(parts, default=as_text, sort_keys=True)
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    def name_of(self, row: SourceRow) -> str:
        """Return the name of the connection that *row* is about; empty where it shows none."""
        own = row.own_name
        # Half a character can neither be looked up nor be stored.
        is_text = own.encode("utf-8", "replace").decode() == own
        return f"{self._source.prefix}{own}" if own and is_text else ""

    def place_of(self, row: SourceRow) -> str:
        """Return where *row* stands, such as `sources.stores row 17 (st-acme)`."""
        named = replace(row, values=None, name=self.name_of(row))
        return f"sources.{self._source.name} {named.place}"

    def digest(self, values: Mapping[str, Any]) -> str:
        """Return what tells the connection of a row from any other, secrets included."""
        known = self._marked.copy()
        # Quicker than JSON, and as good: it is compared with nothing but itself.
        known.update(repr(sorted(values.items())).encode("utf-8", "surrogatepass"))
        return known.hexdigest()

    def read(self, row: SourceRow, digest: str) -> RowMeaning:
        """Return what *row* means; raise BadRow if it cannot be used."""
        if row.values is None:
            raise BadRow(f"{self.place_of(row)}: {row.why}")
        try:
            return self._read(row.values, digest)
        except EntryRefused as error:
            place, why = error.problems[0]
            raise BadRow(f"{self.place_of(row)}{place and f'.{place}'}: {why}") from None
        except (KeyMissing, ValueError) as error:
            raise BadRow(f"{self.place_of(row)}: {error}") from None

    def _read(self, values: Mapping[str, Any], digest: str) -> RowMeaning:
        own = dict(values)
        if not isinstance(own.get("name"), str) or not own["name"]:
            raise EntryRefused((("name", "required and missing, or no text"),))
        trusted = {**self._trusted, **self._secret_of(own)}
        for key in ("name", "renamed_from"):
            if isinstance(own.get(key), str):
                own[key] = f"{self._source.prefix}{own[key]}"
        checked = self._rules.check(own, None, trusted, digest)
        self._require_reachable(own, checked.connection)
        return RowMeaning(self.writer.seal(checked), self._describe.entry(checked.connection))

    def _secret_of(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return where the secret of a row is, if it does not hold it itself."""
        if self._template is None:
            return {}
        provider = own.get("provider") or self._trusted.get("provider")
        model = PROVIDERS.get(provider) if isinstance(provider, str) else None
        keys = frozenset() if model is None else secret_keys(model) - _NOT_SECRETS
        is_user = "password" in keys and ("username" in own or "username" in self._trusted)
        wanted = "password" if is_user else next((k for k in _SECRET_KEYS if k in keys), "")
        if not wanted and keys:
            wanted = min(keys)
        if not wanted or own.get(wanted) is not None:
            return {}
        return {wanted: self._template.fill(str(own["name"]))}

    def _require_reachable(self, own: Mapping[str, Any], connection: Connection) -> None:
        """Refuse an address of the inner network that a row names, as far as that shows."""
        address = find_address(own, connection)
        if address is None:
            return
        why = self._config.web.reachable.refuse_host(address.host)
        if why is not None:
            raise address.refuse(why)


def _place_of(source: Source) -> str:
    match source:
        case FileSource():
            return str(source.path)
        case HttpSource():
            return source.url
        case SqlSource():
            return source.query
        case _:
            return source.kind


_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -4000;
    CREATE TABLE seen (
        name TEXT PRIMARY KEY, n INTEGER, bad INTEGER, place TEXT, is_known INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE changed (
        name TEXT PRIMARY KEY, digest TEXT, content TEXT, sealed BLOB, entry BLOB
    ) WITHOUT ROWID;
    CREATE TABLE missing (name TEXT PRIMARY KEY) WITHOUT ROWID;
    BEGIN;
"""
_SEE = """
    INSERT INTO seen VALUES (?, 1, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET n = n + 1, bad = bad + excluded.bad, place = excluded.place
"""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Collected:
    """What a reading brought so far, in a temporary table that goes with it.

    Args:
        look: Returns the digests that are stored of those of some names that are known.
    """

    rules: RowRules
    look: Callable[[Sequence[str]], Mapping[str, str]]
    n_rows: int = 0
    n_bad: int = 0
    n_unnamed: int = 0
    problems: list[str] = field(default_factory=list)
    _db: sqlite3.Connection = field(init=False, repr=False)
    _close: Callable[[], object] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the table, in a file that nobody else sees."""
        with _telling_shortage():
            self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._close = weakref.finalize(self, self._db.close)
            self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A thread may be at work on it where the reading was called off: it is closed when that
        # thread lets go of it.
        if kind is not asyncio.CancelledError:
            self._close()

    def take(self, rows: Sequence[SourceRow]) -> None:
        """Take some rows in.

        Raises:
            UnreadableSource: There is no room for them here.
        """
        rules = self.rules
        named = [(row, rules.name_of(row)) for row in rows]
        known = self.look([name for _, name in named if name])
        seen: list[tuple[str, int, str, bool]] = []
        changed = []
        for row, name in named:
            is_bad = True
            try:
                meaning = self._find_change(row, known.get(name))
            except BadRow as error:
                self._note_bad(str(error), is_named=bool(name))
            else:
                is_bad = False
                if meaning is not None:
                    changed.append(meaning)
            if name:
                place = f"{row.file} row {row.index}".strip()
                seen.append((name, is_bad, place, name in known))
        self.n_rows += len(named)
        with _telling_shortage():
            self._db.executemany(_SEE, seen)
            self._db.executemany(
                "INSERT OR REPLACE INTO changed VALUES (?, ?, ?, ?, ?)", map(_spool, changed)
            )

    def _find_change(self, row: SourceRow, known: str | None) -> RowMeaning | None:
        """Return what a row means, or None if that is what is stored."""
        digest = "" if row.values is None else self.rules.digest(row.values)
        if known is not None and digest == known:
            return None
        return self.rules.read(row, digest)

    def _note_bad(self, problem: str, *, is_named: bool, n: int = 1) -> None:
        self.n_bad += n
        self.n_unnamed += 0 if is_named else n
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def finish(self) -> None:
        """Take rows that share a name for bad: nobody can know which is meant.

        Raises:
            UnreadableSource: There is no room for that here.
        """
        source = self.rules.owner.name
        with _telling_shortage():
            twice = self._db.execute("SELECT name, n - bad, place FROM seen WHERE n > 1")
            for name, n, place in twice.fetchall():
                problem = f"sources.{source} {place} ({name}).name: another row has this name"
                self._note_bad(problem, is_named=True, n=n)
            self._db.execute(
                "DELETE FROM changed WHERE name IN (SELECT name FROM seen WHERE n > 1)"
            )

    def weigh(self, known: int, list_known: Callable[[str], Sequence[str]]) -> ReadingFacts:
        """Return what the reading is weighed by; looks for what it lacks.

        Args:
            known: How many connections the source has.
            list_known: Returns some of their names, those that follow a name.

        Raises:
            UnreadableSource: There is no room for that here.
        """
        with _telling_shortage():
            [n_found] = self._db.execute("SELECT count(*) FROM seen WHERE is_known").fetchone()
            mark = hashlib.blake2b(digest_size=16)
            after = ""
            while n_found < known and (names := list_known(after)):
                after = names[-1]
                lacking = self._find_lacking(names)
                self._db.executemany("INSERT INTO missing VALUES (?)", [(n,) for n in lacking])
                mark.update("".join(f"{name}\0" for name in lacking).encode())
        n_missing = self.count_missing()
        return ReadingFacts(
            self.n_rows,
            self.n_bad,
            self.n_unnamed,
            known,
            n_missing,
            mark.hexdigest() if n_missing else "",
            next(iter(self.problems), ""),
        )

    def _find_lacking(self, names: Sequence[str]) -> list[str]:
        places = ",".join("?" * len(names))
        query = f"SELECT name FROM seen WHERE name IN ({places})"  # noqa: S608 - of our own
        found = {name for (name,) in self._db.execute(query, names)}
        return [name for name in names if name not in found]

    def lack(self, names: Iterable[str]) -> None:
        """Take the connections *names* for missing."""
        self._db.executemany("INSERT OR IGNORE INTO missing VALUES (?)", [(n,) for n in names])

    def count_missing(self) -> int:
        """Return how many connections the reading lacks."""
        [number] = self._db.execute("SELECT count(*) FROM missing").fetchone()
        return int(number)

    def count_changed(self) -> int:
        """Return how many connections are new or otherwise."""
        [number] = self._db.execute("SELECT count(*) FROM changed").fetchone()
        return int(number)

    def list_missing(self, after: str = "", most: int = AT_ONCE) -> list[str]:
        """Return some of the connections that the reading lacks, those that follow a name."""
        query = "SELECT name FROM missing WHERE name > ? ORDER BY name LIMIT ?"
        return [name for (name,) in self._db.execute(query, (after, most))]

    def is_missing(self, name: str) -> bool:
        """Tell whether the reading lacks a connection."""
        query = "SELECT 1 FROM missing WHERE name = ?"
        return self._db.execute(query, (name,)).fetchone() is not None

    def list_changed(self, after: str, most: int) -> list[RowMeaning]:
        """Return some of what is new or otherwise, what follows the name *after*."""
        query = "SELECT * FROM changed WHERE name > ? ORDER BY name LIMIT ?"
        return [_unspool(*row) for row in self._db.execute(query, (after, most))]


def _spool(one: RowMeaning) -> tuple[str, str, str, bytes | None, bytes]:
    written = one.written
    content = json.dumps(written.write())
    return written.name, written.digest, content, written.seal(), _pack(one.entry)


def _unspool(
    name: str, digest: str, content: str, sealed: bytes | None, entry: bytes
) -> RowMeaning:
    written = WrittenEntry(name, 0, digest, partial(json.loads, content), partial(_give, sealed))
    return RowMeaning(written, _unpack(entry))


_OF_ENTRY = tuple(each.name for each in fields(Entry))
_PLAIN = attrgetter(*(name for name in _OF_ENTRY if name != "declared"))


def _pack(entry: Entry) -> bytes:
    # A tenth of what the object itself costs.
    declared = entry.declared.authorized_at, entry.declared.valid_days
    return pickle.dumps((_PLAIN(entry), declared))


def _unpack(packed: bytes) -> Entry:
    plain, declared = pickle.loads(packed)  # noqa: S301 - written above, by us alone
    names = (name for name in _OF_ENTRY if name != "declared")
    return Entry(**dict(zip(names, plain, strict=True)), declared=Declared(*declared))


def _give(sealed: bytes | None) -> bytes | None:
    return sealed


@contextmanager
def _telling_shortage() -> Iterator[None]:
    """Take a temporary table that cannot be written for a source that cannot be read."""
    try:
        yield
    except sqlite3.Error as error:
        raise UnreadableSource(f"no room for its rows on this machine: {error}") from None


# --- reading


async def collect(
    collected: Collected, source: Source, config: Config, clients: HttpClients, etag: str = ""
) -> tuple[str, bool]:
    """Take all rows of *source* in; return the mark of its list, and whether that is *etag*.

    Raises:
        OutOfResources: It could not be read for want of resources of our own.
        SecretUnavailable: A secret that it needs cannot be read.
        UnreadableSource: Any of it cannot be read.
    """
    if not isinstance(source, HttpSource):
        await run_in_thread(partial(_collect_here, collected, source, config))
        return "", False
    try:
        client = clients.get(source.ca_file, config.own_proxy)
    except ValueError as error:
        raise UnreadableSource(str(error)) from None
    reading = await open_list(client, source, etag)
    some: list[SourceRow] = []
    async for row in reading.rows():
        some.append(row)
        if len(some) == AT_ONCE:
            await run_in_thread(partial(collected.take, some))
            some = []
    await run_in_thread(partial(collected.take, some))
    await run_in_thread(collected.finish)
    return reading.etag, reading.is_unchanged


def _collect_here(collected: Collected, source: Source, config: Config) -> None:
    for some in in_groups(list_rows(source, config), AT_ONCE):
        collected.take(some)
    collected.finish()


async def run_in_thread(work: Callable[[], ResultT]) -> ResultT:
    """Run *work* in a thread that nobody waits for when the program ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ResultT] = loop.create_future()

    def settle(result: ResultT | None, error: BaseException | None) -> None:
        if done.done():
            return  # nobody waits for it any more
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # it is what work returned

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - handed over to whoever waits
            error = raised
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="source", daemon=True).start()
    return await done
