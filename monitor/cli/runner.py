"""Check services and deliver alerts from a command, as the daemon does.

Apart from `cli.checks`, because it brings in the HTTP client.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from monitor.alerting.outbox import StoredOutbox
from monitor.cli.errors import CommandError, print_error
from monitor.cli.output import open_console
from monitor.clock import utc_now
from monitor.config.model import link_to
from monitor.engine.checkers import build_checkers
from monitor.engine.links import RenewalLinks
from monitor.judge.incidents import Connectivity, is_unanswered
from monitor.judge.outcome import Outcome
from monitor.judge.shortage import OutOfResources
from monitor.notify.apprise import AppriseSender
from monitor.notify.delivery import Delivery, DeliveryTerms, OutboxUnavailable
from monitor.providers.base import GrantLocks
from monitor.providers.limits import raise_file_limit, shares_of
from monitor.providers.probes import is_online
from monitor.providers.transport import HttpClients
from monitor.store.engine import StoreWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from monitor.cli.session import Session
    from monitor.config.model import Config
    from monitor.engine.checkers import StoredAccess
    from monitor.judge.applications import Refusal
    from monitor.judge.connections import ConnectionRecord
    from monitor.notify.delivery import DeliveryReport
    from monitor.providers.base import Checker

MANY = 20
"""More connections than this take long enough to watch a bar."""

CheckResults = dict[str, "tuple[datetime, Outcome]"]


def check_now(
    config: Config,
    names: Collection[str],
    askers: Mapping[str, str],
    access: StoredAccess,
) -> CheckResults:
    """Check the connections called *names*, and return when each ended and how.

    Args:
        askers: For connections of an application that was refused, who asks
            first: they ask for themselves only if it is accepted again.
        access: What the database knows of their credentials.

    Raises:
        SecretUnavailable: A secret has disappeared since.
    """
    raise_file_limit()
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
        return asyncio.run(check_each(config, names, askers, access, lambda: progress.advance(bar)))


def choose_probes(
    records: Sequence[ConnectionRecord], refusals: Mapping[str, Refusal]
) -> dict[str, str]:
    """Return for each connection of a refused application who asks in its place."""
    askers: dict[str, str] = {}
    for application, refusal in refusals.items():
        concerned = [record for record in records if record.application == application]
        first = [record for record in concerned if record.id == refusal.asker_id] or concerned
        askers |= {one.name: first[0].name for one in concerned if one is not first[0]}
    return askers


async def check_each(
    config: Config,
    names: Collection[str],
    askers: Mapping[str, str],
    access: StoredAccess,
    on_answer: Callable[[], None] = lambda: None,
) -> CheckResults:
    """Check the connections called *names* at once, with the arguments of `check_now`.

    Args:
        on_answer: Called after each.

    Raises:
        SecretUnavailable: A secret has disappeared since.
    """
    shares = shares_of(config)
    slots = asyncio.Semaphore(shares.checks)
    answers: CheckResults = {}

    async def ask_one(name: str, checker: Checker) -> Outcome:
        outcome = await _take_over(tasks[askers[name]]) if name in askers else None
        if outcome is None:
            async with slots:
                outcome = await checker.check()
        answers[name] = utc_now(), outcome
        on_answer()
        return outcome

    async with HttpClients(shares.checks, keeps_idle=shares.is_enough) as clients:
        try:
            checkers = build_checkers(config, clients, GrantLocks(), access, names)
        except ValueError as error:
            raise CommandError(str(error)) from error
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


async def find_connectivity(config: Config, answers: CheckResults) -> Connectivity:
    """Return whether our own link is there, if *answers* put that in doubt."""
    urls = config.checks.uplink
    if not urls or not any(is_unanswered(outcome) for _, outcome in answers.values()):
        return Connectivity.UNKNOWN
    async with HttpClients(len(urls)) as clients:
        client = clients.own(config.own_proxy)
        try:
            return Connectivity.UP if await is_online(client, urls) else Connectivity.DOWN
        except OutOfResources:
            return Connectivity.UNKNOWN


async def _take_over(asking: asyncio.Task[Outcome]) -> Outcome | None:
    """Return the verdict on an application that another connection asks about, if it is refused."""
    outcome = await asking
    if not outcome.reason.is_of_application:
        return None
    return Outcome(outcome.reason, outcome.detail, is_taken_over=True)


def send_due(session: Session) -> None:
    """Deliver what is due, and say on stderr how that went.

    Raises:
        CommandError: The database cannot be used any more.
    """
    try:
        report = asyncio.run(_send_due(session))
    except OutboxUnavailable as error:
        raise CommandError(f"nothing was sent: {error}") from error
    print_error(_report_sent(report))


async def _send_due(session: Session) -> DeliveryReport:
    store = StoreWorker(session.database)
    try:
        config = session.config_with_channels
        terms = DeliveryTerms(
            AppriseSender.for_channels(config.channels, allowed=config.reach_of_channels),
            config.alerts.retry_for,
            partial(link_to, config),
            config.zone_of,
            partial(RenewalLinks(store, utc_now).put_into, config=config, plan=session.plan),
        )
        delivery = Delivery(
            StoredOutbox(store, f"check-{os.getpid()}", lambda: session.plan),
            lambda: terms,
            clock=utc_now,
        )
        return await delivery.deliver_due(is_final=True)
    finally:
        store.close()


def _report_sent(report: DeliveryReport) -> str:
    texts = [f"{report.sent} sent"] if report.sent or not (report.failed or report.dead) else []
    if report.failed:
        texts.append(f"{report.failed} failed, will be retried")
    if report.dead:
        texts.append(f"{report.dead} failed: see `connwatch alerts list --dead`")
    return "notifications: " + ", ".join(texts)
