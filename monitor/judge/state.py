"""
Describe what is known of one connection between two checks.

`Standing` is a value: `decide.judge` takes one and returns the next; only the
store keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.outcome import OutcomeClass, Reason, State

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """
    State, reason and rows of one connection.

    Args:
        state: Never `paused`: pausing lies over the state and does not replace it.
        since: When *state* began. A change of reason alone does not move it.
        last_reason: How the latest check ended, whatever the state made of it.
        successes: Successes in a row.
        refusals: Refusals in a row with one and the same reason.
        refusals_of_any_reason: Refusals since the last success, or since one
            reason was confirmed.
        failures: Inconclusive outcomes in a row, throttling aside.
        announced_state: The state that people were last told of, while it lasts.
        announced_reason: Its reason.
    """

    state: State
    reason: Reason
    detail: str
    since: datetime
    checked_at: datetime | None = None
    latency_ms: float | None = None
    last_reason: Reason | None = None
    successes: int = 0
    refusals: int = 0
    refusals_of_any_reason: int = 0
    failures: int = 0
    announced_state: State | None = None
    announced_reason: Reason | None = None

    @classmethod
    def unknown(cls, now: datetime) -> Standing:
        """
        Return the standing of a connection that was never checked.
        """
        return cls(State.PENDING, Reason.NOT_CHECKED, "", now)

    @property
    def in_a_row(self) -> int:
        """
        Return the length of the row that the latest check belongs to.

        Throttled checks belong to no row: 0.
        """
        if self.last_reason is None:
            return 0
        return {
            OutcomeClass.SUCCESS: self.successes,
            OutcomeClass.REFUSAL: self.refusals,
            OutcomeClass.INCONCLUSIVE: self.failures,
            OutcomeClass.THROTTLED: 0,
        }[self.last_reason.outcome_class]


@dataclass(frozen=True, slots=True)
class Transition:
    """
    A change of state or reason.
    """

    at: datetime
    from_state: State
    to_state: State
    reason: Reason
    detail: str
