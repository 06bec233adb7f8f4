"""
Switch connections off and on, and take them out.

Every command works while a daemon runs, which sees the change at its next
tick, and none needs a secret.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completing import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.ending import CommandError
from monitor.clock import utc_now

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.judge.connections import ConnectionRecord
    from monitor.store.engine import Transaction


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module to *app*.
    """
    app.command()(pause)
    app.command()(resume)
    app.command()(delete)


def pause(context: typer.Context, name: ConnectionName) -> None:
    """
    Call nothing and tell nothing until it is resumed.
    """
    from monitor.store import connections

    session: Session = context.obj
    session.require_known(name)
    with session.open_for_writing(about=name).write() as tx:
        record = _find(tx, name, session)
        connections.pause(tx, record.id)
    if record.is_paused:
        sentence = "is paused already"
    elif record.is_enabled:
        sentence = "is paused: nothing is called and nobody is told until it is resumed"
    else:
        sentence = "is paused; the file switches it off as well (enabled = false)"
    typer.echo(f"{name} {sentence}")


def resume(context: typer.Context, name: ConnectionName) -> None:
    """
    Watch it again: after a pause, or after a deletion.
    """
    from monitor import orders

    session: Session = context.obj
    session.require_known(name)
    entry = next(entry for entry in session.plan.entries if entry.name == name)
    with session.open_for_writing(about=name).write() as tx:
        resumed = orders.resume(tx, entry, utc_now())
    if resumed is None:
        raise session.deleted_name(name)
    sentence = {
        orders.Resumed.DELETION: "is watched again, without its former history",
        orders.Resumed.PAUSE: "is resumed: it is due now",
        orders.Resumed.NOTHING: "was not paused",
    }[resumed]
    is_enabled = entry.is_enabled
    if is_enabled:
        typer.echo(f"{name} {sentence}")
        return
    remedy = "set enabled = true there"
    if resumed is orders.Resumed.NOTHING:
        raise CommandError(f"{name} is switched off by the file: {remedy}")
    typer.echo(f"{name} is not paused any more, but the file switches it off: {remedy}")


def delete(
    context: typer.Context,
    name: ConnectionName,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """
    Forget it: history, alerts and quota go, and its entry in the file is ignored.
    """
    from monitor.config.wording import as_argument
    from monitor.store import connections

    session: Session = context.obj
    session.require_known(name)
    database = session.open_for_writing(about=name)
    with database.read() as tx:
        is_gone = name in connections.list_deleted(tx)
    if is_gone:
        typer.echo(
            f"{name} is deleted already; connwatch resume {as_argument(name)} brings it back"
        )
        return
    if not is_sure and sys.stdin.isatty() and not _is_confirmed(name):
        raise CommandError(f"{name} was not deleted")
    with database.write() as tx:
        connections.delete_connection(tx, _find(tx, name, session), utc_now())
    typer.echo(
        f"{name} is deleted: its checks stop, its history and alerts are gone.\n"
        f"Its entry in the file is ignored until it is taken out and put in again, "
        f"or until: connwatch resume {as_argument(name)}"
    )


def _is_confirmed(name: str) -> bool:
    return typer.confirm(
        f"Delete {name}? Its checks stop, its history and alerts are lost, and its entry in the "
        "file is ignored from then on.",
        err=True,
    )


def _find(tx: Transaction, name: str, session: Session) -> ConnectionRecord:
    """
    Return the record that a command will change, within its own transaction.

    Raises:
        CommandError: It was deleted.
    """
    from monitor.store import connections

    record = connections.find_record(tx, name)
    if record is None:
        raise session.deleted_name(name)
    return record
