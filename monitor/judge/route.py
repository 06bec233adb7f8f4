"""
Decide which channels receive an alert.

Pure: sending is left to `monitor.alert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.alerts import ONLY_IF_NAMED, AlertKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.alerts import AlertDue


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """
    What a channel wants to hear.

    Args:
        kinds: The kinds it names; None for the default, all but `ONLY_IF_NAMED`.
        tags: Only connections with one of these tags; empty for all.
        connections: Only these connections; empty for all.
    """

    name: str
    kinds: frozenset[AlertKind] | None = None
    min_severity: Severity = Severity.INFO
    tags: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """
    A connection as routing sees it.

    Args:
        channels: The only channels to be told of it; None for all.
    """

    name: str
    tags: frozenset[str] = frozenset()
    channels: frozenset[str] | None = None


def route(
    alert: AlertDue, subjects: Sequence[Subject], channels: Iterable[ChannelRoute]
) -> list[str]:
    """
    Return the names of the channels that receive *alert*.

    An alert about several connections goes to every channel that would receive
    it for at least one of them.
    """
    return [
        channel.name
        for channel in channels
        if _wants(channel, alert) and any(_covers(channel, subject) for subject in subjects)
    ]


def _wants(channel: ChannelRoute, alert: AlertDue) -> bool:
    if channel.kinds is None:
        if alert.kind in ONLY_IF_NAMED:
            return False
    elif alert.kind not in channel.kinds:
        return False
    if alert.severity.rank >= channel.min_severity.rank:
        return True
    # A channel that asks for the end of a trouble by name gets it, although
    # good news never reaches the severity of the bad news before it.
    return alert.kind.is_closing and channel.kinds is not None


def _covers(channel: ChannelRoute, subject: Subject) -> bool:
    if subject.channels is not None and channel.name not in subject.channels:
        return False
    if channel.connections and subject.name not in channel.connections:
        return False
    return not channel.tags or bool(channel.tags & subject.tags)
