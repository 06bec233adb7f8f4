"""
Offer the commands about alerts: list them, try dead ones again, test a channel.

Who receives what is decided in `monitor.judge.route`; delivering is the
daemon's work, apart from test messages.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.ending import CommandError, complain
from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.alert.message import Message
    from monitor.alert.post import Post
    from monitor.cli.output import Row
    from monitor.cli.session import Session
    from monitor.config.model import Channel
    from monitor.store.history import AlertRow

MOST_LISTED = 10_000
MOST_NAMED = 3
SEND_TIMEOUT = timedelta(seconds=30)

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "green"}

commands = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """
    Add `alerts` to *app*.
    """
    app.add_typer(commands, name="alerts", help="List alerts, send dead ones again, test channels.")


@commands.command("list")
def list_(
    context: typer.Context,
    *,
    only_dead: Annotated[
        bool, typer.Option("--dead", help="Only those that some channel did not take.")
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_LISTED, help="How many, newest first.")
    ] = 100,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """
    List what people were told, are being told, or could not be told.
    """
    from monitor.cli.output import open_console, print_json, print_rows
    from monitor.report_past import alert_json

    rows = _read(context.obj, limit + 1, only_dead=only_dead)
    if is_json:
        print_json({"alerts": [alert_json(row) for row in rows[:limit]]})
    elif rows:
        header = ("ID", "BORN, UTC", "KIND", "CONNECTIONS")
        print_rows(open_console(), [_line(row) for row in rows[:limit]], header)
    else:
        typer.echo("no alert is dead" if only_dead else "no alert so far")
    if len(rows) > limit:
        complain(f"there are older ones than these {limit}: see --limit")


def _line(row: AlertRow) -> Row:
    """
    Return the line of an alert, and one for each channel below it.
    """
    from rich.text import Text

    from monitor.alert.words import say_number
    from monitor.cli.output import Row, clean
    from monitor.store.outbox import NotificationState

    names = ", ".join(row.connections[:MOST_NAMED])
    if len(row.connections) > MOST_NAMED:
        names += f" and {say_number(len(row.connections) - MOST_NAMED)} more"
    remarks: list[Text | str] = []
    for each in row.notifications:
        text = f"{each.channel}: {each.state.value}"
        if each.sent_at is not None:
            text += f" at {_say(each.sent_at)}"
        elif each.attempts:
            text += f" after {each.attempts} attempt{'' if each.attempts == 1 else 's'}"
            text += f": {each.error}" if each.error else ""
        is_dead = each.state is NotificationState.DEAD
        remarks.append(Text(clean(text), "bold red" if is_dead else "dim"))
    return Row(
        (
            Text(f"{row.id}", "dim"),
            _say(row.born_at),
            Text(clean(row.kind), _STYLES.get(row.severity, "")),
            names,
        ),
        remarks or ["no channel receives it"],
    )


def _say(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _read(session: Session, limit: int, *, only_dead: bool) -> list[AlertRow]:
    from monitor.store.history import list_alerts

    database = session.open_for_reading()
    if database is None:
        return []
    with database.read() as tx:
        return list_alerts(tx, limit, only_dead=only_dead)


@commands.command()
def retry(context: typer.Context) -> None:
    """
    Make dead notifications due again; the daemon sends them.
    """
    from monitor.store import outbox

    session: Session = context.obj
    database = session.open_for_reading()
    revived = 0
    if database is not None:
        with database.write() as tx:
            revived = outbox.retry_dead(tx, utc_now())
    if not revived:
        typer.echo("no notification is dead: nothing to send again")
        return
    noun = "notification is" if revived == 1 else "notifications are"
    typer.echo(f"{revived:,} {noun} due again; the daemon, `connwatch run`, sends them")


@commands.command("test")
def send_test(
    context: typer.Context,
    channel: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="Its name; default: all.")
    ] = None,
) -> None:
    """
    Send a message, marked as a test, to one channel or to all, now.
    """
    import asyncio

    session: Session = context.obj
    channels = _choose(session.config.channels, channel)
    n_failed = asyncio.run(_send_to(channels))
    if n_failed:
        raise CommandError(f"{n_failed} of {len(channels)} channels did not take the message")


def _choose(channels: Sequence[Channel], name: str | None) -> Sequence[Channel]:
    from monitor.config.wording import did_you_mean

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


async def _send_to(channels: Sequence[Channel]) -> int:
    """
    Send to all at once, print what came of it, and return how many failed.
    """
    import asyncio

    from monitor.alert.message import compose
    from monitor.alert.post import Post
    from monitor.alert.sender import AppriseSender
    from monitor.judge.alerts import SEVERITY_OF, AlertKind

    now = utc_now()
    message = compose(AlertKind.TEST, SEVERITY_OF[AlertKind.TEST], {}, (), now, None, now)
    post = Post(AppriseSender({channel.name: channel.url for channel in channels}), SEND_TIMEOUT)
    sends = [
        asyncio.create_task(_send_one(post, channel.name, number, message))
        for number, channel in enumerate(channels)
    ]
    n_failed = 0
    for channel, send in zip(channels, sends, strict=True):
        error = await send
        n_failed += error is not None
        typer.echo(f"{channel.name}: " + ("sent" if error is None else f"not sent: {error}"))
    return n_failed


async def _send_one(post: Post, channel: str, number: int, message: Message) -> str | None:
    from monitor.alert.errors import AlertError

    try:
        await post.send(channel, number, message)
    except AlertError as error:
        return str(error)
    return None
