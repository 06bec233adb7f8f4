"""
Cut long lists of ids into pieces: databases limit the parameters of a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

IDS_PER_QUERY = 500


def in_pieces(ids: Collection[int]) -> Iterator[list[int]]:
    """
    Yield *ids*, in ascending order, in pieces that fit into one statement.
    """
    ordered = sorted(ids)
    for start in range(0, len(ordered), IDS_PER_QUERY):
        yield ordered[start : start + IDS_PER_QUERY]
