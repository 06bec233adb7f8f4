# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare a connection to an Amazon store: one authorization for one region.

Whether its application exists, and its marketplaces lie in its region, is
decided in `cross`; what the regions are, in `marketplaces`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config.connection import Connection
from monitor.config.fields import Name, SixtyFiveSecondsOrMore, word_of
from monitor.config.marketplaces import (
    Region,
    all_marketplaces,
    by_country,
    by_id,
    endpoint_of,
)
from monitor.config.secret import Secret
from monitor.config.secret_text import check_refresh_token
from monitor.config.urls import BaseUrl
from monitor.config.wording import did_you_mean, quoted


class Probe(StrEnum):
    """
    How far a check goes.
    """

    SELLERS = "sellers"
    TOKEN = "token"  # noqa: S105 - a word of the file, not a token


_read_word = word_of(Region)


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
    """
    Return the end of a sentence that offers the country probably meant, or lists all.
    """
    meant = by_country(code.upper()) or by_id(code)
    for known in all_marketplaces():
        if known.name.casefold() == code.casefold():
            meant = known
    if meant is not None:
        return f"; did you mean {quoted(meant.country)}?"
    codes = sorted(known.country for known in all_marketplaces())
    return did_you_mean(code.upper(), codes) or f"; known: {', '.join(codes)}"


Country = Annotated[
    str,
    AfterValidator(_check_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"}),
]
"""A country code, as the file writes it: UK and GB are both accepted."""


def _require_refresh_token(secret: Secret) -> Secret:
    return secret.require(check_refresh_token)


class AmazonConnection(Connection):
    """
    A store of the Selling Partner API.
    """

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
        description="The countries it must cover, by code; default: whatever the account has.",
    )
    refresh_token: Annotated[Secret, AfterValidator(_require_refresh_token)] = Field(
        description="The refresh token of the authorization."
    )
    probe: Annotated[Probe, BeforeValidator(word_of(Probe))] = Field(
        default=Probe.SELLERS,
        description='"token" stops after the exchange: for vendors, or without the Sellers role.',
    )
    endpoint: BaseUrl | None = Field(
        default=None, description="Replaces the region's address, for a sandbox or a simulator."
    )

    @property
    def address(self) -> str:
        """
        Return the address of the API, without a slash at the end.
        """
        return self.endpoint or endpoint_of(self.region)

    @property
    def host(self) -> str:
        """
        Return the host and port that checks go to.
        """
        return urlsplit(self.address).netloc
