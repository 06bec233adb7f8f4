"""
Foresee when a quota runs out: how fast it is used, how that varies, how sure that is.

The method, in short. What was used is put into equal bins (days; hours for
quotas of a few days) that end at this very time of day, so that no time zone
matters. Each bin's usual share of a week, and of a period where earlier periods
are known, is learned only as far as the differences exceed the noise. Freed of
these shares, the recent bins give the level, the newer the heavier. Level times
shares, bin after bin from now on, is the path on which what is left is used up;
how far past bins strayed from it gives the range.

Decides nothing about telling: that is left to `outlook`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import ceil, inf, sqrt
from typing import TYPE_CHECKING

from monitor.judge.shares import Shares, learn_shares
from monitor.judge.usage import Bin, Sample, bins_of, period_length, without_glitches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

BINNED_BY_HOUR_BELOW = timedelta(days=4)
"""Shorter periods have too few days to say anything by days."""

N_PHASES = 10
"""Parts of a period that may have a usual share of their own, such as the month's end."""

MIN_COVERED = 1.0
"""Bins that must have been seen at least, in all, before anything is foreseen."""

SLOW_HALF_LIFE = 30.0
"""After so many bins what was used counts half as much for the level."""

QUICK_HALF_LIFE = 3.0
"""And for the level of late, which counts where it differs by more than chance."""

MIN_PAIRS = 3
"""Neighbouring bins that must be known before any change is believed."""

BELIEF = 6.0
"""How far beyond chance that is: larger is slower to believe."""

RANGE = 1.5
"""Standard deviations on either side: four times in five it lies within."""

FARTHEST = timedelta(days=1000)
"""What lies beyond is as good as never."""

DOUBT = 1.0
"""How widely bins are taken to stray before any were seen, as a variance."""

DOUBT_COUNTS = 3.0
"""Bins that *DOUBT* counts as much as."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    When a quota runs out if it goes on being used as before; None for never within sight.

    Args:
        exhausts_at: The likeliest instant, whether before or after the reset.
        earliest: The range in which it lies four times in five begins here.
        latest: And ends here.
    """

    exhausts_at: datetime | None
    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class _Rate:
    """
    What is used in a bin of average share.

    Args:
        variance: Of single bins around it, relative to it squared.
        weight: How many bins it was learned from.
    """

    level: float
    variance: float
    weight: float


def forecast(samples: Sequence[Sample], now: datetime) -> Forecast | None:
    """
    Return when what the last of *samples* left will be used up; None if that is not known.

    Args:
        samples: Of this period and of earlier ones, the oldest first.
    """
    samples = without_glitches(samples)
    if not samples:
        return None
    last, length = samples[-1], period_length(samples)
    step, n_slots = (HOUR, 24) if length < BINNED_BY_HOUR_BELOW else (DAY, 7)
    bins = bins_of(samples, now, step)
    if sum(each.covered for each in bins) < MIN_COVERED:
        return None
    whole = [(each.age % n_slots, each.rate) for each in bins if each.is_whole]
    slots = learn_shares(whole, n_slots)
    shapes = _Shapes(slots, _learn_phases(bins, slots, length, step), length)
    rate = _learn_rate(bins, shapes)
    return _follow(rate, shapes, last, now, step)


class _Shapes:
    """
    The usual share of any bin, past or to come.
    """

    def __init__(self, slots: Shares, phases: Shares, length: timedelta) -> None:
        self._slots = slots.of_group
        self._phases = phases.of_group
        self.doubt = phases.doubt
        self.length = length

    def of(self, age: int, to_reset: timedelta | None) -> float:
        slot = self._slots[age % len(self._slots)]
        return slot * self._phases[phase_of(to_reset, self.length)]


def phase_of(to_reset: timedelta | None, length: timedelta) -> int:
    """
    Return which part of its period lies *to_reset* before the end; 0 is the last one.
    """
    if to_reset is None:
        return 0
    return min(max(int(to_reset / length * N_PHASES), 0), N_PHASES - 1)


def _learn_phases(bins: Sequence[Bin], slots: Shares, length: timedelta, step: timedelta) -> Shares:
    """
    Return the usual shares of the parts of a period, from periods that were seen whole.
    """
    if step is HOUR:
        return learn_shares((), N_PHASES)  # the hours of the day say the same
    slot_of = slots.of_group
    by_period: dict[datetime, list[Bin]] = {}
    for each in bins:
        if each.resets_at is not None and each.is_whole and each.is_over:
            by_period.setdefault(each.resets_at, []).append(each)
    pairs = []
    for resets_at, members in by_period.items():
        if len(members) * step < length * 0.6:
            continue
        plain = [each.rate / max(slot_of[each.age % len(slot_of)], 0.05) for each in members]
        mean = sum(plain) / len(plain)
        if mean > 0:
            pairs += [
                (phase_of(resets_at - each.middle, length), rate / mean)
                for each, rate in zip(members, plain, strict=True)
            ]
    return learn_shares(pairs, N_PHASES)


def _learn_rate(bins: Sequence[Bin], shapes: _Shapes) -> _Rate:
    """
    Return the level of all that is known, drawn to that of late where it has really changed.
    """
    shares = [shapes.of(each.age, each.to_reset) for each in bins]
    slow, n_slow = _level(bins, shares, SLOW_HALF_LIFE)
    quick, n_quick = _level(bins, shares, QUICK_HALF_LIFE)
    chance = _jumps(bins, shares) * (1 / n_quick - 1 / n_slow)
    gap = (quick - slow) ** 2
    changed = max(1 - BELIEF * chance / gap, 0.0) if gap > 0 else 0.0
    level = slow + changed * (quick - slow)
    variance = _variance(bins, shares, slow)
    return _Rate(level, variance, n_slow + changed * (n_quick - n_slow))


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


def _follow(rate: _Rate, shapes: _Shapes, last: Sample, now: datetime, step: timedelta) -> Forecast:
    """
    Use up what is left on the likely path, and on those at both ends of the range.
    """
    likely: list[float] = []
    early: list[float] = []
    late: list[float] = []
    share = 0.0
    per_phase = shapes.length / step / N_PHASES
    for ahead in range(_n_ahead(last, shapes.length, now, step)):
        middle = now + (ahead + 0.5) * step
        share += shapes.of(-1 - ahead, _to_reset(last.resets_at, middle, shapes.length))
        used = rate.level * share
        doubt = rate.variance * (share + share**2 / rate.weight) + shapes.doubt * share * per_phase
        strays = RANGE * rate.level * sqrt(doubt)
        likely.append(used)
        early.append(used + strays)
        late.append(used - strays)
    ends = (_crossing(path, last.remaining, now, step) for path in (likely, early, late))
    return Forecast(*ends)


def _n_ahead(last: Sample, length: timedelta, now: datetime, step: timedelta) -> int:
    """
    Return how many bins to look ahead: to the end of the period after this one.
    """
    resets_at = last.resets_at if last.resets_at and last.resets_at > now else now + length
    return ceil((resets_at + length - now) / step)


def _to_reset(resets_at: datetime | None, at: datetime, length: timedelta) -> timedelta | None:
    return None if resets_at is None else (resets_at - at) % length


def _crossing(
    path: Sequence[float], remaining: int, now: datetime, step: timedelta
) -> datetime | None:
    """
    Return when *path*, used since *now* at the end of each step, reaches *remaining*.

    Beyond its end it goes on as it went on average.
    """
    before = 0.0
    for ahead, used in enumerate(path):
        if used >= remaining:
            part = (remaining - before) / (used - before) if used > before else 0.0
            return now + (ahead + min(max(part, 0.0), 1.0)) * step
        before = used
    if before <= 0:
        return None
    after = len(path) * (remaining / before)
    return now + after * step if after < FARTHEST / step else None
