"""Hold the settings that the daemon works by, in one cell that a reload replaces.

Whoever acts takes `live.now` once, at the start of a batch, a request or a message, and works by
that to its end. What a reload must see to beside the cell is in `parts`; how the last reading of
the file went is remembered here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.config.errors import format_count
from monitor.engine.connectivity import ConnectivityCheck
from monitor.notify.apprise import AppriseSender
from monitor.providers.probes import is_online

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config.errors import Problem
    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.config.secret import Secret
    from monitor.engine.checkers import CheckerSet
    from monitor.providers.transport import HttpClients


@dataclass(slots=True)
class ReloadStatus:
    """The latest readings of the file.

    Args:
        read_at: When the settings in force were read.
        failed_at: When it was read since then and could not be used.
        problems: Why not.
        need_restart: Settings that the file has changed and only a restart puts in force.
    """

    read_at: datetime | None = None
    failed_at: datetime | None = None
    problems: tuple[Problem, ...] = ()
    need_restart: tuple[str, ...] = ()

    def note_success(self, at: datetime, need_restart: tuple[str, ...] = ()) -> None:
        """Note that the file was read and put in force."""
        self.read_at, self.failed_at, self.problems = at, None, ()
        self.need_restart = need_restart

    def note_failure(self, at: datetime, problems: tuple[Problem, ...]) -> None:
        """Note that the file could not be used: what was read before stays in force."""
        self.failed_at, self.problems = at, problems

    def describe(self) -> str:
        """Return in a few words what is not as the file says; empty if all is."""
        if self.failed_at is not None:
            mistakes = format_count(len(self.problems), "mistake")
            return (
                f"the file was not reloaded at {self.failed_at:%H:%M:%S} UTC"
                f" ({mistakes}), the former settings are in force"
            )
        if self.need_restart:
            return f"restart to change {', '.join(self.need_restart)}"
        return ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading of the file, and all that follows from it alone.

    Args:
        config: What it says of all but connections, which are rows; with the channels
            that others wrote.
        calls: What calls services.
        connectivity: Checks our own link, and knows what was found.
        sender: Sends to the channels.
    """

    config: Config
    plan: Plan
    calls: CheckerSet
    connectivity: ConnectivityCheck
    sender: AppriseSender

    @classmethod
    def of(
        cls, config: Config, plan: Plan, calls: CheckerSet, former: Snapshot | None = None
    ) -> Snapshot:
        """Return what follows from *config*; it is not in force yet.

        Args:
            former: What was in force before: what need not change goes on with
                what it has learned.
        """
        if former is None:
            uplinks = build_connectivity_check(plan, calls.clients, config.own_proxy)
            sender = AppriseSender.for_channels(config.channels, allowed=config.reach_of_channels)
            return cls(config, plan, calls, uplinks, sender)
        # Other pages have said nothing yet.
        is_same = plan.uplink == former.plan.uplink
        if is_same and config.own_proxy == former.config.own_proxy:
            uplinks = former.connectivity
        else:
            uplinks = build_connectivity_check(plan, calls.clients, config.own_proxy)
        sender = former.sender.successor(config.channels, config.reach_of_channels)
        return cls(config, plan, calls, uplinks, sender)


@dataclass(slots=True)
class Live:
    """The cell: what is in force now."""

    now: Snapshot

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self.now.config

    @property
    def plan(self) -> Plan:
        """Return the plan in force."""
        return self.now.plan


def build_connectivity_check(
    plan: Plan, clients: HttpClients, proxy: Secret | None = None
) -> ConnectivityCheck:
    """Return what checks our own link, through the *proxy* of checks if there is one."""
    urls = plan.uplink
    return ConnectivityCheck((lambda: is_online(clients.own(proxy), urls)) if urls else None)
