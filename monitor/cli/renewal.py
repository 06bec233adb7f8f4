"""
Record that somebody has renewed an authorization.

What the date means is decided in `monitor.judge.renewal`. Where the connection
can be asked, it is, as `check` does: people are told of a renewal only when it
works.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completing import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.ending import CommandError, complain
from monitor.clock import utc_now

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.judge.clocks import AuthorizationClock
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.renewal import Change


def register(app: typer.Typer) -> None:
    """
    Add `renew` to *app*.
    """
    app.command()(renew)


def renew(
    context: typer.Context,
    name: ConnectionName,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="When, as 2026-01-15; default: today, in UTC."),
    ] = None,
) -> None:
    """
    Record a renewed authorization: its days are counted from the new date.
    """
    session: Session = context.obj
    session.require_known(name)
    authorized_at = _read_date(on, utc_now())
    session.read_ahead({name}, with_channels=False)
    record, change = _record(session, name, authorized_at)
    typer.echo(f"{name}: {_say(record.clock, change)}")
    if record.is_switched_off:
        typer.echo(f"{name} is paused: it is checked when it is resumed")
    else:
        _check(session, name)


def _read_date(text: str | None, now: datetime) -> datetime:
    """
    Return the instant that *text* means: a day begins at its start in UTC.

    Raises:
        CommandError: It is no date, or in the future.
    """
    from monitor.config.fields import check_past_day
    from monitor.judge.expiry import start_of

    day = now.astimezone(UTC).date() if text is None else _parse(text)
    try:
        check_past_day(day, now)
    except ValueError as error:
        raise CommandError(f"--on: {error}") from error
    return start_of(day)


def _parse(text: str) -> date:
    from monitor.config.wording import quoted

    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    raise CommandError(f"--on: a date such as 2026-01-15, got {quoted(text)}")


def _record(
    session: Session, name: str, authorized_at: datetime
) -> tuple[ConnectionRecord, Change]:
    from monitor import orders

    entry = next(entry for entry in session.plan.entries if entry.name == name)
    with session.open_for_writing(about=name).write() as tx:
        renewed = orders.renew(tx, entry, authorized_at, utc_now())
    if renewed is None:
        raise session.deleted_name(name)
    return renewed


def _say(clock: AuthorizationClock, change: Change) -> str:
    from monitor.alert.words import say_day, say_end
    from monitor.judge.renewal import Change

    assert clock.authorized_at is not None
    done = {
        Change.NONE: "was recorded already as authorized on",
        Change.CORRECTION: "corrected: authorized on",
    }.get(change, "recorded as renewed on")
    sentence = f"{done} {say_day(clock.authorized_at)}"
    end = clock.known_end
    if end is None:
        return f"{sentence}, without a known end"
    return f"{sentence}; it {say_end(end, utc_now())}"


def _check(session: Session, name: str) -> None:
    """
    Ask at once, as `check` does; without its secrets that is left to the daemon.
    """
    from monitor.cli.checks import ask_and_store, print_checked
    from monitor.config.errors import ConfigError
    from monitor.log import configure_logging

    try:
        session.require_usable({name}, with_channels=False)
    except ConfigError as error:
        complain(f"{name} is not checked from here, the daemon does that next: {error}")
        return
    configure_logging(is_verbose=session.is_verbose, is_quiet=True)
    print_checked(session, *ask_and_store(session, session.database, {name}))
