"""Offer the commands, one module a group.

Data goes to stdout, everything else to stderr; how a command ends stands in `cli.errors`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import (
    alerts,
    audit,
    checks,
    config,
    connections,
    daemon,
    database,
    doctor,
    entries,
    invites,
    keys,
    quota,
    searches,
    silences,
    simulator,
    sources,
    validate,
    web,
)
from monitor.cli.errors import CommandError, find_argument_flaw, run_command
from monitor.cli.session import Session

__all__ = ["main"]

app = typer.Typer(
    name="connwatch",
    help="Alert people before an API connection breaks, or when it has.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    daemon.run,
    checks.check,
    checks.status,
    validate.validate,
    quota.quota,
    connections.history,
    audit.audit,
    connections.pause,
    connections.resume,
    connections.delete,
    connections.renew,
    invites.invite,
    silences.silence,
    silences.ack,
    doctor.doctor,
    simulator.simulate,
    simulator.demo,
)
GROUPS = {
    "searches": (
        searches,
        "List past SoldScope searches (searches CONNECTION), or wait for one.",
    ),
    "alerts": (alerts, "List, retry, test and explain alerts."),
    "config": (config, "Create, check and show the configuration."),
    "web": (web, "Manage the dashboard's password and key, and API tokens."),
    "keys": (keys, "Encrypt stored tokens with a new key."),
    "proposed": (invites, "List, accept and reject credentials that renewal links brought."),
    "sources": (sources, "Show the lists that connections come from, and accept removals."),
    "db": (database, "Migrate, inspect, back up and restore the database."),
}
for command in COMMANDS:
    app.command()(command)
app.command("import")(entries.import_)
app.command()(entries.export)
for name, (group, help_) in GROUPS.items():
    app.add_typer(group.commands, name=name, help=help_)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"connwatch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config_path: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="CONNWATCH_CONFIG",
            help="The configuration file; default: the first found of ./config.toml, "
            "$XDG_CONFIG_HOME/connwatch/config.toml, /etc/connwatch/config.toml.",
        ),
    ] = None,
    is_verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every check.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Alert people before an API connection breaks, or when it has."""
    flaw = find_argument_flaw(config_path or "")
    if flaw is not None:
        raise CommandError(f"$CONNWATCH_CONFIG: {flaw}")
    session = Session(config_path, is_verbose=is_verbose)
    context.call_on_close(session.close)
    context.obj = session


def main() -> None:
    """Run the command line."""
    run_command(app)
