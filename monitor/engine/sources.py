"""Read each source when it is due, and put in force what that means.

A reading runs in a thread of its own, never on the event loop. Nothing of it is put in force
before all of it was read and weighed; then it comes in pieces, each in a transaction. What a
reading means is decided in `monitor.judge.sources`, what a row means in `readings`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from monitor.alerting.dispatch import dispatch_alert
from monitor.clock import utc_now
from monitor.config.owners import EntryRefused
from monitor.config.secret import SecretUnavailable
from monitor.engine.entries import EntryWriter, Owner
from monitor.engine.readings import Collected, RowRules, collect, run_in_thread
from monitor.engine.reload import give_back_memory
from monitor.engine.scheduler import Job
from monitor.judge.audit import Action
from monitor.judge.routing import route
from monitor.judge.shortage import OutOfResources
from monitor.judge.sources import (
    Belief,
    ReadingFacts,
    SourceMemory,
    explain_refusal,
    follow_failure,
    follow_reading,
    is_over,
    note_reported,
    weigh,
)
from monitor.sources.rows import UnreadableSource
from monitor.store import credentials, sources
from monitor.store.audit import Tally
from monitor.store.sources import StoredSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.config.sources import Source
    from monitor.engine.entries import Put
    from monitor.engine.live import Snapshot
    from monitor.engine.parts import DaemonParts
    from monitor.judge.sources import Followed
    from monitor.store.engine import Database, Transaction

log = structlog.get_logger()

ResultT = TypeVar("ResultT")

LOOK_EVERY = timedelta(seconds=1)
"""How soon a command that wants a source read is heard of."""

RETIRE_EVERY = timedelta(minutes=1)
"""How often the connections of a source that is no longer in the file are looked at."""

PIECE = 1000
"""So many connections change in one transaction."""

MOST_RANK = 1_000_000

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
"""What the audit says that a reading did to connections."""


def who_reads(name: str) -> str:
    """Return how the audit names the source called *name*."""
    return f"source:{name}"


class _Superseded(Exception):  # noqa: N818 - it states a condition
    """Raised where the file was reloaded while a source was being read by the former one."""


@dataclass(slots=True)
class _Changes:
    """What a reading changed, for the log."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    refused: list[str] = field(default_factory=list)


class SourceReader:
    """Reads the sources of the settings in force, each as often as it says.

    Args:
        database: Looked into while a source is read; written to by the store's thread alone.
    """

    def __init__(self, running: DaemonParts, database: Database) -> None:
        self.running = running
        self.database = database
        self._due: dict[str, float] = {}
        self._read_by: dict[str, Source] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def job(self) -> Job:
        """Return the job of looking which sources are due."""
        return Job("read_sources", LOOK_EVERY, self.look, timedelta())

    async def stop(self) -> None:
        """Read nothing any more; what is being read counts for nothing."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def look(self) -> None:
        """Begin to read what is due or wanted."""
        self._collect()
        now, config = time.monotonic(), self.running.live.config
        by_name = {one.name: one for one in config.sources}
        if not by_name and not self._read_by and self._due.get("", 0.0) > now:
            return
        wanted, known = await self.running.store.read(
            lambda tx: (sources.list_wanted(tx), set(sources.list_sources(tx)))
        )
        if not by_name and not known:
            self._due[""] = now + RETIRE_EVERY.total_seconds()
        for name, source in by_name.items():
            is_new = self._read_by.get(name) != source
            if is_new or name in wanted or self._due.get(name, 0.0) <= now:
                if self._begin(name, source.every, self._read(source, wanted.get(name))):
                    self._read_by[name] = source
        for name in known - by_name.keys():
            if name in self._read_by or name in wanted or self._due.get(name, 0.0) <= now:
                if self._begin(name, RETIRE_EVERY, self._retire(name, wanted.get(name))):
                    self._read_by.pop(name, None)

    def _begin(self, name: str, every: timedelta, work: Any) -> bool:
        if name in self._under_way:
            work.close()  # it is due again after what is being read
            return False
        self._due[name] = time.monotonic() + every.total_seconds()
        self._under_way[name] = asyncio.create_task(work, name=f"read source {name}")
        return True

    def _collect(self) -> None:
        """Let go of readings that are over; raise what none of them may end with."""
        over = [name for name, task in self._under_way.items() if task.done()]
        for task in [self._under_way.pop(name) for name in over]:
            task.result()

    # --- one reading

    async def _read(self, source: Source, wanted_at: datetime | None) -> None:
        now = self.running.live.now
        began_at, began = utc_now(), time.monotonic()
        try:
            reading = _Reading(self, now, source, began_at, wanted_at)
            changes = await reading.run()
        except _Superseded:
            self._due[source.name] = 0.0
            return
        except OutOfResources as error:
            # Nothing is known of the source by that.
            log.warning("source.waits", source=source.name, why=str(error))
            return
        if changes is not None and changes.added + changes.changed > PIECE:
            give_back_memory()
        took_s = round(time.monotonic() - began, 2)
        if changes is not None:
            log.info(
                "source.read",
                source=source.name,
                added=changes.added,
                changed=changes.changed,
                removed=changes.removed,
                took_s=took_s,
            )

    async def _retire(self, name: str, wanted_at: datetime | None) -> None:
        """Let the connections of a source go that is no longer in the file, under its guard."""
        now = self.running.live.now
        store = self.running.store
        found, known = await store.read(
            lambda tx: (sources.find_source(tx, name), sources.count_owned(tx, name))
        )
        if found is None:
            return
        facts = ReadingFacts(1, known=known, missing=known, mark=f"gone {known}")
        belief = weigh(facts, found.most_removed, found.memory.accepted)
        if belief is Belief.HELD:
            held = replace(facts, rows=0)
            await self.end(partial(self.follow, now, found, held, belief, wanted_at))
            return
        writer = EntryWriter(now.config, now.plan, Owner(name, MOST_RANK), None)
        tally = Tally(who_reads(name), Action.READING)
        while names := await store.read(lambda tx: sources.list_known(tx, name, "", PIECE)):
            if self._is_configured(name):
                return  # it was put back into the file, and is read again
            await store.write(partial(self._remove, writer=writer, names=names, tally=tally))
            self.running.runner.void(names)
        if self._is_configured(name):
            return
        await self.end(partial(self.follow, now, found, facts, belief, wanted_at))
        await store.write(lambda tx: sources.drop_source(tx, name))
        log.info("source.removed", source=name, removed=known)

    def _is_configured(self, name: str) -> bool:
        return any(one.name == name for one in self.running.live.config.sources)

    def _remove(self, tx: Transaction, writer: EntryWriter, names: list[str], tally: Tally) -> None:
        tally.add(tx, utc_now(), names, (REMOVED,))
        writer.remove(tx, names, utc_now())
        sources.drop_missing(tx, writer.owner.name, names)

    async def end(self, work: Callable[[Transaction], bool]) -> None:
        """Have *work* remember how a reading ended, and send what it announces."""
        if await self.running.store.write(work):
            self.running.delivery.wake()

    def follow(
        self,
        now: Snapshot,
        found: StoredSource,
        facts: ReadingFacts,
        belief: Belief,
        wanted_at: datetime | None,
        tx: Transaction,
    ) -> bool:
        """Keep what follows from a reading that counts; tell whether anything is announced."""
        pending = facts.missing if belief in {Belief.HELD, Belief.UNSURE} else 0
        if belief is Belief.GOOD:
            pending = sources.count_missing(tx, found.name)
        followed = follow_reading(found.name, found.memory, facts, belief, pending, utc_now())
        return self.remember(now, found, followed, wanted_at, tx)

    def remember(
        self,
        now: Snapshot,
        found: StoredSource,
        followed: Followed,
        wanted_at: datetime | None,
        tx: Transaction,
    ) -> bool:
        """Keep what follows from a reading, and announce what is due; tell whether that is any."""
        memory, alert = followed.memory, followed.alert
        is_announced = alert is not None and bool(route(alert, [], now.plan.channels))
        if alert is not None and is_announced:
            dispatch_alert(tx, alert, {}, now.plan, utc_now())
            memory = note_reported(memory, alert.kind)
            log.info("alert.due", source=found.name, kind=alert.kind.value)
        stored = sources.find_source(tx, found.name)
        if stored is not None:
            # What people were shown, or accepted, since this reading began is for the next one.
            if stored.memory.accepted not in {"", found.memory.accepted}:
                memory = replace(memory, accepted=stored.memory.accepted)
            if memory.held and stored.memory.shown != found.memory.shown:
                memory = replace(memory, shown=stored.memory.shown)
        sources.save_source(tx, replace(found, memory=memory))
        if wanted_at is not None:
            sources.drop_wish(tx, found.name, wanted_at)
        return is_announced


@dataclass(slots=True)
class _Reading:
    """One reading of one source, from its first row to what follows from it."""

    reader: SourceReader
    now: Snapshot
    source: Source
    at: datetime
    wanted_at: datetime | None
    changes: _Changes = field(default_factory=_Changes)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(who_reads(self.source.name), Action.READING)

    @property
    def _running(self) -> DaemonParts:
        return self.reader.running

    @property
    def _config(self) -> Config:
        return self.now.config

    async def run(self) -> _Changes | None:
        """Read, weigh, and put in force; return what was changed, or None if nothing counts."""
        key, found, known, n_missing = await self._running.store.read(self._remember)
        # In a thread: the key of secrets may have to be read.
        rules = await run_in_thread(
            partial(RowRules, self._config, self.now.plan, self.source, key, self.at)
        )
        found = replace(found, kind=self.source.kind, most_removed=self.source.most_removed)
        is_whole = found.memory.rows == known - n_missing and found.settings_mark == rules.mark
        with Collected(rules, self._look) as collected:
            try:
                etag, is_unchanged = await collect(
                    collected,
                    self.source,
                    self._config,
                    self.now.calls.clients,
                    found.etag if is_whole else "",
                )
                if is_unchanged:
                    facts = await self._weigh_unchanged(collected, found.memory, known)
                else:
                    facts = await run_in_thread(partial(self._weigh, collected, known))
            except (UnreadableSource, SecretUnavailable) as error:
                await self._fail(found, str(error))
                return None
            belief = weigh(facts, self.source.most_removed, found.memory.accepted)
            if belief is Belief.REFUSED:
                await self._fail(found, explain_refusal(facts), tuple(collected.problems))
                return None
            await self._put(collected)
            await self._take_out(collected, belief)
            problems = found.problems if is_unchanged else tuple(collected.problems)
            found = replace(found, problems=(*problems, *self.changes.refused), etag=etag)
            await self._follow(replace(found, settings_mark=rules.mark), facts, belief)
        return self.changes

    def _remember(self, tx: Transaction) -> tuple[bytes, StoredSource, int, int]:
        """Return what tells texts apart, what is known of the source, and of its connections."""
        name = self.source.name
        key = credentials.find_key(tx, credentials.FINGERPRINT_KEY) or b""
        found = sources.find_source(tx, name) or StoredSource(name, self.source.kind)
        return key, found, sources.count_owned(tx, name), sources.count_missing(tx, name)

    async def _weigh_unchanged(
        self, collected: Collected, memory: SourceMemory, known: int
    ) -> ReadingFacts:
        """Return what a list that has not changed is weighed by."""
        name = self.source.name
        missing = await self._running.store.read(lambda tx: list(sources.list_missing(tx, name)))
        collected.lack(each for each, _ in missing)
        return ReadingFacts(memory.rows, memory.bad, known=known, missing=len(missing))

    async def _follow(self, found: StoredSource, facts: ReadingFacts, belief: Belief) -> None:
        self._require_in_force()
        # Of a list that is not all in force its mark says too little.
        is_whole = belief is Belief.GOOD and not found.problems
        found = found if is_whole else replace(found, etag="")
        facts = replace(facts, problem=next(iter(found.problems), ""))
        await self.reader.end(
            partial(self.reader.follow, self.now, found, facts, belief, self.wanted_at)
        )

    async def _fail(self, found: StoredSource, error: str, problems: tuple[str, ...] = ()) -> None:
        log.warning("source.unreadable", source=found.name, why=error)
        followed = follow_failure(found.name, found.memory, error, utc_now())
        found = replace(found, problems=problems or found.problems)
        self._require_in_force()
        await self.reader.end(
            partial(self.reader.remember, self.now, found, followed, self.wanted_at)
        )

    # --- reading

    def _look(self, names: Iterable[str]) -> dict[str, str]:
        with self.reader.database.read() as tx:
            return sources.find_known(tx, self.source.name, list(names))

    def _weigh(self, collected: Collected, known: int) -> ReadingFacts:
        with self.reader.database.read() as tx:
            return collected.weigh(
                known, lambda after: sources.list_known(tx, self.source.name, after, PIECE)
            )

    # --- putting in force

    async def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        """Write by the settings that the source was read by, or not at all."""
        self._require_in_force()
        return await self._running.store.write(work)

    def _require_in_force(self) -> None:
        if self._running.live.config is not self._config:
            raise _Superseded

    async def _put(self, collected: Collected) -> None:
        names = [""]
        while names:
            names = await self._write(partial(self._put_piece, collected, names[-1]))
            self._running.runner.void(set(names))

    def _put_piece(self, collected: Collected, after: str, tx: Transaction) -> list[str]:
        """Write some of what is new or otherwise; return the names."""
        piece = collected.list_changed(after, PIECE)
        if not piece:
            return []
        writer, now = collected.rules.writer, utc_now()
        try:
            with tx.begin_nested():
                put = writer.put_described(
                    tx,
                    [one.written for one in piece],
                    {one.written.name: one.entry for one in piece},
                    now,
                )
        except EntryRefused:
            for one in piece:
                self._put_alone(tx, writer, one, now)
        else:
            self._note(tx, put, now)
        return [one.written.name for one in piece]

    def _put_alone(self, tx: Transaction, writer: EntryWriter, one: Any, now: datetime) -> None:
        name = one.written.name
        try:
            with tx.begin_nested():
                put = writer.put_described(tx, [one.written], {name: one.entry}, now)
        except EntryRefused as error:
            self.changes.refused.append(f"sources.{self.source.name} ({name}).{error}")
        else:
            self._note(tx, put, now)

    def _note(self, tx: Transaction, put: Put, now: datetime) -> None:
        self.changes.added += len(put.created)
        self.changes.changed += len(put.changed)
        self.tally.add(tx, now, put.created, (ADDED,))
        self.tally.add(tx, now, put.changed, (CHANGED,))

    async def _take_out(self, collected: Collected, belief: Belief) -> None:
        """Remove what is missing long enough, and remember what else is missing."""
        await self._write(partial(self._welcome_back, collected))
        if belief not in {Belief.GOOD, Belief.ACCEPTED}:
            return
        after = ""
        while names := collected.list_missing(after, PIECE):
            after = names[-1]
            gone = await self._write(partial(self._take_out_piece, collected, names, belief))
            self._running.runner.void(gone)

    def _welcome_back(self, collected: Collected, tx: Transaction) -> None:
        name = self.source.name
        missing = [each for each, _ in sources.list_missing(tx, name)]
        back = [each for each in missing if not collected.is_missing(each)]
        sources.drop_missing(tx, name, back)

    def _take_out_piece(
        self, collected: Collected, names: list[str], belief: Belief, tx: Transaction
    ) -> list[str]:
        now, source = utc_now(), self.source
        since = sources.find_missing(tx, source.name, names)
        is_accepted = belief is Belief.ACCEPTED
        gone = [
            name
            for name in names
            if is_accepted or (name in since and is_over(since[name], now, source.remove_after))
        ]
        self.tally.add(tx, now, gone, (REMOVED,))
        collected.rules.writer.remove(tx, gone, now)
        sources.drop_missing(tx, source.name, gone)
        kept = [name for name in names if name not in since and name not in set(gone)]
        sources.add_missing(tx, source.name, kept, now)
        self.changes.removed += len(gone)
        return gone
