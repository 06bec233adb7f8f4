"""
Which page a renewal is made on: one for each store, and one that works.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.config.connections import (
    AmazonConnection,
    Application,
    CountdownConnection,
    SoldscopeConnection,
)
from monitor.config.model import Config
from monitor.config.plan import make_plan
from monitor.config.renewal import RenewalPage, has_handshake, renewal_page_of
from tests.builders import watched_of

ID = {"application_id": "amzn1.sp.solution.1"}
BACK = {"redirect_url": "https://watch.example.com/oauth/amazon/callback"}
WEB = {"key": "k" * 43 + "=", "public_url": "https://watch.example.com"}
RENEW = {"renew_url": "https://seller.example/renew"}
MANAGE = "https://sellercentral-europe.amazon.com/apps/manage"
CONSENT = "https://sellercentral-europe.amazon.com/apps/authorize/consent"


def config_of(app: dict[str, Any], web: dict[str, Any], **store: Any) -> Config:
    application = {"name": "a", "client_id": "c", "client_secret": "s"} | app
    connection = {"name": "s", "provider": "amazon", "application": "a", "region": "eu"}
    connection |= {"refresh_token": "Atzr|x"} | store
    return Config(
        applications=(Application.model_validate(application),),
        connections=(AmazonConnection.model_validate(connection),),
        web=Config().web.model_validate(web),
    )


CASES = {
    "all is set up": (ID | BACK, WEB, {}, None),
    "all, and a page of its own": (ID | BACK, WEB, RENEW, None),
    "no public address": (ID | BACK, {"key": WEB["key"]}, {}, CONSENT),
    "no key": (ID | BACK, {"public_url": WEB["public_url"]}, {}, CONSENT),
    "no dashboard": (ID | BACK, WEB | {"listen": ""}, {}, CONSENT),
    "no way back": (ID, WEB, {}, CONSENT),
    "an id and a page of its own": (ID, {}, RENEW, RENEW["renew_url"]),
    "an id alone": (ID, {}, {}, CONSENT),
    "a page alone": ({}, {}, RENEW, RENEW["renew_url"]),
    "nothing": ({}, {}, {}, MANAGE),
    "self-authorized": (ID | BACK, WEB, {"valid_days": 0}, MANAGE),
    "another country of the region": (
        {},
        {},
        {"marketplaces": ["NL"]},
        "https://sellercentral.amazon.nl/apps/manage",
    ),
    "North America": ({}, {}, {"region": "na"}, "https://sellercentral.amazon.com/apps/manage"),
    "an application at a simulator": (
        ID | {"endpoint": "http://127.0.0.1:8090/amazon/eu/"},
        {},
        {},
        "http://127.0.0.1:8090/amazon/eu/apps/authorize/consent",
    ),
    "one whose store says otherwise": (
        ID | {"endpoint": "http://127.0.0.1:8090/amazon/na"},
        {},
        {"endpoint": "http://127.0.0.1:8090/amazon/eu"},
        "http://127.0.0.1:8090/amazon/na/apps/authorize/consent",
    ),
    "an application in Amazon's sandbox, which has no such page": (
        ID | {"endpoint": "https://sandbox.sellingpartnerapi-eu.amazon.com"},
        {},
        {},
        CONSENT,
    ),
    "a simulator that is only checked": (ID, {}, {"endpoint": "http://127.0.0.1:8090/eu"}, CONSENT),
    "a simulator": ({}, {}, {"endpoint": "http://127.0.0.1:8090/eu"}, MANAGE),
}


@pytest.mark.parametrize(("app", "web", "store", "url"), CASES.values(), ids=CASES)
def test_a_store_has_exactly_one_page_on_which_it_is_renewed(app, web, store, url):
    config = config_of(app, web, **store)
    page = renewal_page_of(config, config.connections[0])
    assert page.is_here is (url is None)
    assert (page.url is None) is page.is_here
    if url is not None:
        assert page.url is not None
        assert page.url.partition("?")[0] == url
    # What alerts are told is the same.
    watched = watched_of(make_plan(config))["s"]
    assert (watched.renew_url, watched.can_renew_here) == (page.url, page.is_here)


def test_the_consent_page_names_the_application_and_where_amazon_answers():
    config = config_of(ID | BACK, {})
    page = renewal_page_of(config, config.connections[0])
    assert page.url is not None
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {
        "application_id": [ID["application_id"]],
        "state": ["connwatch"],
        "redirect_uri": [BACK["redirect_url"]],
    }


OTHERS = {
    "countdown": CountdownConnection.model_validate(
        {"name": "c", "provider": "countdown", "authorized_on": date(2026, 1, 15)} | RENEW
    ),
    "token": SoldscopeConnection.model_validate(
        {"name": "t", "provider": "soldscope", "base_url": "https://x.example", "token": "t"}
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_service_has_the_page_of_the_file_or_none(name):
    connection, config = OTHERS[name], config_of(ID | BACK, WEB)
    assert renewal_page_of(config, connection) == RenewalPage(connection.renew_url)
    assert not has_handshake(config, connection)
