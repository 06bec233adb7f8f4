"""
Decide which channels receive an alert, and say why or why not.

Pure: when it may go is decided in `hold`, sending is left to `monitor.alert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import ABOUT_NO_CONNECTION, ONLY_IF_NAMED, AlertKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.alerts import AlertDue
    from monitor.judge.digest import DigestTime
    from monitor.judge.quiet_hours import QuietHours


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """
    What a channel wants to hear.

    Args:
        kinds: The kinds it names; None for the default, all but `ONLY_IF_NAMED`.
        tags: Only connections with one of these tags; empty for all.
        connections: Only these connections; empty for all.
        quiet_hours: When it is told of nothing but what is critical.
        digest: When it is sent a summary; None for never.
    """

    name: str
    kinds: frozenset[AlertKind] | None = None
    min_severity: Severity = Severity.INFO
    tags: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    quiet_hours: QuietHours | None = None
    digest: DigestTime | None = None


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


class Routing(StrEnum):
    """
    Why a channel receives an alert, or does not.
    """

    WANTED = "wanted"
    WANTED_AS_END = "wanted_as_end"
    KIND_NOT_NAMED = "kind_not_named"
    NOT_SEVERE_ENOUGH = "not_severe_enough"
    NOT_CHOSEN = "not_chosen_by_connection"
    OTHER_CONNECTIONS = "other_connections"
    OTHER_TAGS = "other_tags"

    @property
    def is_told(self) -> bool:
        """
        Tell whether the channel receives it.
        """
        return self in {Routing.WANTED, Routing.WANTED_AS_END}


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
        if _weigh(channel, alert.kind, alert.severity).is_told
        and (
            alert.kind in ABOUT_NO_CONNECTION
            or any(_find_refusal(channel, subject) is None for subject in subjects)
        )
    ]


def explain(
    kind: AlertKind, severity: Severity, subject: Subject, channel: ChannelRoute
) -> Routing:
    """
    Say why *channel* receives an alert about *subject*, or the first reason why not.
    """
    weighed = _weigh(channel, kind, severity)
    if not weighed.is_told or kind in ABOUT_NO_CONNECTION:
        return weighed
    return _find_refusal(channel, subject) or weighed


def _weigh(channel: ChannelRoute, kind: AlertKind, severity: Severity) -> Routing:
    if kind is AlertKind.DIGEST and channel.digest is not None:
        return Routing.WANTED
    is_named = channel.kinds is not None and kind in channel.kinds
    if not is_named and (channel.kinds is not None or kind in ONLY_IF_NAMED):
        return Routing.KIND_NOT_NAMED
    if severity.rank >= channel.min_severity.rank:
        return Routing.WANTED
    # A channel that asks for the end of a trouble by name gets it, although
    # good news never reaches the severity of the bad news before it.
    return Routing.WANTED_AS_END if kind.is_closing and is_named else Routing.NOT_SEVERE_ENOUGH


def _find_refusal(channel: ChannelRoute, subject: Subject) -> Routing | None:
    if subject.channels is not None and channel.name not in subject.channels:
        return Routing.NOT_CHOSEN
    if channel.connections and subject.name not in channel.connections:
        return Routing.OTHER_CONNECTIONS
    if channel.tags and not channel.tags & subject.tags:
        return Routing.OTHER_TAGS
    return None


def covers(channel: ChannelRoute, subject: Subject) -> bool:
    """
    Tell whether *subject* is a connection that *channel* is there for.
    """
    return _find_refusal(channel, subject) is None
