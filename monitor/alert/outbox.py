"""
Say what the delivery of alerts needs from the store.

Decides what a notification is and which steps it can take: due, claimed, then
sent, failed or dead. How rows are kept and claimed is left to the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from monitor.judge.alerts import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Notification:
    """
    One alert on its way to one channel.

    Args:
        facts: What the text is made of: see `message.compose`.
        connections: The names of the connections it speaks of, worst first.
        attempts: How often sending it has failed since it last became due.
        due_since: Since when it is due, from which the time for retries is
            counted: its birth, or when a person wanted it sent again.
            None stands for *born_at*.
    """

    id: int
    alert_id: int
    channel: str
    kind: AlertKind
    severity: Severity
    facts: Mapping[str, Any]
    connections: tuple[str, ...]
    born_at: datetime
    attempts: int
    due_since: datetime | None = None


class Outbox(Protocol):
    """
    Keep notifications until they were sent.

    Every method may raise `OutboxUnavailable` and nothing else. Steps taken
    for a notification that is gone, because its connection was deleted
    meanwhile, do nothing.
    """

    async def due_channels(self, now: datetime) -> list[str]:
        """
        Return the names of the channels that have something to send *now*.
        """
        ...

    async def claim_next(
        self,
        channel: str,
        now: datetime,
        lease: timedelta,
        skip: frozenset[int] = frozenset(),
    ) -> Notification | None:
        """
        Claim the oldest notification of *channel* whose time has come.

        Claimed by a conditional update, so that nobody else gets it before the
        *lease* is over. Never one that has an earlier unsent one on the same
        channel about the same connection: per connection the order is kept.

        Args:
            skip: Notifications that must not be claimed, nor overtaken.
        """
        ...

    async def mark_sent(self, notification_id: int, now: datetime) -> None:
        """
        Record that the channel took it.
        """
        ...

    async def mark_failed(
        self, notification_id: int, error: str, next_attempt_at: datetime
    ) -> None:
        """
        Count one more attempt, give the claim back, and wait until *next_attempt_at*.
        """
        ...

    async def mark_dead(self, notification_id: int, error: str) -> None:
        """
        Count one more attempt and give up, until a person wants it sent again.
        """
        ...

    async def release(self, notification_id: int) -> None:
        """
        Give a claim back without having tried.
        """
        ...
