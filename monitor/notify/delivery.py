"""Deliver what the outbox holds.

Decides when a round of a channel begins and ends, what a failure means (another try, later, or the
end), and what becomes of sends that hang: a blocking send cannot be stopped, so it is left to
itself, and may arrive after all. Which notification is next, and which travel with it, is decided
by the outbox. Each channel has its own task and each send its own thread, so that a dead, slow or
hanging channel delays nobody else. A group is recorded as sent after the sender returned: a crash
between may send twice, never zero times.
"""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Protocol

import structlog

from monitor.config.descriptors import find_machine_shortage
from monitor.judge.shortage import OutOfResources, find_shortage
from monitor.notify.message import compose_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime, tzinfo

    from monitor.judge.outbox import NotificationGroup
    from monitor.judge.shortage import Shortage
    from monitor.notify.message import Message


# --- what delivery needs of the store and of a sender


class Outbox(Protocol):
    """Keep notifications until they were sent.

    Every method may raise `OutboxUnavailable` and nothing else. Steps taken
    for notifications that are gone, because their connection was deleted
    meanwhile, do nothing.
    """

    async def due_channels(self, now: datetime, *, is_final: bool = False) -> list[str]:
        """Return the names of the channels that have something to send *now*.

        Args:
            is_final: Nobody will look again soon: what only waits for company
                is due as well.
        """
        ...

    async def claim_next(
        self,
        channel: str,
        now: datetime,
        lease: timedelta,
        skip: frozenset[int] = frozenset(),
        *,
        is_final: bool = False,
    ) -> NotificationGroup | None:
        """Claim the oldest notification of *channel* whose time has come, and those of its kind.

        Claimed by a conditional update, so that nobody else gets them before
        the *lease* is over. Never one that has an earlier unsent one of another
        group on the same channel about the same connection: per connection
        the order is kept. A group that was claimed before stays as it was:
        it may have arrived.

        Args:
            skip: Notifications that must not be claimed, nor overtaken.
            is_final: As for `due_channels`.
        """
        ...

    async def mark_sent(self, group: NotificationGroup, now: datetime) -> None:
        """Record that the channel took it."""
        ...

    async def mark_failed(
        self, group: NotificationGroup, error: str, next_attempt_at: datetime, now: datetime
    ) -> None:
        """Count one more attempt, give the claim back, and wait until *next_attempt_at*."""
        ...

    async def mark_dead(self, group: NotificationGroup, error: str, now: datetime) -> None:
        """Give up until a person wants it sent again; the other channels are told of it."""
        ...

    async def release(self, group: NotificationGroup) -> None:
        """Give a claim back without having tried."""
        ...


class AlertError(Exception):
    """A notification did not arrive.

    Args:
        message: What failed and why, fit for logs and the dashboard: no URL,
            no secret.
        permanent: Trying again cannot help, because the fault is on our side
            of the wire: an unknown channel, a URL that nobody understands.
        retry_after: How long the service asked us to wait, where it said so.
        shortage: What this machine had too little of, so that nothing was tried:
            no failure of the channel.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        shortage: Shortage | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.shortage = shortage

    @classmethod
    def short_of(cls, kind: Shortage) -> AlertError:
        """Return what says that we ourselves could not send."""
        return cls(
            f"not sent: connwatch has {kind.words} on this machine; {kind.remedy}", shortage=kind
        )


class OutboxUnavailable(Exception):  # noqa: N818 - it names a state that passes, not a mistake
    """The outbox cannot be read or written for now: the only exception that an `Outbox` raises."""


class Sender(Protocol):
    """Send a message to a channel, blocking."""

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """Send *message*; raise `AlertError`, and nothing else, if it did not arrive.

        Args:
            key: What stays the same when the message is tried again.
        """
        ...


# --- sending

log = structlog.get_logger()

MOST_ABANDONED = 3
"""With so many hanging sends a channel rests: each holds a thread and a socket."""

PATIENCE = 10
"""For so many times the limit a hanging send may still arrive: no second one meanwhile."""


@dataclass(frozen=True, slots=True)
class _Hanging:
    ids: tuple[int, ...]
    began: float
    result: Future[None]


class ThreadedSender:
    """Send messages, each in a thread of its own.

    Threads are daemons: one that hangs does not keep the process from ending.

    Args:
        limit: How long to wait for a send.
    """

    def __init__(self, limit: timedelta) -> None:
        self._limit_s = limit.total_seconds()
        self._waiting: set[asyncio.Future[None]] = set()
        self._hanging: dict[str, list[_Hanging]] = {}
        self.arrived: set[tuple[int, ...]] = set()
        """What arrived, all of it at once, although nobody could record it so far."""

    async def send(
        self, sender: Sender, channel: str, ids: tuple[int, ...], message: Message, key: str
    ) -> None:
        """Have *sender* send *message*, and wait for the end of it, at most for the limit.

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
        thread = Thread(
            target=self._run,
            args=(result, sender, channel, message, key),
            name=f"send to {channel}",
            daemon=True,
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            raise _as_shortage(error) from None
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
        """Cancel whoever waits for the end of a send; the sends themselves go on."""
        for waiting in self._waiting:
            waiting.cancel()

    def must_rest(self, channel: str) -> bool:
        """Tell whether *channel* has too many hanging sends to start another."""
        return len(self._look_after(channel)) >= MOST_ABANDONED

    def under_way(self, channel: str) -> frozenset[int]:
        """Return the notifications whose hanging send may still arrive."""
        oldest = asyncio.get_running_loop().time() - PATIENCE * self._limit_s
        hanging = [send for send in self._look_after(channel) if send.began > oldest]
        return frozenset(number for send in hanging for number in send.ids)

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
                self.arrived.add(send.ids)
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
        except (OSError, MemoryError, RuntimeError, ImportError, OutOfResources) as error:
            failure = _as_shortage(error)
        else:
            failure = None
        finally:
            if failure is None:
                result.set_result(None)
            else:
                result.set_exception(failure)


def _as_shortage(error: Exception) -> AlertError:
    """Return what is said of *error* if this machine has too little of something; else raise it."""
    short = find_machine_shortage(error)
    if short is None:
        raise error
    return AlertError.short_of(short)


FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=10)

SHORT_REST = timedelta(seconds=5)
"""How long a channel waits where this machine had too little to send with."""

_STEPS_TO_LONGEST = 7
"""Doublings after which the delay is the longest for certain."""


def next_attempt(
    attempts: int,
    first_at: datetime,
    retry_for: timedelta,
    retry_after: timedelta | None,
    jitter: float,
    now: datetime,
) -> datetime | None:
    """Return the instant of the next attempt, or None when there is none.

    The delay doubles from `FIRST_DELAY` to `LONGEST_DELAY`; a random part of
    its second half is left out, so that many channels do not knock at once.
    What would fall behind the end of *retry_for* is tried at its very end, and
    the first failure is always followed by a second try: a send may take
    longer than a short *retry_for*.

    Args:
        attempts: Attempts made so far, at least 1.
        first_at: When the first of them was made.
        retry_after: How long the service wants to be left alone.
        jitter: Chance, from 0 to below 1.
    """
    delay = min(FIRST_DELAY * (1 << min(attempts - 1, _STEPS_TO_LONGEST)), LONGEST_DELAY)
    delay *= 1 - jitter / 2
    if retry_after is not None:
        delay = max(delay, min(retry_after, retry_for))
    deadline = first_at + retry_for
    if now < deadline:
        return min(now + delay, deadline)
    return now + delay if attempts <= 1 else None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How many notifications were sent, failed and will be tried again, or are dead."""

    sent: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: DeliveryReport) -> DeliveryReport:
        return DeliveryReport(
            self.sent + other.sent, self.failed + other.failed, self.dead + other.dead
        )


async def _as_it_is(group: NotificationGroup) -> NotificationGroup:
    return group


@dataclass(frozen=True, slots=True)
class DeliveryTerms:
    """The settings that a group is sent by.

    Args:
        retry_for: How long it is tried again.
        link: Returns the page to name in a message about these connections.
        zone: Returns the zone of the times in messages to a channel.
        prepare: Returns a group with what is made for its message alone; may raise
            `OutboxUnavailable`.
    """

    sender: Sender
    retry_for: timedelta
    link: Callable[[Sequence[str]], str | None]
    zone: Callable[[str], tzinfo] = lambda _: UTC
    prepare: Callable[[NotificationGroup], Awaitable[NotificationGroup]] = _as_it_is


class DeliveryWorker:
    """Send groups, one at a time on each channel.

    Args:
        terms: Returns the settings of now; they are taken once a group.
        jitter: Chance, from 0 to below 1.
    """

    def __init__(
        self,
        outbox: Outbox,
        post: ThreadedSender,
        terms: Callable[[], DeliveryTerms],
        clock: Callable[[], datetime],
        *,
        jitter: Callable[[], float],
    ) -> None:
        self.post = post
        self._outbox = outbox
        self._terms = terms
        self._clock = clock
        self._jitter = jitter
        self._started_at = clock()
        self._rest_until: dict[str, datetime] = {}
        self._short_of: Shortage | None = None

    def note_step(self) -> None:
        """Count the time for retries anew: the clock was stepped, or nobody was awake to try."""
        self._started_at = self._clock()
        self._rest_until.clear()

    def must_rest(self, channel: str) -> bool:
        """Tell whether nothing may be sent on *channel* now: its service asked for patience."""
        until = self._rest_until.get(channel)
        if until is not None and until <= self._clock():
            del self._rest_until[channel]
            until = None
        return until is not None

    async def take(self, group: NotificationGroup) -> DeliveryReport:
        """Send *group* and record how that ended; OutboxUnavailable: it could not be recorded."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        terms = self._terms()
        if group.ids not in self.post.arrived:
            prepared = await terms.prepare(group)
            message = compose_group(prepared, terms.link, self._clock(), terms.zone(group.channel))
            try:
                await self.post.send(terms.sender, group.channel, group.ids, message, group.key)
            except AlertError as error:
                if error.shortage is not None:
                    return await self._wait_for_resources(group, error.shortage)
                return await self._give_up_or_retry(group, terms.retry_for, error)
        if self._short_of is not None:
            self._short_of = None
            log.info("delivery.waits_no_more")
        await self._record_sent(group, loop.time() - began)
        return DeliveryReport(sent=len(group.ids))

    async def _wait_for_resources(self, group: NotificationGroup, kind: Shortage) -> DeliveryReport:
        """Give *group* back as it was: nothing was tried, and the channel did not fail."""
        now = self._clock()
        self.note_shortage(kind)
        # Nobody could have tried: this time does not count for anything that waits.
        self._started_at = now
        self._rest_until[group.channel] = now + SHORT_REST
        await self._outbox.release(group)
        return DeliveryReport(failed=len(group.ids))

    def note_shortage(self, kind: Shortage) -> None:
        """Log, once, that messages wait for resources of our own."""
        if self._short_of is None:
            log.error("delivery.waits", short_of=kind.value, why=kind.words, remedy=kind.remedy)
        self._short_of = kind

    async def _record_sent(self, group: NotificationGroup, took_s: float) -> None:
        log.info("notification.sent", **_facts_of(group), took_ms=round(took_s * 1000, 1))
        # Remembered until it is recorded: if that fails, the next claim of it
        # is recorded instead of sent again.
        self.post.arrived.add(group.ids)
        await self._outbox.mark_sent(group, self._clock())
        self.post.arrived.discard(group.ids)

    async def _give_up_or_retry(
        self, group: NotificationGroup, retry_for: timedelta, error: AlertError
    ) -> DeliveryReport:
        now = self._clock()
        # The time before this process began is not held against anybody:
        # there was nobody who could have tried.
        first_at = max(group.due_since, self._started_at)
        next_at = None
        if not error.permanent:
            next_at = next_attempt(
                group.attempts + 1, first_at, retry_for, error.retry_after, self._jitter(), now
            )
        if next_at is None:
            log.error("notification.dead", **_facts_of(group), error=str(error))
            await self._outbox.mark_dead(group, str(error), now)
            return DeliveryReport(dead=len(group.ids))
        if error.retry_after is not None:
            # Meant for whoever calls, not for the one message alone.
            self._rest_until[group.channel] = next_at
        log.warning(
            "notification.failed",
            **_facts_of(group),
            error=str(error),
            next_attempt_at=next_at.isoformat(),
        )
        await self._outbox.mark_failed(group, str(error), next_at, now)
        return DeliveryReport(failed=len(group.ids))


def _facts_of(group: NotificationGroup) -> dict[str, str | int]:
    return {
        "channel": group.channel,
        "kind": group.kind.value,
        "alert": group.notifications[0].alert_id,
        "alerts": len(group.ids),
        "attempts": group.attempts + 1,
    }


LEASE = timedelta(seconds=90)
"""How long a claim holds: longer than a send may take."""

LAST_WORDS = timedelta(seconds=2)
"""How long a drain that is out of time waits for claims to be given back."""


class Delivery:
    """Send what is due, channel by channel.

    Args:
        terms: Returns the settings of now; they are taken once a message.
        lease: How long a claim holds; longer than a send may take, so that
            nobody takes up what is still being sent.
        jitter: Chance, from 0 to below 1.
    """

    def __init__(
        self,
        outbox: Outbox,
        terms: Callable[[], DeliveryTerms],
        *,
        clock: Callable[[], datetime],
        lease: timedelta = LEASE,
        send_timeout: timedelta = timedelta(seconds=60),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._worker = DeliveryWorker(
            outbox, ThreadedSender(send_timeout), terms, clock, jitter=jitter
        )
        self._clock = clock
        self._lease = lease
        self._rounds: dict[str, asyncio.Task[DeliveryReport]] = {}
        self._moved_at: dict[str, float] = {}
        self._waking: asyncio.Task[None] | None = None
        self._is_woken_again = False
        self._is_final = False
        self._is_closing = False

    async def deliver_due(self, *, is_final: bool = False) -> DeliveryReport:
        """Send what is due and return when every channel has had its round.

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
        """Start a round on every channel with something due that has none running; do not wait."""
        try:
            await self._start_rounds()
        except OutboxUnavailable as error:
            log.warning("delivery.outbox_unavailable", error=str(error))

    def wake(self) -> None:
        """Run soon: something became due. Call it from the event loop's thread."""
        if self._waking is None:
            self._waking = asyncio.create_task(self._wake(), name="wake the delivery")
        else:
            self._is_woken_again = True

    def note_step(self) -> None:
        """Count the time for retries anew: the clock was stepped, or nobody was awake to try."""
        self._worker.note_step()

    def find_stuck(self, longest: timedelta) -> list[str]:
        """Return the channels whose round has not taken a step for *longest*.

        A channel that is dead or hangs is none of them: each send has its limit,
        and ends as a failure. A round that stands still is a fault of ours.
        """
        before = asyncio.get_running_loop().time() - longest.total_seconds()
        return sorted(channel for channel, at in self._moved_at.items() if at < before)

    async def drain(self, timeout: timedelta) -> DeliveryReport:  # noqa: ASYNC109 - the bound is what it promises
        """Send what is due for at most *timeout*, then stop for good.

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
        self._worker.post.stop_waiting()
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
            running = self._rounds.get(channel)
            # One that found nothing more may be over and not be taken off yet.
            if (running is None or running.done()) and not self._is_closing:
                task = asyncio.create_task(self._run_round(channel), name=f"deliver to {channel}")
                self._rounds[channel] = task
                self._note_move(channel)
                task.add_done_callback(partial(self._end_round, channel))

    def _end_round(self, channel: str, task: asyncio.Task[DeliveryReport]) -> None:
        if self._rounds[channel] is task:
            del self._rounds[channel]
            self._moved_at.pop(channel, None)
        fault = None if task.cancelled() else task.exception()
        short = None if fault is None else find_shortage(fault)
        if short is not None:
            self._worker.note_shortage(short)
        elif fault is not None:
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
        """Send what is due on *channel*, one after the other, up to the first failure."""
        report = DeliveryReport()
        try:
            while not self._worker.must_rest(channel):
                group = await self._outbox.claim_next(
                    channel,
                    self._clock(),
                    self._lease,
                    self._worker.post.under_way(channel),
                    is_final=self._is_final,
                )
                self._note_move(channel)
                if group is None:
                    break
                if self._is_closing:
                    await self._outbox.release(group)
                    break
                result = await self._worker.take(group)
                self._note_move(channel)
                report += result
                if result.failed:
                    break
        except OutboxUnavailable as error:
            # Claims end by themselves: nothing is lost.
            log.warning("delivery.outbox_unavailable", channel=channel, error=str(error))
        return report

    def _note_move(self, channel: str) -> None:
        self._moved_at[channel] = asyncio.get_running_loop().time()


def _result_of(task: asyncio.Task[DeliveryReport]) -> DeliveryReport:
    if task.cancelled() or task.exception() is not None:
        return DeliveryReport()
    return task.result()
