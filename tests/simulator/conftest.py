"""
Fixtures of the simulator's tests: a simulator that serves, and a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.simulator.server import Simulator, start_simulator
from tests.simulator.shop import CALLBACK, Shop
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def simulator(anyio_backend: str) -> AsyncIterator[Simulator]:
    simulator = await start_simulator()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client that speaks to the root and trusts no proxy of this machine."""
    async with httpx.AsyncClient(
        base_url=simulator.base_url, timeout=PATIENCE_S, trust_env=False
    ) as client:
        yield client


@pytest.fixture
async def api(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the SoldScope API that carries a live token of Acme Ltd, `tok_1`."""
    issued = simulator.create_token("acme", "production")
    async with httpx.AsyncClient(
        base_url=simulator.soldscope_url,
        headers={"Authorization": f"Bearer {issued.value}"},
        timeout=PATIENCE_S,
        trust_env=False,
    ) as client:
        yield client


@pytest.fixture
async def shop(simulator: Simulator, client: httpx.AsyncClient) -> Shop:
    """An application and `store_1`, authorized just now."""
    now = simulator.clock.now()
    issued = simulator.amazon.add_application("Our app", now, redirect_uris=(CALLBACK,))
    store = simulator.amazon.add_grant(
        issued.application.id, "na", "Acme Ltd", now, marketplaces=("US", "CA", "MX")
    )
    return Shop(
        simulator,
        client,
        issued.application,
        issued.client_secret,
        store.grant,
        store.refresh_token,
    )
