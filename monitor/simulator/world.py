"""Join what one simulator simulates.

Decides what there is at the start. Serving it is left to `server`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.simulator.amazon import Amazon
from monitor.simulator.base import MovableClock
from monitor.simulator.faults import AMAZON_FAULT_KINDS, FAULT_KINDS, Switches
from monitor.simulator.soldscope import SoldScope

if TYPE_CHECKING:
    from monitor.simulator.amazon import AmazonRegion
    from monitor.simulator.faults import AmazonFault, Fault
    from monitor.simulator.soldscope import IssuedToken

API_PATH = "/api/v1"
AMAZON_PATH = "/amazon"
TOKEN_PATH = "/auth/o2/token"  # noqa: S105 - a path
CONSENT_PATH = "/apps/authorize/consent"
CONTROL_PATH = "/control"


def open_accounts() -> SoldScope:
    """Return a SoldScope with two customers, who have no tokens yet.

    One has the usual first of the month as cycle day; the other one's day is
    missing in most months, where mistakes about resets show.
    """
    soldscope = SoldScope()
    soldscope.add_account("acme", "Acme Ltd", "api@acme.example", plan="business", cycle_day=1)
    soldscope.add_account("globex", "Globex GmbH", "it@globex.example", plan="trial", cycle_day=31)
    return soldscope


@dataclass(slots=True)
class World:
    """The simulated services, what is wrong with them, and what time it is there.

    Args:
        amazon_hosts: Ports of Amazon's own, by region and `lwa`; see `amazon_server`.
        base_url: Where the simulator can be reached, once it serves.
    """

    soldscope: SoldScope = field(default_factory=open_accounts)
    faults: Switches[Fault] = field(default_factory=lambda: Switches(FAULT_KINDS, "token"))
    amazon: Amazon = field(default_factory=Amazon)
    amazon_faults: Switches[AmazonFault] = field(
        default_factory=lambda: Switches(AMAZON_FAULT_KINDS, "where")
    )
    amazon_hosts: dict[str, str] = field(default_factory=dict)
    clock: MovableClock = field(default_factory=MovableClock)
    base_url: str = ""

    @property
    def soldscope_url(self) -> str:
        """The base URL of the SoldScope API."""
        return self.base_url + API_PATH

    @property
    def lwa_token_url(self) -> str:
        """Where Amazon's access tokens are to be had."""
        return f"{self.base_url}{AMAZON_PATH}{TOKEN_PATH}"

    def endpoint(self, region: AmazonRegion) -> str:
        """Return the root of a region's Selling Partner API."""
        return f"{self.base_url}{AMAZON_PATH}/{region}"

    def consent_url(self, region: AmazonRegion) -> str:
        """Return the page on which sellers of a region authorize an application."""
        return f"{self.base_url}{AMAZON_PATH}/consent/{region}{CONSENT_PATH}"

    @property
    def control_url(self) -> str:
        """Where the controls are."""
        return self.base_url + CONTROL_PATH

    def create_token(self, account_id: str, name: str) -> IssuedToken:
        """Make a token for an account, now."""
        return self.soldscope.create_token(account_id, name, self.clock.now())
