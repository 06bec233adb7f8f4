"""Know Amazon's regions and marketplaces, and the hosts that belong to them.

The facts stand in `marketplaces.toml`, with their sources. What a connection may say about them is
decided in `connections`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

LWA_TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105 - an address, not a token
"""Where refresh tokens are exchanged, in all regions."""

_ALSO_CALLED = {"GB": "UK"}
"""ISO 3166 writes GB; Amazon's own table of ids writes UK."""


class Region(StrEnum):
    """A part of the world that one authorization opens."""

    NA = "na"
    EU = "eu"
    FE = "fe"


@dataclass(frozen=True, slots=True)
class KnownMarketplace:
    """A country in which Amazon sells.

    Args:
        id: What marketplaces are compared by.
        country: As Amazon's table writes it, so that the United Kingdom is UK.
        seller_central: The host of the pages for sellers.
        vendor_central: The host of the pages for vendors; None where nobody confirms one.
        domain: The host of the shop.
    """

    id: str
    country: str
    name: str
    region: Region
    seller_central: str
    vendor_central: str | None
    domain: str


@dataclass(frozen=True, slots=True)
class _Table:
    """What the data file says."""

    marketplaces: tuple[KnownMarketplace, ...]
    by_country: dict[str, KnownMarketplace]
    by_id: dict[str, KnownMarketplace]
    apis: dict[Region, str]
    seller_centrals: dict[Region, str]


@lru_cache(maxsize=1)
def _table() -> _Table:
    # Most commands ask nothing of this table, and the import takes time.
    from importlib.resources import files

    text = files("monitor.config").joinpath("marketplaces.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    marketplaces = tuple(
        KnownMarketplace(**{"vendor_central": None, **entry, "region": Region(entry["region"])})
        for entry in found["marketplaces"]
    )
    return _Table(
        marketplaces,
        {each.country: each for each in marketplaces},
        {each.id: each for each in marketplaces},
        {region: found["regions"][region]["api"] for region in Region},
        {region: found["regions"][region]["seller_central"] for region in Region},
    )


def all_marketplaces() -> tuple[KnownMarketplace, ...]:
    """Return every marketplace of Amazon's table."""
    return _table().marketplaces


def by_country(code: str) -> KnownMarketplace | None:
    """Return the marketplace of a country, called by Amazon's code or by ISO's."""
    return _table().by_country.get(_ALSO_CALLED.get(code, code))


def by_id(marketplace_id: str) -> KnownMarketplace | None:
    """Return the marketplace with this id."""
    return _table().by_id.get(marketplace_id)


def endpoint_of(region: Region) -> str:
    """Return the address of a region's API, without a slash at the end."""
    return f"https://{_table().apis[region]}"


def seller_central_of(region: Region) -> str:
    """Return the host of the pages for a region's sellers, where no country is known."""
    return _table().seller_centrals[region]
