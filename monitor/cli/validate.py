"""Check one connection step by step, and print what was found and who can mend it (`validate`).

The check is the one of `check`: judged and stored as the daemon does. What the steps are is
decided in `report.validation`, what to do in `report.advice`; lines are made for 80 columns
and wrap below their words.
"""

from __future__ import annotations

import asyncio
import platform
import webbrowser
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from monitor import __version__
from monitor.cli.checks import callable_names, read_mutings, read_records, store_results
from monitor.cli.completion import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.errors import NOT_DONE, CommandError, print_error
from monitor.cli.output import clean, connection_row, open_console, print_rows, print_wrapped
from monitor.cli.session import find_leaves, read_access
from monitor.clock import utc_now
from monitor.config.addresses import secrets_in
from monitor.config.connections import AmazonConnection
from monitor.config.secret import Secret, SecretUnavailable
from monitor.judge.audit import Action, AuditRow
from monitor.judge.outcome import State
from monitor.report.status import UNMUTED, exit_code
from monitor.report.validation import CheckedConnection, Mark, StepName
from monitor.report.validation import validate as take_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.cli.runner import CheckResults
    from monitor.cli.session import Session
    from monitor.config.connections import Connection
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.incidents import Connectivity
    from monitor.judge.outcome import Transition
    from monitor.providers.exchanges import Exchange
    from monitor.report.advice import Advice, Surroundings
    from monitor.report.validation import ValidationStep
    from monitor.store.engine import Database


LISTED_CHANGES = 5
"""How many changes of state a ticket names."""


def validate(
    context: typer.Context,
    name: ConnectionName,
    is_opening: Annotated[
        bool, typer.Option("--open", help="Open the page where it can be fixed.")
    ] = False,
    is_report: Annotated[
        bool, typer.Option("--report", help="Print a report for a support ticket.")
    ] = False,
) -> None:
    """Check one connection step by step, and show how to fix it.

    Exit code: 2 broken, 3 unknown or not done, 1 soon a problem, 0 fine.
    """
    session: Session = context.obj
    visit = _open_validation(session, name)
    session.quiet_logs()
    if not is_report:
        print_heading(visit.connection)
    asyncio.run(visit.run(is_printing=not is_report))
    if is_report:
        _print_ticket(visit)
    else:
        print_advice(visit.answered, visit.advice, is_paused=visit.is_paused)
    if is_opening:
        open_page(visit.advice)
    raise typer.Exit(visit.exit_code())


@dataclass
class _Validation:
    """One validation of one connection.

    Args:
        database: None where there is none yet and nothing is to be stored.
        is_paused: It is asked once, and nothing of that is stored.
    """

    session: Session
    connection: Connection
    database: Database | None
    is_paused: bool
    steps: list[ValidationStep] = field(default_factory=list)
    calls: list[Exchange] = field(default_factory=list)
    answered: CheckedConnection = field(init=False)

    @cached_property
    def advice(self) -> list[Advice]:
        """What to do; the same however often it is asked for."""
        from monitor.report.advice import advise

        return advise(self.answered, self.connection, self.session.config)

    async def run(self, *, is_printing: bool) -> None:
        """Take every step, and print each at once if that is wanted."""
        config = self.session.config_of({self.connection.name})
        async for step in take_steps(self.connection, config, self.ask):
            if is_printing:
                print_step(step, self.steps[-1].target if self.steps else "")
            self.steps.append(step)

    async def ask(self) -> CheckedConnection:
        """Check once; store what came of it, or only judge it."""
        from monitor.cli.runner import check_each, find_connectivity
        from monitor.providers.exchanges import RECORDED

        name = self.connection.name
        before = read_records(self.session, self.database, {name})
        access = read_access(self.session, self.database, {name})
        token = RECORDED.set(self.calls)
        try:
            answers = await check_each(self.session.config_of({name}), {name}, {}, access)
        finally:
            RECORDED.reset(token)
        uplink = await find_connectivity(self.session.config, answers)
        record = self._judge(before, answers, uplink)
        now = utc_now()
        self.answered = CheckedConnection.of(
            answers[name][1],
            record,
            self.session.watched(name),
            self.session.config,
            now,
            read_mutings(self.session, [record], now).get(name, UNMUTED),
        )
        return self.answered

    def _judge(
        self, before: Sequence[ConnectionRecord], answers: CheckResults, uplink: Connectivity
    ) -> ConnectionRecord:
        from monitor.engine.evaluate import preview

        name = self.connection.name
        if not self.is_paused and self.database is not None:
            ordered = AuditRow(utc_now(), self.session.who, Action.VALIDATE, name)
            before = store_results(self.session, self.database, before, answers, uplink, by=ordered)
        if not before:
            raise CommandError(f'connection "{name}" has been deleted')
        if not self.is_paused:
            return before[0]
        at, outcome = answers[name]
        return preview(before[0], outcome, self.session.watched(name), at)

    def exit_code(self) -> int:
        """Return the contract's exit code; paused connections count for nothing."""
        each = self.answered.each | ({"state": State.PAUSED.value} if self.is_paused else {})
        return exit_code([each], is_check=True, soon_days=self.answered.soon_days)

    def transitions(self) -> Sequence[Transition]:
        """Return the latest changes of state, newest first."""
        from monitor.store import connections, history

        if self.database is None:
            return ()
        with self.database.read() as tx:
            record = connections.find_record(tx, self.connection.name)
            return () if record is None else history.list_transitions(tx, record.id, LISTED_CHANGES)


def _open_validation(session: Session, name: str) -> _Validation:
    """Read what the check needs before anything is asked."""
    session.read_ahead({name}, with_channels=False)
    connection = session.connection(name)
    is_paused = not callable_names(session, {name})
    if is_paused and not read_records(session, session.open_for_reading(), {name}):
        raise typer.Exit(NOT_DONE)  # deleted, as was said
    session.require_usable({name}, with_channels=False)
    database = session.open_for_reading() if is_paused else session.open_for_writing(about=name)
    return _Validation(session, connection, database, is_paused)


def _print_ticket(visit: _Validation) -> None:
    from monitor.providers.exchanges import write_exchanges
    from monitor.report.advice import write_ticket

    around = _look_around(visit.connection, is_paused=visit.is_paused)
    calls = write_exchanges(visit.calls, list(_secrets_of(visit)))
    typer.echo(write_ticket(around, visit.steps, visit.answered, visit.transitions(), calls))


def _secrets_of(visit: _Validation) -> Iterator[str]:
    """Yield what no line of a report may repeat."""
    name = visit.connection.name
    outside = visit.session.connections_outside((name,)).values()
    for leaf in find_leaves(visit.session.config, {name}, outside):
        if isinstance(leaf.value, Secret):
            with suppress(SecretUnavailable):
                yield leaf.value.reveal()
        elif isinstance(leaf.value, str) and leaf.key in {"url", "base_url", "endpoint"}:
            yield from secrets_in(leaf.value)


def _look_around(connection: Connection, *, is_paused: bool) -> Surroundings:

    from monitor.report.advice import Surroundings

    facts = {"connection": connection.name, "provider": connection.provider}
    if isinstance(connection, AmazonConnection):
        facts |= {"region": connection.region.value, "probe": connection.probe.value}
    if is_paused:
        facts["paused"] = "yes: checked this once, and the result was not stored"
    software = (
        f"connwatch {__version__}, Python {platform.python_version()},"
        f" {platform.system()} {platform.release()}"
    )
    return Surroundings(software, facts)


LOOKS = {
    Mark.OK: ("✓", "green"),
    Mark.WARNING: ("!", "bold yellow"),
    Mark.FAILED: ("✗", "bold red"),
    Mark.SKIPPED: ("–", "dim"),  # noqa: RUF001 - a dash is what is meant
}

NAME_WIDTH = max(map(len, StepName))
MARGIN = 3
"""Room for the mark: names and advice stand behind it."""


def print_heading(connection: Connection) -> None:
    """Say what is validated."""
    line = Text(clean(connection.name), "bold")
    line.append(f"  {connection.provider}", "not bold")
    if isinstance(connection, AmazonConnection):
        line.append(f", region {connection.region}", "not bold")
        line.append(f", application {clean(connection.application)}", "not bold")
    open_console().print(line, soft_wrap=True)


def print_step(step: ValidationStep, last_target: str) -> None:
    """Print one step, below its target where that is another than the last one's."""
    console = open_console()
    if step.target != last_target:
        console.print()
        console.print(clean(step.target), soft_wrap=True)
    mark, style = LOOKS[step.state]
    first = Text.assemble((f" {mark} ", style), f"{step.name:<{NAME_WIDTH}}  ")
    words = Text(clean(step.words), "dim" if step.state is Mark.SKIPPED else "")
    if step.took_ms is not None:
        words.append(f"  {_format_ms(step.took_ms)}", "dim")
    print_wrapped(console, first, words)


def _format_ms(took_ms: float) -> str:
    # No space that a line could be broken at.
    return "<1\N{NO-BREAK SPACE}ms" if took_ms < 1 else f"{took_ms:,.0f}\N{NO-BREAK SPACE}ms"


def print_advice(answered: CheckedConnection, advice: Sequence[Advice], *, is_paused: bool) -> None:
    """Print the verdict, and what follows from it."""
    console = open_console()
    console.print()
    said = answered.outcome.detail
    row = connection_row(
        answered.each,
        answered.now,
        is_check=True,
        said=said,
        can_renew_here=None,
        with_notes=True,
        zone=answered.zone,
    )
    print_rows(console, [row])
    margin = Text(" " * MARGIN)
    for each in advice:
        console.print()
        print_wrapped(console, margin, Text(f"What to do: {each.remedy}"))
        if each.page is not None:
            print_wrapped(console, margin, Text(each.page.words + (":" if each.page.url else ".")))
        if each.page is not None and each.page.url is not None:
            # In one piece, so that it can be clicked and copied.
            console.print(margin + Text(each.page.url), soft_wrap=True)
    if is_paused:
        console.print()
        words = "It is paused: checked this once, the result was not stored, and it stays paused."
        print_wrapped(console, margin, Text(words))


def open_page(advice: Sequence[Advice]) -> None:
    """Open the first page that helps in a browser, or say on stderr why not."""
    urls = [each.page.url for each in advice if each.page is not None and each.page.url]
    if not urls:
        print_error("--open: there is no page for fixing this")
    elif not urls[0].startswith(("https://", "http://")):
        print_error("--open: only web pages can be opened")
    elif not webbrowser.open(urls[0]):
        print_error(f"--open: no browser found; open {urls[0]} yourself")
