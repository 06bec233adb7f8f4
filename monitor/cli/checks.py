"""
Tell how connections are: ask now (`check`), or say what is known (`status`, `history`).

`check` judges and stores as the daemon does, through the same functions. What
is shown comes from `monitor.report`, the exit codes as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.ending import NOT_DONE, CommandError
from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.cli.asking import Answers
    from monitor.cli.output import Row
    from monitor.cli.session import Session
    from monitor.report import Json
    from monitor.store.engine import Database
    from monitor.store.records import ConnectionRecord

KEPT = 100
"""How many transitions, checks and alerts `history` gives a program."""

SHOWN = 15
"""How many of each it shows to people."""

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Only these connections; default: all."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module to *app*.
    """
    app.command()(check)
    app.command()(status)
    app.command()(history)


def check(
    context: typer.Context,
    names: Names = None,
    is_json: AsJson = False,
    is_dry: Annotated[
        bool,
        typer.Option("--no-store", help="Judge by what is known, and write nothing."),
    ] = False,
    is_sending: Annotated[
        bool,
        typer.Option("--send", help="Deliver due alerts now; otherwise the daemon does."),
    ] = False,
) -> None:
    """
    Ask the services now, and store what they say.

    Exit code: 2 broken, 3 unknown or not done, 1 soon a problem, 0 fine.
    """
    from monitor.log import configure_logging

    session: Session = context.obj
    if is_dry and is_sending:
        raise CommandError("--no-store and --send exclude each other: what is sent is written down")
    chosen = {connection.name for connection in session.choose(names or [])}
    session.require_usable(_callable_names(session, chosen), with_channels=is_sending)
    configure_logging(is_verbose=session.is_verbose, is_quiet=True)
    if is_dry:
        records, answers = _foresee(session, session.open_for_reading(), chosen)
    else:
        records, answers = _ask_and_store(session, session.open_for_writing(), chosen)
    code = _show(session, records, is_json=is_json, answers=answers)
    if is_sending:
        from monitor.cli.asking import send_due

        send_due(session)
    raise typer.Exit(code)


def _callable_names(session: Session, names: Collection[str]) -> set[str]:
    """
    Return those of *names* that would be called, as far as the database can tell now.
    """
    from monitor.store.engine import StoreError

    try:
        records = _read_records(session, session.open_for_reading(), names)
    except StoreError:
        # A schema to be migrated; what is worse than that shows when it is opened.
        records = _read_records(session, None, names)
    return {record.name for record in records if not record.is_switched_off}


def _read_records(
    session: Session, database: Database | None, names: Collection[str]
) -> list[ConnectionRecord]:
    if database is None:
        return session.records(None, names, utc_now())
    with database.read() as tx:
        return session.records(tx, names, utc_now())


def _ask(session: Session, records: Sequence[ConnectionRecord]) -> Answers:
    from monitor.cli.asking import ask

    names = {record.name for record in records if not record.is_switched_off}
    return ask(session.config, names)


def _foresee(
    session: Session, database: Database | None, names: Collection[str]
) -> tuple[list[ConnectionRecord], Answers]:
    from monitor.cycle import foresee

    records = _read_records(session, database, names)
    answers = _ask(session, records)
    foreseen = []
    for record in records:
        if record.name in answers:
            at, outcome = answers[record.name]
            foreseen.append(foresee(record, outcome, session.plan.watched[record.name], at))
        else:
            foreseen.append(record)
    return foreseen, answers


def _ask_and_store(
    session: Session, database: Database, names: Collection[str]
) -> tuple[list[ConnectionRecord], Answers]:
    from monitor.cycle import Finished, settle

    records = _read_records(session, database, names)
    answers = _ask(session, records)
    finished = [
        Finished(record.id, None, *answers[record.name])
        for record in records
        if record.name in answers
    ]
    with database.write() as tx:
        settle(tx, finished, session.plan)
        return session.records(tx, names, utc_now()), answers


def status(context: typer.Context, names: Names = None, is_json: AsJson = False) -> None:
    """
    Say what is known, without asking anybody.

    Exit code: 2 broken, 3 unknown or not done, 1 soon a problem, 0 fine.
    """
    session: Session = context.obj
    chosen = {connection.name for connection in session.choose(names or [])}
    records = _read_records(session, session.open_for_reading(), chosen)
    raise typer.Exit(_show(session, records, is_json=is_json))


def _show(
    session: Session,
    records: Sequence[ConnectionRecord],
    *,
    is_json: bool,
    answers: Answers | None = None,
) -> int:
    """
    Print connections, and return the exit code that they mean.

    Args:
        answers: What they just answered; None if nobody was asked.
    """
    from monitor import report

    now = utc_now()
    objects = [
        report.connection_json(record, session.plan.watched[record.name], now) for record in records
    ]
    if is_json:
        from monitor.cli.output import print_json

        print_json(report.report_json(objects, now))
    else:
        _print_table(objects, now, answers)
    return report.exit_code(objects, is_check=answers is not None)


def _print_table(objects: Sequence[Json], now: datetime, answers: Answers | None) -> None:
    from monitor.cli.output import open_console, print_rows
    from monitor.cli.wording import HEADER, connection_row, say_counts
    from monitor.report import summary, urgency

    is_check = answers is not None
    said = {name: outcome.detail for name, (_, outcome) in (answers or {}).items()}
    ordered = sorted(objects, key=lambda each: urgency(each, is_check=is_check))
    console = open_console()
    rows = [
        connection_row(each, now, is_check=is_check, said=said.get(each["name"], ""))
        for each in ordered
    ]
    print_rows(console, rows, HEADER)
    if len(objects) > 1:
        console.print()
        console.print(say_counts(summary(objects)))


def history(context: typer.Context, name: Name, is_json: AsJson = False) -> None:
    """
    Show what happened to one connection: changes, checks, alerts.
    """
    from monitor.cli.output import print_json

    session: Session = context.obj
    session.require_known(name)
    records = _read_records(session, session.open_for_reading(), {name})
    if not records:
        raise typer.Exit(NOT_DONE)  # deleted, as was said
    (record,) = records
    past = _read_history(session, record)
    if is_json:
        print_json(past)
    else:
        _print_history(session, record, past)


def _read_history(session: Session, record: ConnectionRecord) -> Json:
    from monitor.report import history_json
    from monitor.store import history as stored

    database = session.open_for_reading()
    if database is None or not record.id:
        return history_json(record.name, (), (), ())
    with database.read() as tx:
        return history_json(
            record.name,
            stored.list_transitions(tx, record.id, KEPT),
            stored.list_checks(tx, record.id, KEPT),
            stored.list_alerts(tx, KEPT, connection_id=record.id),
        )


def _print_history(session: Session, record: ConnectionRecord, past: Json) -> None:
    from monitor.cli import wording
    from monitor.cli.output import open_console, print_rows
    from monitor.report import connection_json

    now = utc_now()
    console = open_console()
    each = connection_json(record, session.plan.watched[record.name], now)
    print_rows(console, [wording.connection_row(each, now)], wording.HEADER)
    for title, rows in (
        ("Changes", wording.transition_rows(past)),
        ("Checks", wording.check_rows(past)),
        ("Alerts", wording.alert_rows(past)),
    ):
        console.print()
        _print_part(title, rows)
    console.print("\nTimes are UTC, the newest first.", style="dim")


def _print_part(title: str, rows: Sequence[Row]) -> None:
    from monitor.cli.output import open_console, print_rows

    console = open_console()
    more = f", the latest {SHOWN}" if len(rows) > SHOWN else ""
    console.print(f"{title}{more}" if rows else f"{title}: none", style="bold")
    print_rows(console, rows[:SHOWN])
