"""
Learn which days, hours or parts of a period get more than others, as far as it shows.

Decides how far a difference is believed: the more it exceeds what chance makes
of equal shares, the further (an empirical Bayes estimate). What the groups are
is left to `forecast`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_PER_GROUP = 2
"""Values that a group needs on average before any difference is believed."""


@dataclass(frozen=True, slots=True)
class Shares:
    """
    What each group gets, 1 being the average.

    Args:
        doubt: How far a share may be wrong, as a variance.
    """

    of_group: tuple[float, ...]
    doubt: float = 0.0


def learn_shares(values: Sequence[tuple[int, float]], n_groups: int) -> Shares:
    """
    Return the share of each group; groups without values get the average.

    Args:
        values: Pairs of a group, from 0, and what was seen in it once.
    """
    even = Shares((1.0,) * n_groups)
    groups: list[list[float]] = [[] for _ in range(n_groups)]
    for group, value in values:
        groups[group].append(value)
    filled = [members for members in groups if members]
    if len(filled) < 2 or len(values) < MIN_PER_GROUP * len(filled):  # noqa: PLR2004 - two differ
        return even
    mean = sum(map(_mean, filled)) / len(filled)
    if mean <= 0:
        return even
    chance = _variance_within(filled)
    expected = sum(chance / len(members) for members in filled) / len(filled)
    seen = sum((_mean(each) - mean) ** 2 for each in filled) / (len(filled) - 1)
    real = max(seen - expected, 0.0)
    if real <= 0:
        return even
    believed = [real / (real + chance / len(each)) if each else 0.0 for each in groups]
    shares = (
        max(1 + belief * (_mean(each) / mean - 1), 0.0) if each else 1.0
        for belief, each in zip(believed, groups, strict=True)
    )
    return Shares(tuple(shares), expected * max(believed) / mean**2)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance_within(groups: Sequence[Sequence[float]]) -> float:
    squares = sum((value - _mean(members)) ** 2 for members in groups for value in members)
    return squares / max(sum(map(len, groups)) - len(groups), 1)
