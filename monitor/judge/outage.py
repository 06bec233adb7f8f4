"""
Decide whether a host is out, by how many of its connections got no answer.

A group is what shares a host and port: Amazon's token service, one of its
regions, or another API. Counting is left to the store; what becomes of the
alerts meanwhile, to `monitor.outages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.outcome import Outcome, OutcomeClass, Reason

if TYPE_CHECKING:
    from monitor.judge.state import Standing

SMALLEST_GROUP = 3
"""Two connections that fail together prove nothing about their host."""


@dataclass(frozen=True, slots=True)
class Group:
    """
    The watched connections of one host and port.

    Args:
        failing: Those whose latest check was inconclusive there, or refused unexplained.
    """

    total: int
    failing: int

    @property
    def is_out(self) -> bool:
        """
        Tell whether an outage begins.
        """
        return self.total >= SMALLEST_GROUP and 2 * self.failing > self.total

    @property
    def is_back(self) -> bool:
        """
        Tell whether an outage is over.
        """
        return 4 * self.failing < self.total or not self.failing


def failed_host(previous: Standing, outcome: Outcome, host: str) -> str | None:
    """
    Return the host that *outcome* speaks against; None where it speaks against none.

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
