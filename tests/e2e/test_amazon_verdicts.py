"""
The table of verdicts as a user sees it: `connwatch check --json`, over real HTTP.

Each command is a process of its own. How checkers come to a reason is tried in
`tests/providers/test_amazon.py`; here it is what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.amazon_stage import run_amazon, set_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.simulator.amazon import AmazonApplication, Grant
    from tests.e2e.amazon_stage import SimulatedAmazon, Stage

NOWHERE = "http://127.0.0.1:9"
"""The discard port: nobody listens there."""

COUNTRIES = ["US", "CA", "MX"]


@dataclass
class Shop:
    """
    One application with one store of it, both known to the stage.
    """

    stage: Stage
    amazon: SimulatedAmazon
    application: AmazonApplication
    grant: Grant

    def fail(self, *names: str, value: object = None) -> None:
        faults = self.amazon.simulator.amazon_faults
        for name in names:
            faults.switch_on(name, where=self.grant.id, value=value)

    def revoke_in_older_words(self) -> None:
        self.fail("lwa_wording", value="old")
        self.revoke()

    def revoke(self) -> None:
        simulator = self.amazon.simulator
        simulator.amazon.revoke(self.grant.id, simulator.clock.now())

    def take_tokens_of_another(self) -> None:
        """
        Put the refresh token of another application's store into the file.
        """
        simulator = self.amazon.simulator
        now = simulator.clock.now()
        other = simulator.amazon.add_application("Other", now).application
        issued = simulator.amazon.add_grant(other.id, "na", "Other", now)
        self.stage.put("acme.token", issued.refresh_token)

    def move_regions(self) -> None:
        self.stage.move_to(timedelta(), regions=self.amazon.simulator.region_urls)


@dataclass(frozen=True)
class Case:
    """
    What is wrong, and what it means.

    Args:
        break_it: Done after the first check was fine.
        settings: Of the connection, in TOML.
        since_days: How long ago the seller authorized, as Amazon knows it.
        endpoint: Another than the simulator's; "" for Amazon's own.
    """

    reason: str
    break_it: Callable[[Shop], object] = lambda _: None
    settings: dict[str, str] = field(default_factory=dict)
    since_days: int = 0
    is_date_known: bool = False
    endpoint: str | Callable[[SimulatedAmazon], str] | None = None
    region: str = "na"


def failing(reason: str, fault: str, value: object = None) -> Case:
    return Case(reason, lambda shop: shop.fail(fault, value=value))


REFUSED = {
    "revoked in Seller Central": Case("authorization_revoked", Shop.revoke),
    "revoked, with days left": Case(
        "authorization_revoked", Shop.revoke, since_days=100, is_date_known=True
    ),
    "lapsed, and nobody knew when": Case("authorization_revoked", since_days=366),
    "lapsed after its known end": Case("authorization_expired", since_days=366, is_date_known=True),
    "revoked after its known end": Case(
        "authorization_expired", Shop.revoke, since_days=366, is_date_known=True
    ),
    "mistyped refresh token": Case(
        "authorization_revoked", lambda shop: shop.stage.put("acme.token", "Atzr|IwEBIAmistyped")
    ),
    "refresh token of another application": Case(
        "authorization_revoked", Shop.take_tokens_of_another
    ),
    "older words for a revocation": Case("authorization_revoked", Shop.revoke_in_older_words),
    "fresh access tokens refused twice": failing("authorization_revoked", "token_refused"),
    "wrong client secret": Case(
        "client_rejected", lambda shop: shop.stage.put("app.secret", "amzn1.oa2-cs.v1.mistyped")
    ),
    "client not allowed": failing("client_rejected", "lwa_unauthorized_client"),
    "application switched off": Case(
        "client_rejected", lambda shop: setattr(shop.application, "is_enabled", False)
    ),
    "client secret past its days": Case(
        "client_secret_expired", lambda shop: shop.application.age_secret(timedelta(days=181))
    ),
    "marketplace absent": Case(
        "marketplace_mismatch",
        lambda shop: shop.grant.remove_marketplace("MX"),
        {"marketplaces": '["US", "MX"]'},
    ),
    "marketplace not participating": Case(
        "marketplace_mismatch",
        lambda shop: shop.grant.set_participation("MX", is_participating=False),
        {"marketplaces": '["US", "MX"]'},
    ),
    "no marketplace at all": failing("marketplace_mismatch", "empty_payload"),
    "token let in elsewhere": Case("region_mismatch", Shop.move_regions, endpoint="", region="eu"),
    "roles taken away": Case("permission_denied", lambda shop: shop.grant.remove_role()),
    "account deactivated": failing("permission_denied", "account_deactivated"),
    "details left out": Case(
        "permission_denied",
        lambda shop: shop.fail("missing_details", "account_deactivated"),
    ),
    "path not known": Case(
        "permission_denied", endpoint=lambda amazon: amazon.simulator.region_urls["na"] + "/old"
    ),
    "access denied at LWA": failing("permission_denied", "lwa_access_denied"),
    "401 of the API": failing("token_rejected", "sp_401"),
}

UNANSWERED = {
    "LWA 500": failing("server_error", "lwa_500"),
    "LWA 503": failing("server_error", "lwa_503"),
    "LWA a page": failing("unexpected_response", "lwa_html", 400),
    "LWA nothing": failing("unexpected_response", "lwa_empty"),
    "LWA hangs": failing("timeout", "lwa_hang"),
    "LWA resets": failing("protocol", "lwa_reset"),
    "API 500": failing("server_error", "sp_500"),
    "API 503": failing("server_error", "sp_503"),
    "API redirects": failing("unexpected_response", "sp_html", 301),
    "API a page with 403": failing("unexpected_response", "sp_html", 403),
    "API a page with 200": failing("unexpected_response", "sp_html", 200),
    "API 404": failing("unexpected_response", "sp_404"),
    "API calls a new token old": failing("unexpected_response", "early_token_death", 0),
    "API resets": failing("protocol", "sp_reset"),
    "API not there": Case("connect", endpoint=NOWHERE),
    "API not known": Case("dns", endpoint="https://sellers.invalid"),
    "API without TLS": Case(
        "tls", endpoint=lambda amazon: amazon.simulator.base_url.replace("http:", "https:")
    ),
}

THROTTLED = {
    "LWA 429": failing("throttled", "lwa_throttle"),
    "API 429": failing("throttled", "sp_throttle"),
}

FINE = {
    "sound": Case("ok"),
    "one access token refused": Case("ok", lambda shop: setattr(shop.grant, "n_spoiled", 1)),
    "marketplaces of other channels": failing("ok", "extra_marketplaces"),
    "keys the other way round": failing("ok", "shuffled_keys"),
    "listings suspended": Case(
        "ok", lambda shop: shop.grant.set_participation("CA", has_suspended_listings=True)
    ),
    "self-authorized long ago": Case(
        "ok",
        lambda shop: setattr(shop.grant, "is_private", True),
        {"valid_days": "0"},
        since_days=400,
        is_date_known=True,
    ),
}


@pytest.fixture
def open_shop(tmp_path) -> Iterator[Callable[[Case], Shop]]:
    with set_stage(tmp_path) as stage, run_amazon(stage) as amazon:

        def open_it(case: Case) -> Shop:
            now = amazon.simulator.clock.now()
            since = now - timedelta(days=case.since_days)
            application = amazon.open_application(stage, "app")
            issued = amazon.simulator.amazon.add_grant(
                application.id, "na", "Acme", since, marketplaces=COUNTRIES
            )
            endpoint = case.endpoint(amazon) if callable(case.endpoint) else case.endpoint
            if endpoint is None:
                endpoint = amazon.simulator.region_urls[case.region]
            more = dict(case.settings)
            if case.is_date_known:
                more["authorized_on"] = f"{since:%Y-%m-%d}"
            token = issued.refresh_token
            stage.add_store("acme", "app", token, endpoint or None, case.region, **more)
            stage.configure(timeout='"1s"')
            shop = Shop(stage, amazon, application, issued.grant)
            case.break_it(shop)
            return shop

        yield open_it


def check(shop: Shop) -> tuple[int, dict[str, Any], tuple[str, str, bool, int]]:
    """
    Return the exit code, what is shown, and the heart of that.
    """
    code, shown = shop.stage.check()
    acme = shown["acme"]
    last = acme["last_check"]
    heart = (acme["state"], acme["reason"], last["conclusive"], last["in_a_row"])
    assert last["at"] == acme["checked_at"]
    return code, acme, heart


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_shows_at_once_and_is_told_when_it_is_confirmed(open_shop, case):
    shop = open_shop(case)
    kind = "expired" if case.reason == "authorization_expired" else "error"

    code, acme, heart = check(shop)
    assert (code, *heart) == (2, kind, case.reason, True, 1)
    assert acme["detail"].endswith((".", '"'))
    assert shop.stage.alerts() == []

    code, _, heart = check(shop)
    assert (code, *heart) == (2, kind, case.reason, True, 2)
    [alert] = shop.stage.alerts()
    assert (alert.kind, alert.severity, alert.facts["reason"]) == (kind, "critical", case.reason)
    assert alert.connections == ("acme",)


@pytest.mark.parametrize("case", UNANSWERED.values(), ids=UNANSWERED)
def test_no_answer_means_nothing_until_it_lasts(open_shop, case):
    shop = open_shop(case)

    for number in (1, 2):
        code, _, heart = check(shop)
        assert (code, *heart) == (3, "pending", "not_checked", False, number)
        assert shop.stage.alerts() == []

    code, acme, heart = check(shop)
    assert (code, *heart) == (2, "error", case.reason, False, 3)
    assert acme["marketplaces"] is None
    [alert] = shop.stage.alerts()
    assert (alert.kind, alert.severity, alert.facts["reason"]) == ("error", "warning", case.reason)


@pytest.mark.parametrize("case", THROTTLED.values(), ids=THROTTLED)
def test_a_throttled_store_is_alive_and_its_checks_count_in_no_row(open_shop, case):
    shop = open_shop(Case("ok"))
    assert check(shop)[0] == 0

    case.break_it(shop)

    for _ in range(3):
        code, acme, heart = check(shop)
        assert (code, *heart[:3]) == (3, "active", "ok", False)
        assert acme["last_check"]["reason"] == "throttled"
    assert shop.stage.alerts() == []


@pytest.mark.parametrize("case", FINE.values(), ids=FINE)
def test_what_is_no_fault_of_the_authorization_is_active(open_shop, case):
    shop = open_shop(case)

    code, acme, heart = check(shop)

    assert (code, *heart) == (0, "active", "ok", True, 1)
    assert acme["detail"] == ""
    assert acme["account"] == "Acme"
    assert [one["country"] for one in acme["marketplaces"]] == COUNTRIES
    assert shop.stage.alerts() == []


def test_the_account_is_shown_with_what_was_asked_of_it_and_what_it_has_beside(open_shop):
    shop = open_shop(Case("ok", settings={"marketplaces": '["US", "BR"]'}))
    shop.grant.set_participation("US", has_suspended_listings=True)

    code, acme, _ = check(shop)

    assert (code, acme["reason"]) == (2, "marketplace_mismatch")
    assert "Not in the account: BR." in acme["detail"]

    def entry(country: str, number: str, **facts: bool) -> dict[str, Any]:
        found = {"participating": True, "suspended_listings": False, "configured": False}
        return {"country": country, "id": number} | found | facts

    assert acme["marketplaces"] == [
        entry("US", "ATVPDKIKX0DER", configured=True, suspended_listings=True),
        entry("BR", "A2Q3Y263D00KWC", configured=True, participating=False),
        entry("CA", "A2EUQ1WTGCTBG2"),
        entry("MX", "A1AM78C64UM0Y8"),
    ]


def test_a_check_that_stops_at_the_token_says_nothing_of_marketplaces(open_shop):
    shop = open_shop(Case("ok", settings={"probe": '"token"'}))
    shop.fail("sp_500")

    code, acme, heart = check(shop)

    assert (code, *heart) == (0, "active", "ok", True, 1)
    assert acme["marketplaces"] is None


def test_a_store_that_works_again_is_told_once(open_shop):
    shop = open_shop(Case("ok"))
    assert check(shop)[0] == 0
    shop.fail("account_deactivated")
    assert [check(shop)[0] for _ in range(3)] == [2, 2, 2]
    assert shop.stage.kinds() == ["error"]

    shop.amazon.simulator.amazon_faults.clear()

    assert [check(shop)[0] for _ in range(2)] == [0, 0]
    assert shop.stage.kinds() == ["error", "recovered"]


def test_a_store_that_works_past_its_known_end_is_asked_for_the_date(open_shop):
    shop = open_shop(Case("ok", since_days=366, is_date_known=True))
    shop.grant.consented_at += timedelta(days=300)

    code, acme, heart = check(shop)

    assert (code, *heart) == (1, "active", "ok", True, 1)
    assert acme["renewal_unrecorded"] is True
    assert acme["authorization"]["days_left"] is None
    assert shop.stage.kinds() == ["renewal_unrecorded"]
