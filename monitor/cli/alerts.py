"""List alerts, send dead ones again, test channels, and explain who would be notified (`alerts`).

Who receives what, and when, is decided in `judge.routing` and `judge.suppression`. Delivering
is the daemon's work, apart from test messages.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor.cli.completion import AsJson, ConnectionName, Wide, complete_channel, complete_kind
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import (
    WIDEST_NAME,
    TableRow,
    clean,
    fit_names,
    open_console,
    print_json,
    print_rows,
)
from monitor.clock import utc_now
from monitor.config.errors import did_you_mean, format_count
from monitor.config.values import format_duration
from monitor.judge import routing as routing_rules
from monitor.judge.alerts import (
    ABOUT_NO_CONNECTION,
    OPENED_BY,
    REMINDED_KINDS,
    AlertKind,
    severities_of,
)
from monitor.notify.failures import describe_attempt
from monitor.notify.times import format_time
from monitor.report.status import instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from monitor.cli.session import Session
    from monitor.config.model import Channel, Config
    from monitor.config.plan import Plan
    from monitor.judge.alerts import Severity
    from monitor.judge.connections import Entry
    from monitor.judge.routing import ChannelRoute, Routing, Subject
    from monitor.judge.suppression import Acknowledgement, Silence, Suppression
    from monitor.report.status import Json
    from monitor.store.history import AlertRow, NotificationRow


MOST_LISTED = 10_000
MOST_NAMED = 3
LONGEST_NAME = 250
"""In cells of a terminal, of which some letters take two; more than any name has."""

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "green"}

commands = typer.Typer(no_args_is_help=True)


@commands.command("list")
def list_(
    context: typer.Context,
    *,
    only_dead: Annotated[
        bool, typer.Option("--dead", help="Only those that failed on a channel.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=MOST_LISTED, help="How many to list, newest first."),
    ] = 100,
    is_json: AsJson = False,
    is_wide: Wide = False,
) -> None:
    """List alerts and their delivery."""
    from monitor.report.history import alert_json
    from monitor.store.history import list_alerts

    session: Session = context.obj
    rows = session.read(lambda tx: list_alerts(tx, limit + 1, only_dead=only_dead)) or []
    if is_json:
        print_json({"alerts": [alert_json(row) for row in rows[:limit]]})
    elif rows:
        header = ("ID", "CREATED", "KIND", "CONNECTIONS")
        now, zone = utc_now(), session.config.alerts.zone
        print_rows(
            open_console(), [_line(row, now, zone, is_wide=is_wide) for row in rows[:limit]], header
        )
    else:
        typer.echo("no failed alerts" if only_dead else "no alerts yet")
    if len(rows) > limit:
        print_error(f"showing the latest {limit}; use --limit for more")


def _line(row: AlertRow, now: datetime, zone: tzinfo, *, is_wide: bool) -> TableRow:
    """Return the line of an alert, and one for each channel below it."""
    listed = row.connections[:MOST_NAMED]
    width = MOST_NAMED * LONGEST_NAME if is_wide else WIDEST_NAME
    names = fit_names(listed, len(row.connections) - len(listed), width)
    return TableRow(
        (
            Text(f"{row.id}", "dim"),
            format_time(row.born_at, now, zone, is_exact=True),
            Text(clean(row.kind), _STYLES.get(row.severity, "")),
            names,
        ),
        describe_notifications(row, now, zone),
    )


def describe_alert(row: AlertRow, now: datetime, zone: tzinfo) -> TableRow:
    """Return the line of an alert in the history of its connection, and those of its channels."""
    born = format_time(row.born_at, now, zone, is_exact=True)
    return TableRow((born, row.kind, row.severity), describe_notifications(row, now, zone))


def describe_notifications(row: AlertRow, now: datetime, zone: tzinfo) -> list[Text | str]:
    """Return what became of an alert on each channel; why, where that is nothing good."""
    from monitor.judge.outbox import NotificationState

    remarks: list[Text | str] = []
    for each in row.notifications:
        text = f"{each.channel}: {each.state.value}"
        if each.sent_at is not None:
            text += f" at {format_time(each.sent_at, now, zone, is_exact=True)}"
        elif each.state is NotificationState.HELD:
            text += _format_suppression(each, now, zone)
        elif each.attempts:
            next_at = each.next_attempt_at if each.state is NotificationState.DUE else None
            why = describe_attempt(each.error or "", each.attempts, next_at, now, zone)
            text += f". {why}"
        is_dead = each.state is NotificationState.DEAD
        remarks.append(Text(clean(text), "bold red" if is_dead else "dim"))
    return remarks or ["no matching channel"]


def _format_suppression(each: NotificationRow, now: datetime, zone: tzinfo) -> str:
    by = (each.held_by or "").replace("_", " ")
    until = f" until {format_time(each.held_until, now, zone)}" if each.held_until else ""
    return f" by {by}{until}"


@commands.command()
def retry(context: typer.Context) -> None:
    """Send failed alerts again.

    The daemon sends them. Those that are out of date are dropped: the channel has received a
    later alert about the same thing.
    """
    from monitor.alerting.suppression import retry_dead
    from monitor.judge.audit import ALERTS, Action, AuditRow
    from monitor.store.audit import add_audit

    session: Session = context.obj
    database = session.open_for_reading()
    n_due = n_old = 0
    if database is not None:
        with database.write() as tx:
            now = utc_now()
            n_due, n_old = retry_dead(tx, session.plan, now)
            if n := n_due + n_old:
                resumed = AuditRow(now, session.who, Action.RESUME, keys=(ALERTS,), count=n)
                add_audit(tx, resumed)
    if n_due:
        noun = "notification is" if n_due == 1 else "notifications are"
        typer.echo(f"{n_due:,} {noun} queued again; the daemon, `connwatch run`, sends them")
    if n_old:
        noun = "notification" if n_old == 1 else "notifications"
        typer.echo(f"{n_old:,} out-of-date {noun} dropped: the channel has received a later alert")
    if not n_due and not n_old:
        typer.echo("no failed notifications: nothing to send again")


@commands.command("test")
def send_test(
    context: typer.Context,
    channel: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHANNEL]", help="The channel; default: all.", autocompletion=complete_channel
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Only this kind; default: all that the channel receives.",
            autocompletion=complete_kind,
        ),
    ] = None,
) -> None:
    """Send test alerts to one channel, or to all."""
    session: Session = context.obj
    config = session.config_with_channels
    channels = _choose(config.channels, channel)
    chosen = None if kind is None else read_kind(kind)
    n_failed = asyncio.run(_send_to(channels, chosen, config))
    if n_failed:
        raise CommandError(f"{n_failed} of {len(channels)} channels failed")


def read_kind(word: str) -> AlertKind:
    """Return the kind of alert that is called *word*.

    Raises:
        CommandError: There is none.
    """
    kinds = [kind.value for kind in AlertKind]
    if word not in kinds:
        hint = did_you_mean(word, kinds) or f"; there are: {', '.join(kinds)}"
        raise CommandError(f'no kind of alert is called "{word}"{hint}')
    return AlertKind(word)


def _choose(channels: Sequence[Channel], name: str | None) -> Sequence[Channel]:
    if not channels:
        raise CommandError(
            "no channel is configured: add a [[channels]] table with a name and the Apprise URL"
        )
    if name is None:
        return channels
    chosen = [channel for channel in channels if channel.name == name]
    if not chosen:
        known = [channel.name for channel in channels]
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known[:10])}"
        raise CommandError(f'no channel is called "{name}"{hint}')
    return chosen


async def _send_to(channels: Sequence[Channel], kind: AlertKind | None, config: Config) -> int:
    """Send to all at once, print what came of it, and return how many failed."""
    from monitor.notify.apprise import AppriseSender
    from monitor.notify.samples import kinds_of, send_samples

    sender = AppriseSender.for_channels(channels, allowed=config.reach_of_channels)
    kinds = [kinds_of(channel) if kind is None else [kind] for channel in channels]
    sends = [
        asyncio.create_task(send_samples(sender, channel.name, wanted, config))
        for channel, wanted in zip(channels, kinds, strict=True)
    ]
    n_failed = 0
    for channel, wanted, send in zip(channels, kinds, sends, strict=True):
        n_sent, error = await send
        n_failed += error is not None
        typer.echo(f"{channel.name}: {_report_sent(n_sent, len(wanted), error)}")
    return n_failed


def _report_sent(n_sent: int, n_wanted: int, error: str | None) -> str:
    if error is None:
        return f"{format_count(n_sent, 'message')} sent"
    return f"{n_sent} of {n_wanted} sent, then: {error}" if n_sent else f"not sent: {error}"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the database knows that decides whether people are notified.

    Args:
        has_opening: The alert that a closing one would end was sent.
        outage: The host that is out, whose outage speaks for it.
        refused: Its application, where that is refused and speaks for it.
        is_offline: This machine has no link.
    """

    is_paused: bool = False
    is_flapping: bool = False
    has_opening: bool = False
    silences: tuple[Silence, ...] = ()
    acknowledgement: Acknowledgement | None = None
    outage: str | None = None
    refused: str | None = None
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class _Explanation:
    """Whether one channel would be notified of an alert of one severity."""

    channel: str
    severity: Severity
    routing: Routing
    suppression: Suppression | None


@commands.command()
def explain(
    context: typer.Context,
    name: ConnectionName,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="The kind of alert, such as error.",
            autocompletion=complete_kind,
        ),
    ],
    is_json: AsJson = False,
) -> None:
    """Explain who would be notified of an alert now, when and why."""
    session: Session = context.obj
    entry = session.entry(name)
    chosen, now = read_kind(kind), utc_now()
    subject = session.watched(name).subject
    known = _look_up(session, entry, chosen, now)
    answers = [
        answer
        for channel in session.plan.channels
        for answer in _explain_channel(channel, subject, chosen, known, now)
    ]
    if is_json:
        print_json(_as_json(name, chosen, known, answers, session.plan, now))
        return
    if answers:
        rows = [_row(answer, session, now) for answer in answers]
        print_rows(open_console(), rows, ("CHANNEL", "SEVERITY", "NOTIFIED", "WHY"))
    else:
        typer.echo("no channel is configured: no alerts are sent")
    for remark in _remarks(chosen, known):
        typer.echo(remark)


def _look_up(session: Session, entry: Entry, kind: AlertKind, now: datetime) -> _Facts:
    from monitor.store import alerts, applications, connections, incidents, suppression

    database = session.open_for_reading()
    if database is None:
        return _Facts(is_paused=not entry.is_enabled)
    with database.read() as tx:
        lasting = tuple(suppression.list_active_silences(tx, now))
        if entry.name in connections.list_deleted(tx):
            raise session.deleted_name(entry.name)
        record = connections.find_record(tx, entry.name)
        if record is None:
            return _Facts(is_paused=not entry.is_enabled, silences=lasting)
        hosts, application = {record.host, record.token_host}, record.application
        return _Facts(
            record.is_paused or not entry.is_enabled,
            record.id in incidents.list_flapping(tx),
            kind in OPENED_BY and bool(alerts.list_opened(tx, [record.id], kind)),
            lasting,
            suppression.find_acknowledgement(tx, record.id, now),
            next((host for host in incidents.list_open_outages(tx) if host in hosts), None),
            application if application in applications.list_refusals(tx) else None,
            incidents.find_offline_time(tx) is not None,
        )


def _explain_channel(
    channel: ChannelRoute, subject: Subject, kind: AlertKind, known: _Facts, now: datetime
) -> list[_Explanation]:
    """Return one answer, or one for each severity where that makes a difference."""
    from monitor.judge.suppression import find_suppression

    subjects = [] if kind in ABOUT_NO_CONNECTION else [subject]
    answers = [
        _Explanation(
            channel.name,
            severity,
            routing_rules.explain(kind, severity, subject, channel),
            find_suppression(severity, subjects, channel.quiet_hours, known.silences, now),
        )
        for severity in severities_of(kind)
    ]
    first, *others = answers
    is_same = all(
        (each.routing, each.suppression) == (first.routing, first.suppression) for each in others
    )
    return [first] if is_same else answers


def _row(answer: _Explanation, session: Session, now: datetime) -> TableRow:
    notified, words = Text("yes", "green"), _REASONS[answer.routing.value]
    if not answer.routing.is_told:
        notified = Text("no", "bold red")
    elif answer.suppression is None:
        words += (
            f"; within {format_duration(session.plan.group_wait)}, grouped with others of its kind"
        )
    else:
        notified = Text("held", "yellow")
        until = format_time(answer.suppression.until, now, session.config.alerts.zone)
        words += f"; {_SUPPRESSED[answer.suppression.by.value]} until {until}"
    return TableRow((answer.channel, answer.severity.value, notified, words))


_REASONS = {
    "wanted": "matches",
    "wanted_as_end": "listed in `kinds`; `min_severity` does not apply to the end of a problem",
    "kind_not_named": "not in its `kinds`",
    "not_severe_enough": "below its `min_severity`",
    "not_chosen_by_connection": "the connection lists other channels",
    "other_connections": "only for other connections",
    "other_tags": "only for other tags",
    "other_groups": "only for other groups",
    "not_for_groups": "it has `groups`, and this is about connwatch itself",
}

_SUPPRESSED = {"silence": "muted", "quiet_hours": "quiet hours"}


def _remarks(kind: AlertKind, known: _Facts) -> list[str]:
    """Return what holds for every channel."""
    said = []
    if known.is_paused:
        said.append("It is paused: no alerts until it is resumed.")
    if known.is_flapping and kind.value in {"error", "recovered"}:
        said.append("It is flapping: errors and recoveries are not sent until it is stable.")
    if known.outage is not None and kind.value in {"error", "recovered"}:
        said.append(
            f"{known.outage} has an outage: one alert covers all its connections until it is over."
        )
    if known.refused is not None and kind.value in {"error", "recovered"}:
        said.append(f"Application {known.refused} is rejected: one error covers all its stores.")
    if known.is_offline:
        said.append("This machine is offline: failed checks do not count until it is online again.")
    if kind in OPENED_BY and not known.has_opening:
        opened = " or ".join(each.value for each in OPENED_BY[kind])
        said.append(f"It is sent only after {opened}, and none has been sent yet.")
    if known.acknowledgement is not None and kind in REMINDED_KINDS:
        said.append("It is acknowledged: no reminders of the present problem.")
    return said


def _as_json(
    name: str,
    kind: AlertKind,
    known: _Facts,
    answers: list[_Explanation],
    plan: Plan,
    now: datetime,
) -> Json:
    return {
        "connection": name,
        "kind": kind.value,
        "paused": known.is_paused,
        "flapping": known.is_flapping,
        "outage": known.outage,
        "application_refused": known.refused,
        "offline": known.is_offline,
        "acknowledged": known.acknowledgement is not None,
        "trouble_told": known.has_opening if kind in OPENED_BY else None,
        "channels": [_answer_json(each, now + plan.group_wait) for each in answers],
    }


def _answer_json(answer: _Explanation, at: datetime) -> Json:
    """Return one answer; *at*: when the channel is notified if nothing suppresses that."""
    is_told, by = answer.routing.is_told, answer.suppression
    return {
        "channel": answer.channel,
        "severity": answer.severity.value,
        "told": is_told,
        "why": answer.routing.value,
        "held_by": by.by.value if by and is_told else None,
        "at": instant(by.until if by else at) if is_told else None,
    }
