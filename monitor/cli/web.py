"""Let people and programs into the dashboard: its password, key, and API tokens (`web`).

Who may do what with them is decided in `monitor.web`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completion import AsJson  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import TableRow, open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.config.errors import did_you_mean, one_of
from monitor.judge.access import Role
from monitor.judge.audit import Action, AuditRow
from monitor.notify.times import format_time
from monitor.report.status import instant

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.report.status import Json
    from monitor.store.credentials import ApiToken

SHORTEST = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

commands = typer.Typer(no_args_is_help=True)
tokens = typer.Typer(name="token", help="Create, list and revoke API tokens.", no_args_is_help=True)
commands.add_typer(tokens)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the token.")]


@commands.command()
def password() -> None:
    """Hash a password for the dashboard."""
    from monitor.web.sessions import hash_password

    given = _ask_for_password()
    if len(given) < SHORTEST:
        raise CommandError(
            f"at least {SHORTEST} characters: anyone who can reach the dashboard can try passwords"
        )
    typer.echo(hash_password(given))
    if sys.stdout.isatty():
        print_error(
            "put this line into a file that only connwatch can read, and name the file in the"
            ' configuration: [web] password = { file = "web-password" }'
        )


@commands.command()
def key() -> None:
    """Print a new key, for the file that web.key names."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode("ascii"))
    if sys.stdout.isatty():
        print_error(
            "put this line into a file that only connwatch can read, and name it in the"
            ' configuration: [web] key = { file = "fernet-key" }'
        )


def _ask_for_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return given


@tokens.command()
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="viewer, operator or admin; default: admin, with --group operator.",
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only connections of this group; repeat it for several."),
    ] = None,
    is_read_only: Annotated[
        bool, typer.Option("--read-only", help="The same as --role viewer.")
    ] = False,
) -> None:
    """Create a token and print it; it is shown only once."""
    from monitor.store import credentials
    from monitor.store.audit import add_audit
    from monitor.store.overview import list_used_groups

    if not _NAME.fullmatch(name):
        raise CommandError("a name has letters, digits, dots, dashes and underscores, at most 100")
    groups = frozenset(_read_group(one) for one in group or ())
    given = _read_role(role, is_read_only=is_read_only, has_groups=bool(groups))
    session: Session = context.obj
    with session.open_for_writing().write() as tx:
        token = credentials.add_api_token(tx, name, utc_now(), given, groups or None)
        if token is not None:
            add_audit(tx, AuditRow(utc_now(), session.who, Action.PUT, keys=(f"tokens.{name}",)))
        unused = groups.difference(list_used_groups(tx))
    if token is None:
        raise CommandError(
            f'there is a token called "{name}" already: connwatch web token revoke {name}'
        )
    typer.echo(token)
    for one in sorted(unused):
        print_error(f'no connection has group = "{one}" so far')
    print_error("store it now: it is not shown again. Send it as: Authorization: Bearer TOKEN")


def _read_role(written: str | None, *, is_read_only: bool, has_groups: bool) -> Role:
    """Return the role that the options mean.

    Raises:
        CommandError: They contradict each other, or name none.
    """
    if written is None:
        if is_read_only:
            return Role.VIEWER
        return Role.OPERATOR if has_groups else Role.ADMIN
    if written not in set(Role):
        known = one_of([role.value for role in Role])
        raise CommandError(f'unknown role "{written}"; known: {known}{did_you_mean(written, Role)}')
    role = Role(written)
    if is_read_only and role is not Role.VIEWER:
        raise CommandError(f"--read-only is the role viewer, not {role}: give one of the two")
    if role is Role.ADMIN and has_groups:
        raise CommandError(
            "--group is not for admins, who see everything: use --role operator or --role viewer"
        )
    return role


def _read_group(written: str) -> str:
    """Return the name of a group.

    Raises:
        CommandError: It can be none.
    """
    from monitor.config.values import check_name

    try:
        return check_name(written)
    except ValueError as error:
        raise CommandError(f"--group: {error}") from error


@tokens.command("list")
def list_(context: typer.Context, is_json: AsJson = False) -> None:
    """List the tokens by name, with their role, groups and last use."""
    session: Session = context.obj
    known = _read(session)
    if is_json:
        print_json({"tokens": [_describe(one) for one in known]})
    elif known:
        now, zone = utc_now(), session.config.alerts.zone
        header = ("NAME", "ROLE", "GROUPS", "CREATED", "LAST USED")
        rows = [
            TableRow(
                (
                    one.name,
                    one.role.value,
                    "all" if one.groups is None else ", ".join(sorted(one.groups)),
                    format_time(one.created_at, now, zone),
                    format_time(one.last_used_at, now, zone) if one.last_used_at else "never",
                )
            )
            for one in known
        ]
        print_rows(open_console(), rows, header)
    else:
        typer.echo("no tokens yet: connwatch web token add NAME")


def _read(session: Session) -> list[ApiToken]:
    from monitor.store import credentials

    return session.read(credentials.list_api_tokens) or []


def _describe(token: ApiToken) -> Json:
    return {
        "name": token.name,
        "role": token.role.value,
        "groups": None if token.groups is None else sorted(token.groups),
        "read_only": token.is_read_only,
        "created_at": instant(token.created_at),
        "last_used_at": instant(token.last_used_at),
    }


@tokens.command()
def revoke(context: typer.Context, name: Name) -> None:
    """Revoke a token: it is rejected from now on."""
    from monitor.store import credentials
    from monitor.store.audit import add_audit

    session: Session = context.obj
    known = [one.name for one in _read(session)]
    if name not in known:
        raise CommandError(f'no token is called "{name}"{did_you_mean(name, known)}')
    with session.open_for_writing().write() as tx:
        credentials.revoke_api_token(tx, name)
        add_audit(tx, AuditRow(utc_now(), session.who, Action.DELETE, keys=(f"tokens.{name}",)))
    typer.echo(f"{name} is revoked: it is rejected from now on")
