"""
Give Amazon's four hosts ports of their own: LWA and one a region.

Decides which ports are open, so that one host can be down while the others
work. What they answer comes from `amazon_server`, the same as below the
simulator's own root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from monitor.simulator.amazon_marketplaces import Region
from monitor.simulator.amazon_server import add_lwa, add_region
from monitor.simulator.errors import SimulatorError, UnknownNameError
from monitor.simulator.serving import MAX_BODY, serve

if TYPE_CHECKING:
    import asyncio
    import ssl

    from monitor.simulator.world import World

LWA = "lwa"
HOSTS = (LWA, *Region)


class AmazonHosts:
    """
    The ports of Amazon's hosts; none is open at first.

    Args:
        address: The address of this machine to listen on.
    """

    def __init__(
        self,
        world: World,
        stopping: asyncio.Event,
        address: str,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._world = world
        self._stopping = stopping
        self._address = address
        self._ssl_context = ssl_context
        self._runners: dict[str, web.AppRunner] = {}

    async def start(self) -> None:
        """
        Open all ports that are not open.
        """
        for name in HOSTS:
            await self.start_host(name)

    async def start_host(self, name: str) -> None:
        """
        Open a host's port; the second time it gets the port it had.
        """
        if _known(name) in self._runners:
            return
        url = self._world.amazon_hosts.get(name)
        port = 0 if url is None else urlsplit(url).port or 0
        runner, root = await serve(self._build(name), self._address, port, self._ssl_context)
        self._runners[name] = runner
        self._world.amazon_hosts[name] = root

    async def stop_host(self, name: str) -> None:
        """
        Close a host's port, so that connecting to it fails.
        """
        runner = self._runners.pop(_known(name), None)
        if runner is not None:
            await runner.cleanup()

    async def stop(self) -> None:
        """
        Close all ports.
        """
        for name in HOSTS:
            await self.stop_host(name)

    def url(self, name: str) -> str:
        """
        Return a host's root, such as `http://127.0.0.1:8091`.
        """
        try:
            return self._world.amazon_hosts[_known(name)]
        except KeyError:
            raise SimulatorError("Amazon's hosts have no ports of their own yet") from None

    def _build(self, name: str) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        if name == LWA:
            add_lwa(app, "", self._world, self._stopping)
        else:
            add_region(app, "", Region(name), self._world, self._stopping)
        return app


def _known(name: str) -> str:
    if name not in HOSTS:
        raise UnknownNameError.among("host", name, HOSTS)
    return name
