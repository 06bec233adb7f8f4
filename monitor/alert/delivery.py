"""
Deliver what the outbox holds.

Decides which channels are worked on, when a round ends, and what a failure
means for a notification. Which notification is next is decided by the outbox,
how a message travels by the sender.

Each channel has its own task and each send its own thread, so that a dead,
slow or hanging channel delays nobody else. A notification is recorded as sent
after the sender returned: a crash between may send twice, never zero times.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from monitor.alert.backoff import next_attempt
from monitor.alert.errors import AlertError, OutboxUnavailable
from monitor.alert.message import compose
from monitor.alert.post import Post

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitor.alert.outbox import Notification, Outbox
    from monitor.alert.post import Sender

log = structlog.get_logger()

LEASE = timedelta(seconds=90)
"""How long a claim holds: longer than a send may take."""

LAST_WORDS = timedelta(seconds=2)
"""How long a drain that is out of time waits for claims to be given back."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """
    What became of the notifications of a round.

    Args:
        failed: Will be tried again.
        dead: Given up.
    """

    sent: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: DeliveryReport) -> DeliveryReport:
        return DeliveryReport(
            self.sent + other.sent, self.failed + other.failed, self.dead + other.dead
        )


_SENT = DeliveryReport(sent=1)
_FAILED = DeliveryReport(failed=1)
_DEAD = DeliveryReport(dead=1)


class Delivery:
    """
    Send what is due, channel by channel.

    Args:
        link: Returns the page to name in a message about these connections.
        lease: How long a claim holds; longer than *send_timeout*, so that
            nobody takes up what is still being sent.
        jitter: Chance, from 0 to below 1.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and four figures that tests shorten
        self,
        outbox: Outbox,
        sender: Sender,
        *,
        retry_for: timedelta,
        clock: Callable[[], datetime],
        link: Callable[[Sequence[str]], str | None],
        lease: timedelta = LEASE,
        send_timeout: timedelta = timedelta(seconds=60),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._post = Post(sender, send_timeout)
        self._retry_for = retry_for
        self._clock = clock
        self._link = link
        self._lease = lease
        self._jitter = jitter
        self._started_at = clock()
        self._rounds: dict[str, asyncio.Task[DeliveryReport]] = {}
        self._waking: asyncio.Task[None] | None = None
        self._is_woken_again = False
        self._is_closing = False

    async def deliver_due(self) -> DeliveryReport:
        """
        Send what is due and return when every channel has had its round.

        Raises:
            OutboxUnavailable: What is due cannot be read.
        """
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
        self._started_at = self._clock()

    async def drain(self, timeout: timedelta) -> DeliveryReport:  # noqa: ASYNC109 - the bound is what it promises
        """
        Send what is due for at most *timeout*, then stop for good.

        What was claimed and not begun is given back. What is being sent when
        the time is over stays claimed until its lease ends: it may arrive.
        """
        await self.run_once()
        rounds = set(self._rounds.values())
        if rounds:
            await asyncio.wait(rounds, timeout=timeout.total_seconds())
        self._is_closing = True
        self._post.stop_waiting()
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
        for channel in await self._outbox.due_channels(self._clock()):
            if channel not in self._rounds and not self._is_closing:
                task = asyncio.create_task(self._run_round(channel), name=f"deliver to {channel}")
                self._rounds[channel] = task
                task.add_done_callback(partial(self._end_round, channel))

    def _end_round(self, channel: str, task: asyncio.Task[DeliveryReport]) -> None:
        del self._rounds[channel]
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
            while not self._post.must_rest(channel):
                notification = await self._outbox.claim_next(
                    channel, self._clock(), self._lease, self._post.under_way(channel)
                )
                if notification is None:
                    break
                result = await self._take_on(notification)
                report += result
                if result == _FAILED or result == DeliveryReport():
                    break
        except OutboxUnavailable as error:
            # Claims end by themselves: nothing is lost.
            log.warning("delivery.outbox_unavailable", channel=channel, error=str(error))
        return report

    async def _take_on(self, notification: Notification) -> DeliveryReport:
        if self._is_closing:
            await self._outbox.release(notification.id)
            return DeliveryReport()
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not self._post.has_arrived(notification.id):
            try:
                await self._send(notification)
            except AlertError as error:
                return await self._give_up_or_retry(notification, error)
        await self._record_sent(notification, loop.time() - began)
        return _SENT

    async def _send(self, notification: Notification) -> None:
        message = compose(
            notification.kind,
            notification.severity,
            notification.facts,
            notification.connections,
            notification.born_at,
            self._link(notification.connections),
            self._clock(),
        )
        await self._post.send(notification.channel, notification.id, message)

    async def _record_sent(self, notification: Notification, took_s: float) -> None:
        log.info(
            "notification.sent",
            **_facts_of(notification),
            took_ms=round(took_s * 1000, 1),
        )
        # Remembered until it is recorded: if that fails, the next claim of it
        # is recorded instead of sent again.
        self._post.note_arrival(notification.id)
        await self._outbox.mark_sent(notification.id, self._clock())
        self._post.forget(notification.id)

    async def _give_up_or_retry(
        self, notification: Notification, error: AlertError
    ) -> DeliveryReport:
        now = self._clock()
        # The time before this process began is not held against anybody:
        # there was nobody who could have tried.
        first_at = max(notification.due_since or notification.born_at, self._started_at)
        next_at = None
        if not error.permanent:
            next_at = next_attempt(
                notification.attempts + 1,
                first_at,
                self._retry_for,
                error.retry_after,
                self._jitter(),
                now,
            )
        if next_at is None:
            log.error("notification.dead", **_facts_of(notification), error=str(error))
            await self._outbox.mark_dead(notification.id, str(error))
            return _DEAD
        log.warning(
            "notification.failed",
            **_facts_of(notification),
            error=str(error),
            next_attempt_at=next_at.isoformat(),
        )
        await self._outbox.mark_failed(notification.id, str(error), next_at)
        return _FAILED


def _facts_of(notification: Notification) -> dict[str, str | int]:
    return {
        "channel": notification.channel,
        "kind": notification.kind.value,
        "alert": notification.alert_id,
        "attempts": notification.attempts + 1,
    }


def _result_of(task: asyncio.Task[DeliveryReport]) -> DeliveryReport:
    if task.cancelled() or task.exception() is not None:
        return DeliveryReport()
    return task.result()
