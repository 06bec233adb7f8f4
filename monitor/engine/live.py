"""
Hold the settings that the daemon works by, in one cell that a reload replaces.

Whoever acts takes `live.now` once, at the start of a batch, a request or a
message, and works by that to its end: nothing is ever done by settings that are
half old and half new. What a reload must see to beside the cell is in
`monitor.running`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.alert.sender import AppriseSender
from monitor.check.uplink import is_link_up
from monitor.uplinks import Uplinks

if TYPE_CHECKING:
    from monitor.calls import Calls
    from monitor.check.client import HttpClients
    from monitor.config.model import Config
    from monitor.plan import Plan


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    One reading of the file, and all that follows from it alone.

    Args:
        calls: What calls services.
        uplinks: Whom to ask for our own link, and what they said.
        sender: Sends to the channels.
    """

    config: Config
    plan: Plan
    calls: Calls
    uplinks: Uplinks
    sender: AppriseSender

    @classmethod
    def of(
        cls, config: Config, plan: Plan, calls: Calls, former: Snapshot | None = None
    ) -> Snapshot:
        """
        Return what follows from *config*; it is not in force yet.

        Args:
            former: What was in force before: what need not change goes on with
                what it has learned.
        """
        if former is None:
            uplinks = build_uplinks(plan, calls.clients)
            return cls(config, plan, calls, uplinks, AppriseSender.for_channels(config.channels))
        # Other pages have said nothing yet.
        is_same = plan.uplink == former.plan.uplink
        uplinks = former.uplinks if is_same else build_uplinks(plan, calls.clients)
        return cls(config, plan, calls, uplinks, former.sender.successor(config.channels))


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


def build_uplinks(plan: Plan, clients: HttpClients) -> Uplinks:
    """Return whom to ask for our own link."""
    urls = plan.uplink
    return Uplinks((lambda: is_link_up(clients.own(), urls)) if urls else None)
