"""
Amazon's hosts on ports of their own, and one of them down.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from monitor.simulator.base import SimulatorError, UnknownNameError
from monitor.simulator.server import start_simulator
from tests.simulator.shop import PROBE
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


async def test_each_host_has_a_port_of_its_own_and_serves_the_same_state(shop):
    await shop.simulator.start_region_hosts()

    urls = [*shop.simulator.region_urls.values(), shop.simulator.lwa_url]
    answer = await shop.client.post(shop.simulator.lwa_url, data=shop.form())
    token = answer.json()["access_token"]
    headers = {"x-amz-access-token": token}
    probes = {
        region: await shop.client.get(url + PROBE, headers=headers)
        for region, url in shop.simulator.region_urls.items()
    }

    assert len({urlsplit(url).port for url in [*urls, shop.simulator.base_url]}) == 5
    assert [urlsplit(url).hostname for url in urls] == ["127.0.0.1"] * 4
    assert {region: probe.status_code for region, probe in probes.items()} == {
        "na": 200,
        "eu": 403,
        "fe": 403,
    }
    assert (await shop.probe(token)).status_code == 200


async def test_a_host_answers_for_itself_only(shop):
    await shop.simulator.start_region_hosts()
    lwa_root = shop.simulator.lwa_url.removesuffix("/auth/o2/token")
    na = shop.simulator.region_urls["na"]

    assert (await shop.client.get(lwa_root + PROBE)).status_code == 404
    not_routed = await shop.client.post(f"{na}/auth/o2/token", data=shop.form())
    assert not_routed.json()["errors"][0]["code"] == "MissingAuthenticationToken"


@pytest.mark.parametrize("name", ["lwa", "na", "eu", "fe"])
async def test_a_host_that_is_down_refuses_connections_and_comes_back_at_its_port(shop, name):
    simulator = shop.simulator
    await simulator.start_region_hosts()
    urls = {**simulator.region_urls, "lwa": simulator.lwa_url}

    await simulator.stop_host(name)
    await simulator.stop_host(name)
    for other, url in urls.items():
        if other == name:
            with pytest.raises(httpx.ConnectError):
                await shop.client.post(url)
        else:
            assert (await shop.client.post(url)).status_code in {400, 403}
    await simulator.start_host(name)
    await simulator.start_host(name)

    assert (await shop.client.post(urls[name])).status_code in {400, 403}
    assert urls == {**simulator.region_urls, "lwa": simulator.lwa_url}


async def test_starting_them_again_changes_nothing(shop):
    await shop.simulator.start_region_hosts()
    urls = shop.simulator.region_urls

    await shop.simulator.start_region_hosts()

    assert urls == shop.simulator.region_urls


async def test_before_they_are_started_there_are_no_addresses(simulator):
    with pytest.raises(SimulatorError, match="no ports of their own"):
        _ = simulator.lwa_url
    with pytest.raises(SimulatorError, match="no ports of their own"):
        _ = simulator.region_urls


async def test_an_unknown_host_or_region_is_refused(simulator):
    with pytest.raises(UnknownNameError, match="no host 'mars'; there are: lwa, na, eu, fe"):
        await simulator.stop_host("mars")
    with pytest.raises(UnknownNameError, match="no region 'mars'; there are: na, eu, fe"):
        simulator.endpoint("mars")


async def test_stop_closes_all_ports_fast_while_a_request_hangs(shop):
    simulator = shop.simulator
    await simulator.start_region_hosts()
    simulator.amazon_faults.switch_on("lwa_hang")
    url = simulator.lwa_url
    runner = simulator._hosts._runners["lwa"]
    hanging = asyncio.create_task(shop.client.post(url, data=shop.form()))
    async with asyncio.timeout(PATIENCE_S):
        while not runner.server or not runner.server.requests_count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    started = time.monotonic()
    await simulator.stop()

    assert time.monotonic() - started < 2
    with pytest.raises(httpx.HTTPError):
        await hanging
    with pytest.raises(httpx.ConnectError):
        await shop.client.post(url)


async def test_the_addresses_are_below_the_simulators_own_root(simulator):
    base = simulator.base_url

    assert simulator.lwa_token_url == f"{base}/amazon/auth/o2/token"
    assert simulator.endpoint("EU") == f"{base}/amazon/eu"
    assert simulator.consent_url("fe") == f"{base}/amazon/consent/fe/apps/authorize/consent"


async def test_the_hosts_serve_https_when_the_simulator_does():
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    simulator = await start_simulator(ssl_context=server)
    try:
        await simulator.start_region_hosts()
        async with httpx.AsyncClient(
            verify=trusting, trust_env=False, timeout=PATIENCE_S
        ) as client:
            answer = await client.get(simulator.region_urls["na"] + PROBE)
        assert simulator.lwa_url.startswith("https://")
        assert answer.status_code == 403
    finally:
        await simulator.stop()
