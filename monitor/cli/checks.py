"""Print how connections are: check them now (`check`), or show what is known (`status`).

`check` judges and stores as the daemon does, through the same functions. What is shown comes
from `report.status`, the exit codes as well.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor.cli.completion import AsObject, ConnectionNames, Wide  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import CommandError
from monitor.cli.output import (
    HEADER,
    NAMES_AT,
    clean,
    connection_row,
    format_counts,
    open_console,
    print_json,
    print_rows,
    print_wrapped,
)
from monitor.cli.session import read_access
from monitor.clock import utc_now
from monitor.judge.conditions import ConditionFacts, find_conditions
from monitor.judge.outcome import State
from monitor.report.status import (
    UNMUTED,
    connection_json,
    ending_first,
    ending_secret,
    exit_code,
    report_json,
    summary,
    urgency,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.cli.output import TableRow
    from monitor.cli.runner import CheckResults
    from monitor.cli.session import Session
    from monitor.judge.audit import AuditRow
    from monitor.judge.conditions import Condition
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.incidents import Connectivity
    from monitor.judge.suppression import Muting
    from monitor.report.status import ConnectionJson
    from monitor.store.engine import Database, Transaction


_AT_ONCE = 500
"""Of so many connections the settings are looked up together."""


class Sort(StrEnum):
    """What stands first in a table."""

    URGENCY = "urgency"
    EXPIRY = "expiry"


def check(
    context: typer.Context,
    names: ConnectionNames = None,
    is_json: AsObject = False,
    is_dry: Annotated[
        bool,
        typer.Option("--no-store", help="Store nothing."),
    ] = False,
    is_sending: Annotated[
        bool,
        typer.Option("--send", help="Deliver due alerts now; otherwise the daemon does."),
    ] = False,
    is_wide: Wide = False,
) -> None:
    """Check now and store the result.

    Exit codes: 0 OK, 1 warning, 2 critical, 3 unknown.
    """
    session: Session = context.obj
    if is_dry and is_sending:
        raise CommandError(
            "--no-store and --send cannot be combined: alerts that are sent are stored"
        )
    session.read_ahead(names, with_channels=is_sending)
    chosen = session.choose(names)
    session.require_usable(callable_names(session, chosen), with_channels=is_sending)
    session.quiet_logs()
    if is_dry:
        records, answers = _preview(session, session.open_for_reading(), chosen)
    else:
        records, answers = check_and_store(session, session.open_for_writing(), chosen)
    code = print_records(
        session, records, is_json=is_json, answers=answers, is_wide=is_wide, with_notes=bool(names)
    )
    if is_sending:
        from monitor.cli.runner import send_due

        send_due(session)
    raise typer.Exit(code)


def callable_names(session: Session, names: Collection[str]) -> set[str]:
    """Return those of *names* that would be called, as far as the database can tell now."""
    from monitor.store.engine import StoreError

    try:
        records = read_records(session, session.open_for_reading(), names)
    except StoreError:
        # A schema to be migrated; what is worse than that shows when it is opened.
        records = read_records(session, None, names)
    return {record.name for record in records if not record.is_switched_off}


def read_records(
    session: Session, database: Database | None, names: Collection[str]
) -> list[ConnectionRecord]:
    """Return what is known of the connections called *names*, those of the file first."""
    if database is None:
        return session.records(None, names, utc_now())
    with database.read() as tx:
        return session.records(tx, names, utc_now())


def _check_dry(
    session: Session, database: Database | None, records: Sequence[ConnectionRecord]
) -> CheckResults:
    from monitor.cli.runner import check_now, choose_probes
    from monitor.store import applications

    callable_records = [record for record in records if not record.is_switched_off]
    names = {record.name for record in callable_records}
    askers = {}
    if database is not None:
        with database.read() as tx:
            askers = choose_probes(callable_records, applications.list_refusals(tx))
    return check_now(session.config_of(names), names, askers, read_access(session, database, names))


def _preview(
    session: Session, database: Database | None, names: Collection[str]
) -> tuple[list[ConnectionRecord], CheckResults]:
    from monitor.engine.evaluate import preview

    records = read_records(session, database, names)
    answers = _check_dry(session, database, records)
    watched = session.watched_of(answers.keys())
    for number, record in enumerate(records):
        if record.name in answers:
            at, outcome = answers[record.name]
            records[number] = preview(record, outcome, watched[record.name], at)
    return records, answers


def check_and_store(
    session: Session, database: Database, names: Collection[str]
) -> tuple[list[ConnectionRecord], CheckResults]:
    """Check those of *names* that are not paused; judge and store as the daemon does."""
    from monitor.cli.runner import find_connectivity

    records = read_records(session, database, names)
    answers = _check_dry(session, database, records)
    uplink = asyncio.run(find_connectivity(session.config, answers))
    return store_results(session, database, records, answers, uplink), answers


def store_results(
    session: Session,
    database: Database,
    records: Sequence[ConnectionRecord],
    answers: CheckResults,
    uplink: Connectivity,
    *,
    by: AuditRow | None = None,
) -> list[ConnectionRecord]:
    """Judge and store what connections just answered; return what is known after it.

    Args:
        records: What was known before it.
        by: Who ordered that, where it is to be written down.
    """
    from monitor.engine.batch import FinishedCheck
    from monitor.engine.evaluate import evaluate
    from monitor.engine.sweep import sweep
    from monitor.store.audit import add_audit

    names = {record.name for record in records}
    finished = [
        FinishedCheck(record.id, None, *answers[record.name])
        for record in records
        if record.name in answers
    ]
    with database.write() as tx:
        # Without a daemon nobody else would tell what time has changed.
        sweep(tx, session.plan, utc_now())
        evaluate(tx, finished, session.plan, uplink)
        if by is not None and finished:
            add_audit(tx, by)
        return session.records(tx, names, utc_now())


def status(
    context: typer.Context,
    names: ConnectionNames = None,
    is_json: AsObject = False,
    sort: Annotated[
        Sort, typer.Option("--sort", help="What comes first: the worst, or the fewest days left.")
    ] = Sort.URGENCY,
    is_wide: Wide = False,
) -> None:
    """Show the last known status.

    Exit codes: 0 OK, 1 warning, 2 critical, 3 unknown.
    """
    session: Session = context.obj
    chosen = session.choose(names)
    records = read_records(session, session.open_for_reading(), chosen)
    code = print_records(
        session,
        records,
        is_json=is_json,
        sort=sort,
        is_wide=is_wide,
        with_notes=bool(names),
        all_until=None if is_json else _print_conditions(session),
    )
    raise typer.Exit(code)


def _print_conditions(session: Session) -> datetime | None:
    """Print the conditions that keep alerts from being sent; return until when all is muted."""
    from monitor.report.conditions import (
        describe_condition,
        find_end_of_mute,
        find_failed_reload,
        read_conditions,
    )
    from monitor.store.engine import is_locked

    now = utc_now()
    names = [channel.name for channel in session.config_with_channels.channels]
    is_running = is_locked(session.database)

    def read(tx: Transaction) -> list[Condition]:
        return read_conditions(tx, names, find_failed_reload(tx) if is_running else None, now)

    conditions = session.read(read)
    if conditions is None:
        conditions = find_conditions(ConditionFacts(names), now)
    console = open_console()
    for condition in conditions:
        words = Text(
            clean(describe_condition(condition, now, session.config.alerts.zone)), "bold yellow"
        )
        print_wrapped(console, Text("! ", "bold yellow"), words)
    if conditions:
        console.print()
    return find_end_of_mute(conditions)


def describe_records(
    session: Session, records: Sequence[ConnectionRecord], now: datetime
) -> list[ConnectionJson]:
    """Return *records* as programs are shown them."""
    mutings = read_mutings(session, records, now)
    described: list[ConnectionJson] = []
    for start in range(0, len(records), _AT_ONCE):
        some = records[start : start + _AT_ONCE]
        watched = session.watched_of([record.name for record in some])
        described += [
            connection_json(record, watched[record.name], now, mutings.get(record.name, UNMUTED))
            for record in some
            if record.name in watched  # else its owner took it out just now
        ]
    return described


def read_mutings(
    session: Session, records: Sequence[ConnectionRecord], now: datetime
) -> dict[str, Muting]:
    """Return what keeps people from being alerted of *records*, by name."""
    from monitor.alerting.suppression import find_mutings

    return session.read(lambda tx: find_mutings(tx, session.plan, records, now)) or {}


def print_records(
    session: Session,
    records: Sequence[ConnectionRecord],
    *,
    is_json: bool = False,
    answers: CheckResults | None = None,
    sort: Sort = Sort.URGENCY,
    is_wide: bool = False,
    with_notes: bool = False,
    all_until: datetime | None = None,
) -> int:
    """Print connections, and return the exit code that they mean.

    Args:
        answers: What they just answered; None if nobody was asked.
        is_wide: Show full names.
        with_notes: Say what the next person should know of each.
        all_until: When a mute of everything ends, which was said already.
    """
    now = utc_now()
    soon_days = max(session.config.alerts.expiring_soon_days, default=0)
    objects = describe_records(session, records, now)
    if sort is Sort.EXPIRY:
        objects.sort(key=ending_first)
    if is_json:
        print_json(report_json(objects, now))
    else:
        is_check = answers is not None
        if sort is Sort.URGENCY:
            objects.sort(key=lambda each: urgency(each, is_check=is_check, soon_days=soon_days))
        said = {name: outcome.detail for name, (_, outcome) in (answers or {}).items()}
        renewable = _find_renewable(session, objects)
        rows = [
            connection_row(
                each,
                now,
                is_check=is_check,
                said=said.get(each["name"], ""),
                soon_days=soon_days,
                with_notes=with_notes,
                zone=session.config.alerts.zone,
                all_until=all_until,
                can_renew_here=each["name"] in renewable,
            )
            for each in objects
        ]
        _print_table(objects, rows, soon_days, None if is_wide else NAMES_AT)
    return exit_code(objects, is_check=answers is not None, soon_days=soon_days)


def _find_renewable(session: Session, objects: Sequence[ConnectionJson]) -> set[str]:
    """Return the connections that are renewed on their own page in the dashboard."""
    from monitor.config.renewal import has_handshake

    config = session.config
    stores = [
        each["name"]
        for each in objects
        if each["provider"] == "amazon" and config.connection(each["name"]) is None
    ]
    outside = (
        connection
        for start in range(0, len(stores), _AT_ONCE)
        for connection in session.connections_outside(stores[start : start + _AT_ONCE]).values()
    )
    return {one.name for one in (*config.connections, *outside) if has_handshake(config, one)}


def _print_table(
    objects: Sequence[ConnectionJson],
    rows: Sequence[TableRow],
    soon_days: int,
    names_at: int | None,
) -> None:
    console = open_console()
    print_rows(console, rows, HEADER, names_at)
    if len(objects) > 1:
        console.print()
        awake = (each for each in objects if each["state"] != State.PAUSED)
        secrets = (ending_secret(each, soon_days) for each in awake)
        console.print(format_counts(summary(objects), len({end["of"] for end in secrets if end})))
