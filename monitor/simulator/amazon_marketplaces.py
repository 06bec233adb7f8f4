"""
List Amazon's regions and marketplaces, as the Sellers API names them.

Decides what a marketplace looks like in an answer. Which account sells where is
left to `amazon`. The language codes and the names of the marketplaces that are
not Amazon's own are invented; ids, countries, domains and currencies are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.simulator.errors import UnknownNameError


class Region(StrEnum):
    """
    The regions; an authorization opens exactly one.
    """

    NA = "na"
    EU = "eu"
    FE = "fe"


@dataclass(frozen=True, slots=True)
class Marketplace:
    """
    A country in which Amazon sells.

    Args:
        country: ISO 3166-1, so that the United Kingdom is GB.
    """

    country: str
    id: str
    region: Region
    domain: str
    currency: str
    language: str

    def describe(self) -> dict[str, Any]:
        """
        Return the `marketplace` object of an answer; the model requires all six fields.
        """
        return {
            "id": self.id,
            "countryCode": self.country,
            "name": self.domain.removeprefix("www.").capitalize(),
            "defaultCurrencyCode": self.currency,
            "defaultLanguageCode": self.language,
            "domainName": self.domain,
        }


MARKETPLACES = {
    country: Marketplace(country, marketplace_id, region, f"www.{domain}", currency, language)
    for country, marketplace_id, region, domain, currency, language in (
        ("US", "ATVPDKIKX0DER", Region.NA, "amazon.com", "USD", "en_US"),
        ("CA", "A2EUQ1WTGCTBG2", Region.NA, "amazon.ca", "CAD", "en_CA"),
        ("MX", "A1AM78C64UM0Y8", Region.NA, "amazon.com.mx", "MXN", "es_MX"),
        ("BR", "A2Q3Y263D00KWC", Region.NA, "amazon.com.br", "BRL", "pt_BR"),
        ("GB", "A1F83G8C2ARO7P", Region.EU, "amazon.co.uk", "GBP", "en_GB"),
        ("DE", "A1PA6795UKMFR9", Region.EU, "amazon.de", "EUR", "de_DE"),
        ("FR", "A13V1IB3VIYZZH", Region.EU, "amazon.fr", "EUR", "fr_FR"),
        ("IT", "APJ6JRA9NG5V4", Region.EU, "amazon.it", "EUR", "it_IT"),
        ("ES", "A1RKKUPIHCS9HS", Region.EU, "amazon.es", "EUR", "es_ES"),
        ("NL", "A1805IZSGTT6HS", Region.EU, "amazon.nl", "EUR", "nl_NL"),
        ("BE", "AMEN7PMS3EDWL", Region.EU, "amazon.com.be", "EUR", "fr_BE"),
        ("IE", "A28R8C7NBKEWEA", Region.EU, "amazon.ie", "EUR", "en_IE"),
        ("SE", "A2NODRKZP88ZB9", Region.EU, "amazon.se", "SEK", "sv_SE"),
        ("PL", "A1C3SOZRARQ6R3", Region.EU, "amazon.pl", "PLN", "pl_PL"),
        ("TR", "A33AVAJ2PDY3EV", Region.EU, "amazon.com.tr", "TRY", "tr_TR"),
        ("EG", "ARBP9OOSHTCHU", Region.EU, "amazon.eg", "EGP", "ar_EG"),
        ("SA", "A17E79C6D8DWNP", Region.EU, "amazon.sa", "SAR", "ar_SA"),
        ("AE", "A2VIGQ35RCS4UG", Region.EU, "amazon.ae", "AED", "en_AE"),
        ("ZA", "AE08WJ6YKNBMC", Region.EU, "amazon.co.za", "ZAR", "en_ZA"),
        ("IN", "A21TJRUUN4KGV", Region.EU, "amazon.in", "INR", "en_IN"),
        ("JP", "A1VC38T7YXB528", Region.FE, "amazon.co.jp", "JPY", "ja_JP"),
        ("AU", "A39IBJ37TRP1C6", Region.FE, "amazon.com.au", "AUD", "en_AU"),
        ("SG", "A19VAU5U5O7RUS", Region.FE, "amazon.sg", "SGD", "en_SG"),
    )
}
"""All marketplaces by country."""

_ALSO_CALLED = {"UK": "GB"}
"""Amazon's own table of ids writes UK."""

NON_AMAZON = tuple(
    Marketplace(country, marketplace_id, region, f"non-amazon.{country.lower()}", currency, "en_US")
    for country, marketplace_id, region, currency in (
        ("US", "A2ZV50J4W1RKNI", Region.NA, "USD"),
        ("US", "AHRY1CZE9ZY4H", Region.NA, "USD"),
        ("CA", "A1MQXOICRS2Z7M", Region.NA, "CAD"),
        ("MX", "A3H6HPSLHAK3XG", Region.NA, "MXN"),
        ("DE", "A38D8NSA03LJTC", Region.EU, "EUR"),
        ("ES", "AFQLKURYRPEL8", Region.EU, "EUR"),
        ("FR", "A1ZFFQZ3HTUKT9", Region.EU, "EUR"),
        ("IT", "A62U237T8HV6N", Region.EU, "EUR"),
        ("GB", "AZMDEXL2RVFNN", Region.EU, "GBP"),
        ("JP", "ASIMULATEDJP0", Region.FE, "JPY"),  # invented: none was seen in this region
    )
)
"""Marketplaces of orders from elsewhere, which the API lists and Amazon's table does not."""


def find_marketplace(country: str) -> Marketplace:
    """
    Return the marketplace of a country, in Amazon's spelling or in ISO's.
    """
    code = country.strip().upper()
    try:
        return MARKETPLACES[_ALSO_CALLED.get(code, code)]
    except KeyError:
        raise UnknownNameError.among("marketplace", country, MARKETPLACES) from None


def find_region(name: str) -> Region:
    """
    Return the region with this name.
    """
    try:
        return Region(name.strip().lower())
    except ValueError:
        raise UnknownNameError.among("region", name, Region) from None
