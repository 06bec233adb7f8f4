"""Run the daemon in the foreground, until it is told to stop (`run`).

Decides what must be right before it starts and what signals mean; everything else is
`engine.app`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads the annotations when it runs

from monitor.cli.errors import DONE
from monitor.cli.session import become_owner, unusable_proxy
from monitor.clock import utc_now
from monitor.config.connections import Connection
from monitor.config.describe import walk
from monitor.config.errors import ConfigError, Problem
from monitor.config.remarks import exposed_secrets
from monitor.config.secret import Secret, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.cli.session import Session
    from monitor.config.model import Config

COMMANDS_WITHIN_S = 12.0
"""How long a start may wait for the commands that print secrets; each has ten seconds."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

LINGER_S = 1.0
"""How long threads that nobody can stop, as those waiting for a name server, may hold the end."""


READ_AGAIN_S = 1.0
"""How soon a file that cannot be used is looked at again, where nothing else is left."""


def run(context: typer.Context) -> None:
    """Run the daemon: check connections and send alerts.

    SIGTERM or Ctrl-C stops it, after running checks have ended and due alerts are sent; a
    second signal stops it at once. SIGHUP reloads the configuration file.
    """
    from monitor.engine.reload import log_notices
    from monitor.log import configure_logging
    from monitor.providers.limits import raise_file_limit

    wanted = threading.Event()
    # From here on a reload that comes too early is a reload after the start.
    signal.signal(signal.SIGHUP, lambda *_: wanted.set())
    session: Session = context.obj
    _require_startable(session)
    raise_file_limit()
    _become_owner(session)
    configure_logging(is_verbose=session.is_verbose)
    for report in (log_notices, _run_commands, _report_bad_templates, _report_exposed_secrets):
        report(session.config)
    leaving = threading.Timer(LINGER_S, os._exit, [DONE])
    leaving.daemon = True
    try:
        asyncio.run(_serve(session, wanted, leaving))
    finally:
        leaving.cancel()


def _require_startable(session: Session) -> None:
    """Look at all that the daemon will need of its surroundings.

    Raises:
        ConfigError: With all that is missing.
    """
    config = session.config
    names = {connection.name for connection in config.connections if connection.enabled}
    session.require_usable(names, with_channels=True)
    problems = [
        *_unusable_channels(config),
        *unusable_proxy(config),
        *_unusable_heartbeat(config),
    ]
    if problems:
        raise ConfigError(problems, session.path)


def _become_owner(session: Session) -> None:
    """Become the owner of the database, if root started this; read before what only root may."""
    if os.geteuid() == 0:
        for leaf in walk(session.config):
            # A command runs as the user that the daemon will be.
            if isinstance(leaf.value, Secret) and leaf.value.command is None:
                with suppress(SecretUnavailable):  # whoever needs it says so
                    leaf.value.reveal()
    become_owner(session.config.monitor.database_path)


def _unusable_channels(config: Config) -> Iterator[Problem]:
    from monitor.notify.apprise import validate_url

    for index, channel in enumerate(config.channels):
        why = validate_url(channel.url) if channel.url.command is None else None
        if why is not None:
            yield Problem(f"channels[{index}].url", f'{why} (channel "{channel.name}")')


def _unusable_heartbeat(config: Config) -> Iterator[Problem]:
    try:
        if config.heartbeat.url is not None and config.heartbeat.url.command is None:
            config.heartbeat.url.reveal()
    except SecretUnavailable as error:
        yield Problem("heartbeat.url", str(error))


def _run_commands(config: Config) -> None:
    """Run the commands for the secrets that all share, and log those that print none.

    Those of connections are run when these are checked: there may be a hundred thousand.
    """
    import structlog

    leaves = [
        (leaf.place, leaf.value, leaf.value.command)
        for leaf in walk(config)
        if isinstance(leaf.value, Secret) and not isinstance(leaf.table, Connection)
    ]
    runs = [(place, secret, command.start()) for place, secret, command in leaves if command]
    wait({run for *_, run in runs}, COMMANDS_WITHIN_S)
    for place, secret, run in runs:
        try:
            if run.done():
                secret.reveal()
        except SecretUnavailable as error:
            structlog.get_logger().warning(
                "secret.unavailable",
                place=place,
                why=str(error),
                next="the command is run again when the secret is needed",
            )


def _report_bad_templates(config: Config) -> None:
    """Log the templates that will not do: alerts go out in the built-in words meanwhile."""
    import structlog

    from monitor.report.doctor import bad_templates

    for problem in bad_templates(config, utc_now()):
        structlog.get_logger().warning(
            "config.bad_template", place=problem.place, why=problem.message
        )


def _report_exposed_secrets(config: Config) -> None:
    """Log the secrets that stand in addresses and headers: they work, and others may see them."""
    import structlog

    for problem in exposed_secrets(config):
        structlog.get_logger().warning(
            "config.exposed_secret", place=problem.place, why=problem.message
        )


async def _serve(session: Session, wanted: threading.Event, leaving: threading.Timer) -> None:
    """Run the daemon until a signal stops it.

    Args:
        wanted: Set if a reload was wanted before there was a daemon.
        leaving: Ends the process even if threads still hold it.
    """
    import structlog

    from monitor.engine.app import App
    from monitor.engine.integrity import DatabaseLost
    from monitor.engine.supervisor import Systemd
    from monitor.web.dashboard import WebDashboard

    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _begin_stop, loop, stop)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    if wanted.is_set():
        reload.set()
    load = partial(_load_again, session)
    # Nothing here keeps the settings: of connections, the daemon has rows.
    while await _can_be_read(session, stop):
        try:
            systemd = Systemd.of(os.environ)
            await App(session.take_config(), WebDashboard, systemd, load).run(stop, reload)
        except DatabaseLost as lost:
            structlog.get_logger().warning("daemon.begins_anew", why=str(lost))
            reload.set()  # by now it may go by newer settings than those of its start
    structlog.get_logger().info("daemon.stopped")
    leaving.start()


async def _can_be_read(session: Session, stop: asyncio.Event) -> bool:
    """Wait until the file can be used; tell whether it can, and nobody wants an end.

    It can, at the start; where the database was lost since then, the file may be broken.
    """
    import structlog

    is_said = False
    while not stop.is_set():
        try:
            session.config  # noqa: B018 - read now, and kept until it is taken
        except ConfigError as error:
            if not is_said:
                structlog.get_logger().error(
                    "config.unusable", file=str(session.path), why=str(error)
                )
            is_said = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), READ_AGAIN_S)
        else:
            return True
    return False


def _load_again(session: Session) -> Config:
    """Return what the same file says now, ready to be used.

    Raises:
        ConfigError: With all that is wrong, or missing around it.
    """
    from monitor.report.doctor import bad_templates

    anew = session.anew()
    _require_startable(anew)
    _require_content(anew)
    _run_commands(anew.config)
    problems = [*exposed_secrets(anew.config), *bad_templates(anew.config, utc_now())]
    if problems:
        raise ConfigError(problems, anew.path)
    return anew.config


def _require_content(session: Session) -> None:
    """Refuse a file with nothing in it: it is just being written, or the disk was full.

    Raises:
        ConfigError: There is nothing in it, or `[monitor]` alone.
    """
    if session.config.model_fields_set <= {"monitor"}:
        why = "is empty: was it cut off? To stop watching, stop the daemon"
        raise ConfigError([Problem(str(session.path), why)], session.path)


def _begin_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop in good order; the next signal finds nobody who would wait."""
    for number in STOP_SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
    loop.remove_signal_handler(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop.set()
