"""Serve the web application in the daemon's own event loop.

Watching comes first: an address that is taken is told and tried again, and a stop waits
for nobody who still reads. Who is let in, and who is cut off, is decided in
`monitor.web.guard`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
import uvicorn

from monitor.providers.limits import shares_of
from monitor.web import guard
from monitor.web.app import build_app
from monitor.web.guard import Acceptor, Crowd, GuardedProtocol, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from monitor.web.parts import Parts
    from monitor.web.peers import Network


log = structlog.get_logger()

TRY_AGAIN_AFTER_S = 10.0
STOP_WITHIN_S = 2
"""How long requests under way may take once the daemon stops."""

_BACKLOG = 128
_KEEP_ALIVE_S = 30
_SEND_BUFFER = 128 * 1024
"""What the kernel keeps of an answer that nobody reads; left alone it would keep megabytes."""

_RECEIVE_BUFFER = 64 * 1024
"""Likewise of what is sent while nobody of us reads."""


class _Server(uvicorn.Server):
    """One that leaves signals to the daemon, and accepting to the guard.

    Args:
        most: How many may be connected.
        trusted: Returns the proxies that may have as many connections as there are.
    """

    def __init__(
        self, config: uvicorn.Config, most: int, trusted: Callable[[], Collection[Network]]
    ) -> None:
        super().__init__(config)
        self.most = most
        self.trusted = trusted

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept from our one socket, by way of the guard."""
        assert sockets is not None, "the address is bound by us"
        await self.lifespan.startup()
        state, config, turns = self.server_state, self.config, Turns()

        def make() -> GuardedProtocol:
            return GuardedProtocol(
                config=config,
                server_state=state,
                app_state=self.lifespan.state,
                _loop=None,
                turns=turns,
            )

        crowd = Crowd(state.connections, self.most, self.trusted)
        self.servers = [Acceptor(listener, make, crowd) for listener in sockets]  # type: ignore[misc]
        self.started = True


class WebServer:
    """The web as one task of the daemon.

    Args:
        view: Returns the parts by the settings of now.
    """

    def __init__(self, view: Callable[[], Parts]) -> None:
        self._view = view
        self._app = build_app(view)
        self._server: _Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to serve; if the address is taken, as soon as it is free."""
        # It repeats what the application has told in its own words.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        listener = await self._try_to_listen()
        self._tasks = [
            asyncio.create_task(self._serve(listener), name="serve the web"),
            asyncio.create_task(self._view().hub.run(), name="tell what happens"),
        ]

    async def stop(self) -> None:
        """End all streams, let requests under way finish, and stop."""
        parts = self._view()
        parts.hub.close()
        await parts.validations.stop()
        if self._server is not None:
            self._server.should_exit = True
            await asyncio.wait(self._tasks[:1], timeout=2 * STOP_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, listener: socket.socket | None) -> None:
        while listener is None:
            await asyncio.sleep(TRY_AGAIN_AFTER_S)
            listener = await self._try_to_listen(is_told=True)
        with listener:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            log.info("web.started", address=f"http://{shown}:{port}")
            self._server = _Server(
                uvicorn.Config(
                    self._app,
                    http=GuardedProtocol,
                    interface="asgi3",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    ws="none",
                    timeout_keep_alive=_KEEP_ALIVE_S,
                    timeout_graceful_shutdown=STOP_WITHIN_S,
                ),
                min(guard.MOST_CONNECTIONS, shares_of(self._view().config).web),
                lambda: self._view().config.web.trusted_proxies,
            )
            await self._server.serve(sockets=[listener])

    async def _try_to_listen(self, *, is_told: bool = False) -> socket.socket | None:
        """Return a socket at the address of the file; None if that is not free."""
        listen = self._view().config.web.listen
        where = urlsplit(f"//{listen}")
        try:
            return await asyncio.to_thread(_bind, where.hostname or "", where.port or 0)
        except OSError as error:
            if not is_told:
                log.error(  # noqa: TRY400 - a taken address is no fault of ours
                    "web.not_started",
                    listen=listen,
                    why=error.strerror or str(error),
                    remedy="set web.listen to a free address; until then it is retried",
                )
            return None


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        OSError: The address is taken, or not ours.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        with suppress(OSError):
            listener.close()
        raise
    return listener
