"""
Find marketplaces that no authorization of their connection can cover, or that stand there twice.

Works on the file's data before it becomes settings, as `cross` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.config.marketplaces import Region, by_country
from monitor.config.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.config.marketplaces import KnownMarketplace
    from monitor.config.translate import Located


def find_wrong_marketplaces(stores: list[tuple[int, dict[str, Any]]]) -> Iterator[Located]:
    """
    Yield the contradictions between the marketplaces and the region of each of *stores*.
    """
    for index, entry in stores:
        codes, region = entry.get("marketplaces"), entry.get("region")
        seen: dict[str, tuple[int, str]] = {}
        for position, code in enumerate(codes if isinstance(codes, list) else []):
            known = by_country(code) if isinstance(code, str) else None
            if known is None:
                continue
            path = ("connections", index, "marketplaces", position)
            if known.id in seen:
                yield path, _is_repeated(code, *seen[known.id])
            elif isinstance(region, str) and region in set(Region) - {known.region}:
                yield path, _is_elsewhere(known, region)
            seen.setdefault(known.id, (position, code))


def _is_repeated(code: str, position: int, first: str) -> str:
    if first == code:
        return f"{quoted(code)} already stands at marketplaces[{position}]"
    return f"{quoted(code)} is the same as {quoted(first)} at marketplaces[{position}]: keep one"


def _is_elsewhere(known: KnownMarketplace, region: str) -> str:
    return (
        f'{known.name} belongs to region "{known.region}", this connection to "{region}": one'
        " authorization opens one region, so the other needs a connection of its own"
    )
