"""Serve the web application in the daemon's own event loop.

Watching comes first: an address that is taken is told and tried again, and a stop waits
for nobody who still reads. Who begins to ask and does not come to an end is hung up on:
the server beneath waits for ever for the rest of a request, so that a few hundred who
send nothing would keep everybody out, without knowing any password.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.web.app import build_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.web.parts import Parts


log = structlog.get_logger()

MOST_CONNECTIONS = 600
"""
More than are answered at once, so that most are told to come later: the sockets
beyond are those of the checks.
"""

REQUEST_WITHIN_S = 20.0
"""How long a whole request may take; ours are small."""

_THEIR_TURN = {h11.IDLE, h11.SEND_BODY}


class TimedProtocol(H11Protocol):
    """One that limits the time from the first byte of a request, or from the call, to its last."""

    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, unless too many are here already."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a piece; wait for more only if something is missing."""
        super().data_received(data)
        if self.conn.their_state in _THEIR_TURN:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget who has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._hang_up is None:
            self._hang_up = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None


TRY_AGAIN_AFTER_S = 10.0
STOP_WITHIN_S = 2
"""How long requests under way may take once the daemon stops."""

_BACKLOG = 128
_KEEP_ALIVE_S = 30
_MOST_AT_ONCE = 500


class _Server(uvicorn.Server):
    """One that leaves signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
                    http=TimedProtocol,
                    interface="asgi3",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    ws="none",
                    limit_concurrency=_MOST_AT_ONCE,
                    timeout_keep_alive=_KEEP_ALIVE_S,
                    timeout_graceful_shutdown=STOP_WITHIN_S,
                )
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
                    remedy="set web.listen to a free address; it is tried again meanwhile",
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
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        with suppress(OSError):
            listener.close()
        raise
    return listener
