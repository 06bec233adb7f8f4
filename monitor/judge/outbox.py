"""Describe what is on its way to a channel.

Which notifications travel together is decided in `monitor.store.outbox`, which claims them; how
they read and what a failed send means, in `monitor.notify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from monitor.judge.alerts import AlertKind, Severity

MOST_LISTED = 20
"""How many alerts of a message, and connections of an alert, a text lists: no more are read."""


class NotificationState(StrEnum):
    """Where a notification stands."""

    DUE = "due"
    SENT = "sent"
    DEAD = "dead"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert on its way to a channel.

    Args:
        facts: What the text is made of: see `monitor.notify.drafts`.
        connections: The names of the connections it speaks of, worst first;
            not all of them where there are many.
        n_connections: How many it speaks of.
        n_hidden: How many more there are, of groups that the channel is not there for.
    """

    id: int
    alert_id: int
    kind: AlertKind
    severity: Severity
    facts: Mapping[str, Any]
    connections: tuple[str, ...]
    n_connections: int
    born_at: datetime
    n_hidden: int = 0


@dataclass(frozen=True, slots=True)
class NotificationGroup:
    """What a channel is told in one message: one alert, or several of one kind.

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
        """Return what all its alerts are."""
        return self.notifications[0].kind

    @property
    def key(self) -> str:
        """Return what stays the same as long as the message does."""
        first = str(self.ids[0])
        if len(self.ids) == 1:
            return first
        return f"{first}-{crc32(repr(self.ids).encode()):08x}"
