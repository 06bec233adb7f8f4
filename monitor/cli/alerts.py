"""
Offer the commands about alerts: list them, try dead ones again, test a channel.

Who receives what is decided in `monitor.judge.route`; delivering is the
daemon's work, apart from test messages.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completing import complete_channel, complete_kind
from monitor.cli.ending import CommandError, complain
from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.alert.post import Post
    from monitor.alert.sender import AppriseSender
    from monitor.cli.output import Row
    from monitor.cli.session import Session
    from monitor.config.model import Channel
    from monitor.judge.alerts import AlertKind
    from monitor.store.history import AlertRow, Delivery

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
        elif each.state is NotificationState.HELD:
            text += _say_hold(each)
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


def _say_hold(each: Delivery) -> str:
    by = (each.held_by or "").replace("_", " ")
    return f" by {by}" + (f" until {_say(each.held_until)}" if each.held_until else "")


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

    What is old news goes away: the channel was told since how it went on.
    """
    from monitor.holding import revive

    session: Session = context.obj
    database = session.open_for_reading()
    n_due = n_old = 0
    if database is not None:
        with database.write() as tx:
            n_due, n_old = revive(tx, session.plan, utc_now())
    if n_due:
        noun = "notification is" if n_due == 1 else "notifications are"
        typer.echo(f"{n_due:,} {noun} due again; the daemon, `connwatch run`, sends them")
    if n_old:
        said = "1 is" if n_old == 1 else f"{n_old:,} are"
        typer.echo(f"{said} old news and not sent any more: the channel heard how it went on")
    if not n_due and not n_old:
        typer.echo("no notification is dead: nothing to send again")


@commands.command("test")
def send_test(
    context: typer.Context,
    channel: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHANNEL]", help="Its name; default: all.", autocompletion=complete_channel
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Only this kind; default: all that the channel wants.",
            autocompletion=complete_kind,
        ),
    ] = None,
) -> None:
    """
    Send a sample of each kind, marked as a test, to one channel or to all, now.
    """
    import asyncio

    session: Session = context.obj
    channels = _choose(session.config.channels, channel)
    chosen = None if kind is None else read_kind(kind)
    n_failed = asyncio.run(_send_to(channels, chosen))
    if n_failed:
        raise CommandError(f"{n_failed} of {len(channels)} channels did not take all messages")


def read_kind(word: str) -> AlertKind:
    """
    Return the kind of alert that is called *word*.

    Raises:
        CommandError: There is none.
    """
    from monitor.config.wording import did_you_mean
    from monitor.judge.alerts import AlertKind

    kinds = [kind.value for kind in AlertKind]
    if word not in kinds:
        hint = did_you_mean(word, kinds) or f"; there are: {', '.join(kinds)}"
        raise CommandError(f'no kind of alert is called "{word}"{hint}')
    return AlertKind(word)


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


async def _send_to(channels: Sequence[Channel], kind: AlertKind | None) -> int:
    """
    Send to all at once, print what came of it, and return how many failed.
    """
    import asyncio

    from monitor.alert.post import Post
    from monitor.alert.sender import AppriseSender
    from monitor.alert.trial import kinds_of

    post, sender = Post(SEND_TIMEOUT), AppriseSender.for_channels(channels)
    kinds = [kinds_of(channel) if kind is None else [kind] for channel in channels]
    sends = [
        asyncio.create_task(_send_all(post, sender, channel.name, wanted))
        for channel, wanted in zip(channels, kinds, strict=True)
    ]
    n_failed = 0
    for channel, wanted, send in zip(channels, kinds, sends, strict=True):
        n_sent, error = await send
        n_failed += error is not None
        typer.echo(f"{channel.name}: {_say_sent(n_sent, len(wanted), error)}")
    return n_failed


def _say_sent(n_sent: int, n_wanted: int, error: str | None) -> str:
    if error is None:
        return f"{n_sent} message{'' if n_sent == 1 else 's'} sent"
    return f"{n_sent} of {n_wanted} sent, then: {error}" if n_sent else f"not sent: {error}"


async def _send_all(
    post: Post, sender: AppriseSender, channel: str, kinds: Sequence[AlertKind]
) -> tuple[int, str | None]:
    """
    Send samples up to the first failure; return how many went out, and why no more.
    """
    from monitor.alert.errors import AlertError
    from monitor.alert.samples import sample_message

    n_sent = 0
    for kind in kinds:
        try:
            message = sample_message(kind, utc_now())
            await post.send(sender, channel, (n_sent,), message, kind.value)
        except AlertError as error:
            return n_sent, str(error)
        n_sent += 1
    return n_sent, None
