"""Import connections from a file into the database, and export those of all owners.

What a row is, is decided in `monitor.sources`, what an entry may say in `monitor.config.owners`,
which addresses it may name in `monitor.config.hosts`, and what follows from it in
`monitor.engine.entries`. Nothing here holds more than a few thousand rows.
"""

from __future__ import annotations

import heapq
import json
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.errors import NOT_DONE, CommandError, print_error
from monitor.config.errors import format_count
from monitor.judge.connections import OWNER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.cli.importer import ImportCounts
    from monitor.cli.session import Session
    from monitor.sources.rows import SourceRow
    from monitor.store.engine import Transaction
    from monitor.store.entries import StoredEntry

STANDARD_INPUT = "-"


def import_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A .jsonl, .json or .csv file, or - for JSON lines on stdin."
        ),
    ],
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Store nothing, only report what would be imported.")
    ] = False,
) -> None:
    """Add or change connections from a file.

    Each row is a connection with the keys of the configuration file. A row with an
    error is skipped and reported, the others are imported. Connections of the
    configuration file and of sources are never changed.

    Exit codes: 0 all imported, 3 at least one row was not.
    """
    from monitor.cli.importer import Importer
    from monitor.sources.rows import UnreadableSource

    session: Session = context.obj
    session.read_ahead((), with_channels=False)
    rows = _read_rows(file)
    failure = None
    try:
        # What root alone may read is opened before the owner of the database is.
        first = next(rows, None)
    except UnreadableSource as error:
        raise CommandError(str(error)) from error
    session.quiet_logs()
    importer = Importer(session, is_dry=is_dry)
    try:
        importer.take(rows if first is None else chain([first], rows))
    except UnreadableSource as error:
        failure = error
    typer.echo(describe_import(importer.counts, is_dry=is_dry))
    if importer.remedy:
        print_error(importer.remedy)
    if failure is not None:
        rest = "the rows before it would be imported" if is_dry else "the rows before it are stored"
        raise CommandError(f"{failure}; {rest}")
    if importer.counts.refused:
        raise typer.Exit(NOT_DONE)


def _read_rows(file: str) -> Iterator[SourceRow]:
    from monitor.sources.files import read_files, read_lines

    if file == STANDARD_INPUT:
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise CommandError("standard input is closed: nothing can be read from it")
        return read_lines(stream, "standard input")
    path = Path(file)
    return read_files(path, {}, path.name)


def describe_import(counts: ImportCounts, *, is_dry: bool) -> str:
    """Return how many connections went in, or would, in one sentence."""
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (counts.created, "new"),
            (counts.changed, "changed"),
            (counts.same, "unchanged"),
        )
        if number
    ]
    n_in = counts.created + counts.changed + counts.same
    n_all = n_in + counts.refused
    done = "would be imported" if is_dry else "imported"
    said = f"{n_in:,} of {format_count(n_all, 'connection')} {done}"
    if parts:
        said += f": {', '.join(parts)}"
    if counts.refused:
        said += f"{';' if parts else ':'} {counts.refused:,} refused"
    return said


def export(
    context: typer.Context,
    _is_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines; that is the only format.")
    ] = False,
) -> None:
    """Print the connections of all owners as JSON lines, by name.

    Secrets are replaced by {"set": true}. `connwatch import` takes what it prints.
    """
    session: Session = context.obj
    session.quiet_logs()
    database = session.open_for_reading()
    deleted = set[str]()
    if database is not None:
        from monitor.store import connections

        with database.read() as tx:
            deleted = connections.list_deleted(tx)
    for name, entry in heapq.merge(
        _entries_of_file(session), _entries_outside(session), key=lambda each: each[0]
    ):
        if name not in deleted:
            sys.stdout.write(json.dumps(entry) + "\n")
    sys.stdout.flush()


def _entries_of_file(session: Session) -> Iterator[tuple[str, dict[str, Any]]]:
    from monitor.config.entries import hide_secrets, take_apart

    config = session.config
    pairs = zip(config.written, config.connections, strict=True)
    for written, meant in sorted(pairs, key=lambda pair: pair[1].name):
        content = hide_secrets(take_apart(written, meant)[0])
        yield meant.name, {"name": meant.name, "owner": OWNER_FILE, **content}


def _entries_outside(session: Session) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what other owners have, some in each view of the database: output may take long."""
    from monitor.config.entries import hide_secrets
    from monitor.store import entries

    after = ""

    def read_some(tx: Transaction) -> tuple[str, dict[str, StoredEntry]]:
        names = entries.list_beside(tx, OWNER_FILE, after)
        return (names[-1] if names else ""), entries.find_entries(tx, names, OWNER_FILE)

    while True:
        last, rows = session.read(read_some) or ("", {})
        if not last:
            return
        for name in sorted(rows):
            row = rows[name]
            if session.config.connection(name) is None and isinstance(row.content, dict):
                content = hide_secrets(row.content)
                yield name, {"name": name, "owner": row.owner, **content}
        after = last
