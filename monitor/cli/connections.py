"""Switch connections off and on, delete and renew them, and show their history.

Every command works while a daemon runs, which sees the change at its next tick, and none needs
a secret. What the date of a renewal means is decided in `judge.authorizations`. Where a renewed
connection can be checked, it is: people are notified of a renewal only when it works.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import output
from monitor.cli.checks import check_and_store, describe_records, print_records, read_records
from monitor.cli.completion import AsObject, ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import NOT_DONE, CommandError, print_error
from monitor.cli.output import open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.config.errors import ConfigError, as_argument, quoted
from monitor.config.values import check_past_day
from monitor.judge.audit import Action, AuditRow
from monitor.judge.authorizations import DateChange, start_of
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.notify.times import format_date, format_expiry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.cli.output import TableRow
    from monitor.cli.session import Session
    from monitor.judge.authorizations import AuthorizationClock
    from monitor.judge.connections import ConnectionRecord
    from monitor.report.history import HistoryJson
    from monitor.store.engine import Transaction
    from monitor.store.history import AlertRow


def pause(context: typer.Context, name: ConnectionName) -> None:
    """Pause checks and alerts of a connection."""
    from monitor.store import connections
    from monitor.store.audit import add_audit

    session: Session = context.obj
    session.require_known(name)
    with session.open_for_writing(about=name).write() as tx:
        record = session.find_record(tx, name)
        connections.pause(tx, record.id)
        if not record.is_paused:
            add_audit(tx, AuditRow(utc_now(), session.who, Action.PAUSE, name))
    if record.is_paused:
        sentence = "is paused already"
    elif record.is_enabled:
        sentence = "is paused: no checks and no alerts until it is resumed"
    else:
        where = _entry_of(session, name)
        sentence = f"is paused; {where} switches it off as well (enabled = false)"
    typer.echo(f"{name} {sentence}")


def resume(context: typer.Context, name: ConnectionName) -> None:
    """Resume a paused or deleted connection."""
    from monitor.engine import actions
    from monitor.store.audit import add_audit

    session: Session = context.obj
    entry = session.entry(name)
    with session.open_for_writing(about=name).write() as tx:
        resumed = actions.resume(tx, entry, utc_now())
        if resumed in {actions.Resumed.DELETION, actions.Resumed.PAUSE}:
            add_audit(tx, AuditRow(utc_now(), session.who, Action.RESUME, name))
    if resumed is None:
        raise session.deleted_name(name)
    sentence = {
        actions.Resumed.DELETION: "is watched again, without its former history",
        actions.Resumed.PAUSE: "is resumed: it is due now",
        actions.Resumed.NOTHING: "was not paused",
    }[resumed]
    if entry.is_enabled:
        typer.echo(f"{name} {sentence}")
        return
    where, remedy = _entry_of(session, name), "set enabled = true there"
    if resumed is actions.Resumed.NOTHING:
        raise CommandError(f"{name} is switched off by {where}: {remedy}")
    typer.echo(f"{name} is not paused any more, but {where} switches it off: {remedy}")


def _entry_of(session: Session, name: str) -> str:
    """Return what says how a connection is set up."""
    from monitor.cli.settings import describe_owner

    owner = session.settings.owner_of(name)
    return "the file" if owner == OWNER_FILE else f"its entry in {describe_owner(owner)}"


def delete(
    context: typer.Context,
    name: ConnectionName,
    is_sure: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")
    ] = False,
) -> None:
    """Delete a connection and its history.

    What was made in the dashboard, by API or imported is gone. An entry of the
    configuration file or of a source is ignored from then on.
    """
    from monitor.cli.settings import describe_owner
    from monitor.store import connections
    from monitor.store.audit import add_audit

    session: Session = context.obj
    session.require_known(name)
    database = session.open_for_writing(about=name)
    owner = session.settings.owner_of(name)
    if owner == OWNER_DASHBOARD:
        _delete_for_good(session, name, is_sure=is_sure)
        return
    with database.read() as tx:
        is_gone = name in connections.list_deleted(tx)
    if is_gone:
        typer.echo(
            f"{name} is deleted already; connwatch resume {as_argument(name)} brings it back"
        )
        return
    where = "the configuration file" if owner == OWNER_FILE else describe_owner(owner)
    _confirm_deletion(
        name,
        f"its history and alerts are lost, and its entry in {where} is ignored from then on.",
        is_sure=is_sure,
    )
    with database.write() as tx:
        record = session.find_record(tx, name)
        add_audit(tx, AuditRow(utc_now(), session.who, Action.DELETE, name))
        connections.delete_connection(tx, record, utc_now())
    typer.echo(
        f"{name} is deleted: its checks stop, its history and alerts are gone.\n"
        f"Its entry in {describe_owner(owner)} is ignored until it is taken out and put in again, "
        f"or until: connwatch resume {as_argument(name)}"
    )


def _confirm_deletion(name: str, rest: str, *, is_sure: bool) -> None:
    question = f"Delete {name}? Its checks stop, {rest}"
    if not is_sure and sys.stdin.isatty() and not typer.confirm(question, err=True):
        raise CommandError(f"{name} was not deleted")


def _delete_for_good(session: Session, name: str, *, is_sure: bool) -> None:
    """Delete a connection that the database alone has."""
    from monitor.engine.entries import DASHBOARD, EntryWriter
    from monitor.store.audit import add_audit

    _confirm_deletion(
        name, "and its settings, secrets, history and alerts are lost.", is_sure=is_sure
    )
    writer = EntryWriter(session.config, session.plan, DASHBOARD, None)
    with session.database.write() as tx:
        add_audit(tx, AuditRow(utc_now(), session.who, Action.DELETE, name))
        writer.remove(tx, [name], utc_now())
    typer.echo(f"{name} is deleted: its settings, secrets, history and alerts are gone.")


def renew(
    context: typer.Context,
    name: ConnectionName,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATE",
            help="When, as 2026-01-15; default: today, in UTC, where an expiry is known.",
        ),
    ] = None,
) -> None:
    """Record a renewed authorization."""
    session: Session = context.obj
    session.read_ahead({name}, with_channels=False)
    session.require_known(name)
    authorized_at = None if on is None else _read_date(on, utc_now())
    record, change = _record(session, name, authorized_at)
    typer.echo(f"{name}: {describe_renewal(record.clock, change, utc_now())}")
    if record.is_switched_off:
        typer.echo(f"{name} is paused: it is checked when it is resumed")
    else:
        _check(session, name)


def _read_date(text: str, now: datetime) -> datetime:
    """Return the instant that *text* means: a day begins at its start in UTC.

    Raises:
        CommandError: It is no date, or in the future.
    """
    day = _parse(text)
    try:
        check_past_day(day, now)
    except ValueError as error:
        raise CommandError(f"--on: {error}") from error
    return start_of(day)


def _parse(text: str) -> date:
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    raise CommandError(f"--on: a date such as 2026-01-15, got {quoted(text)}")


def _record(
    session: Session, name: str, authorized_at: datetime | None
) -> tuple[ConnectionRecord, DateChange]:
    from monitor.engine import actions
    from monitor.store.audit import add_audit

    entry = session.entry(name)
    try:
        with session.open_for_writing(about=name).write() as tx:
            renewed = actions.renew(tx, entry, authorized_at, utc_now())
            if renewed is not None and renewed[1] is not DateChange.NONE:
                add_audit(tx, AuditRow(utc_now(), session.who, Action.RENEW, name))
    except actions.DayNeeded as needed:
        command = f"connwatch renew {as_argument(name)} --on DATE"
        raise CommandError(f"{needed}: {command}") from needed
    if renewed is None:
        raise session.deleted_name(name)
    return renewed


def describe_renewal(clock: AuthorizationClock, change: DateChange, now: datetime) -> str:
    """Return what was recorded, and when the authorization expires by that."""
    assert clock.authorized_at is not None
    done = {
        DateChange.NONE: "was recorded already as authorized on",
        DateChange.CORRECTION: "corrected: authorized on",
    }.get(change, "recorded as renewed on")
    sentence = f"{done} {format_date(clock.authorized_at, now)}"
    end = clock.known_end
    if end is None:
        return f"{sentence}, without a known end"
    return f"{sentence}; it {format_expiry(end, now)}"


def _check(session: Session, name: str) -> None:
    """Ask at once, as `check` does; without its secrets that is left to the daemon."""
    try:
        session.require_usable({name}, with_channels=False)
    except ConfigError as error:
        print_error(f"{name} is not checked from here, the daemon does that next: {error}")
        return
    session.quiet_logs()
    records, answers = check_and_store(session, session.database, {name})
    print_records(session, records, answers=answers)


KEPT_CHECKS = 100
"""How many transitions, checks and alerts `history` gives a program."""

SHOWN = 15
"""How many of each it shows to people."""


def history(context: typer.Context, name: ConnectionName, is_json: AsObject = False) -> None:
    """Show changes, checks and alerts of one connection."""
    session: Session = context.obj
    session.require_known(name)
    records = read_records(session, session.open_for_reading(), {name})
    if not records:
        raise typer.Exit(NOT_DONE)  # deleted, as was said
    past, alerts = _read_history(session, records[0])
    if is_json:
        print_json(past)
    else:
        _print_history(session, records[0], past, alerts)


def _read_history(
    session: Session, record: ConnectionRecord
) -> tuple[HistoryJson, Sequence[AlertRow]]:
    from monitor.report.history import history_json
    from monitor.store import history as stored

    def read(tx: Transaction) -> tuple[HistoryJson, Sequence[AlertRow]]:
        alerts = stored.list_alerts(tx, KEPT_CHECKS, connection_id=record.id)
        transitions = stored.list_transitions(tx, record.id, KEPT_CHECKS)
        checks = stored.list_checks(tx, record.id, KEPT_CHECKS)
        return history_json(record.name, transitions, checks, alerts), alerts

    return session.read(read) or (history_json(record.name, (), (), ()), ())


def _print_history(
    session: Session, record: ConnectionRecord, past: HistoryJson, alerts: Sequence[AlertRow]
) -> None:
    from monitor.cli.alerts import describe_alert

    now, zone = utc_now(), session.config.alerts.zone
    console = open_console()
    [each] = describe_records(session, [record], now)
    print_rows(
        console, [output.connection_row(each, now, with_notes=True, zone=zone)], output.HEADER
    )
    for title, rows in (
        ("Changes", output.transition_rows(past, record.provider, now, zone)),
        ("Checks", output.check_rows(past, record.provider, now, zone)),
        ("Alerts", [describe_alert(one, now, zone) for one in alerts]),
    ):
        console.print()
        _print_part(title, rows)
    console.print("\nThe newest first.", style="dim")


def _print_part(title: str, rows: Sequence[TableRow]) -> None:
    console = open_console()
    more = f", the latest {SHOWN}" if len(rows) > SHOWN else ""
    console.print(f"{title}{more}" if rows else f"{title}: none", style="bold")
    print_rows(console, rows[:SHOWN])
