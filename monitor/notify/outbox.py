"""
Say what the delivery of alerts needs from the store, and what can go wrong.

Decides which steps a group can take: due, claimed, then sent, failed or dead. Which notifications
travel together is left to the store. Senders raise `AlertError` and nothing else; what to do about
that is decided in `delivery`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from monitor.judge.outbox import NotificationGroup


class Outbox(Protocol):
    """
    Keep notifications until they were sent.

    Every method may raise `OutboxUnavailable` and nothing else. Steps taken
    for notifications that are gone, because their connection was deleted
    meanwhile, do nothing.
    """

    async def due_channels(self, now: datetime, *, is_final: bool = False) -> list[str]:
        """
        Return the names of the channels that have something to send *now*.

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
        """
        Claim the oldest notification of *channel* whose time has come, and those of its kind.

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
    """
    A notification did not arrive.

    Args:
        message: What failed and why, fit for logs and the dashboard: no URL,
            no secret.
        permanent: Trying again cannot help, because the fault is on our side
            of the wire: an unknown channel, a URL that nobody understands.
        retry_after: How long the service asked us to wait, where it said so.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class OutboxUnavailable(Exception):  # noqa: N818 - it names a state that passes, not a mistake
    """The outbox cannot be read or written for now: the only exception that an `Outbox` raises."""
