"""Keep a place for those who mean no harm: decide who is let in, and who is cut off.

A connection costs a descriptor, and descriptors are what checks are made with. Whoever does not
come to the end of a request, or does not read the answer, is cut off in time. Where there is no
room, the newcomer gets the place of who deserves it least: one who does not read, then one who
does not ask, then one who rests. So nobody keeps others out by holding on, from one address or
from many. Out of descriptors, that is said once, and accepting goes on as soon as there are some.

Requests that are sent before the former answer was read (pipelining) are answered when it was,
a few at a time, and peer by peer in turn: a first request never waits for those.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter, OrderedDict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.judge.shortage import MOST_OF_WEB
from monitor.web.peers import is_within, peer_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

    from monitor.web.peers import Network

log = structlog.get_logger()

MOST_CONNECTIONS = MOST_OF_WEB
"""However many descriptors there are: the sockets beyond are those of the checks."""

REQUEST_WITHIN_S = 20.0
"""How long a whole request may take; ours are small."""

TAKE_WITHIN_S = 10.0
LEAST_TAKEN = 10 * 1024
"""An answer is cut off if less than this of it is taken in that time: 1 KiB a second."""

LOOK_EVERY_S = 0.5
STALLED_AFTER_S = 1.0
"""Who has not read for as long gives way first."""

MOST_AHEAD = 64 * 1024
"""Bytes that may be sent before the former request is answered; no browser sends any."""

MOST_IN_TURN = 4
"""How many such requests are answered at once."""

ACCEPT_AT_ONCE = 50
ACCEPT_AGAIN_AFTER_S = 0.5
MADE_FREE = 5
"""How many are cut off at a time where there are no descriptors left."""

REMEDY = "raise the limit of open files (LimitNOFILE in the unit, ulimit -n)"

MOST_MERIT = 3
"""Of one that is being answered, and reads."""

_THEIR_TURN = {h11.IDLE, h11.SEND_BODY}
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class _CountingTransport(asyncio.Transport):
    """A transport that knows how much was written to it; all else is the other's work."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self.written = 0
        self.on_write: Callable[[], None] | None = None
        """Called once, with the next bytes that are written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)
        self._transport.write(data)
        if self.on_write is not None:
            on_write, self.on_write = self.on_write, None
            on_write()

    @property
    def n_waiting(self) -> int:
        """How much of that the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class Turns:
    """Whose next request is answered among those who sent it early: peer by peer, a few at once."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[GuardedProtocol]] = OrderedDict()
        self._going_on: set[GuardedProtocol] = set()

    def wait(self, one: GuardedProtocol) -> None:
        """Have *one* go on when it is its turn."""
        self._waiting.setdefault(one.peer, deque()).append(one)
        self._let_in()

    def leave(self, one: GuardedProtocol) -> None:
        """Let the next one in: *one* is being answered, or gone."""
        self._going_on.discard(one)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and len(self._going_on) < MOST_IN_TURN:
            peer, waiting = self._waiting.popitem(last=False)
            one = waiting.popleft()
            if waiting:
                self._waiting[peer] = waiting  # behind all other peers
            if not one.transport.is_closing():
                self._going_on.add(one)
                # Not from within: who comes first in the loop is not kept waiting by a long queue.
                one.loop.call_soon(one.go_on)


class GuardedProtocol(H11Protocol):
    """One connection, with limits for asking and for reading the answer.

    The server beneath has neither: it waits for ever for the rest of a request, and for
    somebody to read. It also answers as fast as it is asked, whether somebody reads or not.

    Args:
        turns: Those who asked again too early.
    """

    def __init__(self, *args: Any, turns: Turns, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns = turns
        self._is_untaken = False
        """An answer is complete, and the kernel has not taken all of it yet."""

    peer = ""
    asking_since: float | None = None
    taking: tuple[float, int] | None = None
    """When somebody began not to read all at once, and what was read by then."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        # Nothing more is made ready for somebody who has not read what there is.
        transport.set_write_buffer_limits(high=0)
        self.counted = _CountingTransport(transport)
        super().connection_made(self.counted)
        self.peer = peer_of(self.client[0] if self.client else "")
        self._note_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what it had."""
        super().connection_lost(exc)
        self._turns.leave(self)

    def data_received(self, data: bytes) -> None:
        """Take a piece; wait for more only if something is missing."""
        super().data_received(data)
        if self._n_ahead > MOST_AHEAD:
            self.transport.abort()
        self._note_turn()

    def on_response_complete(self) -> None:
        """Go on with what was sent early, once this answer was read, and when it is its turn."""
        if self.transport.is_closing():
            super().on_response_complete()
        elif self.counted.n_waiting:
            self._is_untaken = True
        elif self._n_ahead:
            self._turns.wait(self)
        else:
            self.go_on()

    def resume_writing(self) -> None:
        """Go on after an answer that was taken as a whole."""
        super().resume_writing()
        if self._is_untaken:
            self._is_untaken = False
            self.on_response_complete()

    def go_on(self) -> None:
        """Wait for the next request, or begin with it, which must come to an end as well."""
        self.counted.on_write = self._end_turn
        super().on_response_complete()
        is_begun = self.conn.their_state is h11.SEND_BODY or bool(self._n_ahead)
        self.asking_since = None
        if is_begun:
            self._note_turn()
        if self.cycle.response_complete or self.transport.is_closing():
            self._end_turn()  # nothing whole was there to be answered

    def _end_turn(self) -> None:
        self.counted.on_write = None
        self._turns.leave(self)

    @property
    def _n_ahead(self) -> int:
        """How much was sent that belongs to no request yet, or to one that has to wait."""
        return len(self.conn.trailing_data[0])

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; too late for that where an answer is under way already."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.abort()
        if self.cycle is not None and not self.cycle.response_complete:
            # The request that came before it was read is not answered any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _note_turn(self) -> None:
        if self.conn.their_state not in _THEIR_TURN:
            self.asking_since = None
        elif self.asking_since is None:
            self.asking_since = self.loop.time()

    def look(self, now: float) -> None:
        """Cut off who does not come to an end."""
        if self.asking_since is not None and now - self.asking_since > REQUEST_WITHIN_S:
            self.transport.abort()
        waiting = self.counted.n_waiting
        taken = self.counted.written - waiting
        if not waiting:
            self.taking = None
        elif self.taking is None:
            self.taking = now, taken
        elif now - self.taking[0] > TAKE_WITHIN_S:
            if taken - self.taking[1] < LEAST_TAKEN:
                self.transport.abort()
            self.taking = now, taken

    def merit(self, now: float) -> int:
        """Return how much speaks for leaving it where it is."""
        if self.transport.is_closing():
            return 0
        if self.taking is not None and now - self.taking[0] > STALLED_AFTER_S:
            return 0
        # No browser asks again before it is answered.
        if self.asking_since is not None or self._n_ahead:
            return 1
        is_resting = self.cycle is None or self.cycle.response_complete
        return 2 if is_resting or self.counted.n_waiting else MOST_MERIT


class Crowd:
    """All who are connected.

    Args:
        connections: As the server keeps them.
        most: How many there may be.
        trusted: Proxies, which speak for many and may have as many connections as there are.
    """

    def __init__(
        self,
        connections: Collection[Any],
        most: int,
        trusted: Callable[[], Collection[Network]],
    ) -> None:
        self._connections = connections
        self._most = most
        self._trusted = trusted
        self._leaving: set[GuardedProtocol] = set()

    def _here(self) -> list[GuardedProtocol]:
        here = [one for one in self._connections if isinstance(one, GuardedProtocol)]
        self._leaving.intersection_update(here)
        return [one for one in here if one not in self._leaving]

    @property
    def most_of_one(self) -> int:
        """How many connections one address may have."""
        return max(self._most // 2, 1)

    def make_room(self, host: str, now: float) -> bool:
        """See that *host* can come in: the least deserving goes. False: all deserve to stay."""
        here = self._here()
        peer = peer_of(host)
        own = [one for one in here if one.peer == peer]
        if len(own) >= self.most_of_one and not self._is_trusted(host):
            return self._cut(own, 1, now) == 1
        return len(here) < self._most or self._cut(here, 1, now) == 1

    def make_free(self, now: float) -> None:
        """Give back some descriptors: there are none left."""
        self._cut(self._here(), MADE_FREE, now)

    def look(self, now: float) -> None:
        """Cut off all who do not come to an end."""
        for one in self._here():
            one.look(now)

    def _cut(self, among: Collection[GuardedProtocol], n: int, now: float) -> int:
        held = Counter(one.peer for one in among)

        def deserve(one: GuardedProtocol) -> tuple[int, int, float]:
            since = one.taking[0] if one.taking else one.asking_since
            return one.merit(now), -held[one.peer], since or 0.0

        worst = [one for one in sorted(among, key=deserve)[:n] if one.merit(now) < MOST_MERIT]
        for one in worst:
            self._leaving.add(one)
            one.transport.abort()
        return len(worst)

    def _is_trusted(self, host: str) -> bool:
        return is_within(host, self._trusted())


class Acceptor:
    """Takes connections from *listener*: what asyncio does, without a flood of tracebacks.

    Out of descriptors, asyncio reports every attempt with a traceback, a hundred at a time.

    Args:
        make: Returns the protocol of a new connection.
    """

    def __init__(
        self, listener: socket.socket, make: Callable[[], GuardedProtocol], crowd: Crowd
    ) -> None:
        self._listener = listener
        self._make = make
        self._crowd = crowd
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._is_short = False
        listener.settimeout(0)
        self._loop.add_reader(listener.fileno(), self._accept)
        self._looking = self._loop.create_task(self._look(), name="look who does not read")

    def close(self) -> None:
        """Accept nobody any more."""
        self._looking.cancel()
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener.fileno())

    async def wait_closed(self) -> None:
        """Wait until those who were just accepted are there or gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._crowd.look(self._loop.time())

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait(error)
                return
            self._note_enough()
            if not self._crowd.make_room(address[0], self._loop.time()):
                connection.close()
                continue
            connection.settimeout(0)
            task = self._loop.create_task(self._take(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket) -> None:
        # Who is gone already is no fault of anybody's.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(self._make, connection)

    def _wait(self, error: OSError) -> None:
        """Leave the listener alone for a moment: it would be reported ready again at once."""
        if not self._is_short:
            self._is_short = True
            log.error(
                "web.cannot_accept",
                why=error.strerror,
                remedy=f"{REMEDY}; checks go on, and the dashboard answers again when there are"
                " some left"
                if error.errno in _SHORTAGES
                else "it is tried again",
            )
        self._crowd.make_free(self._loop.time())
        self._loop.remove_reader(self._listener.fileno())
        self._again = self._loop.call_later(ACCEPT_AGAIN_AFTER_S, self._go_on)

    def _go_on(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _note_enough(self) -> None:
        if self._is_short:
            self._is_short = False
            log.info("web.accepts_again")
