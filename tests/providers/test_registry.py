from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.connections import Connection
from monitor.config.model import Config
from monitor.config.registry import PROVIDERS, title_of
from monitor.providers.amazon import AmazonChecker
from monitor.providers.base import GrantLocks
from monitor.providers.http_api import HttpChecker
from monitor.providers.registry import CountdownChecker, build_checker
from monitor.providers.soldscope import SoldscopeChecker
from monitor.providers.transport import HttpClients

if TYPE_CHECKING:
    from monitor.providers.base import Checker

APPLICATION = {
    "name": "our-app",
    "client_id": "amzn1.application-oa2-client.1",
    "client_secret": {"env": "SECRET"},
}
SOLDSCOPE = {
    "name": "shop",
    "provider": "soldscope",
    "base_url": "https://api.example.com",
    "token": {"env": "TOKEN"},
}
COUNTDOWN = {"name": "store", "provider": "countdown", "authorized_on": date(2026, 1, 15)}
HTTP = {"name": "gh", "provider": "http", "preset": "github", "token": {"env": "TOKEN"}}
AMAZON = {
    "name": "acme",
    "provider": "amazon",
    "application": "our-app",
    "region": "eu",
    "refresh_token": {"env": "TOKEN"},
    "timeout": "7s",
}


def config_of(*connections: dict[str, Any]) -> Config:
    return Config.model_validate({"applications": [APPLICATION], "connections": connections})


async def build(connection: dict[str, Any]) -> Checker:
    config = config_of(connection)
    async with HttpClients(concurrency=1) as clients:
        return build_checker(config.connections[0], config, clients, GrantLocks())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        (SOLDSCOPE, SoldscopeChecker),
        (COUNTDOWN, CountdownChecker),
        (AMAZON, AmazonChecker),
        (HTTP, HttpChecker),
    ],
    ids=["soldscope", "countdown", "amazon", "http"],
)
async def test_every_provider_has_its_checker_and_no_secret_is_read_to_build_it(
    monkeypatch, connection, kind
):
    monkeypatch.delenv("TOKEN", raising=False)
    monkeypatch.delenv("SECRET", raising=False)

    assert isinstance(await build(connection), kind)


async def build_amazon(**changes: Any) -> AmazonChecker:
    checker = await build(AMAZON | changes)
    assert isinstance(checker, AmazonChecker)
    return checker


@pytest.mark.anyio
async def test_a_store_is_asked_in_its_region_and_refusals_are_looked_into_in_the_others():
    checker = await build_amazon()

    assert checker._store.address == "https://sellingpartnerapi-eu.amazon.com"
    assert checker._store.host == "sellingpartnerapi-eu.amazon.com"
    assert checker._store.other_regions == {
        "na": "https://sellingpartnerapi-na.amazon.com",
        "fe": "https://sellingpartnerapi-fe.amazon.com",
    }
    assert checker._app.token_address == "https://api.amazon.com/auth/o2/token"
    assert checker._app.token_host == "api.amazon.com"
    assert checker._timeout == timedelta(seconds=7)
    assert checker._store.expected is not None
    assert checker._store.expected.marketplaces is None


@pytest.mark.anyio
async def test_with_an_endpoint_of_its_own_no_region_of_amazons_is_asked():
    checker = await build_amazon(endpoint="https://sandbox.example.com")

    assert checker._store.address == "https://sandbox.example.com"
    assert checker._store.other_regions == {}


@pytest.mark.anyio
async def test_marketplaces_are_compared_by_id_and_called_as_written():
    expected = (await build_amazon(marketplaces=["GB", "DE"]))._store.expected

    assert expected is not None
    assert expected.marketplaces == {"A1F83G8C2ARO7P": "GB", "A1PA6795UKMFR9": "DE"}


@pytest.mark.anyio
async def test_a_token_probe_expects_no_marketplaces():
    assert (await build_amazon(probe="token"))._store.expected is None


def test_an_application_that_nobody_defined_is_named():
    config = config_of(AMAZON)
    bare = config.model_copy(update={"applications": ()})
    bare.__dict__.pop("_applications_by_name", None)

    with pytest.raises(ValueError, match="connection acme: no application our-app"):
        build_checker(bare.connections[0], bare, HttpClients(concurrency=1), GrantLocks())


def test_a_provider_without_a_checker_is_named():
    unknown = Connection.model_validate({"name": "shop", "provider": "fax"})

    with pytest.raises(ValueError, match="connection shop: no checker for provider fax"):
        build_checker(unknown, config_of(), HttpClients(concurrency=1), GrantLocks())


def test_every_provider_of_the_configuration_is_tried_here():
    assert set(PROVIDERS) == {"soldscope", "countdown", "amazon", "http"}


def test_a_provider_is_called_by_its_own_title_or_else_by_the_word_of_the_file():
    words = ["soldscope", "amazon", "countdown", "http", "acme"]
    assert [*map(title_of, words)] == ["SoldScope", "Amazon", "Countdown", "http", "acme"]
