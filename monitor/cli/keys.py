"""Encrypt what is stored with a new key (`keys`).

Which keys there are is a matter of the file: `web.key` encrypts, those of `web.old_keys` decrypt as
well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from monitor.cli.errors import CommandError, print_error
from monitor.clock import utc_now
from monitor.config.errors import format_count

if TYPE_CHECKING:
    from monitor.cli.session import Session
    from monitor.engine.ciphers import Cipher
    from monitor.store.credentials import Rotated
    from monitor.store.engine import Database

commands = typer.Typer(no_args_is_help=True)

_MOST_NAMED = 5


@commands.callback()
def keys() -> None:
    """Encrypt what is stored with a new key."""


@commands.command()
def rotate(context: typer.Context) -> None:
    """Encrypt everything that is stored with web.key, whichever key it was encrypted with before.

    All of it, or nothing if anything cannot be read. The daemon may run.
    """
    from monitor.engine.ciphers import Cipher, KeyUnusable

    session: Session = context.obj
    try:
        # Before root becomes the owner of the database, who may not read the keys.
        cipher = Cipher.of(session.config.web)
    except KeyUnusable as error:
        raise CommandError(f"nothing was changed: {error}") from None
    database = session.open_for_reading()
    rotated = None if database is None else _rotate(database, cipher, session.who)
    if rotated is None or not rotated.n_rows:
        typer.echo("nothing is stored encrypted: web.old_keys can be taken out")
        return
    typer.echo(f"{format_count(rotated.n_rows, 'stored secret')} encrypted with web.key")
    if session.config.web.old_keys:
        print_error(
            "Reload the daemon if it does not use this web.key yet. Then web.old_keys can be taken"
            " out, unless a backup is to be restored that needs it."
        )


def _rotate(database: Database, cipher: Cipher, who: str) -> Rotated:
    """Encrypt all values of *database* anew.

    Raises:
        CommandError: One cannot be read, so that none was changed.
    """
    from monitor.engine.ciphers import KeyUnusable
    from monitor.judge.audit import Action, AuditRow
    from monitor.store.audit import add_audit
    from monitor.store.credentials import rotate_encrypted

    def renew(stored: bytes) -> bytes | None:
        try:
            return cipher.rotate(stored)
        except KeyUnusable:
            return None

    # An exception within undoes the whole transaction.
    with database.write() as tx:
        rotated = rotate_encrypted(tx, renew)
        if rotated.unreadable:
            raise CommandError(_explain(rotated))
        if rotated.n_rows:
            key, n = ("web.key",), rotated.n_rows
            add_audit(tx, AuditRow(utc_now(), who, Action.ROTATE, keys=key, count=n))
    return rotated


def _explain(rotated: Rotated) -> str:
    names = ", ".join(rotated.unreadable[:_MOST_NAMED])
    n_more = len(rotated.unreadable) - _MOST_NAMED
    more = f" and {n_more:,} more" if n_more > 0 else ""
    return (
        f"nothing was changed: {len(rotated.unreadable):,} of"
        f" {format_count(rotated.n_rows, 'stored secret')} cannot be read with web.key or"
        f" web.old_keys ({names}{more}). Add the key that they were encrypted with to web.old_keys,"
        " or renew these authorizations first"
    )
