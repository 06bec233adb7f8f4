"""
Learn how much of a quota is used in a usual stretch of time, and how sure that is.

Decides how much newer use weighs, when a change is believed, and how far use
strays. What is usual for a day or an hour is learned in `forecast`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.judge.usage import Bin

SLOW_HALF_LIFE = 30.0
"""After so many bins what was used counts half as much for the level."""

QUICK_HALF_LIFE = 3.0
"""And for the level of late, which counts where it differs by more than chance."""

MIN_PAIRS = 3
"""Neighbouring bins that must be known before any change is believed."""

BELIEF = 6.0
"""How far beyond chance that is: larger is slower to believe."""

DOUBT = 1.0
"""How widely bins are taken to stray before any were seen, as a variance."""

DOUBT_COUNTS = 3.0
"""Bins that *DOUBT* counts as much as."""

FEW = 0.1
"""So many of the bins may fall below what is counted on at the least."""

FEW_BINS = 5
"""Fewer bins show no least use, and so many leave half a doubt of it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """
    What is used in a bin of average share.

    Args:
        variance: Of single bins around it, relative to it squared.
        weight: How many bins it was learned from.
        least: The part of it that hardly any bin falls below.
    """

    level: float
    variance: float
    weight: float
    least: float


def learn_rate(bins: Sequence[Bin], shares: Sequence[float]) -> Rate:
    """
    Return the level of all that is known, drawn to that of late where it has really changed.

    Args:
        shares: The usual share of each of *bins*.
    """
    slow, n_slow = _level(bins, shares, SLOW_HALF_LIFE)
    quick, n_quick = _level(bins, shares, QUICK_HALF_LIFE)
    chance = _jumps(bins, shares) * (1 / n_quick - 1 / n_slow)
    gap = (quick - slow) ** 2
    changed = max(1 - BELIEF * chance / gap, 0.0) if gap > 0 else 0.0
    level = slow + changed * (quick - slow)
    variance = _variance(bins, shares, slow)
    weight = n_slow + changed * (n_quick - n_slow)
    return Rate(level, variance, weight, _least(bins, shares, level))


def _level(bins: Sequence[Bin], shares: Sequence[float], half_life: float) -> tuple[float, float]:
    """
    Return what a bin of average share uses, and how many bins that was learned from.
    """
    weights = [0.5 ** (each.age / half_life) * each.covered for each in bins]
    used = sum(weight * each.rate for weight, each in zip(weights, bins, strict=True))
    expected = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    count = sum(weights) ** 2 / sum(one**2 for one in weights)
    return (max(used / expected, 0.0) if expected > 0 else 0.0), count


def _jumps(bins: Sequence[Bin], shares: Sequence[float]) -> float:
    """
    Return the variance that shows between neighbours: a change of level hardly adds to it.
    """
    plain = [
        each.rate / share
        for each, share in zip(bins, shares, strict=True)
        if each.is_whole and share > 0
    ]
    pairs = [(later - earlier) ** 2 / 2 for later, earlier in pairwise(plain)]
    return sum(pairs) / len(pairs) if len(pairs) >= MIN_PAIRS else inf


def _variance(bins: Sequence[Bin], shares: Sequence[float], level: float) -> float:
    strayed, counted = DOUBT * DOUBT_COUNTS, DOUBT_COUNTS
    for share, each in zip(shares, bins, strict=True):
        if level > 0 and share > 0 and each.is_whole:
            strayed += (each.rate / (level * share) - 1) ** 2 * share
            counted += 1
    return strayed / counted


def _least(bins: Sequence[Bin], shares: Sequence[float], level: float) -> float:
    """
    Return the part of *level* that is used whatever happens.

    Where half of all use comes in bursts, the other half comes every day.
    """
    parts = sorted(
        min(each.rate / (level * share), 1.0)
        for share, each in zip(shares, bins, strict=True)
        if level > 0 and share > 0 and each.is_whole
    )
    if len(parts) < FEW_BINS:
        return 0.0
    return max(parts[int(len(parts) * FEW)], 0.0) * len(parts) / (len(parts) + FEW_BINS)
