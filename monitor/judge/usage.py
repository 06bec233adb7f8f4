"""
Read from samples of a quota what was used when.

Decides which samples are believed, where a period ended, and what of the time
is known. Foreseeing anything from that is left to `forecast`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

USUAL_PERIOD = timedelta(days=30)
"""The length of a period about which nothing is known."""

LONGEST_PERIOD = timedelta(days=366)
WHOLE = 0.5
"""A bin of which less was seen says nothing about its kind."""

MOST_BINS = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What was left of a quota at one instant.
    """

    at: datetime
    remaining: int
    limit: int
    resets_at: datetime | None

    @property
    def used(self) -> int:
        """
        Return what was used of this period's quota.
        """
        return self.limit - self.remaining


@dataclass(frozen=True, slots=True)
class Usage:
    """
    What was used between two instants of one period.
    """

    starts_at: datetime
    ends_at: datetime
    amount: float
    resets_at: datetime | None


@dataclass(slots=True)
class Bin:
    """
    What was used in one stretch of the past, as far as it was seen.

    Args:
        age: How many bins lie between it and now.
        middle: The instant in its middle.
        covered: The part of it that was seen.
        resets_at: The end of the period that was seen last in it.
        is_over: That period has ended.
    """

    age: int
    middle: datetime
    amount: float = 0.0
    covered: float = 0.0
    resets_at: datetime | None = None
    is_over: bool = False

    @property
    def rate(self) -> float:
        """
        Return what was used, as if all of it had been seen.
        """
        return self.amount / self.covered if self.covered else 0.0

    @property
    def is_whole(self) -> bool:
        """
        Tell whether enough of it was seen.
        """
        return self.covered >= WHOLE

    @property
    def to_reset(self) -> timedelta | None:
        """
        Return how long before the end of its period it lies.
        """
        return None if self.resets_at is None else self.resets_at - self.middle


def starts_period(before: Sample, after: Sample) -> bool:
    """
    Tell whether a period ended between two samples: its reset passed, or much came back.
    """
    if before.resets_at and after.resets_at and before.resets_at <= after.at:
        if after.resets_at > before.resets_at:
            return True
    return before.limit == after.limit and _is_far(after, before)


def _is_far(above: Sample, below: Sample) -> bool:
    return (above.remaining - below.remaining) * 10 > above.limit


def without_glitches(samples: Sequence[Sample]) -> list[Sample]:
    """
    Leave out single samples that neither the one before nor the one after bears out.
    """
    return [
        each
        for number, each in enumerate(samples)
        if not 0 < number < len(samples) - 1
        or not _is_glitch(samples[number - 1], each, samples[number + 1])
    ]


def _is_glitch(before: Sample, each: Sample, after: Sample) -> bool:
    if not before.limit == each.limit == after.limit or before.resets_at != after.resets_at:
        return False
    if _is_far(before, after) or _is_far(after, before):
        return False
    is_above = _is_far(each, before) and _is_far(each, after)
    return is_above or (_is_far(before, each) and _is_far(after, each))


def period_length(samples: Sequence[Sample]) -> timedelta:
    """
    Return how long a period is: from reset to reset, else the longest way to one.
    """
    resets = sorted({each.resets_at for each in samples if each.resets_at})
    between = [after - before for before, after in pairwise(resets)]
    seen = [each.resets_at - each.at for each in samples if each.resets_at]
    lengths = [each for each in (*between[-1:], *seen) if timedelta(0) < each <= LONGEST_PERIOD]
    return max(lengths, default=USUAL_PERIOD)


def read_usage(samples: Sequence[Sample]) -> Iterator[Usage]:
    """
    Yield what was used between samples, wherever that is known.

    It is not known across a change of the limit, for services differ in what
    they do to the count; and not once nothing was left: who knows what would
    have been used.
    """
    for before, after in pairwise(samples):
        if starts_period(before, after):
            reset_at = before.resets_at
            if reset_at is not None and before.at < reset_at < after.at and after.remaining:
                yield Usage(reset_at, after.at, after.used, after.resets_at)
        elif before.limit == after.limit and after.remaining:
            amount = before.remaining - after.remaining
            yield Usage(before.at, after.at, amount, after.resets_at)


def bins_of(samples: Sequence[Sample], now: datetime, step: timedelta) -> list[Bin]:
    """
    Put what was used into bins of length *step* that end *now*, the latest first.
    """
    n_bins = min(-((samples[0].at - now) // step), MOST_BINS)
    bins = [Bin(age, now - (age + 0.5) * step) for age in range(n_bins)]
    current = samples[-1].resets_at
    for usage in read_usage(samples):
        length = usage.ends_at - usage.starts_at
        newest = (now - usage.ends_at) // step
        oldest = -((usage.starts_at - now) // step) - 1
        for one in bins[max(newest, 0) : oldest + 1]:
            starts_at = max(usage.starts_at, one.middle - step / 2)
            shared = min(usage.ends_at, one.middle + step / 2) - starts_at
            if shared > timedelta(0):
                one.amount += usage.amount * (shared / length)
                one.covered += shared / step
                one.resets_at = usage.resets_at
                one.is_over = usage.resets_at != current
    return bins
