"""
Describe stores: what one seller authorized one application to do in one region.

Decides when an authorization ends and what can change in an account. Who is let
in is left to `amazon`. No I/O and no clock: `now` is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.simulator.amazon_applications import checked_age
from monitor.simulator.amazon_marketplaces import find_marketplace
from monitor.simulator.errors import SimulatorError, UnknownNameError

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.amazon_applications import Application, IssuedApplication
    from monitor.simulator.amazon_marketplaces import Region

AUTHORIZATION_LIFE = timedelta(days=365)

DEFAULT_ROLES = frozenset({"Selling Partner Insights", "Inventory and Order Tracking"})
SELLERS_ROLES = frozenset({"Selling Partner Insights", "Product Listing", "Finance and Accounting"})
"""Any of these opens the Sellers API; Amazon's pages disagree about which one it is."""


class StoreState(StrEnum):
    """
    What a store's authorization is worth.
    """

    LIVE = "live"
    REVOKED = "revoked"
    LAPSED = "lapsed"


@dataclass(slots=True)
class Participation:
    """
    How an account takes part in one marketplace.
    """

    is_participating: bool = True
    has_suspended_listings: bool = False


@dataclass(slots=True)
class Grant:
    """
    A store: one seller's authorization of one application in one region.

    Args:
        participations: The account's marketplaces by country.
        roles: What the seller agreed to, which may be less than the application has.
        consented_at: When the seller confirmed last.
        is_private: Self-authorized: it has no known end.
        is_vendor: A vendor's account, which the Sellers API does not serve.
        tokens: The digests of the refresh tokens that work.
        n_spoiled: How many of the next access tokens will be refused.
    """

    id: str
    application: Application
    region: Region
    seller_id: str
    store_name: str
    participations: dict[str, Participation]
    roles: set[str]
    consented_at: datetime
    is_private: bool = False
    is_vendor: bool = False
    revoked_at: datetime | None = None
    tokens: set[bytes] = field(default_factory=set, repr=False)
    n_spoiled: int = 0

    @property
    def ends_at(self) -> datetime | None:
        """
        When the authorization ends unless the seller confirms it again.
        """
        return None if self.is_private else self.consented_at + AUTHORIZATION_LIFE

    @property
    def opens_sellers_api(self) -> bool:
        """
        Tell whether the account and its roles suffice for the Sellers API.
        """
        return not self.is_vendor and not SELLERS_ROLES.isdisjoint(self.roles)

    def age(self, by: timedelta) -> None:
        """
        Make the authorization older.
        """
        self.consented_at -= checked_age(by)

    def remove_role(self, role: str | None = None) -> None:
        """
        Take a role away, or (None) all of them, until the store is authorized again.
        """
        if role is not None and role not in self.roles:
            known = ", ".join(sorted(self.roles)) or "none"
            raise UnknownNameError(f"{self.id} has no role {role[:60]!r}; it has: {known}")
        self.roles -= set(self.roles) if role is None else {role}

    def set_participation(
        self,
        country: str,
        *,
        is_participating: bool | None = None,
        has_suspended_listings: bool | None = None,
    ) -> Participation:
        """
        Change how the account takes part in a marketplace; None leaves as it is.

        A marketplace that the account did not have yet is added.
        """
        marketplace = find_marketplace(country)
        if marketplace.region is not self.region:
            raise SimulatorError(f"{marketplace.country} is not in the region {self.region}")
        own = self.participations.setdefault(marketplace.country, Participation())
        if is_participating is not None:
            own.is_participating = is_participating
        if has_suspended_listings is not None:
            own.has_suspended_listings = has_suspended_listings
        return own

    def remove_marketplace(self, country: str) -> None:
        """
        Take a marketplace out of the account.
        """
        self.participations.pop(find_marketplace(country).country, None)


@dataclass(frozen=True, slots=True)
class IssuedGrant:
    """
    A store together with a new refresh token.
    """

    grant: Grant
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SampleStores:
    """
    An application with stores to try things out on.
    """

    issued: IssuedApplication
    stores: tuple[IssuedGrant, ...]
