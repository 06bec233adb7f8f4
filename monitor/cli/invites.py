"""Invite store owners to renew one connection (`invite`), and decide what they bring (`proposed`).

Both work while a daemon runs, which sees what was accepted within seconds. What a link is worth is
decided in `monitor.web.invites`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completion import AsJson, complete_connection
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import TableRow, open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.config.model import renewal_address
from monitor.config.values import parse_duration
from monitor.judge.audit import Action, AuditRow
from monitor.judge.invites import LONGEST_VALID, USUALLY_VALID
from monitor.notify.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from monitor.cli.session import Session
    from monitor.judge.invites import Invite, ProposedCredential
    from monitor.store.engine import Transaction

LIST, REVOKE = "list", "revoke"

NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
"""What an id looks like that a database can hold."""


def invite(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|list|revoke",
            help="The connection; or `list` or `revoke`.",
            autocompletion=complete_connection,
        ),
    ],
    number: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The invite to revoke; see `invite list`.")
    ] = None,
    *,
    valid: Annotated[
        str | None,
        typer.Option("--valid", metavar="TIME", help="How long: 12h, 7d; default: 30d."),
    ] = None,
    is_json: AsJson = False,
) -> None:
    """Make a link with which a store owner renews a connection, without a login.

    Send its address to the owner: it is shown this once, works once, and opens
    nothing but this connection. `invite list` shows all, `invite revoke ID` withdraws one.
    """
    session: Session = context.obj
    if name == LIST and number is None and valid is None:
        _list(session, is_json=is_json)
    elif name == REVOKE and valid is None:
        _revoke(session, number, is_json=is_json)
    elif number is not None:
        raise CommandError(f'"{number}" is one word too many: invite to one connection at a time')
    else:
        _invite(session, name, _read_validity(valid), is_json=is_json)


def _read_validity(text: str | None) -> timedelta:
    if text is None:
        return USUALLY_VALID
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise CommandError(f"--valid: {error}") from error
    if not length or length > LONGEST_VALID:
        raise CommandError(f"--valid: longer than 0 and at most {LONGEST_VALID.days}d, such as 30d")
    return length


def _invite(session: Session, name: str, valid: timedelta, *, is_json: bool) -> None:
    from monitor.report.invites import invite_json
    from monitor.store import invites
    from monitor.store.audit import add_audit
    from monitor.web.invites import find_invite_obstacle

    session.require_known(name)
    who, now = session.who, utc_now()
    with session.open_for_writing(about=name).write() as tx:
        record = session.find_record(tx, name)
        connection = session.plan.connection(tx, name)
        if connection is None:
            raise session.deleted_name(name)
        obstacle = find_invite_obstacle(session.config, connection)
        if obstacle is not None:
            lines = "".join(f"\n  {line}" for line in obstacle.lines)
            raise CommandError(f"{name}: {obstacle.why} {obstacle.remedy}{lines}")
        made, token = invites.add_invite(tx, record.id, who, valid, now)
        add_audit(tx, AuditRow(now, who, Action.INVITE, name))
    address = renewal_address(session.config, token)
    if is_json:
        print_json({**invite_json(made, now), "url": address})
        return
    typer.echo(address)
    until = format_time(made.valid_until, now, session.config.alerts.zone)
    print_error(f"valid until {until}; send it to the store owner: it is not shown again")


def _list(session: Session, *, is_json: bool) -> None:
    from monitor.report.invites import invite_json
    from monitor.store import invites

    now, zone = utc_now(), session.config.alerts.zone
    known: list[Invite] = session.read(invites.list_invites) or []
    if is_json:
        print_json({"invites": [invite_json(one, now) for one in known]})
    elif known:
        header = ("ID", "CONNECTION", "STATE", "VALID UNTIL", "CREATED", "BY")
        rows = [
            TableRow(
                (
                    str(one.id),
                    one.connection or "",
                    one.state(now).value,
                    format_time(one.valid_until, now, zone),
                    format_time(one.created_at, now, zone),
                    one.by,
                )
            )
            for one in known
        ]
        print_rows(open_console(), rows, header)
    else:
        typer.echo("no invites yet: connwatch invite NAME")


def _revoke(session: Session, number: str | None, *, is_json: bool) -> None:
    from monitor.report.invites import invite_json
    from monitor.store import invites
    from monitor.store.audit import add_audit

    if number is None or not NUMBER.fullmatch(number):
        raise CommandError(
            "which one? connwatch invite revoke ID; connwatch invite list shows them"
        )
    who, now = session.who, utc_now()

    def revoke(tx: Transaction) -> Invite | None:
        if not invites.revoke_invite(tx, int(number), now):
            return None
        revoked = invites.find_invite(tx, int(number))
        assert revoked is not None, "it was just revoked"
        add_audit(tx, AuditRow(now, who, Action.INVITE, revoked.connection, keys=("revoked",)))
        return revoked

    revoked = None
    database = session.open_for_reading()
    if database is not None:
        with database.write() as tx:
            revoked = revoke(tx)
    if revoked is None:
        raise CommandError(f"there is no open invite {number}; connwatch invite list shows them")
    if is_json:
        print_json(invite_json(revoked, now))
    else:
        typer.echo(f"invite {number} is revoked: its link renews nothing any more")


# --- what is proposed

commands = typer.Typer(no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="See `proposed list`.")]


@commands.command("list")
def list_(context: typer.Context, is_json: AsJson = False) -> None:
    """List the credentials that wait for approval."""
    from monitor.report.invites import proposal_json
    from monitor.store import invites

    session: Session = context.obj
    now, zone = utc_now(), session.config.alerts.zone
    stored = session.read(invites.list_proposals) or []
    known: list[ProposedCredential] = [one.proposal for one in stored]
    if is_json:
        print_json({"proposed": [proposal_json(one) for one in known]})
    elif known:
        header = ("ID", "CONNECTION", "ACCOUNT", "RECEIVED", "BY")
        rows = [
            TableRow(
                (
                    str(one.id),
                    one.connection,
                    one.account or "unknown",
                    format_time(one.at, now, zone),
                    f"link:{one.invite_id}",
                )
            )
            for one in known
        ]
        print_rows(open_console(), rows, header)
    else:
        typer.echo("nothing waits for approval")


@commands.command()
def accept(context: typer.Context, number: Id) -> None:
    """Use a credential that a renewal link brought, in place of the present one."""
    from monitor.config.owners import EntryRefused
    from monitor.engine import renewals
    from monitor.engine.ciphers import KeyUnusable

    session: Session = context.obj

    def use(tx: Transaction, proposed: int) -> str | None:
        accepted = renewals.accept(
            tx, session.config, session.plan, proposed, session.who, utc_now()
        )
        return None if accepted is None else accepted[0]

    try:
        name = _decide(session, number, use)
    except (KeyUnusable, renewals.NothingToRenew, EntryRefused) as error:
        raise CommandError(f"it cannot be used: {error}") from error
    typer.echo(f"{name}: the new credential is in use, and is checked next")


@commands.command()
def reject(context: typer.Context, number: Id) -> None:
    """Forget a credential that a renewal link brought; the present one stays in use."""
    from monitor.engine import renewals

    session: Session = context.obj
    name = _decide(
        session,
        number,
        lambda tx, proposed: renewals.reject(tx, proposed, session.who, utc_now()),
    )
    typer.echo(f"{name}: rejected; the present credential stays in use")


def _decide(session: Session, number: str, decide: Callable[[Transaction, int], str | None]) -> str:
    """Return for which connection the credential was that *decide* has dealt with.

    Raises:
        CommandError: There is none that is called so.
    """
    name = None
    database = session.open_for_reading()
    if database is not None and NUMBER.fullmatch(number):
        with database.write() as tx:
            name = decide(tx, int(number))
    if name is None:
        raise CommandError(
            f"nothing is proposed as {number}; connwatch proposed list shows what is"
        )
    return name
