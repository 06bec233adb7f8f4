"""
Say what a provider must offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.judge.outcome import Outcome


class Checker(Protocol):
    """
    Check one connection once.
    """

    async def check(self) -> Outcome:
        """
        Ask the provider and return what was seen.

        Never raises for what the network or the provider does: that is an
        outcome. Cancellation passes through.
        """
        ...
