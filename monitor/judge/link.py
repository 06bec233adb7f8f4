"""
Decide what an answer, or none, says of our own link.

Pure. Who asks the URLs of `checks.uplink`, and what is told, is left to others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from monitor.judge.decide import Verdict
from monitor.judge.outcome import Outcome, OutcomeClass, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.state import Standing

NETWORK = frozenset({Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT, Reason.PROTOCOL})
"""What can go wrong before a service has answered."""

UNREACHED = frozenset({Reason.DNS, Reason.CONNECT, Reason.TIMEOUT})
"""What it looks like from a machine without a link."""

FEWEST_HOSTS = 2
"""One host that is not reached may be down itself."""


class Uplink(Enum):
    """
    What the URLs of `checks.uplink` said.
    """

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


def is_unanswered(outcome: Outcome) -> bool:
    """
    Tell whether a check may have failed for want of a link.
    """
    return outcome.reason in NETWORK


def has_answered(outcome: Outcome) -> bool:
    """
    Tell whether a service gave an HTTP answer, whatever it said.
    """
    if outcome.is_countdown or outcome.is_taken_over or outcome.reason in NETWORK:
        return False
    is_inconclusive = outcome.reason.outcome_class is OutcomeClass.INCONCLUSIVE
    # A fault of our own has an inconclusive reason as well, and no status.
    return not is_inconclusive or outcome.http_status is not None


def overlook(previous: Standing, outcome: Outcome, now: datetime) -> Verdict:
    """
    Return the verdict on a check that failed for want of a link: nothing is counted.
    """
    seen = replace(
        previous, checked_at=now, latency_ms=outcome.latency_ms, last_reason=outcome.reason
    )
    return Verdict(seen)


@dataclass(frozen=True, slots=True)
class OfflineTime:
    """
    A time without a link that lasts.

    Args:
        id: None before it is stored.
        n_missed: Checks that failed in it and count for nothing.
        is_announced: Some channel was to hear of it.
    """

    id: int | None
    started_at: datetime
    n_missed: int
    alert_id: int | None
    is_announced: bool = False


@dataclass(frozen=True, slots=True)
class LinkVerdict:
    """
    What a batch of checks says of our own link.

    Args:
        time: The time without a link that lasts after the batch.
        begun_at: When it was noticed, if the batch has shown it.
        n_hosts: How many hosts are not reached, where that was counted.
        ended: The time without a link that the batch has ended, and when.
        has_missed: Checks of the batch count for nothing.
        doubted_at: Others must be checked to know more.
        doubted: The hosts that need not be checked for that.
    """

    time: OfflineTime | None = None
    begun_at: datetime | None = None
    n_hosts: int | None = None
    ended: tuple[OfflineTime, datetime] | None = None
    has_missed: bool = False
    doubted_at: datetime | None = None
    doubted: frozenset[str] = frozenset()
