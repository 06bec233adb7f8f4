"""
Clients that are not ours, pointed at the simulator: do they take it for Amazon?

`python-amazon-sp-api` is a widely used wrapper, `amzn-sp-api` is Amazon's own SDK. Both block,
so they run in threads. Where one of them is not installed, its tests are skipped.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.simulator.server import Simulator, start_simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.simulator.amazon import IssuedGrant, SampleStores

pytestmark = pytest.mark.anyio


def load(name: str) -> Any:
    """A module of theirs; they come without types."""
    return importlib.import_module(name)


@pytest.fixture
def wrapper(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The wrapper's Sellers API. It forgets its cached tokens, which outlive a test."""
    reason = "python-amazon-sp-api is not installed"
    sellers = pytest.importorskip("sp_api.api", reason=reason)
    client = pytest.importorskip("sp_api.auth.access_token_client", reason=reason)
    client.cache.clear()
    client.grantless_cache.clear()
    monkeypatch.delenv("SP_API_DEFAULT_MARKETPLACE", raising=False)
    return sellers


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Amazon's own SDK, which would ask a proxy of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return pytest.importorskip("spapi", reason="amzn-sp-api is not installed")


@dataclass
class Secure:
    """A simulator with sample stores on HTTPS ports, which the wrapper insists on."""

    simulator: Simulator
    samples: SampleStores
    trust: ssl.SSLContext

    def client_class(self) -> Any:
        """The wrapper's client of LWA, whose host is a constant."""
        host = self.simulator.lwa_url.removeprefix("https://").removesuffix("/auth/o2/token")
        return type("PointedElsewhere", (load("sp_api.auth").AccessTokenClient,), {"host": host})

    def credentials(self, store: IssuedGrant) -> dict[str, str]:
        return {
            "refresh_token": store.refresh_token,
            "lwa_app_id": self.samples.issued.application.client_id,
            "lwa_client_secret": self.samples.issued.client_secret,
        }

    async def ask(self, wrapper: Any, store: IssuedGrant, region: str | None = None) -> Any:
        """Ask where the store takes part, as a user of the wrapper does."""
        country = next(iter(store.grant.participations))

        def call() -> Any:
            sellers = wrapper.Sellers(
                marketplace=load("sp_api.base").Marketplaces[country],
                credentials=self.credentials(store),
                refresh_token=store.refresh_token,
                auth_token_client_class=self.client_class(),
                verify=self.trust,
            )
            sellers.endpoint = self.simulator.region_urls[region or store.grant.region]
            with sellers:
                try:
                    return sellers.get_marketplace_participation()
                finally:
                    sellers._auth._transport.close()

        return await asyncio.to_thread(call)


@pytest.fixture
async def secure(anyio_backend: str) -> AsyncIterator[Secure]:
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    trust = ssl.create_default_context()
    ca.configure_trust(trust)
    simulator = await start_simulator(ssl_context=server)
    await simulator.start_region_hosts()
    yield Secure(simulator, simulator.amazon.add_sample_stores(simulator.clock.now()), trust)
    await simulator.stop()


@pytest.mark.parametrize("number", range(4))
async def test_the_wrapper_reads_where_a_store_takes_part(secure, wrapper, number):
    store = secure.samples.stores[number]

    answer = await secure.ask(wrapper, store)

    assert {item["storeName"] for item in answer.payload} == {store.grant.store_name}
    assert [item["marketplace"]["countryCode"] for item in answer.payload] == list(
        store.grant.participations
    )
    assert answer.rate_limit == "0.016"
    assert answer.errors is None


async def test_the_wrapper_is_told_of_a_revocation_by_lwa(secure, wrapper):
    store = secure.samples.stores[0]
    secure.simulator.amazon.revoke(store.grant.id, secure.simulator.clock.now())

    with pytest.raises(load("sp_api.auth.exceptions").AuthorizationError) as caught:
        await secure.ask(wrapper, store)

    assert (caught.value.status_code, caught.value.error_code) == (400, "invalid_grant")


async def test_the_wrapper_takes_our_refusals_for_amazons(secure, wrapper):
    forbidden = load("sp_api.base").SellingApiForbiddenException
    store = secure.samples.stores[0]

    with pytest.raises(forbidden) as caught:
        await secure.ask(wrapper, store, "eu")
    assert caught.value.amzn_code == "Unauthorized"
    assert caught.value.message == "Access to requested resource is denied."

    secure.samples.issued.application.age_secret(timedelta(days=180))
    with pytest.raises(forbidden) as caught:
        await secure.ask(wrapper, secure.samples.stores[1])
    assert caught.value.error[0]["details"] == "The LWA secret token you provided has expired."


async def test_the_wrapper_takes_our_throttling_for_amazons(secure, wrapper):
    throttled = load("sp_api.base").SellingApiRequestThrottledException
    store = secure.samples.stores[0]
    for _ in range(15):
        await secure.ask(wrapper, store)

    with pytest.raises(throttled) as caught:
        await secure.ask(wrapper, store)

    assert caught.value.amzn_code == "QuotaExceeded"


async def test_the_wrapper_exchanges_the_code_of_a_consent(secure, wrapper):
    provider = load("sp_api.base.credential_provider").CredentialProvider
    simulator, store = secure.simulator, secure.samples.stores[0]
    now = simulator.clock.now()
    code = simulator.amazon.codes.issue(store.grant, "https://a.example/callback", now)

    def exchange() -> Any:
        credentials = provider("default", secure.credentials(store)).credentials
        client = secure.client_class()(credentials=credentials, verify=secure.trust)
        try:
            return client.authorize_auth_code(code)
        finally:
            client._transport.close()

    answer = await asyncio.to_thread(exchange)

    assert simulator.amazon.accepts(answer["refresh_token"], store.grant.application, now)


def call_sdk(sdk: Any, simulator: Simulator, samples: SampleStores, n: int, region: str) -> Any:
    """Ask where a store takes part, as a user of Amazon's SDK does."""
    api = load("spapi.api.sellers_v1.sellers_api").SellersApi
    config = sdk.SPAPIConfig(
        client_id=samples.issued.application.client_id,
        client_secret=samples.issued.client_secret,
        refresh_token=samples.stores[n].refresh_token,
        region=region.upper(),
    )
    client = sdk.SPAPIClient(
        config,
        oauth_endpoint=simulator.lwa_token_url,
        endpoint=simulator.endpoint(region),
    )
    try:
        return api(client.api_client).get_marketplace_participations()
    finally:
        client.api_client.rest_client.pool_manager.clear()


@pytest.mark.parametrize("number", range(4))
async def test_amazons_sdk_builds_its_own_models_of_our_answer(simulator, sdk, number):
    samples = simulator.amazon.add_sample_stores(simulator.clock.now())
    grant = samples.stores[number].grant

    answer = await asyncio.to_thread(call_sdk, sdk, simulator, samples, number, grant.region)

    for item in answer.payload:
        country = item.marketplace.country_code
        own = grant.participations[country]
        assert type(item).__name__ == "MarketplaceParticipation"
        assert item.store_name == grant.store_name
        assert item.participation.is_participating is own.is_participating
        assert item.participation.has_suspended_listings is own.has_suspended_listings
        assert None not in item.marketplace.to_dict().values()
    assert len(answer.payload) == len(grant.participations)


async def test_amazons_models_refuse_what_lacks_a_required_field(simulator, sdk):
    """So that the test above can fail: their models check what is required."""
    samples = simulator.amazon.add_sample_stores(simulator.clock.now())
    simulator.amazon_faults.switch_on("missing_store_name")

    with pytest.raises(ValueError, match="store_name"):
        await asyncio.to_thread(call_sdk, sdk, simulator, samples, 0, "na")


async def test_amazons_sdk_reads_our_refusals_as_errors_of_its_model(simulator, sdk):
    samples = simulator.amazon.add_sample_stores(simulator.clock.now())

    with pytest.raises(sdk.ApiException) as caught:
        await asyncio.to_thread(call_sdk, sdk, simulator, samples, 0, "eu")

    assert caught.value.status == 403
    assert "Access to requested resource is denied." in str(caught.value)


async def test_amazons_sdk_rotates_a_client_secret(simulator, sdk):
    api = load("spapi.api.applications_v2023_11_30.applications_api").ApplicationsApi
    issued = simulator.amazon.add_application("Our app", simulator.clock.now())

    def rotate() -> None:
        config = sdk.SPAPIConfig(
            client_id=issued.application.client_id,
            client_secret=issued.client_secret,
            region="NA",
            scope="sellingpartnerapi::client_credential:rotation",
        )
        client = sdk.SPAPIClient(
            config,
            oauth_endpoint=simulator.lwa_token_url,
            endpoint=simulator.endpoint("na"),
        )
        try:
            api(client.api_client).rotate_application_client_secret()
        finally:
            client.api_client.rest_client.pool_manager.clear()

    await asyncio.to_thread(rotate)

    assert len(simulator.amazon.queue) == 1
    assert len(issued.application.secrets) == 2
