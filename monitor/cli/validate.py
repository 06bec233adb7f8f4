"""
Check one connection step by step, and say who can mend it where (`validate`).

The check is the one of `check`: judged and stored as the daemon does. What the
steps are is decided in `monitor.validating`, what to do in `monitor.advice`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.checks import (
    callable_names,
    read_records,
    store_answers,
)
from monitor.cli.completing import ConnectionName  # noqa: TC001 - typer reads the annotations
from monitor.cli.ending import NOT_DONE, CommandError
from monitor.cli.known import find_let_in
from monitor.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.advice import Advice
    from monitor.cli.asking import Answers
    from monitor.cli.session import Session
    from monitor.config.model import Connection
    from monitor.judge.connections import ConnectionRecord
    from monitor.judge.link import Uplink
    from monitor.judge.state import Transition
    from monitor.report import Json
    from monitor.store.engine import Database
    from monitor.ticket import Surroundings
    from monitor.validation import Answered, Step

TOLD_CHANGES = 5
"""How many changes of state a ticket names."""


def register(app: typer.Typer) -> None:
    """
    Add `validate` to *app*.
    """
    app.command()(validate)


def validate(
    context: typer.Context,
    name: ConnectionName,
    is_opening: Annotated[
        bool, typer.Option("--open", help="Open the page on which it can be mended.")
    ] = False,
    is_report: Annotated[
        bool, typer.Option("--report", help="Print a text for a support ticket instead.")
    ] = False,
) -> None:
    """
    Check one connection step by step; say what is wrong and who can mend it.

    Exit code: 2 broken, 3 unknown or not done, 1 soon a problem, 0 fine.
    """
    from monitor.cli.validated import open_page, print_advice, print_heading, print_step
    from monitor.log import configure_logging

    session: Session = context.obj
    visit = _open_visit(session, name)
    configure_logging(is_verbose=session.is_verbose, is_quiet=True)
    if is_report:
        steps = asyncio.run(_walk(visit, lambda _: None))
        _print_ticket(visit, steps)
    else:
        print_heading(visit.connection)
        last = ""

        def tell(step: Step) -> None:
            nonlocal last
            print_step(step, last)
            last = step.target

        asyncio.run(_walk(visit, tell))
        print_advice(visit.answered, visit.advise(), is_paused=visit.is_paused)
    if is_opening:
        open_page(visit.advise())
    raise typer.Exit(visit.exit_code())


@dataclass
class _Visit:
    """
    One validation of one connection.

    Args:
        database: None where there is none yet and nothing is to be stored.
        is_paused: It is asked once, and nothing of that is stored.
    """

    session: Session
    connection: Connection
    database: Database | None
    is_paused: bool
    _asked: list[Answered] = field(default_factory=list)
    _advice: list[Advice] | None = None

    @property
    def answered(self) -> Answered:
        return self._asked[-1]

    async def ask(self) -> Answered:
        """
        Check once; store what came of it, or only judge it.
        """
        from monitor.cli.asking import ask_all, find_uplink
        from monitor.cli.stored import find_held
        from monitor.validation import Answered

        name = self.connection.name
        before = read_records(self.session, self.database, {name})
        held = find_held(self.session, self.database, {name})
        worked = find_let_in(self.database, {name})
        answers = await ask_all(self.session.config, {name}, {}, held, worked, lambda: None)
        uplink = await find_uplink(self.session.config, answers)
        record = self._judge(before, answers, uplink)
        shown = replace(record, is_paused=False, is_enabled=True)
        days = self.session.config.alerts.expiring_soon_days
        outcome = answers[name][1]
        answered = Answered(outcome, self._describe(shown), utc_now(), max(days, default=0))
        self._asked.append(answered)
        return answered

    def _judge(
        self, before: Sequence[ConnectionRecord], answers: Answers, uplink: Uplink
    ) -> ConnectionRecord:
        from monitor.cycle import foresee

        name = self.connection.name
        if not self.is_paused and self.database is not None:
            before = store_answers(self.session, self.database, before, answers, uplink)
        if not before:
            raise CommandError(f'connection "{name}" was deleted meanwhile')
        if not self.is_paused:
            return before[0]
        at, outcome = answers[name]
        return foresee(before[0], outcome, self.session.plan.watched[name], at)

    def _describe(self, record: ConnectionRecord) -> Json:
        from monitor.report import connection_json

        return connection_json(record, self.session.plan.watched[record.name], utc_now())

    def advise(self) -> list[Advice]:
        """
        Return what to do; the same however often it is asked for.
        """
        import secrets

        from monitor.advice import advise
        from monitor.config.amazon import AmazonConnection

        if self._advice is None:
            application = None
            if isinstance(self.connection, AmazonConnection):
                application = self.session.config.application(self.connection.application)
            word = secrets.token_urlsafe(16)
            self._advice = advise(self.answered, self.connection, application, word)
        return self._advice

    def exit_code(self) -> int:
        """
        Return the contract's exit code; paused connections count for nothing.
        """
        from monitor.judge.outcome import State
        from monitor.report import exit_code

        each = self.answered.each | ({"state": State.PAUSED.value} if self.is_paused else {})
        return exit_code([each], is_check=True, soon_days=self.answered.soon_days)

    def transitions(self) -> Sequence[Transition]:
        """
        Return the latest changes of state, newest first.
        """
        from monitor.store import connections, history

        if self.database is None:
            return ()
        with self.database.read() as tx:
            record = connections.find_record(tx, self.connection.name)
            return () if record is None else history.list_transitions(tx, record.id, TOLD_CHANGES)


def _open_visit(session: Session, name: str) -> _Visit:
    """
    Read what the check needs before anything is asked.
    """
    session.require_known(name)
    connection = session.config.connection(name)
    assert connection is not None
    session.read_ahead({name}, with_channels=False)
    is_paused = not callable_names(session, {name})
    if is_paused and not read_records(session, session.open_for_reading(), {name}):
        raise typer.Exit(NOT_DONE)  # deleted, as was said
    session.require_usable({name}, with_channels=False)
    database = session.open_for_reading() if is_paused else session.open_for_writing(about=name)
    return _Visit(session, connection, database, is_paused)


async def _walk(visit: _Visit, tell: Callable[[Step], None]) -> list[Step]:
    """
    Take every step, and tell of each at once.
    """
    from monitor.validating import validate as take_steps

    steps = []
    async for step in take_steps(visit.connection, visit.session.config, visit.ask):
        tell(step)
        steps.append(step)
    return steps


def _print_ticket(visit: _Visit, steps: Sequence[Step]) -> None:
    from monitor.ticket import write_ticket

    around = _look_around(visit.connection, is_paused=visit.is_paused)
    typer.echo(write_ticket(around, steps, visit.answered, visit.transitions()))


def _look_around(connection: Connection, *, is_paused: bool) -> Surroundings:
    import platform

    from monitor import __version__
    from monitor.config.amazon import AmazonConnection
    from monitor.ticket import Surroundings

    facts = {"connection": connection.name, "provider": connection.provider}
    if isinstance(connection, AmazonConnection):
        facts |= {"region": connection.region.value, "probe": connection.probe.value}
    if is_paused:
        facts["paused"] = "yes: asked this once, and nothing was stored"
    software = (
        f"connwatch {__version__}, Python {platform.python_version()},"
        f" {platform.system()} {platform.release()}"
    )
    return Surroundings(software, facts)
