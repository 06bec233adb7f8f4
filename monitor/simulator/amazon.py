"""Keep Amazon's books: applications and their secrets, stores and their tokens, marketplaces.

Decides who is let in and for how long. No I/O and no clock: `now` is handed in. How answers look is
left to `amazon_api`. Where Amazon's behaviour could not be confirmed, `AmazonPolicy` switches it.
The language codes and the names of the marketplaces that are not Amazon's own are invented; ids,
countries, domains and currencies are not.
"""

from __future__ import annotations

import itertools
import secrets
import uuid
from collections import deque
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from monitor.simulator.base import (
    SimulatorError,
    UnknownNameError,
    checked_name,
    digest,
    find_known,
    is_web_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


SECRET_LIFE = timedelta(days=180)
SECRET_GRACE = timedelta(days=7)
"""How long a secret goes on working after it was rotated away."""

MAX_AGE = timedelta(days=3_650)


def checked_age(by: timedelta) -> timedelta:
    """Refuse lengths by which nothing sensible can age."""
    if not timedelta() < by <= MAX_AGE:
        raise SimulatorError("days: from 1 to 3650 days at once")
    return by


@dataclass(slots=True)
class ClientSecret:
    """What is remembered of a client secret: enough to recognise it.

    Args:
        dies_at: When it stops working because a newer one took its place.
    """

    digest: bytes = field(repr=False)
    last_four: str
    issued_at: datetime
    dies_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When its 180 days are over."""
        return self.issued_at + SECRET_LIFE

    def is_expired(self, now: datetime) -> bool:
        """Tell whether its 180 days are over; it then opens LWA and nothing behind it."""
        return now >= self.expires_at

    def is_dead(self, now: datetime) -> bool:
        """Tell whether LWA refuses it."""
        return self.dies_at is not None and now >= self.dies_at


@dataclass(slots=True)
class AmazonApplication:
    """An application registered with Amazon.

    Args:
        application_id: What the consent page knows it by; not its client id.
        redirect_uris: Where the consent page may lead; the first is the default.
        is_draft: The consent page then wants `version=beta`.
        is_enrolled: A queue for new secrets is registered.
        is_enabled: Whether LWA lets it use any grant at all.
        rotations: Counts calls that ask for a new secret.
    """

    id: str
    name: str
    client_id: str
    application_id: str
    redirect_uris: tuple[str, ...]
    roles: set[str]
    secrets: list[ClientSecret]
    rotations: Bucket
    is_draft: bool = False
    is_enrolled: bool = True
    is_enabled: bool = True

    @property
    def secret(self) -> ClientSecret:
        """The newest secret."""
        return self.secrets[-1]

    def find_secret(self, value: str, now: datetime) -> ClientSecret | None:
        """Return the secret with this value; one that died is none."""
        wanted = digest(value)
        known = (secret for secret in self.secrets if not secret.is_dead(now))
        return next((secret for secret in known if secret.digest == wanted), None)

    def rotate_secret(self, now: datetime) -> IssuedSecret:
        """Make a new secret; the ones before work for seven days more."""
        issued = make_secret(now)
        for secret in self.secrets:
            secret.dies_at = secret.dies_at or now + SECRET_GRACE
        alive = [secret for secret in self.secrets if not secret.is_dead(now)]
        self.secrets = [*alive, issued.secret]
        return issued

    def age_secret(self, by: timedelta) -> None:
        """Make the newest secret older."""
        self.secret.issued_at -= checked_age(by)


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A new client secret together with its value, which is never to be had again."""

    secret: ClientSecret
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedApplication:
    """A new application together with its client secret."""

    application: AmazonApplication
    client_secret: str = field(repr=False)


def make_secret(now: datetime) -> IssuedSecret:
    """Make a client secret."""
    value = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
    return IssuedSecret(ClientSecret(digest(value), value[-4:], now), value)


ACCESS_TOKEN_LIFE = timedelta(hours=1)
CODE_LIFE = timedelta(minutes=5)
SELLER_PREFIX, GRANTLESS_PREFIX, REFRESH_PREFIX = "Atza|", "Atc|", "Atzr|"
REMEMBERED_FOR = ACCESS_TOKEN_LIFE + timedelta(hours=1)
"""For an hour after its end a token is told from one that never was."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is remembered of an access token.

    Args:
        grant: None in a token without a seller.
        scopes: What a token without a seller is good for.
        is_of_expired_secret: It was asked for with a secret older than 180 days.
        is_spoiled: It is refused from the start.
    """

    application: AmazonApplication
    grant: Grant | None
    scopes: frozenset[str]
    issued_at: datetime
    is_of_expired_secret: bool
    is_spoiled: bool


@dataclass(frozen=True, slots=True)
class Code:
    """What is remembered of an authorization code that nobody used yet."""

    grant: Grant
    redirect_uri: str
    issued_at: datetime


class AccessTokens:
    """All access tokens that are still remembered."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, AccessToken] = {}

    def issue_for_seller(self, grant: Grant, now: datetime, *, is_of_expired_secret: bool) -> str:
        """Make a token that opens a seller's account."""
        is_spoiled = grant.n_spoiled > 0
        grant.n_spoiled -= is_spoiled
        token = AccessToken(
            grant.application, grant, frozenset(), now, is_of_expired_secret, is_spoiled
        )
        return self._issue(SELLER_PREFIX, token)

    def issue_grantless(
        self,
        application: AmazonApplication,
        scopes: frozenset[str],
        now: datetime,
        *,
        is_of_expired_secret: bool,
    ) -> str:
        """Make a token that opens operations without a seller."""
        token = AccessToken(application, None, scopes, now, is_of_expired_secret, is_spoiled=False)
        return self._issue(GRANTLESS_PREFIX, token)

    def find(self, value: str) -> AccessToken | None:
        """Return what is known of a token, expired ones included."""
        return self._tokens.get(digest(value))

    def __len__(self) -> int:
        return len(self._tokens)

    def _issue(self, prefix: str, token: AccessToken) -> str:
        self._forget_before(token.issued_at - REMEMBERED_FOR)
        value = prefix + secrets.token_urlsafe(180)
        self._tokens[digest(value)] = token
        return value

    def _forget_before(self, instant: datetime) -> None:
        # The oldest stand first, so that a run of any length forgets at its own pace.
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest].issued_at >= instant:
                return
            del self._tokens[oldest]


class Codes:
    """The authorization codes that nobody used yet."""

    def __init__(self) -> None:
        self._codes: dict[bytes, Code] = {}

    def issue(self, grant: Grant, redirect_uri: str, now: datetime) -> str:
        """Make a code for an authorization that the seller just confirmed."""
        self._codes = {key: code for key, code in self._codes.items() if _is_fresh(code, now)}
        value = secrets.token_urlsafe(24)
        self._codes[digest(value)] = Code(grant, redirect_uri, now)
        return value

    def redeem(
        self, value: str, application: AmazonApplication, redirect_uri: str | None, now: datetime
    ) -> Grant | None:
        """Take a code in exchange for the authorization behind it, once.

        None stands for a code that is late, used, made up or another
        application's, and for another address than the one consented to.
        """
        code = self._codes.get(digest(value))
        if code is None or code.grant.application is not application:
            return None
        if redirect_uri is not None and redirect_uri != code.redirect_uri:
            return None
        del self._codes[digest(value)]
        return code.grant if _is_fresh(code, now) else None


def _is_fresh(code: Code, now: datetime) -> bool:
    return now < code.issued_at + CODE_LIFE


class AmazonRegion(StrEnum):
    """The regions; an authorization opens exactly one."""

    NA = "na"
    EU = "eu"
    FE = "fe"


@dataclass(frozen=True, slots=True)
class AmazonMarketplace:
    """A country in which Amazon sells.

    Args:
        country: ISO 3166-1, so that the United Kingdom is GB.
    """

    country: str
    id: str
    region: AmazonRegion
    domain: str
    currency: str
    language: str

    def describe(self) -> dict[str, Any]:
        """Return the `marketplace` object of an answer; the model requires all six fields."""
        return {
            "id": self.id,
            "countryCode": self.country,
            "name": self.domain.removeprefix("www.").capitalize(),
            "defaultCurrencyCode": self.currency,
            "defaultLanguageCode": self.language,
            "domainName": self.domain,
        }


MARKETPLACES = {
    country: AmazonMarketplace(country, marketplace_id, region, f"www.{domain}", currency, language)
    for country, marketplace_id, region, domain, currency, language in (
        ("US", "ATVPDKIKX0DER", AmazonRegion.NA, "amazon.com", "USD", "en_US"),
        ("CA", "A2EUQ1WTGCTBG2", AmazonRegion.NA, "amazon.ca", "CAD", "en_CA"),
        ("MX", "A1AM78C64UM0Y8", AmazonRegion.NA, "amazon.com.mx", "MXN", "es_MX"),
        ("BR", "A2Q3Y263D00KWC", AmazonRegion.NA, "amazon.com.br", "BRL", "pt_BR"),
        ("GB", "A1F83G8C2ARO7P", AmazonRegion.EU, "amazon.co.uk", "GBP", "en_GB"),
        ("DE", "A1PA6795UKMFR9", AmazonRegion.EU, "amazon.de", "EUR", "de_DE"),
        ("FR", "A13V1IB3VIYZZH", AmazonRegion.EU, "amazon.fr", "EUR", "fr_FR"),
        ("IT", "APJ6JRA9NG5V4", AmazonRegion.EU, "amazon.it", "EUR", "it_IT"),
        ("ES", "A1RKKUPIHCS9HS", AmazonRegion.EU, "amazon.es", "EUR", "es_ES"),
        ("NL", "A1805IZSGTT6HS", AmazonRegion.EU, "amazon.nl", "EUR", "nl_NL"),
        ("BE", "AMEN7PMS3EDWL", AmazonRegion.EU, "amazon.com.be", "EUR", "fr_BE"),
        ("IE", "A28R8C7NBKEWEA", AmazonRegion.EU, "amazon.ie", "EUR", "en_IE"),
        ("SE", "A2NODRKZP88ZB9", AmazonRegion.EU, "amazon.se", "SEK", "sv_SE"),
        ("PL", "A1C3SOZRARQ6R3", AmazonRegion.EU, "amazon.pl", "PLN", "pl_PL"),
        ("TR", "A33AVAJ2PDY3EV", AmazonRegion.EU, "amazon.com.tr", "TRY", "tr_TR"),
        ("EG", "ARBP9OOSHTCHU", AmazonRegion.EU, "amazon.eg", "EGP", "ar_EG"),
        ("SA", "A17E79C6D8DWNP", AmazonRegion.EU, "amazon.sa", "SAR", "ar_SA"),
        ("AE", "A2VIGQ35RCS4UG", AmazonRegion.EU, "amazon.ae", "AED", "en_AE"),
        ("ZA", "AE08WJ6YKNBMC", AmazonRegion.EU, "amazon.co.za", "ZAR", "en_ZA"),
        ("IN", "A21TJRUUN4KGV", AmazonRegion.EU, "amazon.in", "INR", "en_IN"),
        ("JP", "A1VC38T7YXB528", AmazonRegion.FE, "amazon.co.jp", "JPY", "ja_JP"),
        ("AU", "A39IBJ37TRP1C6", AmazonRegion.FE, "amazon.com.au", "AUD", "en_AU"),
        ("SG", "A19VAU5U5O7RUS", AmazonRegion.FE, "amazon.sg", "SGD", "en_SG"),
    )
}
"""All marketplaces by country."""

_ALSO_CALLED = {"UK": "GB"}
"""Amazon's own table of ids writes UK."""

NON_AMAZON = tuple(
    AmazonMarketplace(
        country, marketplace_id, region, f"non-amazon.{country.lower()}", currency, "en_US"
    )
    for country, marketplace_id, region, currency in (
        ("US", "A2ZV50J4W1RKNI", AmazonRegion.NA, "USD"),
        ("US", "AHRY1CZE9ZY4H", AmazonRegion.NA, "USD"),
        ("CA", "A1MQXOICRS2Z7M", AmazonRegion.NA, "CAD"),
        ("MX", "A3H6HPSLHAK3XG", AmazonRegion.NA, "MXN"),
        ("DE", "A38D8NSA03LJTC", AmazonRegion.EU, "EUR"),
        ("ES", "AFQLKURYRPEL8", AmazonRegion.EU, "EUR"),
        ("FR", "A1ZFFQZ3HTUKT9", AmazonRegion.EU, "EUR"),
        ("IT", "A62U237T8HV6N", AmazonRegion.EU, "EUR"),
        ("GB", "AZMDEXL2RVFNN", AmazonRegion.EU, "GBP"),
        ("JP", "ASIMULATEDJP0", AmazonRegion.FE, "JPY"),  # invented: none was seen in this region
    )
)
"""Marketplaces of orders from elsewhere, which the API lists and Amazon's table does not."""


def find_marketplace(country: str) -> AmazonMarketplace:
    """Return the marketplace of a country, in Amazon's spelling or in ISO's."""
    code = country.strip().upper()
    try:
        return MARKETPLACES[_ALSO_CALLED.get(code, code)]
    except KeyError:
        raise UnknownNameError.among("marketplace", country, MARKETPLACES) from None


def find_region(name: str) -> AmazonRegion:
    """Return the region with this name."""
    try:
        return AmazonRegion(name.strip().lower())
    except ValueError:
        raise UnknownNameError.among("region", name, AmazonRegion) from None


AUTHORIZATION_LIFE = timedelta(days=365)

DEFAULT_ROLES = frozenset({"Selling Partner Insights", "Inventory and Order Tracking"})
SELLERS_ROLES = frozenset({"Selling Partner Insights", "Product Listing", "Finance and Accounting"})
"""Any of these opens the Sellers API; Amazon's pages disagree about which one it is."""


class StoreState(StrEnum):
    """What a store's authorization is worth."""

    LIVE = "live"
    REVOKED = "revoked"
    LAPSED = "lapsed"


@dataclass(slots=True)
class Participation:
    """How an account takes part in one marketplace."""

    is_participating: bool = True
    has_suspended_listings: bool = False


@dataclass(slots=True)
class Grant:
    """A store: one seller's authorization of one application in one region.

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
    application: AmazonApplication
    region: AmazonRegion
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
        """When the authorization ends unless the seller confirms it again."""
        return None if self.is_private else self.consented_at + AUTHORIZATION_LIFE

    @property
    def opens_sellers_api(self) -> bool:
        """Tell whether the account and its roles suffice for the Sellers API."""
        return not self.is_vendor and not SELLERS_ROLES.isdisjoint(self.roles)

    def age(self, by: timedelta) -> None:
        """Make the authorization older."""
        self.consented_at -= checked_age(by)

    def remove_role(self, role: str | None = None) -> None:
        """Take a role away, or (None) all of them, until the store is authorized again."""
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
        """Change how the account takes part in a marketplace; None leaves as it is.

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
        """Take a marketplace out of the account."""
        self.participations.pop(find_marketplace(country).country, None)


@dataclass(frozen=True, slots=True)
class IssuedGrant:
    """A store together with a new refresh token."""

    grant: Grant
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SampleStores:
    """An application with stores to try things out on."""

    issued: IssuedApplication
    stores: tuple[IssuedGrant, ...]


@dataclass(slots=True)
class Bucket:
    """A bucket that is full at first and fills up again at an even rate.

    Args:
        burst: What it holds.
        rate: Calls that come back per second.
    """

    burst: int
    rate: float
    made_at: InitVar[datetime]
    _level: float = field(init=False)
    _filled_at: datetime = field(init=False)

    def __post_init__(self, made_at: datetime) -> None:
        self._level, self._filled_at = float(self.burst), made_at

    def left(self, now: datetime) -> int:
        """Return how many calls fit in now."""
        # A grain more than was counted, so that 62.5 s at 0.016/s make one call and not 0.99…
        return int(self._level_at(now) + 1e-9)

    def take(self, now: datetime) -> bool:
        """Take one call out, if there is one."""
        if not self.left(now):
            return False
        self._level, self._filled_at = max(0.0, self._level_at(now) - 1), now
        return True

    def _level_at(self, now: datetime) -> float:
        self._filled_at = min(now, self._filled_at)
        passed = (now - self._filled_at).total_seconds()
        return min(float(self.burst), self._level + passed * self.rate)


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
class AmazonPolicy:
    """How Amazon behaves where nobody could confirm it.

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
    """All applications and stores of the simulated service; none at first.

    Args:
        policy: How it behaves where nobody could confirm it.
        queue: The messages about client secrets, newest last.
    """

    def __init__(self) -> None:
        self.policy = AmazonPolicy()
        self.access_tokens = AccessTokens()
        self.codes = Codes()
        self.queue: deque[dict[str, Any]] = deque(maxlen=KEPT_MESSAGES)
        self._applications: dict[str, AmazonApplication] = {}
        self._application_of_client: dict[str, AmazonApplication] = {}
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
        application = AmazonApplication(
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
    def applications(self) -> Iterable[AmazonApplication]:
        """All applications, oldest first."""
        return self._applications.values()

    def application(self, application_id: str) -> AmazonApplication:
        """Return the application with this short id, or refuse an unknown one."""
        return find_known("application", application_id, self._applications)

    def authenticate_client(
        self, client_id: str, value: str, now: datetime
    ) -> tuple[AmazonApplication, ClientSecret] | None:
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
        """Connect a store, as its seller does with a first consent.

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

    def accepts(self, refresh_token: str, application: AmazonApplication, now: datetime) -> bool:
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
        """End an authorization, as the seller does in Seller Central.

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
        """Add an application and four stores to try things out on, all of which work.

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
