"""
Hold a customer of SoldScope and the searches that were made.

Decides how many searches are remembered and how long variations stay at hand.
What a search costs is decided in `soldscope`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from monitor.simulator.errors import UnknownNameError
from monitor.simulator.soldscope_searches import VARIATIONS_KEPT, LongSearch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitor.simulator.billing import BillingCycle

KEPT_SEARCHES = 100
"""Past searches kept per account and kind, so that a long run does not grow."""


@dataclass(frozen=True, slots=True)
class Search:
    """
    A finished product search. Reading it again costs nothing.
    """

    id: int
    query: str
    created_at: datetime


@dataclass(slots=True)
class Account:
    """
    One customer of SoldScope.

    Args:
        cycle_day: The day of the month on which billing cycles start.
        used: Metered calls made in *cycle*.
        variations_until: Until when the variations of a search are at hand.
    """

    id: str
    name: str
    email: str
    plan: str
    cycle_day: int
    used: int = 0
    cycle: BillingCycle | None = None
    searches: deque[Search] = field(default_factory=lambda: deque(maxlen=KEPT_SEARCHES))
    long_searches: deque[LongSearch] = field(default_factory=lambda: deque(maxlen=KEPT_SEARCHES))
    variations_until: dict[int, datetime] = field(default_factory=dict)

    def past_search(self, search_id: int) -> Search:
        """
        Return one of the account's own past searches, free of charge.
        """
        return _find(self.searches, search_id)

    def long_search(self, search_id: int) -> LongSearch:
        """
        Return one of its own searches by keyword or by products.
        """
        return _find(self.long_searches, search_id)

    def replay(self, search_id: int, now: datetime) -> Search:
        """
        Return a past search, and have its variations at hand again.
        """
        search = self.past_search(search_id)
        fresh = {number: at for number, at in self.variations_until.items() if at > now}
        self.variations_until = fresh | {search_id: now + VARIATIONS_KEPT}
        return search

    def has_variations(self, search_id: int, now: datetime) -> bool:
        """
        Tell whether the variations of a search are at hand.
        """
        until = self.variations_until.get(search_id)
        return until is not None and now < until


_SearchT = TypeVar("_SearchT", Search, LongSearch)


def _find(searches: Iterable[_SearchT], search_id: int) -> _SearchT:
    for search in searches:
        if search.id == search_id:
            return search
    raise UnknownNameError(f"no search {search_id}; it may be older than the last {KEPT_SEARCHES}")
