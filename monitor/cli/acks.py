"""
Take on a trouble, so that nobody is reminded of it (`ack`).

What is told anew is another trouble, which nobody has taken on yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completing import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.ending import CommandError
from monitor.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.cli.session import Session


def register(app: typer.Typer) -> None:
    """
    Add `ack` to *app*.
    """
    app.command()(ack)


def ack(
    context: typer.Context,
    name: ConnectionName,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Remind again from then on, as 2026-01-15; UTC."),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What is being done about it.")] = "",
) -> None:
    """
    Stop the reminders of a connection's present trouble: somebody takes care of it.
    """
    from monitor.alert.words import say_day
    from monitor.quieting import take_on
    from monitor.store import connections
    from monitor.store.acknowledgements import Acknowledgement

    session: Session = context.obj
    session.require_known(name)
    end = None if until is None else _read_date(until)
    with session.open_for_writing(about=name).write() as tx:
        record = connections.find_record(tx, name)
        if record is None:
            raise session.deleted_name(name)
        trouble = take_on(tx, record, session.plan, Acknowledgement(utc_now(), end, note))
    if trouble is None:
        raise CommandError(
            f"{name} has no trouble that people are reminded of: there is nothing to take on"
        )
    when = "while this lasts" if end is None else f"before {say_day(end)}"
    typer.echo(f"{name} ({trouble}): nobody is reminded {when}; a new trouble is told as ever")


def _read_date(text: str) -> datetime:
    """
    Return the instant at which the day *text* begins in UTC.

    Raises:
        CommandError: It is no date, or not in the future.
    """
    from datetime import date

    from monitor.config.wording import quoted
    from monitor.judge.expiry import start_of

    try:
        end = start_of(date.fromisoformat(text))
    except ValueError:
        raise CommandError(f"--until: a date such as 2026-01-15, got {quoted(text)}") from None
    if end <= utc_now():
        raise CommandError(f"--until: a day to come, got {text}")
    return end
