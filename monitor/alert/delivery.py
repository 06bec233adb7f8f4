"""
Deliver what the outbox holds.

Decides which channels are worked on, and when a round ends. Which notification
is next, and which travel with it, is decided by the outbox; what a failure
means by the courier.

Each channel has its own task and each send its own thread, so that a dead,
slow or hanging channel delays nobody else.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.alert.courier import Courier, DeliveryReport
from monitor.alert.errors import OutboxUnavailable
from monitor.alert.post import Post

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.alert.courier import Terms
    from monitor.alert.outbox import Outbox
    from monitor.judge.outbox import NotificationGroup

log = structlog.get_logger()

LEASE = timedelta(seconds=90)
"""How long a claim holds: longer than a send may take."""

LAST_WORDS = timedelta(seconds=2)
"""How long a drain that is out of time waits for claims to be given back."""


class Delivery:
    """
    Send what is due, channel by channel.

    Args:
        terms: Returns the settings of now; they are taken once a message.
        lease: How long a claim holds; longer than a send may take, so that
            nobody takes up what is still being sent.
        jitter: Chance, from 0 to below 1.
    """

    def __init__(
        self,
        outbox: Outbox,
        terms: Callable[[], Terms],
        *,
        clock: Callable[[], datetime],
        lease: timedelta = LEASE,
        send_timeout: timedelta = timedelta(seconds=60),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._courier = Courier(outbox, Post(send_timeout), terms, clock, jitter=jitter)
        self._clock = clock
        self._lease = lease
        self._rounds: dict[str, asyncio.Task[DeliveryReport]] = {}
        self._moved_at: dict[str, float] = {}
        self._waking: asyncio.Task[None] | None = None
        self._is_woken_again = False
        self._is_final = False
        self._is_closing = False

    async def deliver_due(self, *, is_final: bool = False) -> DeliveryReport:
        """
        Send what is due and return when every channel has had its round.

        Args:
            is_final: Send as well what only waits for others of its kind.

        Raises:
            OutboxUnavailable: What is due cannot be read.
        """
        self._is_final = is_final
        await self._start_rounds()
        reports = await asyncio.gather(*self._rounds.values())
        return sum(reports, DeliveryReport())

    async def run_once(self) -> None:
        """
        Start a round on every channel with something due that has none running.

        Returns without waiting for any send.
        """
        try:
            await self._start_rounds()
        except OutboxUnavailable as error:
            log.warning("delivery.outbox_unavailable", error=str(error))

    def wake(self) -> None:
        """
        Run soon: something became due. Call it from the event loop's thread.
        """
        if self._waking is None:
            self._waking = asyncio.create_task(self._wake(), name="wake the delivery")
        else:
            self._is_woken_again = True

    def note_step(self) -> None:
        """
        Count the time for retries anew: the clock was stepped, or nobody was awake to try.
        """
        self._courier.note_step()

    def find_stuck(self, longest: timedelta) -> list[str]:
        """
        Return the channels whose round has not taken a step for *longest*.

        A channel that is dead or hangs is none of them: each send has its limit,
        and ends as a failure. A round that stands still is a fault of ours.
        """
        before = asyncio.get_running_loop().time() - longest.total_seconds()
        return sorted(channel for channel, at in self._moved_at.items() if at < before)

    async def drain(self, timeout: timedelta) -> DeliveryReport:  # noqa: ASYNC109 - the bound is what it promises
        """
        Send what is due for at most *timeout*, then stop for good.

        What waits for others of its kind is sent as well. What was claimed and
        not begun is given back. What is being sent when the time is over stays
        claimed until its lease ends: it may arrive.
        """
        self._is_final = True
        await self.run_once()
        rounds = set(self._rounds.values())
        if rounds:
            await asyncio.wait(rounds, timeout=timeout.total_seconds())
        self._is_closing = True
        self._courier.post.stop_waiting()
        left = {task for task in (*self._rounds.values(), self._waking) if task}
        if left:
            await asyncio.wait(left, timeout=LAST_WORDS.total_seconds())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return sum((_result_of(task) for task in rounds), DeliveryReport())

    async def _start_rounds(self) -> None:
        if self._is_closing:
            return
        for channel in await self._outbox.due_channels(self._clock(), is_final=self._is_final):
            if channel not in self._rounds and not self._is_closing:
                task = asyncio.create_task(self._run_round(channel), name=f"deliver to {channel}")
                self._rounds[channel] = task
                self._note_move(channel)
                task.add_done_callback(partial(self._end_round, channel))

    def _end_round(self, channel: str, task: asyncio.Task[DeliveryReport]) -> None:
        del self._rounds[channel]
        self._moved_at.pop(channel, None)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("delivery.fault", channel=channel, exc_info=fault)

    async def _wake(self) -> None:
        try:
            is_more = True
            while is_more:
                self._is_woken_again = False
                await self.run_once()
                is_more = self._is_woken_again
        finally:
            self._waking = None

    async def _run_round(self, channel: str) -> DeliveryReport:
        """
        Send what is due on *channel*, one after the other, up to the first failure.
        """
        report = DeliveryReport()
        try:
            while not self._courier.must_rest(channel):
                group = await self._claim(channel)
                self._note_move(channel)
                if group is None:
                    break
                result = await self._take_on(group)
                self._note_move(channel)
                report += result
                if result.failed or result == DeliveryReport():
                    break
        except OutboxUnavailable as error:
            # Claims end by themselves: nothing is lost.
            log.warning("delivery.outbox_unavailable", channel=channel, error=str(error))
        return report

    def _note_move(self, channel: str) -> None:
        self._moved_at[channel] = asyncio.get_running_loop().time()

    async def _claim(self, channel: str) -> NotificationGroup | None:
        return await self._outbox.claim_next(
            channel,
            self._clock(),
            self._lease,
            self._courier.post.under_way(channel),
            is_final=self._is_final,
        )

    async def _take_on(self, group: NotificationGroup) -> DeliveryReport:
        if self._is_closing:
            await self._outbox.release(group)
            return DeliveryReport()
        return await self._courier.take(group)


def _result_of(task: asyncio.Task[DeliveryReport]) -> DeliveryReport:
    if task.cancelled() or task.exception() is not None:
        return DeliveryReport()
    return task.result()
