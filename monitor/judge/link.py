"""
Decide what an answer, or none, says of our own link.

Pure. Who asks the URLs of `checks.uplink`, and what is told, is left to others.
"""

from __future__ import annotations

from dataclasses import replace
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
