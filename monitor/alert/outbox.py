"""
Say what the delivery of alerts needs from the store.

Decides what a notification is, what a parcel is, and which steps it can take:
due, claimed, then sent, failed or dead. Which notifications travel together,
and how they are kept and claimed, is left to the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from monitor.judge.alerts import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Notification:
    """
    One alert on its way to a channel.

    Args:
        facts: What the text is made of: see `message.compose`.
        connections: The names of the connections it speaks of, worst first;
            not all of them where there are many.
        n_connections: How many it speaks of.
    """

    id: int
    alert_id: int
    kind: AlertKind
    severity: Severity
    facts: Mapping[str, Any]
    connections: tuple[str, ...]
    n_connections: int
    born_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """
    What a channel is told in one message: one alert, or several of one kind.

    Args:
        ids: Of all its notifications, the oldest first.
        notifications: The worst of them, worst first: as many as a message lists.
        n_connections: How many connections all of them speak of.
        attempts: How often sending it has failed since it last became due.
        due_since: Since when it is due, from which the time for retries is
            counted: its birth, or when a person wanted it sent again.
    """

    ids: tuple[int, ...]
    channel: str
    notifications: tuple[Notification, ...]
    n_connections: int
    attempts: int
    due_since: datetime

    @property
    def kind(self) -> AlertKind:
        """
        Return what all its alerts are.
        """
        return self.notifications[0].kind

    @property
    def key(self) -> str:
        """
        Return what stays the same as long as the message does.
        """
        first = str(self.ids[0])
        if len(self.ids) == 1:
            return first
        return f"{first}-{crc32(repr(self.ids).encode()):08x}"


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
    ) -> Parcel | None:
        """
        Claim the oldest notification of *channel* whose time has come, and those of its kind.

        Claimed by a conditional update, so that nobody else gets them before
        the *lease* is over. Never one that has an earlier unsent one of another
        parcel on the same channel about the same connection: per connection
        the order is kept. A parcel that was claimed before stays as it was:
        it may have arrived.

        Args:
            skip: Notifications that must not be claimed, nor overtaken.
            is_final: As for `due_channels`.
        """
        ...

    async def mark_sent(self, parcel: Parcel, now: datetime) -> None:
        """
        Record that the channel took it.
        """
        ...

    async def mark_failed(
        self, parcel: Parcel, error: str, next_attempt_at: datetime, now: datetime
    ) -> None:
        """
        Count one more attempt, give the claim back, and wait until *next_attempt_at*.
        """
        ...

    async def mark_dead(self, parcel: Parcel, error: str, now: datetime) -> None:
        """
        Count one more attempt and give up, until a person wants it sent again.

        The other channels are told that this one fails.
        """
        ...

    async def release(self, parcel: Parcel) -> None:
        """
        Give a claim back without having tried.
        """
        ...
