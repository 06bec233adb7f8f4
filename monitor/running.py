"""
Hold the parts of a daemon that runs, and the settings that they work by.

The one place where settings are replaced: `adopt` hands new ones to every part
at once, between two ticks. What they must be is decided in `reloading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from monitor.check.uplink import is_link_up
from monitor.clock import utc_now
from monitor.guarding import CHECK_DUE, DELIVER
from monitor.links import link_to
from monitor.news import look_for_link, sweep_and_announce
from monitor.schedule.jobs import Job
from monitor.stepping import follow_step
from monitor.store import retention
from monitor.uplinks import Uplinks

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.alert.delivery import Delivery
    from monitor.alert.post import Sender
    from monitor.alert.sender import AppriseSender
    from monitor.calls import Calls
    from monitor.check.client import HttpClients
    from monitor.config.changes import Changes
    from monitor.config.model import Config
    from monitor.cycle import Settled
    from monitor.plan import Plan
    from monitor.reloads import Reloads
    from monitor.resuming import Resumption
    from monitor.store.worker import StoreWorker
    from monitor.stored_outbox import StoredOutbox
    from monitor.watch import Watch

TICK = timedelta(seconds=1)
LOOK_AHEAD = 2 * TICK
"""A tick starts what falls due before the next one, even if that comes late."""

SWEEP_EVERY = TICK
"""An indexed question costs less than being late for the end of an authorization."""

LINK_EVERY = timedelta(seconds=5)
RESUMED_EVERY = timedelta(seconds=5)
DELIVER_EVERY = timedelta(seconds=2)
PRUNE_EVERY = timedelta(minutes=30)
PRUNE_FIRST_AFTER = timedelta(minutes=1)
"""A daemon that is restarted often must prune as well."""


class Dashboard(Protocol):
    """What shows people how things are; whether it serves them at all is its own concern."""

    def counted(self, sender: Sender) -> Sender:
        """Return *sender*, counted where anybody can see the count."""
        ...

    def note_checks(self, settled: list[Settled]) -> None:
        """Count checks that were stored."""
        ...

    def note_reading(self, reloads: Reloads) -> None:
        """Show how the latest reading of the file went."""
        ...

    async def start(
        self,
        calls: Calls,
        on_settled: Callable[[list[Settled]], None],
        wake: Callable[[], None],
    ) -> None:
        """
        Begin to serve; checks go on meanwhile.

        Args:
            on_settled: Called with checks that somebody asked for by a button.
            wake: Has what is due sent at once.
        """
        ...

    async def prepare(self, config: Config, plan: Plan, calls: Calls) -> Any:
        """Build what answers by other settings, without showing it yet."""
        ...

    def adopt(self, config: Config, plan: Plan, calls: Calls, web: Any) -> None:
        """Go on with other settings, and what `prepare` has built for them."""
        ...

    async def stop(self) -> None:
        """Stop serving, if it was begun."""
        ...


@dataclass(slots=True)
class Running:
    """
    The parts, and the settings in force.
    """

    config: Config
    plan: Plan
    store: StoreWorker
    clients: HttpClients
    calls: Calls
    sender: AppriseSender
    outbox: StoredOutbox
    delivery: Delivery
    uplinks: Uplinks
    watch: Watch
    resumption: Resumption
    dashboard: Dashboard

    def adopt(self, config: Config, plan: Plan, calls: Calls, web: Any, changes: Changes) -> None:
        """
        Put other settings in force, all at once.
        """
        if plan.uplink != self.plan.uplink:
            self.uplinks = build_uplinks(plan, self.clients)
        self.config, self.plan, self.calls = config, plan, calls
        calls.held.take_over(calls.stored, plan.watched.keys())
        self.watch.adopt(
            plan, calls.checkers, config.checks.concurrency, self.uplinks, changes.void
        )
        self.sender.adopt(config.channels)
        self.outbox.adopt(plan)
        self.delivery.adopt(config.alerts.retry_for, partial(link_to, config))
        self.resumption.adopt(plan)
        self.dashboard.adopt(config, plan, calls, web)

    def jobs(self) -> list[Job]:
        """
        Return what is to be done again and again, by the settings then in force.
        """
        return [
            Job(CHECK_DUE, TICK, self.start_due),
            Job("sweep_clocks", SWEEP_EVERY, self._sweep_clocks),
            Job(DELIVER, DELIVER_EVERY, self.delivery.run_once),
            Job("watch_link", LINK_EVERY, self._watch_link),
            Job("tell_resumed", RESUMED_EVERY, self.resumption.look),
            Job("prune", PRUNE_EVERY, self._prune, PRUNE_FIRST_AFTER),
        ]

    async def start_due(self) -> None:
        """
        Start what is due before the next tick.
        """
        await self.watch.start_due(LOOK_AHEAD)

    async def follow_step(self, by: timedelta) -> None:
        """
        Go on after the wall clock was stepped.
        """
        await follow_step(self.store, self.plan, self.delivery, by)

    async def _sweep_clocks(self) -> None:
        await sweep_and_announce(self.store, self.plan, self.delivery)

    async def _watch_link(self) -> None:
        await look_for_link(self.store, self.plan, self.uplinks, self.delivery)

    async def _prune(self) -> None:
        await self.store.write(lambda tx: retention.roll_up(tx, utc_now()))


def build_uplinks(plan: Plan, clients: HttpClients) -> Uplinks:
    """
    Return whom to ask for our own link.
    """
    urls = plan.uplink
    return Uplinks((lambda: is_link_up(clients.own(), urls)) if urls else None)
