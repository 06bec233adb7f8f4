"""Show, try, read and accept the lists that connections come from (`sources`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor.cli.completion import AsObject  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import TableRow, clean, open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.config.errors import (
    Notice,
    Problem,
    as_argument,
    did_you_mean,
    format_count,
    quoted,
)
from monitor.judge.audit import Action, AuditRow
from monitor.judge.sources import (
    Acceptance,
    ReadingFacts,
    SourceState,
    explain_refusal,
    is_mostly_good,
)
from monitor.judge.sources import (
    accept as accept_held,
)
from monitor.notify.times import format_span, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitor.cli.session import Session
    from monitor.config.model import Config
    from monitor.config.sources import Source
    from monitor.judge.sources import SourceMemory
    from monitor.store.engine import Database, Transaction
    from monitor.store.sources import StoredSource

commands = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a source.")]

READ_WITHIN_S = 600
"""How long the daemon may take to read a source that it is to read at once."""

_LOOK_EVERY_S = 0.1
_MOST_NAMED = 20
_STYLES = {SourceState.OK: "green", SourceState.FAILED: "yellow", SourceState.HELD: "bold red"}
_NO_DAEMON = "no daemon is running on this database: start `connwatch run`"


@commands.callback()
def sources() -> None:
    """Show the lists that connections come from, and accept what they remove."""


@commands.command("list")
def list_all(context: typer.Context, is_json: AsObject = False) -> None:
    """List all sources, and how the latest reading of each went."""
    from monitor.report.sources import list_sources, source_json

    session: Session = context.obj
    found = session.read(lambda tx: list_sources(tx, session.config))
    found = list_sources(None, session.config) if found is None else found
    if is_json:
        print_json({"sources": [source_json(one) for one in found]})
    elif not found:
        print_error("no sources: add [[sources]] to the configuration file")
    else:
        rows = [_row(one, utc_now()) for one in found]
        header = ("NAME", "KIND", "STATE", "READ", "ROWS", "BAD", "REMOVALS")
        print_rows(open_console(), rows, header, names_at=0)
    _note_shown(session, found)


def _row(one: StoredSource, now: datetime) -> TableRow:
    memory = one.memory
    read = "never" if memory.read_at is None else f"{format_span(now - memory.read_at)} ago"
    numbers = [f"{n:,}" if n else "" for n in (memory.rows, memory.bad, memory.pending)]
    state = Text(memory.state.value, _STYLES[memory.state])
    remarks = (clean(memory.error),) if memory.error else ()
    return TableRow((one.name, one.kind, state, read, *numbers), remarks)


def _note_shown(session: Session, found: Sequence[StoredSource]) -> None:
    """Remember which removals a person has seen: only those can be accepted."""
    from monitor.store import sources as stored

    held = [one for one in found if one.memory.held and one.memory.shown != one.memory.held]
    database = session.open_for_reading() if held else None
    if database is None:
        return
    with database.write() as tx:
        for one in held:
            known = stored.find_source(tx, one.name)
            if known is not None and known.memory.held == one.memory.held:
                shown = replace(known.memory, shown=one.memory.held)
                stored.save_memory(tx, one.name, shown)


@commands.command()
def show(context: typer.Context, name: Name) -> None:
    """Show one source: its latest reading, bad rows, and what is about to be removed."""
    from monitor.report.sources import SourceDetails, read_details

    session: Session = context.obj
    one = _find(session, name)
    zone, now = session.config.alerts.zone, utc_now()
    memory = one.memory

    def at(instant: datetime | None) -> str:
        return "never" if instant is None else format_time(instant, now, zone, is_exact=True)

    lines = [
        ("Source", f"{one.name} ({one.kind})"),
        ("State", memory.state.value + (f" since {at(memory.since)}" if memory.since else "")),
        ("Problem", memory.error),
        ("Read", at(memory.read_at)),
        ("Last try", "" if memory.tried_at == memory.read_at else at(memory.tried_at)),
        ("Rows", f"{memory.rows:,}, {memory.bad:,} bad" if memory.read_at else ""),
    ]
    details = session.read(lambda tx: read_details(tx, name)) or SourceDetails()
    if details.n_missing:
        lines.append(("Removals", f"{details.n_missing:,} pending"))
    for title, text in lines:
        if text:
            typer.echo(f"{title + ':':<10} {clean(text)}")
    _print_some("Bad rows", one.problems, memory.bad)
    missing = [f"{each} (since {since:%Y-%m-%d %H:%M} UTC)" for each, since in details.missing]
    _print_some("Missing", missing, details.n_missing)
    shadowed = [f"{each} (the entry of {owner} counts)" for each, owner in details.shadowed]
    _print_some("Shadowed", shadowed, len(shadowed))
    if memory.held:
        command = f"connwatch sources accept {as_argument(name)}"
        typer.echo(f"\nNothing was removed. If the source is right: {command}")
    _note_shown(session, [one])


def _print_some(title: str, lines: Sequence[str], n: int) -> None:
    if not lines:
        return
    typer.echo(f"\n{title}:")
    for line in lines[:_MOST_NAMED]:
        typer.echo(f"  {clean(line)}")
    if n > len(lines[:_MOST_NAMED]):
        typer.echo(f"  and {n - len(lines[:_MOST_NAMED]):,} more")


def _find(session: Session, name: str) -> StoredSource:
    """Return what is known of a source.

    Raises:
        CommandError: There is none of this name.
    """
    from monitor.report.sources import list_sources

    found = session.read(lambda tx: list_sources(tx, session.config))
    found = list_sources(None, session.config) if found is None else found
    by_name = {one.name: one for one in found}
    if name not in by_name:
        known = did_you_mean(name, by_name)
        raise CommandError(f"no source is called {quoted(name, 100)}{known}")
    return by_name[name]


# --- test


@dataclass(frozen=True, slots=True)
class TriedSource:
    """What a reading brought that nothing is done with.

    Args:
        n_changed: How many rows are new, or other than what is stored.
        names: The first connections that are.
    """

    facts: ReadingFacts
    problems: tuple[str, ...]
    n_changed: int
    names: tuple[str, ...]


def try_source(config: Config, source: Source, database: Database | None) -> TriedSource:
    """Read a source once, and store nothing.

    Args:
        database: What its rows are compared with.

    Raises:
        CommandError: It cannot be read.
    """
    from monitor.config.secret import SecretUnavailable
    from monitor.judge.shortage import OutOfResources
    from monitor.sources.rows import UnreadableSource

    try:
        return asyncio.run(_try(config, source, database))
    except (UnreadableSource, SecretUnavailable, OutOfResources) as error:
        why = str(error)
    raise CommandError(f"source {quoted(source.name, 100)} cannot be read: {why}")


async def _try(config: Config, source: Source, database: Database | None) -> TriedSource:
    from monitor.config.plan import make_plan
    from monitor.engine.readings import Collected, RowRules, collect
    from monitor.providers.transport import HttpClients
    from monitor.store import credentials
    from monitor.store import sources as stored

    def look(names: Sequence[str]) -> Mapping[str, str]:
        if database is None:
            return {}
        with database.read() as tx:
            return stored.find_known(tx, source.name, names)

    def list_known(after: str) -> list[str]:
        if database is None:
            return []
        with database.read() as tx:
            return stored.list_known(tx, source.name, after, 1000)

    key, known = None, 0
    if database is not None:
        with database.read() as tx:
            key = credentials.find_key(tx, credentials.FINGERPRINT_KEY)
            known = stored.count_owned(tx, source.name)
    common = config.with_connections(())
    rules = RowRules(common, make_plan(common), source, key or b"not stored", utc_now())
    async with HttpClients(1) as clients:
        with Collected(rules, look) as collected:
            await collect(collected, source, config, clients)
            facts = collected.weigh(known, list_known)
            names = [one.written.name for one in collected.list_changed("", 5)]
            return TriedSource(
                facts, tuple(collected.problems), collected.count_changed(), tuple(names)
            )


@commands.command()
def test(context: typer.Context, name: Name) -> None:
    """Read a source now, and show what it would change. Nothing is stored."""
    session: Session = context.obj
    _find(session, name)
    source = _of_file(session, name)
    # Secrets are read before root becomes the owner of the database, who may not read them.
    session.quiet_logs()
    tried = try_source(session.config, source, session.open_for_reading())
    facts = tried.facts
    typer.echo(
        f"{format_count(facts.rows, 'row')}, {facts.bad:,} bad; {tried.n_changed:,} new or changed,"
        f" {facts.missing:,} missing"
    )
    if tried.names:
        more = ", …" if tried.n_changed > len(tried.names) else ""
        typer.echo(f"New or changed: {', '.join(map(clean, tried.names))}{more}")
    _print_some("Bad rows", tried.problems, facts.bad)
    if not is_mostly_good(facts.rows, facts.bad):
        raise CommandError(f"the reading would be rejected: {explain_refusal(facts)}")


def _of_file(session: Session, name: str) -> Source:
    """Return a source of the file.

    Raises:
        CommandError: It is not there any more.
    """
    for one in session.config.sources:
        if one.name == name:
            return one
    raise CommandError(f"source {quoted(name, 100)} is not in the configuration file any more")


def check_sources(
    config: Config, problems: Sequence[Problem]
) -> tuple[list[Problem], list[Notice]]:
    """Read each source once; return those that cannot be used, and the bad rows of others.

    Args:
        problems: What is known to be wrong: a source that it is about is not read.
    """
    found, notices = [], []
    for index, source in enumerate(config.sources):
        place = f"sources[{index}]"
        if any(one.place.startswith(f"{place}.") for one in problems):
            continue
        try:
            tried = try_source(config, source, None)
        except CommandError as error:
            found.append(Problem(place, str(error)))
            continue
        if not is_mostly_good(tried.facts.rows, tried.facts.bad):
            found.append(Problem(place, explain_refusal(tried.facts)))
        notices += [Notice(place, f"a row is ignored: {one}") for one in tried.problems]
    return found, notices


# --- what the daemon does


@commands.command()
def refresh(context: typer.Context, name: Name) -> None:
    """Have the daemon read a source now."""
    session: Session = context.obj
    one = _find(session, name)
    database = session.open_for_reading()
    if database is None or not _is_daemon_running(database):
        raise CommandError(_NO_DAEMON)
    memory = _have_read(database, one)
    if memory.state is SourceState.FAILED:
        raise CommandError(f"source {quoted(name, 100)}: {memory.error}")
    _note_shown(session, [replace(one, memory=memory)])
    rows = f"{format_count(memory.rows, 'row')}, {memory.bad:,} bad"
    held = f"; removals on hold: {memory.error}" if memory.state is SourceState.HELD else ""
    typer.echo(f"{clean(name)}: {rows}{held}")


@commands.command()
def accept(context: typer.Context, name: Name) -> None:
    """Remove the connections whose removal is on hold, as last shown."""
    from monitor.store import sources as stored
    from monitor.store.audit import add_audit

    session: Session = context.obj
    one = _find(session, name)
    database = session.open_for_reading()
    if database is None:
        raise CommandError(f"source {quoted(name, 100)} was never read: nothing is on hold")
    with database.write() as tx:
        found = stored.find_source(tx, name) or one
        said, memory = accept_held(found.memory)
        stored.save_memory(tx, name, memory)
        if said is Acceptance.ACCEPTED:
            key, n = (f"sources.{name}",), found.memory.pending
            add_audit(tx, AuditRow(utc_now(), session.who, Action.ACCEPT, keys=key, count=n))
    if said is Acceptance.NOTHING_HELD:
        raise CommandError(f"source {quoted(name, 100)}: no removals are on hold")
    if said is Acceptance.CHANGED:
        raise CommandError(
            f"the list is not the one that was last shown, and nothing was removed: now"
            f" {found.memory.error}. Run the command again to accept that"
        )
    if not _is_daemon_running(database):
        typer.echo(f"accepted: {found.memory.error} when the daemon reads the source again")
        return
    before = _count(database, name)
    memory = _have_read(database, one)
    if memory.state is SourceState.FAILED:
        raise CommandError(
            f"accepted, but the source cannot be read now ({memory.error}): they are removed when"
            " it can"
        )
    if memory.state is SourceState.HELD:
        raise CommandError(
            f"the list has changed since it was last shown, and nothing was removed: now"
            f" {memory.error}. Check it: connwatch sources show {as_argument(name)}"
        )
    removed = max(0, before - _count(database, name))
    typer.echo(f"{clean(name)}: {format_count(removed, 'connection')} removed")


def _count(database: Database, name: str) -> int:
    from monitor.store import sources as stored

    with database.read() as tx:
        return stored.count_owned(tx, name)


def _is_daemon_running(database: Database) -> bool:
    from monitor.store.engine import is_locked

    return is_locked(database)


def _have_read(database: Database, one: StoredSource) -> SourceMemory:
    """Have the daemon read a source, and return what is remembered of it then.

    Raises:
        CommandError: It takes too long, or the daemon ends.
    """
    from monitor.store import sources as stored

    with database.write() as tx:
        stored.want_source(tx, one.name, one.kind, utc_now())

    def find(tx: Transaction) -> tuple[bool, StoredSource | None]:
        return one.name in stored.list_wanted(tx), stored.find_source(tx, one.name)

    ends_at = monotonic() + READ_WITHIN_S
    while monotonic() < ends_at:
        is_wanted, found = _ask(database, find)
        if found is None:
            return replace(one.memory, state=SourceState.OK)  # its last connection is gone
        if not is_wanted:
            return found.memory
        if not _is_daemon_running(database):
            raise CommandError(_NO_DAEMON)
        sleep(_LOOK_EVERY_S)
    raise CommandError(f"the daemon has not read the source within {READ_WITHIN_S} s: see its log")


def _ask(
    database: Database, find: Callable[[Transaction], tuple[bool, StoredSource | None]]
) -> tuple[bool, StoredSource | None]:
    with database.read() as tx:
        return find(tx)
