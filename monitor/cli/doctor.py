"""Diagnose a running installation, and say what to mend (`doctor`).

What is looked at is decided in `report.doctor`. The exit code is the worst of the findings, in
the words of `status`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor.cli.completion import AsJson  # noqa: TC001 - typer reads the annotations
from monitor.cli.output import clean, open_console, print_json, print_wrapped
from monitor.cli.validate import LOOKS
from monitor.clock import utc_now
from monitor.config.errors import ConfigError, format_count
from monitor.report.validation import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.cli.session import Session
    from monitor.report.doctor import Finding

BROKEN = 2
SOON = 1

_MOST_OUTSIDE = 1000
"""Of so many connections that are not in the file the hosts are looked at."""


def doctor(
    context: typer.Context,
    *,
    is_json: AsJson = False,
    is_offline: Annotated[bool, typer.Option("--offline", help="Call no host.")] = False,
) -> None:
    """Diagnose this installation; changes and sends nothing.

    Exit codes: 0 OK, 1 warning, 2 error.
    """
    session: Session = context.obj
    session.quiet_logs()
    findings: list[Finding] = []
    for finding in _examine(session, is_offline=is_offline):
        findings.append(finding)
        if not is_json:
            _print_finding(finding, findings[-2] if len(findings) > 1 else None)
    counts = {mark.value: sum(one.state is mark for one in findings) for mark in Mark}
    if is_json:
        print_json({"summary": counts, "findings": [_as_json(one) for one in findings]})
    else:
        _print_end(counts)
    if counts[Mark.FAILED.value]:
        raise typer.Exit(BROKEN)
    if counts[Mark.WARNING.value]:
        raise typer.Exit(SOON)


def _examine(session: Session, *, is_offline: bool) -> Iterator[Finding]:
    """Yield finding after finding, each as soon as it is known."""
    from monitor.report import doctor as doctor_report
    from monitor.report.doctor import Area, Finding

    now = utc_now()
    try:
        config = session.config
    except ConfigError as error:
        if error.path is None:
            raise
        for problem in error.problems:
            yield Finding(Area.SETTINGS, Mark.FAILED, str(problem))
        return
    path = config.monitor.database_path
    for finding in doctor_report.examine_settings(config, path, now):
        # Held back until the database was opened, for which root becomes a user who may see less.
        if finding.words != str(doctor_report.NO_CONNECTION):
            yield finding
    yield from doctor_report.examine_secrets(config)
    yield from doctor_report.examine_disk(path)
    yield from doctor_report.examine_files(path)
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where it may not look
        session.database.may_set_aside = False
        yield from doctor_report.examine_schema(session.database)
        yield from doctor_report.examine_rows(session.database)
        yield from _examine_work(session)
    outside = _list_outside(session)
    if not config.connections and not outside:
        yield Finding(Area.SETTINGS, Mark.WARNING, str(doctor_report.NO_CONNECTION))
    yield from doctor_report.examine_limits(config)
    yield from doctor_report.examine_clock(doctor_report.read_kernel_clock())
    if not is_offline:
        if outside:
            config = session.config_of([*(one.name for one in config.connections), *outside])
        yield from asyncio.run(doctor_report.examine_network(config, now))


def _list_outside(session: Session) -> list[str]:
    """Return connections that are not in the file, as many as may add a host."""
    from monitor.store.engine import StoreError

    try:
        outside = session.read(session.settings.list_outside) or []
    except (StoreError, ValueError, TypeError, LookupError):
        return []  # reported already, with what is wrong with it
    return outside[:_MOST_OUTSIDE]


def _examine_work(session: Session) -> Iterable[Finding]:
    from monitor.report.doctor import (
        Area,
        Finding,
        examine_channels,
        examine_conditions,
        examine_daemon,
    )
    from monitor.store.engine import StoreError

    now = utc_now()
    try:
        database = session.open_for_reading()
        if database is None:
            return []
        config = session.config_with_channels
        with database.read() as tx:
            return [
                *examine_daemon(database, tx, session.config, session.settings.names(tx), now),
                *examine_conditions(database, tx, config, now),
                *examine_channels(tx, config, now),
            ]
    except StoreError:
        return []  # reported already, with what is wrong with it
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
        words = "the daemon and its channels could not be examined: a row cannot be read"
        return [Finding(Area.DAEMON, Mark.SKIPPED, words)]


def _print_finding(finding: Finding, last: Finding | None) -> None:
    console = open_console()
    if last is None or last.area is not finding.area:
        if last is not None:
            console.print()
        console.print(Text(finding.area.value, "bold"))
    mark, style = LOOKS[finding.state]
    print_wrapped(console, Text.assemble((f" {mark} ", style)), Text(clean(finding.words)))
    if finding.remedy:
        print_wrapped(console, Text("   → "), Text(clean(finding.remedy), "bold"))


def _print_end(counts: dict[str, int]) -> None:
    wrong, soon = counts[Mark.FAILED.value], counts[Mark.WARNING.value]
    found = f"{format_count(wrong, 'error')}, {format_count(soon, 'warning')}."
    console = open_console()
    console.print()
    console.print(found if wrong or soon else "All is well.")


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "area": finding.area.value,
        "state": finding.state.value,
        "words": finding.words,
        "remedy": finding.remedy,
    }
