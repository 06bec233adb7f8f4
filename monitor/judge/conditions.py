"""Decide which conditions keep alerts from being sent, whatever the connections do.

Pure: the same for pages, commands and supervisors; `/readyz` lists their kinds as `notes`. How
they read is left to `monitor.report.conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.judge.suppression import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.suppression import Silence


class ConditionKind(StrEnum):
    """The word for a condition, as `/readyz` and the live events name it; the most urgent first."""

    NO_CHANNEL = "no_channel"
    MUTED_ALL = "muted_all"
    CHANNEL_FAILED = "channel_failed"
    RELOAD_FAILED = "reload_failed"


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel that has taken no message since it first failed.

    Args:
        error: What its latest attempt ended with; empty where that is not known.
        next_attempt_at: When something is sent to it again; None if nothing waits for that.
    """

    name: str
    since: datetime
    error: str = ""
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """What is known of the channels and of what mutes them.

    Args:
        channels: The names of those that are configured.
        failing: Those that fail; others than the configured ones do not count.
        n_held: How many notifications silences hold back.
        reload_failed_at: When the file was read and could not be used, after the settings in
            force were; None if the latest reading did well.
    """

    channels: Sequence[str]
    silences: Sequence[Silence] = ()
    failing: Sequence[FailingChannel] = ()
    n_held: int = 0
    reload_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that keeps alerts from being sent, or that they rest on older settings.

    Args:
        until: When everything stops being muted.
        reason: Why it is.
        silences: The ids of the silences of everything.
        failing: The channels that fail.
        since: When the reload failed.
    """

    kind: ConditionKind
    until: datetime | None = None
    reason: str = ""
    n_held: int = 0
    silences: tuple[int, ...] = ()
    failing: tuple[FailingChannel, ...] = ()
    since: datetime | None = None


def find_conditions(facts: ConditionFacts, now: datetime) -> list[Condition]:
    """Return the conditions that hold *now*, the most urgent first."""
    found = []
    if not facts.channels:
        found.append(Condition(ConditionKind.NO_CHANNEL))
    of_all = [one for one in facts.silences if one.scope is Scope.ALL and one.is_on(now)]
    if of_all:
        last = max(of_all, key=lambda one: (one.ends_at, one.id))
        reason = last.reason or next((one.reason for one in of_all if one.reason), "")
        numbers = tuple(one.id for one in of_all)
        found.append(
            Condition(ConditionKind.MUTED_ALL, last.ends_at, reason, facts.n_held, numbers)
        )
    failing = tuple(one for one in facts.failing if one.name in set(facts.channels))
    if failing:
        found.append(Condition(ConditionKind.CHANNEL_FAILED, failing=failing))
    if facts.reload_failed_at is not None:
        found.append(Condition(ConditionKind.RELOAD_FAILED, since=facts.reload_failed_at))
    return found


def can_deliver(conditions: Sequence[Condition], n_channels: int) -> bool:
    """Return whether an alert that is due now can be delivered to anyone.

    Args:
        n_channels: How many channels are configured.
    """
    for one in conditions:
        if one.kind in {ConditionKind.NO_CHANNEL, ConditionKind.MUTED_ALL}:
            return False
        if one.kind is ConditionKind.CHANNEL_FAILED and len(one.failing) >= n_channels:
            return False
    return True
