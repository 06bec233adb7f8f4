"""
Keep Amazon's books: applications and their secrets, stores and their tokens.

Decides who is let in and for how long. No I/O and no clock: `now` is handed in.
How answers look is left to `amazon_lwa` and `amazon_sp`. Where Amazon's
behaviour could not be confirmed, `Policy` switches it.
"""

from __future__ import annotations

import itertools
import secrets
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_applications import Application, IssuedApplication, make_secret
from monitor.simulator.amazon_marketplaces import MARKETPLACES, find_region
from monitor.simulator.amazon_stores import (
    DEFAULT_ROLES,
    Grant,
    IssuedGrant,
    SampleStores,
    StoreState,
)
from monitor.simulator.amazon_tokens import REFRESH_PREFIX, AccessTokens, Codes
from monitor.simulator.base import checked_name, digest, is_web_address
from monitor.simulator.bucket import Bucket
from monitor.simulator.errors import SimulatorError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitor.simulator.amazon_applications import IssuedSecret, Secret

KEPT_MESSAGES = 50
PROBE_BURST, PROBE_RATE = 15, 0.016
"""The Sellers API's plan, for each pair of application and seller."""

ROTATION_BURST, ROTATION_RATE = 1, 0.0167

_SAMPLE_STORES = (
    (100, "na", "Acme North America", ("US", "CA", "MX"), False),
    (345, "eu", "Acme Europe", ("DE", "FR", "IT", "ES", "GB"), False),
    (10, "fe", "Globex Far East", ("JP", "AU"), False),
    (200, "eu", "Initech UK", ("GB",), True),
)
"""Days since the consent, region, name, marketplaces, whether it is self-authorized."""


@dataclass(slots=True)
class Policy:
    """
    How Amazon behaves where nobody could confirm it.

    Args:
        lapses: An authorization that was not renewed in 365 days is refused.
        revoking_ends_access_tokens: Access tokens die with their authorization
            rather than at the end of their hour.
        renewing_ends_refresh_tokens: A renewal ends the refresh tokens given out
            before. Those of a self-authorization stay valid in any case.
    """

    lapses: bool = True
    revoking_ends_access_tokens: bool = True
    renewing_ends_refresh_tokens: bool = True


class Amazon:
    """
    All applications and stores of the simulated service; none at first.

    Args:
        policy: How it behaves where nobody could confirm it.
        queue: The messages about client secrets, newest last.
    """

    def __init__(self) -> None:
        self.policy = Policy()
        self.access_tokens = AccessTokens()
        self.codes = Codes()
        self.queue: deque[dict[str, Any]] = deque(maxlen=KEPT_MESSAGES)
        self._applications: dict[str, Application] = {}
        self._application_of_client: dict[str, Application] = {}
        self._grants: dict[str, Grant] = {}
        self._grant_of_token: dict[bytes, Grant] = {}
        self._probes: dict[tuple[str, str], Bucket] = {}
        self._application_ids = itertools.count(1)
        self._grant_ids = itertools.count(1)

    def add_application(
        self,
        name: str,
        now: datetime,
        *,
        redirect_uris: Iterable[str] = (),
        roles: Iterable[str] = DEFAULT_ROLES,
        is_draft: bool = False,
    ) -> IssuedApplication:
        """Register an application. Its secret is in the answer and nowhere else."""
        addresses = tuple(redirect_uris)
        if not all(is_web_address(address) for address in addresses):
            raise SimulatorError("redirect_uri: must be an http or https address")
        issued = make_secret(now)
        application = Application(
            f"app_{next(self._application_ids)}",
            checked_name("name", name),
            f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
            f"amzn1.sp.solution.{uuid.uuid4()}",
            addresses,
            set(roles),
            [issued.secret],
            Bucket(ROTATION_BURST, ROTATION_RATE, now),
            is_draft=is_draft,
        )
        self._applications[application.id] = application
        self._application_of_client[application.client_id] = application
        return IssuedApplication(application, issued.value)

    @property
    def applications(self) -> Iterable[Application]:
        """All applications, oldest first."""
        return self._applications.values()

    def application(self, application_id: str) -> Application:
        """Return the application with this short id, or refuse an unknown one."""
        try:
            return self._applications[application_id]
        except KeyError:
            raise UnknownNameError.among(
                "application", application_id, self._applications
            ) from None

    def authenticate_client(
        self, client_id: str, value: str, now: datetime
    ) -> tuple[Application, Secret] | None:
        """Return whose client id and secret these are; a retired secret is nobody's."""
        application = self._application_of_client.get(client_id)
        secret = application and application.find_secret(value, now)
        return (application, secret) if application and secret else None

    def rotate_secret(self, application_id: str, now: datetime) -> IssuedSecret:
        """Give an application a new secret; the old one works for seven days more."""
        return self.application(application_id).rotate_secret(now)

    def add_grant(
        self,
        application_id: str,
        region: str,
        store_name: str,
        now: datetime,
        *,
        marketplaces: Iterable[str] | None = None,
        is_private: bool = False,
    ) -> IssuedGrant:
        """
        Connect a store, as its seller does with a first consent.

        Args:
            now: When the seller consents; in the past for a store that is not new.
            marketplaces: Countries of the region; None means all of them.
            is_private: Self-authorized, so that the authorization has no known end.
        """
        application, known_region = self.application(application_id), find_region(region)
        grant = Grant(
            f"store_{next(self._grant_ids)}",
            application,
            known_region,
            f"A{secrets.token_hex(6).upper()}",
            checked_name("store_name", store_name),
            {},
            set(application.roles),
            now,
            is_private=is_private,
        )
        own = [one.country for one in MARKETPLACES.values() if one.region is known_region]
        for country in own if marketplaces is None else marketplaces:
            grant.set_participation(country)
        self._grants[grant.id] = grant
        return self.issue_refresh_token(grant)

    @property
    def grants(self) -> Iterable[Grant]:
        """All stores, oldest first."""
        return self._grants.values()

    def grant(self, grant_id: str) -> Grant:
        """Return the store with this id, or refuse an unknown one."""
        try:
            return self._grants[grant_id]
        except KeyError:
            raise UnknownNameError(f"no store with the id {grant_id[:40]!r}") from None

    def grant_of(self, refresh_token: str) -> Grant | None:
        """Return the store that this refresh token was given out for, working or not."""
        return self._grant_of_token.get(digest(refresh_token))

    def accepts(self, refresh_token: str, application: Application, now: datetime) -> bool:
        """Tell whether a refresh token opens its store for this application."""
        grant = self.grant_of(refresh_token)
        return (
            grant is not None
            and grant.application is application
            and digest(refresh_token) in grant.tokens
            and self.state_of(grant, now) is StoreState.LIVE
        )

    def state_of(self, grant: Grant, now: datetime) -> StoreState:
        """Return what a store's authorization is worth now."""
        if grant.revoked_at is not None:
            return StoreState.REVOKED
        if self.policy.lapses and grant.ends_at is not None and now >= grant.ends_at:
            return StoreState.LAPSED
        return StoreState.LIVE

    def revoke(self, grant_id: str, now: datetime) -> Grant:
        """
        End an authorization, as the seller does in Seller Central.

        Revoking it again changes nothing.
        """
        grant = self.grant(grant_id)
        if grant.revoked_at is None:
            grant.revoked_at = now
            grant.tokens.clear()
        return grant

    def reauthorize(self, grant_id: str, now: datetime) -> IssuedGrant:
        """Confirm an authorization again and take the new refresh token."""
        return self.issue_refresh_token(self.record_consent(grant_id, now))

    def record_consent(self, grant_id: str, now: datetime) -> Grant:
        """Let the seller confirm: the year starts anew, with the application's roles of today."""
        grant = self.grant(grant_id)
        grant.consented_at, grant.revoked_at = now, None
        grant.roles = set(grant.application.roles)
        return grant

    def issue_refresh_token(self, grant: Grant) -> IssuedGrant:
        """Give out a new refresh token for a store."""
        if self.policy.renewing_ends_refresh_tokens and not grant.is_private:
            grant.tokens.clear()
        value = REFRESH_PREFIX + secrets.token_urlsafe(180)
        grant.tokens.add(digest(value))
        self._grant_of_token[digest(value)] = grant
        return IssuedGrant(grant, value)

    def probes(self, grant: Grant, now: datetime) -> Bucket:
        """Return the bucket of calls to the Sellers API that a store draws from."""
        key = (grant.application.id, grant.seller_id)
        return self._probes.setdefault(key, Bucket(PROBE_BURST, PROBE_RATE, now))

    def add_sample_stores(
        self, now: datetime, *, redirect_uris: Iterable[str] = ()
    ) -> SampleStores:
        """
        Add an application and four stores to try things out on, all of which work.

        The second one has 20 days left, the third one has suspended listings in
        Australia, the fourth one is self-authorized and has no known end.

        Args:
            redirect_uris: Without any, the consent page refuses the application.
        """
        made_at = now - timedelta(days=30)
        issued = self.add_application("Sample app", made_at, redirect_uris=redirect_uris)
        stores = tuple(
            self.add_grant(
                issued.application.id,
                region,
                name,
                # An hour later than that, so that the days left read as told above.
                now - timedelta(days=days, hours=-1),
                marketplaces=marketplaces,
                is_private=is_private,
            )
            for days, region, name, marketplaces, is_private in _SAMPLE_STORES
        )
        stores[2].grant.set_participation("AU", has_suspended_listings=True)
        return SampleStores(issued, stores)
