"""Show who changed what (`audit`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.completion import AsObject, complete_connection
from monitor.cli.errors import print_error
from monitor.cli.output import TableRow, clean, open_console, print_json, print_rows
from monitor.clock import utc_now
from monitor.notify.times import format_time

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from monitor.cli.session import Session
    from monitor.judge.audit import AuditRow

USUALLY_SHOWN = 50
MOST_SHOWN = 1_000_000


def audit(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The connection; default: everything.",
            autocompletion=complete_connection,
        ),
    ] = None,
    is_json: AsObject = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_SHOWN, help="Show at most this many.")
    ] = USUALLY_SHOWN,
) -> None:
    """Show who changed what, newest first.

    People, commands, API tokens, renewal links, sources and the configuration
    file. Values are never recorded. Changes are kept for 2 years.
    """
    from monitor.report.audit import audit_json
    from monitor.store.audit import list_audit

    session: Session = context.obj
    rows = session.read(lambda tx: list_audit(tx, connection=name, most=limit + 1)) or []
    if name is not None and not rows:
        session.require_known(name)  # of what was deleted its rows are left
    shown = [row for _, row in rows[:limit]]
    if is_json:
        following = _cursor(rows[limit - 1][0]) if len(rows) > limit else None
        print_json({"audit": [audit_json(row) for row in shown], "next": following})
    elif shown:
        now, zone = utc_now(), session.config.alerts.zone
        header = ("AT", "WHO", "ACTION", "CONNECTION", "COUNT", "KEYS")
        print_rows(open_console(), [_row(row, now, zone) for row in shown], header, names_at=3)
    else:
        typer.echo("no changes yet")
    if len(rows) > limit:
        print_error(f"showing the latest {limit}; use --limit for more")


def _cursor(number: int) -> str:
    """Return where the API goes on."""
    from monitor.web.overview import write_cursor

    return write_cursor((number,))


def _row(row: AuditRow, now: datetime, zone: tzinfo) -> TableRow:
    from monitor.report.audit import describe_count

    at = format_time(row.at, now, zone, is_exact=True)
    name, keys = clean(row.connection or ""), clean(", ".join(row.keys))
    return TableRow((at, clean(row.who), row.action.value, name, describe_count(row), keys))
