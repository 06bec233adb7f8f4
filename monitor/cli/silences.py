"""Silence alerts for a while (`silence`), and acknowledge a problem (`ack`).

What a silence covers is decided in `judge.suppression`; what happens to alerts then and
afterwards, in `alerting.suppression`. Both work while a daemon runs. An acknowledgement ends
the reminders of the present problem; the next one is another.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completion import (
    ConnectionName,
    complete_connection,
)
from monitor.cli.errors import CommandError
from monitor.cli.output import TableRow, open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.config.errors import did_you_mean, format_count, quoted
from monitor.config.values import parse_duration
from monitor.judge.authorizations import start_of
from monitor.judge.connections import OWNER_FILE
from monitor.notify.times import format_date, format_time

if TYPE_CHECKING:
    from datetime import datetime, timedelta, tzinfo

    from monitor.cli.session import Session
    from monitor.judge.suppression import Scope, Silence


LIST = "list"
END = "end"

NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
"""What an id looks like that a database can hold."""


def silence(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|list|end]",
            help="The connection; or `list` or `end`.",
            autocompletion=complete_connection,
        ),
    ] = None,
    number: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The silence to end; see `silence list`.")
    ] = None,
    *,
    tag: Annotated[
        str | None, typer.Option(metavar="TAG", help="All connections with that tag.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="All connections of that group.")
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    length: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long: 90s, 5m, 2h, 7d.")
    ] = None,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, shown in the list.")
    ] = "",
    is_json: Annotated[bool, typer.Option("--json", help="List as JSON.")] = False,
) -> None:
    """Mute alerts for a while: silence NAME|--tag TAG|--group NAME|--all --for 2h.

    Checks continue. Alerts are held, and sent afterwards if still true: problems
    that were fixed before the mute ends are not, recoveries of problems sent
    before it are. `silence list` shows what is muted, `silence end ID` ends it early.
    """
    session: Session = context.obj
    is_beginning = length is not None or tag is not None or group is not None or is_all
    if name == LIST and number is None and not is_beginning:
        _list(session, is_json=is_json)
    elif name == END and not is_beginning:
        _end(session, number)
    elif number is not None:
        raise CommandError(f'"{number}" is one word too many: silence one connection at a time')
    else:
        scope, target = _choose(session, name, tag, group, is_all=is_all)
        _begin(session, scope, target, _read_length(length), reason)


def _choose(
    session: Session, name: str | None, tag: str | None, group: str | None, *, is_all: bool
) -> tuple[Scope, str | None]:
    """Return what is to be silent.

    Raises:
        CommandError: Nothing or too much was named, or nobody knows it.
    """
    from monitor.judge.suppression import Scope

    if sum(each is not None for each in (name, tag, group)) + is_all != 1:
        raise CommandError(
            "say what to mute: the name of a connection, --tag TAG, --group NAME or --all"
        )
    if is_all:
        return Scope.ALL, None
    if name is not None:
        session.require_known(name)
        return Scope.CONNECTION, name
    if group is not None:
        _require_group(session, group)
        return Scope.GROUP, group
    assert tag is not None
    known = sorted({each for one in session.config.connections for each in one.tags})
    if tag not in known and not session.is_tag_outside(tag):
        raise CommandError(f'no connection has the tag "{tag}"{did_you_mean(tag, known)}')
    return Scope.TAG, tag


def _require_group(session: Session, group: str) -> None:
    """Make sure that something is called so: a group of the file, or of a connection."""
    from monitor.store.entries import list_groups_beside

    config = session.config
    known = {one.name for one in config.groups}
    known |= {one.group for one in config.connections if one.group is not None}
    if group in known:
        return
    known.update(session.read(lambda tx: list_groups_beside(tx, OWNER_FILE)) or ())
    if group not in known:
        raise CommandError(f'no group is called "{group}"{did_you_mean(group, sorted(known))}')


def _read_length(text: str | None) -> timedelta:
    if text is None:
        raise CommandError("say for how long: --for 2h")
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise CommandError(f"--for: {error}") from error
    if not length:
        raise CommandError("--for: must be longer than 0, such as 2h")
    return length


def _begin(
    session: Session, scope: Scope, target: str | None, length: timedelta, reason: str
) -> None:
    from monitor.alerting.suppression import begin_silence, describe_scope
    from monitor.judge.audit import row_of_mute
    from monitor.store.audit import add_audit

    now = utc_now()
    with session.open_for_writing().write() as tx:
        begun = begin_silence(tx, session.plan, scope, target, length, reason, now)
        add_audit(tx, row_of_mute(now, session.who, scope, target))
    held = f"; {format_count(begun.n_suppressed, 'alert')} held back" if begun.n_suppressed else ""
    until = format_time(begun.ends_at, now, session.config.alerts.zone)
    typer.echo(f"{describe_scope(scope, target)}: muted until {until} (silence {begun.id}){held}")


def _end(session: Session, number: str | None) -> None:
    from monitor.alerting.suppression import end_silence
    from monitor.judge.audit import ENDED, row_of_mute
    from monitor.store.audit import add_audit
    from monitor.store.suppression import list_active_silences

    if number is None or not NUMBER.fullmatch(number):
        raise CommandError("which one? connwatch silence end ID; connwatch silence list shows them")
    database = session.open_for_reading()
    n_due = None
    if database is not None:
        with database.write() as tx:
            now = utc_now()
            lasting = [one for one in list_active_silences(tx, now) if one.id == int(number)]
            n_due = end_silence(tx, session.plan, int(number), now)
            for one in lasting:
                add_audit(tx, row_of_mute(now, session.who, one.scope, one.target, (ENDED,)))
    if n_due is None:
        raise CommandError(f"there is no silence {number} now; connwatch silence list shows them")
    sending = f"; sending {format_count(n_due, 'held alert')}" if n_due else ""
    typer.echo(f"silence {number} ended{sending}")


def _list(session: Session, *, is_json: bool) -> None:
    from monitor.report.history import silence_json
    from monitor.store import suppression

    now, zone = utc_now(), session.config.alerts.zone
    lasting = session.read(lambda tx: suppression.list_active_silences(tx, now)) or []
    if is_json:
        print_json({"silences": [silence_json(each) for each in lasting]})
    elif lasting:
        header = ("ID", "MUTED", "UNTIL", "REASON")
        print_rows(open_console(), [_row(each, now, zone) for each in lasting], header)
    else:
        typer.echo("nothing is muted")


def _row(each: Silence, now: datetime, zone: tzinfo) -> TableRow:
    from monitor.alerting.suppression import describe_scope

    until = format_time(each.ends_at, now, zone)
    return TableRow((f"{each.id}", describe_scope(each.scope, each.target), until, each.reason))


def ack(
    context: typer.Context,
    name: ConnectionName,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Remind again from this day on, such as 2026-01-15; UTC."
        ),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What is being done about it.")] = "",
) -> None:
    """Acknowledge a problem and stop its reminders."""
    from monitor.alerting.suppression import acknowledge
    from monitor.judge.audit import Action, AuditRow
    from monitor.judge.suppression import Acknowledgement
    from monitor.store.audit import add_audit

    session: Session = context.obj
    session.require_known(name)
    end = None if until is None else _read_date(until)
    with session.open_for_writing(about=name).write() as tx:
        record = session.find_record(tx, name)
        now = utc_now()
        problem = acknowledge(tx, record, session.plan, Acknowledgement(now, end, note))
        if problem is not None:
            add_audit(tx, AuditRow(now, session.who, Action.ACK, name))
    if problem is None:
        raise CommandError(f"{name} has no problem to acknowledge")
    until_when = "it is fixed" if end is None else format_date(end, utc_now())
    typer.echo(
        f"{name} ({problem}): acknowledged, no reminders until {until_when}; new problems still"
        " alert"
    )


def _read_date(text: str) -> datetime:
    """Return the instant at which the day *text* begins in UTC.

    Raises:
        CommandError: It is no date, or not in the future.
    """
    try:
        end = start_of(date.fromisoformat(text))
    except ValueError:
        raise CommandError(f"--until: a date such as 2026-01-15, got {quoted(text)}") from None
    if end <= utc_now():
        raise CommandError(f"--until: a future day, got {text}")
    return end
