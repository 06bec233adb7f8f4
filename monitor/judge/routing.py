"""Decide which channels receive an alert, and why; when each is quiet, and when it is due a digest.

When an alert may go is decided in `suppression`, sending is left to `monitor.notify`; what a
digest says is put together in `monitor.alerting.digests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import (
    ABOUT_NO_CONNECTION,
    NEVER_FOR_GROUPS,
    ONLY_IF_NAMED,
    AlertKind,
    Severity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.judge.alerts import AlertDue


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """What a channel wants to hear.

    Args:
        kinds: The kinds it names; None for the default, all but `ONLY_IF_NAMED`.
        tags: Only connections with one of these tags; empty for all.
        connections: Only these connections; empty for all.
        groups: Only connections of these, and nothing about others or about ourselves; empty for
            all.
        quiet_hours: When it is told of nothing but what is critical.
        digest: When it is sent a summary; None for never.
    """

    name: str
    kinds: frozenset[AlertKind] | None = None
    min_severity: Severity = Severity.INFO
    tags: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    quiet_hours: QuietInterval | None = None
    digest: DigestTime | None = None
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """A connection as routing sees it.

    Args:
        channels: The only channels to be told of it; None for all.
        group: The customer or team that it belongs to.
    """

    name: str
    tags: frozenset[str] = frozenset()
    channels: frozenset[str] | None = None
    group: str | None = None


class Routing(StrEnum):
    """Why a channel receives an alert, or does not."""

    WANTED = "wanted"
    WANTED_AS_END = "wanted_as_end"
    KIND_NOT_NAMED = "kind_not_named"
    NOT_SEVERE_ENOUGH = "not_severe_enough"
    NOT_CHOSEN = "not_chosen_by_connection"
    OTHER_CONNECTIONS = "other_connections"
    OTHER_TAGS = "other_tags"
    OTHER_GROUPS = "other_groups"
    NOT_FOR_GROUPS = "not_for_groups"

    @property
    def is_told(self) -> bool:
        """Tell whether the channel receives it."""
        return self in {Routing.WANTED, Routing.WANTED_AS_END}


def route(
    alert: AlertDue, subjects: Sequence[Subject], channels: Iterable[ChannelRoute]
) -> list[str]:
    """Return the names of the channels that receive *alert*.

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
    """Say why *channel* receives an alert about *subject*, or the first reason why not."""
    weighed = _weigh(channel, kind, severity)
    if not weighed.is_told or kind in ABOUT_NO_CONNECTION:
        return weighed
    return _find_refusal(channel, subject) or weighed


def _weigh(channel: ChannelRoute, kind: AlertKind, severity: Severity) -> Routing:
    if kind is AlertKind.DIGEST and channel.digest is not None:
        return Routing.WANTED
    if channel.groups and kind in NEVER_FOR_GROUPS:
        return Routing.NOT_FOR_GROUPS
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
    if channel.groups and subject.group not in channel.groups:
        return Routing.OTHER_GROUPS
    return None


def covers(channel: ChannelRoute, subject: Subject) -> bool:
    """Tell whether *subject* is a connection that *channel* is there for."""
    return _find_refusal(channel, subject) is None


def named_on(channel: ChannelRoute, subjects: Sequence[Subject]) -> Sequence[Subject]:
    """Return those of an alert's *subjects* that it names on *channel*."""
    if not channel.groups:
        return subjects
    return [one for one in subjects if one.group in channel.groups]


ONE_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietInterval:
    """From *start* to *end* on the walls of *zone*, over midnight where *end* is the earlier."""

    zone: tzinfo
    start: time
    end: time

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours that hold *now* end; None outside of them."""
        today = now.astimezone(self.zone).date()
        days = [today + n * ONE_DAY for n in (-1, 0, 1)]
        ends = [end for begin, end in map(self._span, days) if begin <= now < end]
        return max(ends, default=None)

    def _span(self, day: date) -> tuple[datetime, datetime]:
        """Return the span that begins on *day*.

        Where clocks are set back, a time comes twice: quiet begins at the first
        and ends at the second, so that one night has one span.
        """
        last_day = day if self.start < self.end else day + ONE_DAY
        return (
            instant_of(day, self.start, self.zone),
            instant_of(last_day, self.end, self.zone, is_last=True),
        )


def instant_of(day: date, at: time, zone: tzinfo, *, is_last: bool = False) -> datetime:
    """Return the instant, in UTC, at which the clocks of *zone* show or first pass *at* on *day*.

    Args:
        is_last: The second one of a time that comes twice.
    """
    on_the_wall = datetime.combine(day, at)
    fold = int(is_last)
    instant = on_the_wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == on_the_wall:
        return instant
    # Clocks are set forward over it: it is passed at that very instant.
    before = on_the_wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = on_the_wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    shifted = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == shifted:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


DIGEST_AT = time(9)
MONDAY = 0


class Digest(StrEnum):
    """How often a channel receives a summary."""

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class DigestTime:
    """The rhythm of a channel's summaries, at nine in the morning of *zone*."""

    rhythm: Digest
    zone: tzinfo

    def is_due(self, last_at: datetime, now: datetime) -> bool:
        """Tell whether today has a summary that was not made yet.

        Those of days that nobody was awake on are not made up for.

        Args:
            last_at: When the last one was made, or when the channel was first seen.
        """
        today = now.astimezone(self.zone).date()
        if self.rhythm is Digest.WEEKLY and today.weekday() != MONDAY:
            return False
        return last_at < instant_of(today, DIGEST_AT, self.zone) <= now
