"""
Ask services and deliver alerts from a command, as the daemon does.

Apart from `cli.checks`, because it brings in the HTTP client.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from monitor.alert.courier import Terms
from monitor.alert.delivery import Delivery
from monitor.alert.errors import OutboxUnavailable
from monitor.alert.sender import AppriseSender
from monitor.check.client import HttpClients
from monitor.check.grants import Grants
from monitor.check.registry import build_checker
from monitor.check.uplink import is_link_up
from monitor.cli.ending import CommandError, complain
from monitor.cli.output import open_console
from monitor.clock import utc_now
from monitor.judge.link import Uplink, is_unanswered
from monitor.judge.outcome import Outcome
from monitor.links import link_to
from monitor.store.worker import StoreWorker
from monitor.stored_outbox import StoredOutbox

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.alert.courier import DeliveryReport
    from monitor.check.base import Checker
    from monitor.check.held import HeldTokens
    from monitor.cli.session import Session
    from monitor.config.model import Config
    from monitor.judge.application import Refusal
    from monitor.judge.connections import ConnectionRecord

MANY = 20
"""More connections than this take long enough to watch a bar."""

Answers = dict[str, "tuple[datetime, Outcome]"]


def ask(
    config: Config,
    names: Collection[str],
    askers: Mapping[str, str],
    held: HeldTokens | None,
    worked: Mapping[str, str | None],
) -> Answers:
    """
    Check the connections called *names*, and return when each ended and how.

    Args:
        askers: For connections of an application that was refused, who asks
            first: they ask for themselves only if it is accepted again.
        held: The refresh tokens that handshakes brought, and what tells tokens apart;
            None where no key is at hand.
        worked: The Amazon stores that were let in before, as `build_checker` takes them.

    Raises:
        SecretUnavailable: A secret went away meanwhile.
    """
    is_watched = len(names) > MANY and sys.stderr.isatty()
    with Progress(
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        console=open_console(is_stderr=True),
        transient=True,
        disable=not is_watched,
    ) as progress:
        bar = progress.add_task("", total=len(names))
        return asyncio.run(
            ask_all(config, names, askers, held, worked, lambda: progress.advance(bar))
        )


def choose_askers(
    records: Sequence[ConnectionRecord], refusals: Mapping[str, Refusal]
) -> dict[str, str]:
    """
    Return for each connection of a refused application who asks in its place.
    """
    askers: dict[str, str] = {}
    for application, refusal in refusals.items():
        concerned = [record for record in records if record.application == application]
        first = [record for record in concerned if record.id == refusal.asker_id] or concerned
        askers |= {one.name: first[0].name for one in concerned if one is not first[0]}
    return askers


async def ask_all(
    config: Config,
    names: Collection[str],
    askers: Mapping[str, str],
    held: HeldTokens | None,
    worked: Mapping[str, str | None],
    on_answer: Callable[[], None],
) -> Answers:
    """
    Check the connections called *names* at once; the same arguments as `ask`.

    Args:
        on_answer: Called after each.

    Raises:
        SecretUnavailable: A secret went away meanwhile.
    """
    slots = asyncio.Semaphore(config.checks.concurrency)
    answers: Answers = {}

    async def ask_one(name: str, checker: Checker) -> Outcome:
        outcome = await _take_over(tasks[askers[name]]) if name in askers else None
        if outcome is None:
            async with slots:
                outcome = await checker.check()
        answers[name] = utc_now(), outcome
        on_answer()
        return outcome

    async with HttpClients(config.checks.concurrency) as clients:
        checkers = _build_checkers(config, clients, names, held, worked)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(ask_one(name, checker))
                    for name, checker in checkers.items()
                }
        except ExceptionGroup as troubles:
            # One that could not be asked ends the command; the first says why.
            raise troubles.exceptions[0] from None
    return answers


async def find_uplink(config: Config, answers: Answers) -> Uplink:
    """
    Return whether our own link is there, if *answers* put that in doubt.
    """
    urls = config.checks.uplink
    if not urls or not any(is_unanswered(outcome) for _, outcome in answers.values()):
        return Uplink.UNKNOWN
    async with HttpClients(len(urls)) as clients:
        return Uplink.UP if await is_link_up(clients.get(), urls) else Uplink.DOWN


async def _take_over(asking: asyncio.Task[Outcome]) -> Outcome | None:
    """
    Return the verdict on an application that another connection asks about, if it is refused.
    """
    outcome = await asking
    if not outcome.reason.is_of_application:
        return None
    return Outcome(outcome.reason, outcome.detail, is_taken_over=True)


def _build_checkers(
    config: Config,
    clients: HttpClients,
    names: Collection[str],
    held: HeldTokens | None,
    worked: Mapping[str, str | None],
) -> dict[str, Checker]:
    grants = Grants()
    try:
        return {
            connection.name: build_checker(connection, config, clients, grants, held, worked=worked)
            for connection in config.connections
            if connection.name in names
        }
    except ValueError as error:
        raise CommandError(str(error)) from error


def send_due(session: Session) -> None:
    """
    Deliver what is due, and say on stderr how that went.

    Raises:
        CommandError: The database cannot be used any more.
    """
    try:
        report = asyncio.run(_send_due(session))
    except OutboxUnavailable as error:
        raise CommandError(f"nothing was sent: {error}") from error
    complain(_say_sent(report))


async def _send_due(session: Session) -> DeliveryReport:
    store = StoreWorker(session.database)
    try:
        config = session.config
        terms = Terms(
            AppriseSender.for_channels(config.channels),
            config.alerts.retry_for,
            partial(link_to, config),
        )
        delivery = Delivery(
            StoredOutbox(store, f"check-{os.getpid()}", lambda: session.plan),
            lambda: terms,
            clock=utc_now,
        )
        return await delivery.deliver_due(is_final=True)
    finally:
        store.close()


def _say_sent(report: DeliveryReport) -> str:
    texts = [f"{report.sent} sent"] if report.sent or not (report.failed or report.dead) else []
    if report.failed:
        texts.append(f"{report.failed} failed, to be tried again")
    if report.dead:
        texts.append(f"{report.dead} given up: see `connwatch alerts list --dead`")
    return "notifications: " + ", ".join(texts)
