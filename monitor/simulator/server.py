"""Serve the simulator over HTTP.

Decides the order in which a request meets faults, tokens and the API, and how the server starts and
stops. The answers themselves come from `soldscope_api` and `misbehave`; Amazon's are joined from
`amazon_server`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from monitor.simulator.amazon import AmazonRegion, find_region
from monitor.simulator.amazon_consent import add_consent_pages
from monitor.simulator.amazon_server import LWA, AmazonHosts, add_lwa, add_region
from monitor.simulator.base import MAX_BODY, serve
from monitor.simulator.control import add_control_routes
from monitor.simulator.faults import Fault
from monitor.simulator.misbehave import (
    ON_THE_WIRE,
    break_connection,
    delay,
    faulty_answer,
    faulty_quota_headers,
    leading_fault,
)
from monitor.simulator.soldscope_api import UNAUTHORIZED, Request, answer_request, bearer_value
from monitor.simulator.world import AMAZON_PATH, API_PATH, CONTROL_PATH, TOKEN_PATH, World

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from monitor.simulator.base import SimulatedAnswer
    from monitor.simulator.faults import Value
    from monitor.simulator.soldscope import IssuedToken, SoldscopeToken


class Simulator:
    """A simulator that serves.

    Args:
        world: What is simulated; its parts may be acted on directly.
        runner: The server, already listening.
        stopping: Set when requests that wait shall give up.
        hosts: The ports of Amazon's own.
    """

    def __init__(
        self, world: World, runner: web.AppRunner, stopping: asyncio.Event, hosts: AmazonHosts
    ) -> None:
        self.world = world
        self.soldscope, self.faults = world.soldscope, world.faults
        self.amazon, self.amazon_faults = world.amazon, world.amazon_faults
        self.clock = world.clock
        self.base_url = world.base_url
        self.soldscope_url, self.lwa_token_url = world.soldscope_url, world.lwa_token_url
        self.control_url = world.control_url
        self._hosts = hosts
        self._runner = runner
        self._stopping = stopping

    def endpoint(self, region: str) -> str:
        """Return the root of a region's Selling Partner API."""
        return self.world.endpoint(find_region(region))

    def consent_url(self, region: str) -> str:
        """Return the page on which sellers of a region authorize an application."""
        return self.world.consent_url(find_region(region))

    async def start_region_hosts(self) -> None:
        """Open a port for LWA and one for each region, beside the simulator's own."""
        await self._hosts.start()

    @property
    def region_urls(self) -> dict[str, str]:
        """The regions' roots on ports of their own."""
        return {region.value: self._hosts.url(region) for region in AmazonRegion}

    @property
    def lwa_url(self) -> str:
        """The token endpoint on a port of its own."""
        return self._hosts.url(LWA) + TOKEN_PATH

    async def stop_host(self, name: str) -> None:
        """Close the port of `lwa` or of a region, so that connecting to it fails."""
        await self._hosts.stop_host(name)

    async def start_host(self, name: str) -> None:
        """Open the port of `lwa` or of a region again, at the same number."""
        await self._hosts.start_host(name)

    def create_token(self, account_id: str, name: str) -> IssuedToken:
        """Make a token for an account, now."""
        return self.world.create_token(account_id, name)

    async def stop(self) -> None:
        """Stop serving; requests that hang are cut off. Stopping again does nothing."""
        if not self._stopping.is_set():
            self._stopping.set()
            await self._hosts.stop()
            await self._runner.cleanup()


async def start_simulator(
    host: str = "127.0.0.1", port: int = 0, *, ssl_context: ssl.SSLContext | None = None
) -> Simulator:
    """Start a simulator and return it once it listens.

    Raises `OSError` if the address cannot be had.

    Args:
        port: 0 takes any free one.
        ssl_context: Serve HTTPS with this.
    """
    world = World()
    stopping = asyncio.Event()
    app = _build_app(world, stopping)
    runner, world.base_url = await serve(app, host, port, ssl_context)
    return Simulator(world, runner, stopping, AmazonHosts(world, stopping, host, ssl_context))


def _build_app(world: World, stopping: asyncio.Event) -> web.Application:
    async def to_control(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": CONTROL_PATH})

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", API_PATH + "/{path:.*}", partial(_handle_api, world, stopping))
    app.router.add_get("/", to_control)
    add_lwa(app, AMAZON_PATH, world, stopping)
    add_consent_pages(app, world)
    for region in AmazonRegion:
        add_region(app, f"{AMAZON_PATH}/{region}", region, world, stopping)
    add_control_routes(app, world)
    return app


async def _handle_api(
    world: World, stopping: asyncio.Event, request: web.Request
) -> web.StreamResponse:
    """Answer one request to the SoldScope API.

    1. Find out whose token it is, and what goes wrong for it.
    2. Wait, if that is part of it.
    3. Let a fault take the answer's place; what a fault answers costs nothing.
    4. Else let the API answer. Headers come last, so that they count this call.
    """
    value = bearer_value(request.headers.get("Authorization", ""))
    token = None if value is None else world.soldscope.authenticate(value)
    faults = world.faults.of(None if token is None else token.id)
    await delay(faults, stopping)
    fault = leading_fault(faults)
    if fault in ON_THE_WIRE:
        return await break_connection(request, fault, faults[fault], stopping)
    if fault is not None:
        answer = faulty_answer(fault, faults[fault])
    elif token is None:
        answer = UNAUTHORIZED
    else:
        body = await request.read()
        asked = Request(request.method, request.match_info["path"], request.query, body)
        answer = answer_request(world.soldscope, token, asked, world.clock.now())
    return _respond(world, answer, token, faults)


def _respond(
    world: World,
    answer: SimulatedAnswer,
    token: SoldscopeToken | None,
    faults: Mapping[Fault, Value],
) -> web.Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if token is not None and answer.is_of_account:
        now = world.clock.now()
        quota = world.soldscope.quota(token.account_id, now)
        headers |= faulty_quota_headers(quota, faults, now)
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if Fault.CLOSE_EACH in faults:
        response.force_close()
    return response
