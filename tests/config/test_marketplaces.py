from __future__ import annotations

import re
import tomllib
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.marketplaces import (
    LWA_TOKEN_URL,
    Region,
    all_marketplaces,
    by_country,
    by_id,
    endpoint_of,
    seller_central_of,
)
from monitor.config.values import is_host
from monitor.simulator.amazon import MARKETPLACES, NON_AMAZON

ALL = all_marketplaces()
DATA = files("monitor.config").joinpath("marketplaces.toml").read_text(encoding="utf-8")
OF_OTHER_CHANNELS = tomllib.loads(DATA)["of_other_channels"]


def test_all_marketplaces_are_there_once():
    assert len(ALL) == 23
    assert len({one.id for one in ALL}) == len({one.country for one in ALL}) == 23
    assert Counter(one.region for one in ALL) == {Region.NA: 4, Region.EU: 16, Region.FE: 3}


@pytest.mark.parametrize(
    ("country", "marketplace_id", "region", "seller_central"),
    [
        ("US", "ATVPDKIKX0DER", Region.NA, "sellercentral.amazon.com"),
        ("CA", "A2EUQ1WTGCTBG2", Region.NA, "sellercentral.amazon.ca"),
        ("BR", "A2Q3Y263D00KWC", Region.NA, "sellercentral.amazon.com.br"),
        ("UK", "A1F83G8C2ARO7P", Region.EU, "sellercentral-europe.amazon.com"),
        ("DE", "A1PA6795UKMFR9", Region.EU, "sellercentral-europe.amazon.com"),
        ("IN", "A21TJRUUN4KGV", Region.EU, "sellercentral.amazon.in"),
        ("ZA", "AE08WJ6YKNBMC", Region.EU, "sellercentral.amazon.co.za"),
        ("AE", "A2VIGQ35RCS4UG", Region.EU, "sellercentral.amazon.ae"),
        ("JP", "A1VC38T7YXB528", Region.FE, "sellercentral.amazon.co.jp"),
        ("SG", "A19VAU5U5O7RUS", Region.FE, "sellercentral.amazon.sg"),
    ],
)
def test_marketplace_is_found_by_country_and_by_id(country, marketplace_id, region, seller_central):
    found = by_country(country)
    assert found is not None
    assert (found.id, found.region) == (marketplace_id, region)
    assert found.seller_central == seller_central
    assert by_id(marketplace_id) is found


def test_united_kingdom_has_two_codes():
    assert by_country("GB") is by_country("UK") is by_id("A1F83G8C2ARO7P")


@pytest.mark.parametrize("code", ["us", "XX", "", "USA", "gb"])
def test_other_codes_are_no_country(code):
    assert by_country(code) is None


@pytest.mark.parametrize(
    ("region", "address", "seller_central"),
    [
        (Region.NA, "https://sellingpartnerapi-na.amazon.com", "sellercentral.amazon.com"),
        (Region.EU, "https://sellingpartnerapi-eu.amazon.com", "sellercentral-europe.amazon.com"),
        (Region.FE, "https://sellingpartnerapi-fe.amazon.com", "sellercentral.amazon.co.jp"),
    ],
)
def test_region_has_its_hosts(region, address, seller_central):
    assert endpoint_of(region) == address
    assert seller_central_of(region) == seller_central


def test_tokens_are_exchanged_in_one_place():
    assert LWA_TOKEN_URL == "https://api.amazon.com/auth/o2/token"


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.country)
def test_each_marketplace_has_hosts_and_an_id_that_can_be_ones(one):
    for host in (one.seller_central, one.vendor_central, one.domain):
        if host is not None:
            assert is_host(host)
            assert re.fullmatch(r"[a-z.-]+", host)
    assert re.fullmatch(r"[A-Z0-9]{12,14}", one.id)


def test_host_for_vendors_that_nobody_confirms_is_left_out():
    assert [one.country for one in ALL if one.vendor_central is None] == ["IE"]


def test_marketplaces_of_other_channels_are_no_countries():
    assert len(OF_OTHER_CHANNELS) == len(set(OF_OTHER_CHANNELS)) == 9
    assert [one for one in OF_OTHER_CHANNELS if by_id(one)] == []


@pytest.mark.parametrize("theirs", MARKETPLACES.values(), ids=MARKETPLACES)
def test_simulator_has_the_same_marketplaces(theirs):
    ours = by_country(theirs.country)
    assert ours is not None
    assert (ours.id, ours.region.value) == (theirs.id, theirs.region.value)
    assert ours.domain == theirs.domain


def test_simulator_has_the_same_marketplaces_of_other_channels():
    theirs = [one.id for one in NON_AMAZON if "SIMULATED" not in one.id]
    assert len(theirs) == 9
    assert sorted(theirs) == sorted(OF_OTHER_CHANNELS)


def test_data_names_its_sources():
    header = DATA.partition("\n\n")[0]
    assert "Marketplace IDs" in header
    assert "SP-API Endpoints" in header


@given(st.text() | st.sampled_from([one.country.lower() for one in ALL]))
def test_any_text_is_looked_up(text):
    found = by_country(text)
    assert found is None or text in {found.country, "GB"}
    assert by_id(text) is None or by_id(text) in ALL
