"""Decide what suppresses a notification, until when, and what is still worth sending afterwards.

For one channel at a time, and the same for what failed and is to be sent after all. A problem that
came and went while it was suppressed goes away together with its end; the end of a problem that
was announced is never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.alerts import CLOSED_BY, KINDS, OPENED_BY, Severity, ends

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from monitor.judge.alerts import AlertKind, Key
    from monitor.judge.routing import QuietInterval, Subject


@dataclass(frozen=True, slots=True)
class NotifiedAlert:
    """An alert as one channel has it.

    Args:
        id: The alert's; a later alert has a larger one.
        is_here: This channel receives it, or has received it.
        is_released: It was held back here, and may go now.
    """

    id: int
    kind: AlertKind
    keys: frozenset[Key]
    is_here: bool = True
    is_released: bool = False


def find_stale(story: Sequence[NotifiedAlert]) -> set[int]:
    """Return those of the released alerts that nobody needs to hear any more.

    Args:
        story: All that was due since the first of them, and before it what the
            ends among them may belong to; the oldest first.
    """
    by_key: dict[Key, list[NotifiedAlert]] = {}
    for one in story:
        for key in one.keys:
            by_key.setdefault(key, []).append(one)
    latest = {
        (key, each.kind, is_here): each.id
        for key, all_of in by_key.items()
        for each in all_of
        for is_here in ((False, True) if each.is_here else (False,))
    }
    released = [one for one in story if one.is_released]
    stale = {one.id for one in released if _is_over(one, latest)}
    for one in released:
        if one.kind in OPENED_BY and _is_needless_end(one, stale, by_key):
            stale.add(one.id)
    return stale


def find_superseded(story: Sequence[NotifiedAlert]) -> set[int]:
    """Return those of the released alerts after which this channel was told what makes them old.

    That is the end of a trouble, or the next one; after an end, a trouble that began since.
    What was told to others only makes nothing old here.

    Args:
        story: The released alerts and all that was told since the first of them.
    """
    latest: dict[tuple[Key, AlertKind], int] = {}
    for one in story:
        if one.is_here and not one.is_released:
            latest |= {
                (key, one.kind): max(one.id, latest.get((key, one.kind), 0)) for key in one.keys
            }
    return {
        one.id
        for one in story
        if one.is_released
        and one.keys
        and all(
            any(latest.get((key, kind), 0) > one.id for kind in _supersedes(one.kind))
            for key in one.keys
        )
    }


def _supersedes(kind: AlertKind) -> tuple[AlertKind, ...]:
    return (*ends(kind), *KINDS[kind].superseded_by, *OPENED_BY.get(kind, ()))


def _is_over(one: NotifiedAlert, latest: dict[tuple[Key, AlertKind, bool], int]) -> bool:
    """Tell whether all that *one* speaks of has ended since, or was told anew here."""

    def is_later(key: Key, kinds: Collection[AlertKind], *, is_here: bool) -> bool:
        return any(latest.get((key, kind, is_here), 0) > one.id for kind in kinds)

    return bool(one.keys) and all(
        is_later(key, ends(one.kind), is_here=False)
        or is_later(key, KINDS[one.kind].superseded_by, is_here=True)
        for key in one.keys
    )


def _is_needless_end(
    one: NotifiedAlert, stale: set[int], by_key: dict[Key, list[NotifiedAlert]]
) -> bool:
    """Tell whether *one* ends what nobody heard of here, and nothing else."""
    openings, closings = OPENED_BY[one.kind], CLOSED_BY[one.kind]
    is_paired = False
    for key in one.keys:
        for each in reversed([each for each in by_key[key] if each.id < one.id and each.is_here]):
            if each.kind in closings and each.id not in stale:
                break
            if each.kind in openings:
                if each.id not in stale:
                    return False
                is_paired = True
    return is_paired


class Scope(StrEnum):
    """What a silence is about."""

    CONNECTION = "connection"
    TAG = "tag"
    GROUP = "group"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Silence:
    """A span in which nobody is told of something, and why.

    Args:
        target: The name of the connection, the tag or the group; None for all.
    """

    id: int
    scope: Scope
    target: str | None
    reason: str
    starts_at: datetime
    ends_at: datetime

    def is_on(self, now: datetime) -> bool:
        """Tell whether it lasts."""
        return self.starts_at <= now < self.ends_at

    def covers(self, subject: Subject) -> bool:
        """Tell whether it is about *subject*."""
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.TAG:
                return self.target in subject.tags
            case Scope.GROUP:
                return self.target is not None and self.target == subject.group
            case Scope.CONNECTION:
                return self.target == subject.name


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A word that somebody takes care of a problem.

    Args:
        until: When people are to be reminded again; None for as long as it lasts.
    """

    at: datetime
    until: datetime | None
    note: str

    def covers(self, born_at: datetime, now: datetime) -> bool:
        """Tell whether no one is reminded *now* of what was announced at *born_at*."""
        return born_at <= self.at and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Muting:
    """What keeps people from being alerted of one connection now, or reminded of its problem.

    Args:
        muted_until: The end of the silence in force; of several the latest.
        acknowledged: The word for its present problem.
    """

    muted_until: datetime | None = None
    acknowledged: Acknowledgement | None = None


class Mutes:
    """The silences in force, arranged so that each connection is looked up and not searched."""

    def __init__(self, silences: Iterable[Silence], now: datetime) -> None:
        self._ends: dict[tuple[Scope, str | None], datetime] = {}
        for one in silences:
            if one.is_on(now):
                key = one.scope, one.target
                self._ends[key] = max(one.ends_at, self._ends.get(key, one.ends_at))
        targets = [(scope, target) for scope, target in self._ends if target is not None]
        self._is_all = (Scope.ALL, None) in self._ends
        self._names = {target for scope, target in targets if scope is Scope.CONNECTION}
        self._tags = {target for scope, target in targets if scope is Scope.TAG}
        self._groups = {target for scope, target in targets if scope is Scope.GROUP}

    def __bool__(self) -> bool:
        """Tell whether anything is muted."""
        return bool(self._ends)

    def covers(self, name: str, tags: Collection[str], group: str | None) -> bool:
        """Tell whether a connection is muted; of all of them this is asked for each page."""
        return (
            self._is_all
            or name in self._names
            or group in self._groups
            or (bool(self._tags) and not self._tags.isdisjoint(tags))
        )

    def until(self, subject: Subject) -> datetime | None:
        """Return when the last silence about a connection ends; None where none is in force."""
        if not self._ends:
            return None
        keys = [
            (Scope.ALL, None),
            (Scope.CONNECTION, subject.name),
            *((Scope.TAG, tag) for tag in subject.tags),
            *([(Scope.GROUP, subject.group)] if subject.group is not None else []),
        ]
        return max((self._ends[key] for key in keys if key in self._ends), default=None)


def silenced_until(
    subjects: Sequence[Subject], silences: Iterable[Silence], now: datetime
) -> datetime | None:
    """Return when the first of *subjects* may be spoken of again; None if one may now.

    What is about nobody is kept back by a silence of all, and by no other.
    """
    lasting = [silence for silence in silences if silence.is_on(now)]
    if not lasting:
        return None
    if not subjects:
        ends = [silence.ends_at for silence in lasting if silence.scope is Scope.ALL]
        return max(ends, default=None)
    firsts = []
    for subject in subjects:
        ends = [silence.ends_at for silence in lasting if silence.covers(subject)]
        if not ends:
            return None
        firsts.append(max(ends))
    return min(firsts)


class SuppressedBy(StrEnum):
    """What holds a notification back."""

    SILENCE = "silence"
    QUIET_HOURS = "quiet_hours"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why a notification waits, and until when at least."""

    by: SuppressedBy
    until: datetime


def find_suppression(
    severity: Severity,
    subjects: Sequence[Subject],
    quiet_hours: QuietInterval | None,
    silences: Iterable[Silence],
    now: datetime,
) -> Suppression | None:
    """Return what holds an alert about *subjects* back from a channel; None if it may go.

    A silence holds everything, quiet hours hold what is not critical.
    """
    until = silenced_until(subjects, silences, now)
    if until is not None:
        return Suppression(SuppressedBy.SILENCE, until)
    if severity is Severity.CRITICAL or quiet_hours is None:
        return None
    until = quiet_hours.until(now)
    return None if until is None else Suppression(SuppressedBy.QUIET_HOURS, until)
