"""
Hold the searches of SoldScope that take a while, and what is to be found.

Decides how far a search has come, what it finds, how long variations stay at
hand, and which categories there are. No I/O and no clock: `now` is handed in.
What a search costs is decided in `soldscope`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from monitor.simulator.errors import SimulatorError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

FEWEST_ASINS, MOST_ASINS = 2, 10
MAX_KEYWORD = 200

FINDS_NOTHING = frozenset({"nothing", "B000000000"})
"""The keyword, and the product, that searches find nothing for."""

VARIATIONS_KEPT = timedelta(hours=1)

_ASIN = re.compile(r"[A-Z0-9]{10}", re.ASCII)


class SearchStatus(IntEnum):
    """
    How far a search has come, by SoldScope's numbers.
    """

    STARTED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 13


@dataclass(frozen=True, slots=True)
class LongSearch:
    """
    A search that goes on after it was answered.

    Args:
        subject: The keyword, or the ASINs.
        takes: How long it runs.
    """

    id: int
    subject: tuple[str, ...]
    created_at: datetime
    takes: timedelta

    def progress(self, now: datetime) -> int:
        """
        Return how much is done, in percent.
        """
        if now >= self.created_at + self.takes:
            return 100
        return int((now - self.created_at) / self.takes * 100)

    def status(self, now: datetime) -> SearchStatus:
        """
        Return how far it has come.
        """
        progress = self.progress(now)
        if progress < 100:  # noqa: PLR2004 - percent
            return SearchStatus.RUNNING if progress else SearchStatus.STARTED
        is_vain = set(self.subject) <= FINDS_NOTHING
        return SearchStatus.FAILED if is_vain else SearchStatus.COMPLETED


def read_keyword(keyword: str) -> tuple[str, ...]:
    """
    Return what a keyword search is about, or refuse it.
    """
    keyword = keyword.strip()
    if not keyword or len(keyword) > MAX_KEYWORD:
        raise SimulatorError(f"keyword: 1 to {MAX_KEYWORD} characters")
    return (keyword,)


def read_asins(asins: Sequence[str]) -> tuple[str, ...]:
    """
    Return what a search by products is about, or refuse it.
    """
    if not FEWEST_ASINS <= len(asins) <= MOST_ASINS:
        message = f"asins: {FEWEST_ASINS} to {MOST_ASINS} of them, got {len(asins)}"
        raise SimulatorError(message)
    if not all(_ASIN.fullmatch(asin) for asin in asins):
        raise SimulatorError("asins: each has ten capital letters and digits")
    return tuple(asins)


@dataclass(frozen=True, slots=True)
class Category:
    """
    A category of products.

    Args:
        id: SoldScope's number, which only the path of its children takes.
        node_id: Amazon's number, which only filters take.
    """

    id: int
    node_id: int
    name: str
    parent_id: int | None = None


CATEGORIES = (
    Category(1, 1055398, "Home & Kitchen"),
    Category(2, 3375251, "Sports & Outdoors"),
    Category(3, 1063498, "Kitchen & Dining", 1),
    Category(4, 1063306, "Furniture", 1),
    Category(5, 289814, "Cookware", 3),
    Category(6, 3407731, "Exercise & Fitness", 2),
)


def children_of(category_id: int | None) -> list[Category]:
    """
    Return the categories right below one, or the topmost; refuse an unknown id.
    """
    if category_id is not None and all(each.id != category_id for each in CATEGORIES):
        raise UnknownNameError(f"no category with the id {category_id}")
    return [each for each in CATEGORIES if each.parent_id == category_id]


def is_node(node_id: str) -> bool:
    """
    Tell whether Amazon knows a category by this number.
    """
    return any(str(each.node_id) == node_id for each in CATEGORIES)
