"""
Send one message in a thread of its own, and wait for it only so long.

Decides what happens to sends that hang: a blocking send cannot be stopped, so
it is left to itself. `Post` keeps count of those, channel by channel, and
notices when one of them arrives after all. What that means for a notification
is decided in `delivery`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Protocol

import structlog

from monitor.alert.errors import AlertError

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.alert.message import Message

log = structlog.get_logger()

MOST_ABANDONED = 3
"""With so many hanging sends a channel rests: each holds a thread and a socket."""

PATIENCE = 10
"""For so many times the limit a hanging send may still arrive: no second one meanwhile."""


class Sender(Protocol):
    """
    Send a message to a channel, blocking.
    """

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """
        Send *message*; raise `AlertError`, and nothing else, if it did not arrive.

        Args:
            key: What stays the same when the message is tried again.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Hanging:
    ids: tuple[int, ...]
    began: float
    result: Future[None]


class Post:
    """
    Send messages, each in a thread of its own.

    Threads are daemons: one that hangs does not keep the process from ending.

    Args:
        limit: How long to wait for a send.
    """

    def __init__(self, limit: timedelta) -> None:
        self._limit_s = limit.total_seconds()
        self._waiting: set[asyncio.Future[None]] = set()
        self._hanging: dict[str, list[_Hanging]] = {}
        self._arrived: set[tuple[int, ...]] = set()

    async def send(
        self, sender: Sender, channel: str, ids: tuple[int, ...], message: Message, key: str
    ) -> None:
        """
        Have *sender* send *message*, and wait for the end of it, at most for the limit.

        Args:
            ids: The notifications that it tells, all at once.
            key: What stays the same when the message is tried again.

        Raises:
            AlertError: It did not arrive, or not yet; or it was not begun, since
                so many others hang. What counts as tried is given up some day.
        """
        if self.must_rest(channel):
            raise AlertError(
                f"not tried: {MOST_ABANDONED} earlier sends hang, and no other is begun until one"
                " of them ends"
            )
        result: Future[None] = Future()
        hanging = _Hanging(ids, asyncio.get_running_loop().time(), result)
        Thread(
            target=self._run,
            args=(result, sender, channel, message, key),
            name=f"send to {channel}",
            daemon=True,
        ).start()
        waiting = asyncio.wrap_future(result)
        self._waiting.add(waiting)
        try:
            await asyncio.wait_for(waiting, self._limit_s)
        except TimeoutError:
            self._abandon(channel, hanging)
            raise AlertError(
                f"no end of sending within {self._limit_s:g} s: the service hangs or is very slow"
            ) from None
        finally:
            self._waiting.discard(waiting)

    def stop_waiting(self) -> None:
        """
        Cancel whoever waits for the end of a send; the sends themselves go on.
        """
        for waiting in self._waiting:
            waiting.cancel()

    def must_rest(self, channel: str) -> bool:
        """
        Tell whether *channel* has too many hanging sends to start another.
        """
        return len(self._look_after(channel)) >= MOST_ABANDONED

    def under_way(self, channel: str) -> frozenset[int]:
        """
        Return the notifications whose hanging send may still arrive.
        """
        oldest = asyncio.get_running_loop().time() - PATIENCE * self._limit_s
        hanging = [send for send in self._look_after(channel) if send.began > oldest]
        return frozenset(number for send in hanging for number in send.ids)

    def note_arrival(self, ids: tuple[int, ...]) -> None:
        """
        Remember that a message arrived although nobody could record it.
        """
        self._arrived.add(ids)

    def has_arrived(self, ids: tuple[int, ...]) -> bool:
        """
        Tell whether an earlier send of exactly these notifications arrived after all.
        """
        return ids in self._arrived

    def forget(self, ids: tuple[int, ...]) -> None:
        """
        Drop what is remembered of a message that is done with.
        """
        self._arrived.discard(ids)

    def _abandon(self, channel: str, hanging: _Hanging) -> None:
        self._hanging.setdefault(channel, []).append(hanging)
        if self.must_rest(channel):
            log.error(
                "channel.resting",
                channel=channel,
                hanging=MOST_ABANDONED,
                why="so many sends hang that no other is begun until one of them ends",
            )

    def _look_after(self, channel: str) -> list[_Hanging]:
        hanging = []
        for send in self._hanging.pop(channel, []):
            if not send.result.done():
                hanging.append(send)
            elif send.result.exception() is None:
                self._arrived.add(send.ids)
        if hanging:
            self._hanging[channel] = hanging
        return hanging

    def _run(
        self, result: Future[None], sender: Sender, channel: str, message: Message, key: str
    ) -> None:
        result.set_running_or_notify_cancel()
        # Whatever else comes out of the sender is a bug: the thread dies of it
        # with a traceback, and the notification counts as failed.
        failure: AlertError | None = AlertError("internal fault while sending: see the log")
        try:
            sender.send(channel, message, key)
        except AlertError as error:
            failure = error
        else:
            failure = None
        finally:
            if failure is None:
                result.set_result(None)
            else:
                result.set_exception(failure)
