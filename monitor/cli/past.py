"""
Show what happened to one connection (`history`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from monitor.cli.checks import AsJson, read_records
from monitor.cli.completing import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.ending import NOT_DONE
from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.cli.output import Row
    from monitor.cli.session import Session
    from monitor.judge.connections import ConnectionRecord
    from monitor.report import Json

KEPT = 100
"""How many transitions, checks and alerts `history` gives a program."""

SHOWN = 15
"""How many of each it shows to people."""


def register(app: typer.Typer) -> None:
    """
    Add `history` to *app*.
    """
    app.command()(history)


def history(context: typer.Context, name: ConnectionName, is_json: AsJson = False) -> None:
    """
    Show what happened to one connection: changes, checks, alerts.
    """
    from monitor.cli.output import print_json

    session: Session = context.obj
    session.require_known(name)
    records = read_records(session, session.open_for_reading(), {name})
    if not records:
        raise typer.Exit(NOT_DONE)  # deleted, as was said
    (record,) = records
    past = _read_history(session, record)
    if is_json:
        print_json(past)
    else:
        _print_history(session, record, past)


def _read_history(session: Session, record: ConnectionRecord) -> Json:
    from monitor.report_past import history_json
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
    _print_acknowledgement(session, record)
    for title, rows in (
        ("Changes", wording.transition_rows(past)),
        ("Checks", wording.check_rows(past)),
        ("Alerts", wording.alert_rows(past)),
    ):
        console.print()
        _print_part(title, rows)
    console.print("\nTimes are UTC, the newest first.", style="dim")


def _print_acknowledgement(session: Session, record: ConnectionRecord) -> None:
    from monitor.alert.words import say_day, say_instant
    from monitor.cli.output import clean, open_console
    from monitor.quieting import find_taken_on

    database = session.open_for_reading()
    if database is None or not record.id:
        return
    with database.read() as tx:
        given = find_taken_on(tx, record, session.plan, utc_now())
    if given is None:
        return
    until = f", until {say_day(given.until)}" if given.until else ""
    note = f": {clean(given.note)}" if given.note else ""
    open_console().print(f"Taken on at {say_instant(given.at)}{until}{note}", style="yellow")


def _print_part(title: str, rows: Sequence[Row]) -> None:
    from monitor.cli.output import open_console, print_rows

    console = open_console()
    more = f", the latest {SHOWN}" if len(rows) > SHOWN else ""
    console.print(f"{title}{more}" if rows else f"{title}: none", style="bold")
    print_rows(console, rows[:SHOWN])
