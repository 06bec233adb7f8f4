"""
Hang up on who begins to ask and does not come to an end.

The server beneath waits for ever for the rest of a request: a few hundred who
send nothing would keep everybody out, without knowing any password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

MOST_CONNECTIONS = 600
"""
More than are answered at once, so that most are told to come later: the sockets
beyond are those of the checks.
"""

ASKED_WITHIN_S = 20.0
"""How long a whole request may take; ours are small."""

_THEIR_TURN = {h11.IDLE, h11.SEND_BODY}


class ImpatientProtocol(H11Protocol):
    """
    One that limits the time from the first byte of a request, or from the call, to its last.
    """

    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """
        Begin to wait for the first request, unless too many are here already.
        """
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """
        Take a piece; wait for more only if something is missing.
        """
        super().data_received(data)
        if self.conn.their_state in _THEIR_TURN:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Forget who has gone.
        """
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._hang_up is None:
            self._hang_up = self.loop.call_later(ASKED_WITHIN_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None
