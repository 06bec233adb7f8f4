"""
Say who would be told of something, when, and why or why not (`alerts explain`).

The rules are those of `monitor.judge.route` and `monitor.judge.hold`; nothing
is decided here and nothing is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.alerts import read_kind
from monitor.cli.completing import ConnectionName, complete_kind
from monitor.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.cli.output import Row
    from monitor.cli.session import Session
    from monitor.judge.alerts import AlertKind, Severity
    from monitor.judge.hold import Hold
    from monitor.judge.route import ChannelRoute, Routing
    from monitor.judge.silence import Silence
    from monitor.plan import Plan
    from monitor.report import Json
    from monitor.store.acknowledgements import Acknowledgement

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="The kind of alert, such as error.",
        autocompletion=complete_kind,
    ),
]


def register(app: typer.Typer) -> None:
    """
    Add `explain` to the commands about alerts.
    """
    app.command()(explain)


@dataclass(frozen=True, slots=True)
class _Known:
    """
    What the database knows that bears on whether people are told.

    Args:
        has_opening: The trouble that a closing alert would end was told.
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
class _Answer:
    """
    Whether one channel would be told of an alert of one severity.
    """

    channel: str
    severity: Severity
    routing: Routing
    hold: Hold | None


def explain(
    context: typer.Context,
    name: ConnectionName,
    kind: Kind,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """
    Say who would be told of an alert now, when, and why or why not.
    """
    from monitor.cli.output import open_console, print_json, print_rows

    session: Session = context.obj
    session.require_known(name)
    chosen, now = read_kind(kind), utc_now()
    known = _look_up(session, name, chosen, now)
    answers = [
        answer
        for channel in session.plan.channels
        for answer in _ask(channel, session.plan, name, chosen, known, now)
    ]
    if is_json:
        print_json(_as_json(name, chosen, known, answers, session.plan, now))
        return
    if answers:
        rows = [_row(answer, session.plan) for answer in answers]
        print_rows(open_console(), rows, ("CHANNEL", "SEVERITY", "TOLD", "WHY, AND WHEN"))
    else:
        typer.echo("no channel is configured: nobody is told of anything")
    for remark in _remarks(chosen, known):
        typer.echo(remark)


def _look_up(session: Session, name: str, kind: AlertKind, now: datetime) -> _Known:
    from monitor.judge.alerts import OPENED_BY
    from monitor.store import (
        acknowledgements,
        alerts,
        applications,
        connections,
        flappings,
        offline,
        outages,
        silences,
    )

    entry = next(entry for entry in session.plan.entries if entry.name == name)
    database = session.open_for_reading()
    if database is None:
        return _Known(is_paused=not entry.is_enabled)
    with database.read() as tx:
        lasting = tuple(silences.list_lasting(tx, now))
        if name in connections.list_deleted(tx):
            raise session.deleted_name(name)
        record = connections.find_record(tx, name)
        if record is None:
            return _Known(is_paused=not entry.is_enabled, silences=lasting)
        hosts, application = {record.host, record.token_host}, record.application
        return _Known(
            record.is_paused or not entry.is_enabled,
            record.id in flappings.list_flapping(tx),
            kind in OPENED_BY and bool(alerts.list_opened(tx, [record.id], kind)),
            lasting,
            acknowledgements.find_current(tx, record.id, now),
            next((host for host in outages.list_open(tx) if host in hosts), None),
            application if application in applications.list_refusals(tx) else None,
            offline.find_open(tx) is not None,
        )


def _ask(
    channel: ChannelRoute, plan: Plan, name: str, kind: AlertKind, known: _Known, now: datetime
) -> list[_Answer]:
    """
    Return one answer, or one for each severity where that makes a difference.
    """
    from monitor.judge import route
    from monitor.judge.alerts import ABOUT_NO_CONNECTION, severities_of
    from monitor.judge.hold import find_hold

    subject = plan.watched[name].subject
    subjects = [] if kind in ABOUT_NO_CONNECTION else [subject]
    answers = [
        _Answer(
            channel.name,
            severity,
            route.explain(kind, severity, subject, channel),
            find_hold(severity, subjects, channel.quiet_hours, known.silences, now),
        )
        for severity in severities_of(kind)
    ]
    first, *others = answers
    is_same = all((each.routing, each.hold) == (first.routing, first.hold) for each in others)
    return [first] if is_same else answers


def _row(answer: _Answer, plan: Plan) -> Row:
    from rich.text import Text

    from monitor.cli.output import Row
    from monitor.config.duration import format_duration

    is_told = answer.routing.is_told
    words = _REASONS[answer.routing.value]
    if is_told and answer.hold is not None:
        words += f"; {_HOLDS[answer.hold.by.value]} until {answer.hold.until:%Y-%m-%d %H:%M} UTC"
    elif is_told:
        words += f"; within {format_duration(plan.group_wait)}, together with others of its kind"
    told = Text("held", "yellow") if is_told and answer.hold else Text("yes", "green")
    return Row(
        (
            answer.channel,
            answer.severity.value,
            told if is_told else Text("no", "bold red"),
            words,
        )
    )


_REASONS = {
    "wanted": "wanted",
    "wanted_as_end": "named in its kinds, as the end of a trouble below its min_severity",
    "kind_not_named": "its kinds leave this one out",
    "not_severe_enough": "below its min_severity",
    "not_chosen_by_connection": "the connection names other channels",
    "other_connections": "it is there for other connections",
    "other_tags": "it is there for other tags",
}

_HOLDS = {"silence": "silenced", "quiet_hours": "quiet hours"}


def _remarks(kind: AlertKind, known: _Known) -> list[str]:
    """
    Return what holds for every channel.
    """
    from monitor.judge.alerts import LASTING, OPENED_BY

    said = []
    if known.is_paused:
        said.append("It is paused: nobody is told of it until it is resumed.")
    if known.is_flapping and kind.value in {"error", "recovered"}:
        said.append("It is flapping: its errors and recoveries are held until that is over.")
    if known.outage is not None and kind.value in {"error", "recovered"}:
        said.append(f"{known.outage} is out: one outage speaks for all until that is over.")
    if known.refused is not None and kind.value in {"error", "recovered"}:
        said.append(f"Application {known.refused} is refused: one error speaks for all its stores.")
    if known.is_offline:
        said.append("This machine has no link: what gets no answer counts for nothing meanwhile.")
    if kind in OPENED_BY and not known.has_opening:
        opened = " or ".join(each.value for each in OPENED_BY[kind])
        said.append(f"The end of a trouble is told only after it: no {opened} was told so far.")
    if known.acknowledgement is not None and kind in LASTING:
        said.append("Somebody has taken it on: nobody is reminded of what was told so far.")
    return said


def _as_json(
    name: str,
    kind: AlertKind,
    known: _Known,
    answers: list[_Answer],
    plan: Plan,
    now: datetime,
) -> Json:
    from monitor.judge.alerts import OPENED_BY
    from monitor.report import instant

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
        "channels": [
            {
                "channel": each.channel,
                "severity": each.severity.value,
                "told": each.routing.is_told,
                "why": each.routing.value,
                "held_by": each.hold.by.value if each.hold and each.routing.is_told else None,
                "at": instant(each.hold.until if each.hold else now + plan.group_wait)
                if each.routing.is_told
                else None,
            }
            for each in answers
        ],
    }
