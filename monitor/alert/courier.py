"""
Take one group to its channel, and record what came of it.

Decides what a failure means: another try, later, or the end. When a channel's
turn comes is decided in `delivery`, how a message travels by the sender.

A group is recorded as sent after the sender returned: a crash between may
send twice, never zero times.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from monitor.alert.backoff import next_attempt
from monitor.alert.errors import AlertError
from monitor.alert.many import compose_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from monitor.alert.outbox import Outbox
    from monitor.alert.post import Post, Sender
    from monitor.judge.outbox import NotificationGroup

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """
    What became of notifications.

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


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The settings that a group is sent by.

    Args:
        retry_for: How long it is tried again.
        link: Returns the page to name in a message about these connections.
    """

    sender: Sender
    retry_for: timedelta
    link: Callable[[Sequence[str]], str | None]


class Courier:
    """
    Send groups, one at a time on each channel.

    Args:
        terms: Returns the settings of now; they are taken once a group.
        jitter: Chance, from 0 to below 1.
    """

    def __init__(
        self,
        outbox: Outbox,
        post: Post,
        terms: Callable[[], Terms],
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

    def note_step(self) -> None:
        """
        Count the time for retries anew: the clock was stepped, or nobody was awake to try.
        """
        self._started_at = self._clock()
        self._rest_until.clear()

    def must_rest(self, channel: str) -> bool:
        """
        Tell whether nothing may be sent on *channel* now: its service asked for patience.
        """
        until = self._rest_until.get(channel)
        if until is not None and until <= self._clock():
            del self._rest_until[channel]
            until = None
        return until is not None

    async def take(self, group: NotificationGroup) -> DeliveryReport:
        """
        Send *group* and record the end of it.

        Raises:
            OutboxUnavailable: The end could not be recorded.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        terms = self._terms()
        if not self.post.has_arrived(group.ids):
            message = compose_group(group, terms.link, self._clock())
            try:
                await self.post.send(terms.sender, group.channel, group.ids, message, group.key)
            except AlertError as error:
                return await self._give_up_or_retry(group, terms.retry_for, error)
        await self._record_sent(group, loop.time() - began)
        return DeliveryReport(sent=len(group.ids))

    async def _record_sent(self, group: NotificationGroup, took_s: float) -> None:
        log.info("notification.sent", **_facts_of(group), took_ms=round(took_s * 1000, 1))
        # Remembered until it is recorded: if that fails, the next claim of it
        # is recorded instead of sent again.
        self.post.note_arrival(group.ids)
        await self._outbox.mark_sent(group, self._clock())
        self.post.forget(group.ids)

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
                group.attempts + 1,
                first_at,
                retry_for,
                error.retry_after,
                self._jitter(),
                now,
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
