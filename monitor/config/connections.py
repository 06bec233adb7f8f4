"""Declare what a connection may say, whatever its provider, and what those of each provider may.

The provider `http` has a module of its own. Whether a store's application exists, and its
marketplaces lie in its region, is decided in `load`; how days are counted, in `monitor.judge`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from monitor.config.addresses import without_user
from monitor.config.errors import did_you_mean, got, quoted
from monitor.config.examination import SecretUse, check_client_secret, check_refresh_token
from monitor.config.marketplaces import (
    LWA_TOKEN_URL,
    Region,
    all_marketplaces,
    by_country,
    by_id,
    endpoint_of,
)
from monitor.config.secret import ProxyUrl, Secret, must_pass, must_serve
from monitor.config.values import (
    BaseUrl,
    CalledUrl,
    Days,
    Flag,
    Link,
    Name,
    Names,
    OneSecondOrMore,
    PastDay,
    RelativePath,
    ServiceBaseUrl,
    Settings,
    SixtyFiveSecondsOrMore,
    TenSecondsOrMore,
    TokenForm,
    choice_of,
)
from monitor.judge.authorizations import DEFAULT_VALID_DAYS


class Connection(Settings):
    """An API credential that is watched: the part that all providers share."""

    own_rhythm: ClassVar[timedelta | None] = None
    """The provider's default for `every`, where it does not follow `checks.every`."""

    own_title: ClassVar[str] = ""
    """What people call the provider; empty where that is the word of the file."""

    name: Name = Field(description="The name of the connection, used everywhere.")
    provider: str = Field(description="How the connection is checked.")
    every: TenSecondsOrMore | None = Field(
        default=None, description="How often it is checked; default: that of [checks]."
    )
    timeout: OneSecondOrMore | None = Field(
        default=None,
        description="How long one check may take; default: that of [checks], at most `every`.",
    )
    tags: Names = Field(default=(), description="Words that channels and silences choose by.")
    group: Name | None = Field(
        default=None, description="The customer or team that it belongs to; default: none."
    )
    channels: Names | None = Field(
        default=None, description="Only these channels get its alerts; default: all that match."
    )
    enabled: Flag = Field(default=True, description="Off: no checks and no alerts.")
    ca_file: RelativePath | None = Field(
        default=None, description="Certificates to trust instead of the usual ones, as a PEM file."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description='The URL of its HTTP proxy; "" for none; default: that of [checks].',
    )
    valid_days: Days = Field(
        default=DEFAULT_VALID_DAYS,
        description="How long an authorization lasts; 0: no limit is known.",
    )
    authorized_on: PastDay | None = Field(
        default=None, description="When the authorization was granted; default: unknown."
    )
    renew_url: Link | None = Field(
        default=None, description="The page on which a person can renew it."
    )
    notes: str = Field(
        default="",
        description="Anything the next person should know: shown on its page and in its alerts.",
    )
    renamed_from: Name | None = Field(
        default=None, description="Its former name; history and stored tokens are carried over."
    )

    @property
    def called_url(self) -> str:
        """Return what checks call; empty where nothing is called, or only a plug-in knows it."""
        return ""

    @property
    def host(self) -> str:
        """Return the host and port that checks go to; empty where nothing is called."""
        return urlsplit(self.called_url).netloc.lower()


class SoldscopeConnection(Connection):
    """A SoldScope API token."""

    own_title: ClassVar[str] = "SoldScope"

    provider: Literal["soldscope"] = Field(description="SoldScope: Amazon market research.")
    base_url: ServiceBaseUrl = Field(description="As shown in your API reference.")
    token: Annotated[Secret, must_serve(SecretUse.HEADER_TOKEN)] = Field(
        description="The API token."
    )
    auth: TokenForm = Field(
        default="bearer", description='How the token is sent: "bearer" or "header:NAME".'
    )

    @property
    def called_url(self) -> str:
        """Return the address of the API."""
        return without_user(self.base_url)


class CountdownConnection(Connection):
    """An authorization that another program uses, such as a store connected inside SoldScope."""

    own_title: ClassVar[str] = "Countdown"

    provider: Literal["countdown"] = Field(description="An authorization that is used elsewhere.")
    authorized_on: PastDay = Field(description="When the authorization was granted.")


class Probe(StrEnum):
    """How far a check goes."""

    SELLERS = "sellers"
    TOKEN = "token"  # noqa: S105 - a word of the file, not a token


_read_word = choice_of(Region)


def _read_region(value: Any) -> Any:
    try:
        return _read_word(value)
    except ValueError as error:
        country = by_country(value.upper()) if isinstance(value, str) else None
        if country is None:
            raise
        raise ValueError(f'{error}; {country.name} belongs to "{country.region}"') from None


def _check_country(code: str) -> str:
    if by_country(code) is None:
        raise ValueError(f"no marketplace {quoted(code)}{_suggest(code)}")
    return code


def _suggest(code: str) -> str:
    """Return the end of a sentence that offers the country probably meant, or lists all."""
    meant = by_country(code.upper()) or by_id(code)
    for known in all_marketplaces():
        if known.name.casefold() == code.casefold():
            meant = known
    if meant is not None:
        return f"; did you mean {quoted(meant.country)}?"
    codes = sorted(known.country for known in all_marketplaces())
    return did_you_mean(code.upper(), codes) or f"; known: {', '.join(codes)}"


Country = Annotated[
    str, AfterValidator(_check_country), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})
]
"""A country code, as the file writes it: UK and GB are both accepted."""


class AmazonConnection(Connection):
    """A store of the Selling Partner API."""

    own_title: ClassVar[str] = "Amazon"
    own_rhythm: ClassVar[timedelta | None] = timedelta(minutes=15)

    provider: Literal["amazon"] = Field(description="An Amazon store: Selling Partner API.")
    # The Sellers API lets one call pass in 62.5 seconds.
    every: SixtyFiveSecondsOrMore | None = Field(
        default=None, description="How often it is checked; default: 15m, at least 65s."
    )
    application: Name = Field(description="The application it was granted to, by name.")
    region: Annotated[Region, BeforeValidator(_read_region)] = Field(
        description="The region that the authorization opens: na, eu or fe."
    )
    marketplaces: Annotated[tuple[Country, ...], Field(min_length=1)] | None = Field(
        default=None,
        description=(
            "The countries it must cover, by code; default: those in which the account sells."
        ),
    )
    refresh_token: Annotated[
        Secret, must_serve(SecretUse.HEADER_TOKEN), must_pass(check_refresh_token)
    ] = Field(description="The refresh token of the authorization.")
    probe: Annotated[Probe, BeforeValidator(choice_of(Probe))] = Field(
        default=Probe.SELLERS,
        description='"token" stops after the exchange: for vendors, or without the Sellers role.',
    )
    endpoint: ServiceBaseUrl | None = Field(
        default=None,
        description="Replaces the region's address, for a sandbox or a simulator; default: that of"
        " its application.",
    )

    _shared_endpoint: str | None = PrivateAttr(default=None)

    def belong_to(self, application: Application | None) -> None:
        """Take from *application* what its stores have in common."""
        self._shared_endpoint = None if application is None else application.endpoint

    @property
    def called_url(self) -> str:
        """Return the address of the API, without a slash at the end."""
        replaced = self.endpoint or self._shared_endpoint or ""
        return without_user(replaced) or endpoint_of(self.region)

    @property
    def is_at_amazon(self) -> bool:
        """Tell whether the address is the one that Amazon has for the region."""
        return self.endpoint is None and self._shared_endpoint is None

    @property
    def own_consent_root(self) -> str | None:
        """Return where the consent page is, if that is not in Seller Central.

        A sandbox of Amazon's has none of its own.
        """
        shared = without_user(self._shared_endpoint or "")
        if not shared or (urlsplit(shared).hostname or "").endswith(_OF_AMAZON):
            return None
        return shared


_OF_AMAZON = ".amazon.com"


_OF_APPLICATIONS = ("amzn1.sp.solution.", "amzn1.sellerapps.app.")
_OF_CLIENTS = "amzn1.application-oa2-client."
_OF_SECRETS = "amzn1.oa2-cs."


def _check_identifier(value: Any, others: tuple[str, ...], mistaken: str) -> str:
    # Never repeated: people paste the secret that stands beside it in the console.
    if not isinstance(value, str):
        raise ValueError(f"a text in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value:
        raise ValueError("empty: copy it from the developer console")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("no spaces, line breaks or control characters")
    if value.startswith(_OF_SECRETS):
        raise ValueError("this is a client secret: write it as client_secret")
    if value.startswith(others):
        raise ValueError(mistaken)
    return value


def _check_client_id(value: Any) -> str:
    mistaken = (
        "this is an application id: write it as application_id; the client id stands"
        f' beside the client secret in the developer console and begins with "{_OF_CLIENTS}"'
    )
    return _check_identifier(value, _OF_APPLICATIONS, mistaken)


def _check_application_id(value: Any) -> str:
    mistaken = (
        "this is a client id: write it as client_id; the application id begins with"
        f' "{_OF_APPLICATIONS[0]}"'
    )
    return _check_identifier(value, (_OF_CLIENTS,), mistaken)


_AS_TEXT = WithJsonSchema({"type": "string", "minLength": 1})


class Application(Settings):
    """An application registered with Amazon, on whose behalf its stores are checked."""

    name: Name = Field(description="How connections and alerts call it.")
    client_id: Annotated[str, BeforeValidator(_check_client_id), _AS_TEXT] = Field(
        description="The client id of Login with Amazon (LWA)."
    )
    client_secret: Annotated[
        Secret, must_serve(SecretUse.HEADER_TOKEN), must_pass(check_client_secret)
    ] = Field(description="The client secret of Login with Amazon.")
    client_secret_created_on: PastDay | None = Field(
        default=None, description="When the secret was made; it lasts 180 days. Default: unknown."
    )
    application_id: Annotated[str, BeforeValidator(_check_application_id), _AS_TEXT] | None = Field(
        default=None, description="The id that the consent page asks for."
    )
    redirect_url: CalledUrl | None = Field(
        default=None, description="Where the consent page sends people back to, as registered."
    )
    token_url: BaseUrl | None = Field(
        default=None, description="Replaces Amazon's address for tokens, for a simulator."
    )
    endpoint: ServiceBaseUrl | None = Field(
        default=None,
        description="The API's address for its stores, for a simulator, whose consent page is then"
        " used too, or a sandbox; default: Amazon's, by region.",
    )

    @property
    def token_address(self) -> str:
        """Return the address at which refresh tokens are exchanged."""
        return self.token_url or LWA_TOKEN_URL

    @property
    def token_host(self) -> str:
        """Return the host and port of that address."""
        return urlsplit(self.token_address).netloc
