"""Hold the parts of a daemon that runs, and put settings in force between two ticks.

What the settings must be is decided in `reload`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from monitor.clock import utc_now
from monitor.config.model import link_to
from monitor.config.plan import make_plan
from monitor.engine import shortage
from monitor.engine.channels import read_channels
from monitor.engine.checkers import TokenFollower
from monitor.engine.entries import bring_others_in_line
from monitor.engine.live import Snapshot
from monitor.engine.people import read_people
from monitor.engine.scheduler import Job
from monitor.engine.settings import RowSettings
from monitor.engine.supervisor import CHECK_DUE, DELIVER
from monitor.engine.sweep import check_connectivity, follow_step, sweep_and_wake
from monitor.notify.delivery import DeliveryTerms
from monitor.store import connections, retention
from monitor.store.schedule import make_due

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from monitor.alerting.digests import Resumption
    from monitor.engine.evaluate import Evaluated
    from monitor.engine.links import RenewalLinks
    from monitor.engine.live import Live, ReloadStatus
    from monitor.engine.runner import CheckRunner
    from monitor.notify.delivery import Delivery, Sender
    from monitor.store.engine import StoreWorker, Transaction

TICK = timedelta(seconds=1)
LOOK_AHEAD = 2 * TICK
"""A tick starts what falls due before the next one, even if that comes late."""

SWEEP_EVERY = TICK
"""An indexed question costs less than being late for the end of an authorization."""

CONNECTIVITY_EVERY = timedelta(seconds=5)
RESUMED_EVERY = timedelta(seconds=5)
DELIVER_EVERY = timedelta(seconds=2)
FOLLOW_EVERY = timedelta(seconds=5)
PRUNE_EVERY = timedelta(minutes=30)
PRUNE_FIRST_AFTER = timedelta(minutes=1)
"""A daemon that is restarted often must prune as well."""


class Dashboard(Protocol):
    """What shows people how things are; whether it serves them at all is its own concern."""

    def counted(self, sender: Sender) -> Sender:
        """Return *sender*, counted where anybody can see the count."""
        ...

    def note_checks(self, evaluated: list[Evaluated]) -> None:
        """Count checks that were stored."""
        ...

    def note_reading(self, reloads: ReloadStatus) -> None:
        """Show how the latest reading of the file went."""
        ...

    async def start(
        self,
        on_evaluated: Callable[[list[Evaluated]], None],
        wake: Callable[[], None],
        void: Callable[[Collection[str]], None],
        follow_stored: Callable[[], Awaitable[None]],
    ) -> None:
        """Begin to serve; checks go on meanwhile.

        Args:
            on_evaluated: Called with checks that somebody asked for by a button.
            wake: Has what is due sent at once.
            void: Has checks under way of some connections count no longer.
            follow_stored: Puts the channels and people in force that are stored.
        """
        ...

    def follow_reload(self) -> None:
        """Go on after the settings were replaced; it cannot fail."""
        ...

    async def stop(self) -> None:
        """Stop serving, if it was begun."""
        ...


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """The parts, and the settings in force."""

    live: Live
    store: StoreWorker
    delivery: Delivery
    runner: CheckRunner
    resumption: Resumption
    dashboard: Dashboard
    _following: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tokens: TokenFollower = field(default_factory=lambda: TokenFollower(utc_now()))

    def put_in_force(self, snapshot: Snapshot, void: Collection[str]) -> None:
        """Replace the settings, all at once: nothing is awaited in here, and nothing can fail.

        Args:
            void: Connections whose checks under way no longer count.
        """
        former = self.live.now
        self.live.now = snapshot
        # What is left to do is state, and goes by the settings that are in force now.
        calls = snapshot.calls
        calls.held.take_over(calls.stored, {*calls.held, *calls.stored} - calls.gone)
        self.runner.follow_reload(former, void)
        self.dashboard.follow_reload()

    async def follow_stored(self) -> None:
        """Put the channels and people in force that are stored by now, beside those of the file."""
        # One after the other: what was read first must not replace what was read later.
        async with self._following:
            config = self.live.config
            channels, people = await self.store.read(
                lambda tx: (read_channels(tx, config), read_people(tx))
            )
            # Nothing is awaited from here on, and a reload may have come until here.
            former = self.live.now
            config = former.config.with_channels(channels).with_people(people)
            if config.channels != former.config.channels:
                plan = make_plan(config, former.plan.settings)
                self.live.now = Snapshot.of(config, plan, former.calls, former)
                self.runner.follow_reload(former, ())
            elif config.web != former.config.web:
                # People change nothing that checks and alerts go by.
                self.live.now = replace(former, config=config)
            else:
                return
            self.dashboard.follow_reload()

    def jobs(self) -> list[Job]:
        """Return what is to be done again and again, by the settings then in force."""
        return [
            Job(CHECK_DUE, TICK, self.start_due),
            Job("sweep_clocks", SWEEP_EVERY, self._sweep_clocks),
            Job(DELIVER, DELIVER_EVERY, self.delivery.run_once),
            Job("watch_link", CONNECTIVITY_EVERY, self._watch_connectivity),
            Job("watch_shortage", shortage.LOOK_EVERY, self._watch_shortage),
            Job("tell_resumed", RESUMED_EVERY, self._look_for_resumption),
            Job("follow_entries", FOLLOW_EVERY, self._follow_entries),
            Job("prune", PRUNE_EVERY, self._prune, PRUNE_FIRST_AFTER),
        ]

    async def start_due(self) -> None:
        """Start what is due before the next tick."""
        await self.runner.start_due(LOOK_AHEAD)

    async def follow_step(self, by: timedelta) -> None:
        """Go on after the wall clock was stepped."""
        await follow_step(self.store, self.live.plan, self.delivery, by)

    async def _sweep_clocks(self) -> None:
        await sweep_and_wake(self.store, self.live.plan, self.delivery)

    async def _watch_connectivity(self) -> None:
        now = self.live.now
        await check_connectivity(self.store, now.plan, now.connectivity, self.delivery)

    async def _watch_shortage(self) -> None:
        await self.runner.shortage.look(self.store, self.live.plan, self.delivery)

    async def _look_for_resumption(self) -> None:
        await self.resumption.look(self.live.plan)

    async def _follow_entries(self) -> None:
        """Take in what others wrote of connections, and what all of them have in common by now."""
        now = self.live.now
        settings = now.plan.settings
        assert isinstance(settings, RowSettings), "a daemon goes by rows"
        await self.store.read(settings.look)
        followed = partial(self._tokens.look, config=now.config, settings=settings, calls=now.calls)
        if renewed := await self.store.read(followed):
            await self.store.write(partial(_make_due, renewed))
        await bring_others_in_line(self.store, now.config, settings, utc_now())

    async def _prune(self) -> None:
        await self.store.write(lambda tx: retention.roll_up(tx, utc_now()))


def _make_due(names: Collection[str], tx: Transaction) -> None:
    """Have connections checked next that have another credential now."""
    for name in names:
        record = connections.find_record(tx, name)
        if record is not None:
            make_due(tx, record.id, utc_now())


def terms_of(live: Live, dashboard: Dashboard, links: RenewalLinks) -> DeliveryTerms:
    """Return what a message is sent by now."""
    now = live.now
    sender = dashboard.counted(now.sender)
    config = now.config
    return DeliveryTerms(
        sender,
        config.alerts.retry_for,
        partial(link_to, config),
        config.zone_of,
        partial(links.put_into, config=config, plan=now.plan),
    )
