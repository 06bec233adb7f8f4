"""
Foresee when a quota runs out: how fast it is used, how that varies, how sure that is.

The method, in short. What was used is put into equal bins (days; hours for
quotas of a few days) that end at this very time of day, so that no time zone
matters. Each bin's usual share of a week, and of a period where earlier periods
are known, is learned only as far as the differences exceed the noise. Freed of
these shares, the recent bins give the level, the newer the heavier. Level times
shares, bin after bin from now on, is the path on which what is left is used up;
how far past bins strayed from it, and what they never fell below, gives the range.

Decides nothing about telling: that is left to `outlook`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil, sqrt
from typing import TYPE_CHECKING

from monitor.judge.level import learn_rate
from monitor.judge.shares import Shares, learn_shares
from monitor.judge.usage import Bin, Sample, bins_of, period_length, without_glitches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.level import Rate

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

BINNED_BY_HOUR_BELOW = timedelta(days=4)
"""Shorter periods have too few days to say anything by days."""

N_PHASES = 10
"""Parts of a period that may have a usual share of their own, such as the month's end."""

MIN_COVERED = 1.0
"""Bins that must have been seen at least, in all, before anything is foreseen."""

RANGE = 1.5
"""Standard deviations on either side: four times in five it lies within."""

FARTHEST = timedelta(days=1000)
"""What lies beyond is as good as never."""


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
    shares = [shapes.of(each.age, each.to_reset) for each in bins]
    rate = learn_rate(bins, shares)
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


def _follow(rate: Rate, shapes: _Shapes, last: Sample, now: datetime, step: timedelta) -> Forecast:
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
        doubt = rate.variance * (share + share**2 / rate.weight) + shapes.doubt * share * per_phase
        likely.append(rate.level * share)
        early.append(rate.level * _stray(share, doubt, rate.least, RANGE))
        late.append(rate.level * _stray(share, doubt, rate.least, -RANGE))
    ends = (_crossing(path, last.remaining, now, step) for path in (likely, early, late))
    return Forecast(*ends)


def _stray(mean: float, variance: float, least: float, deviations: float) -> float:
    """
    Return what is used if it strays so far from its *mean*, up or down.

    Use has no upper end, but a lower one: above the part that is *least* it is
    taken to be distributed by a gamma distribution (Wilson and Hilferty's
    approximation of its quantiles).
    """
    certain = least * mean
    above = mean - certain
    if above <= 0:
        return mean
    part = variance / above**2
    root = max(1 - part / 9 + deviations * sqrt(part) / 3, 0.0)
    used = certain + above * root**3
    return max(used, mean) if deviations > 0 else min(used, mean)


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
