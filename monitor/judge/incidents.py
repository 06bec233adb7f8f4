"""Decide when a host is out, a connection flaps, and what a response says of our own link.

A group is what shares a host and port: Amazon's token service, one of its regions, or another API.
Counting is left to the store; what becomes of the alerts, to `monitor.alerting.incidents`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.judge.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.outcome import Standing


SMALLEST_GROUP = 3
"""Two connections that fail together prove nothing about their host."""


@dataclass(frozen=True, slots=True)
class HostGroup:
    """The watched connections of one host and port.

    Args:
        failing: Those whose latest check was inconclusive there, or refused unexplained.
    """

    total: int
    failing: int

    @property
    def is_out(self) -> bool:
        """Tell whether an outage begins."""
        return self.total >= SMALLEST_GROUP and 2 * self.failing > self.total

    @property
    def is_back(self) -> bool:
        """Tell whether an outage is over."""
        return 4 * self.failing < self.total or not self.failing


def failed_host(previous: Standing, outcome: Outcome, host: str) -> str | None:
    """Return the host that *outcome* speaks against; None where it speaks against none.

    A lost permission that people were told of is no sign of an outage any more.

    Args:
        host: Where the connection's checks go, unless *outcome* names another.
    """
    if outcome.is_unexplained:
        is_told = previous.announced_reason is Reason.PERMISSION_DENIED
        return None if is_told else outcome.failed_host or host
    if outcome.reason.outcome_class is OutcomeClass.INCONCLUSIVE:
        return outcome.failed_host or host or None
    return None


FLAPPING_CHANGES = 6
"""So many transitions within `WINDOW` are flapping (the contract, section 6)."""

FLAPPING_WINDOW = timedelta(hours=1)
"""How long there must be no transition before it is over."""


NETWORK = frozenset({Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT, Reason.PROTOCOL})
"""What can go wrong before a service has answered."""

UNREACHED = frozenset({Reason.DNS, Reason.CONNECT, Reason.TIMEOUT})
"""What it looks like from a machine without a link."""

FEWEST_HOSTS = 2
"""One host that is not reached may be down itself."""


class Connectivity(Enum):
    """What the URLs of `checks.uplink` said."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


def is_unanswered(outcome: Outcome) -> bool:
    """Tell whether a check may have failed for want of a link."""
    return outcome.reason in NETWORK


def has_answered(outcome: Outcome) -> bool:
    """Tell whether a service gave an HTTP answer, whatever it said."""
    if outcome.is_countdown or outcome.is_taken_over or outcome.reason in NETWORK:
        return False
    is_inconclusive = outcome.reason.outcome_class is OutcomeClass.INCONCLUSIVE
    # A fault of our own has an inconclusive reason as well, and no status.
    return not is_inconclusive or outcome.http_status is not None


def disregard(previous: Standing, outcome: Outcome, now: datetime) -> Verdict:
    """Return the verdict on a check that failed for want of a link: nothing is counted."""
    seen = replace(
        previous, checked_at=now, latency_ms=outcome.latency_ms, last_reason=outcome.reason
    )
    return Verdict(seen)


@dataclass(frozen=True, slots=True)
class OfflineTime:
    """A time without a link that lasts.

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
    """What a batch of checks says of our own link.

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
