"""
Make up how an account uses its quota: shapes of usage, four months of each.

Made up by the hour; told as the samples that the daemon would have kept.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from monitor.judge.forecast import QuotaSample

if TYPE_CHECKING:
    from random import Random

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LIMIT = 10_000
RAISED_LIMIT = 15_000
N_PERIODS = 4
HOURS_PER_SAMPLE = 3
BURSTS = 8
"""A month, on average; half of what is used comes in them."""


@dataclass
class Period:
    """
    One period of a quota.

    Args:
        judged_from: What was said before counts neither way: nobody foresees an upgrade.
    """

    starts_at: datetime
    ends_at: datetime
    judged_from: datetime
    exhausted_at: datetime | None = None

    @property
    def hours(self) -> list[datetime]:
        count = (self.ends_at - self.starts_at) // HOUR
        return [self.starts_at + number * HOUR for number in range(count)]


@dataclass
class Account:
    """
    What is used of a quota in several periods, and what samples tell of it.

    Args:
        load: What is wanted in a month, as a part of the limit at the start.
        growth: How much more is wanted after the upgrade.
    """

    shape: str
    chance: Random
    load: float
    growth: float
    periods: list[Period]
    upgrade_at: datetime | None = None
    limit: int = LIMIT
    samples: list[QuotaSample] = field(default_factory=list)

    def live(self, period: Period) -> None:
        usual = _usual(self.shape, period)
        scale = self.load * LIMIT / sum(usual) * self.chance.uniform(0.95, 1.05)
        used = 0.0
        wishes = _wishes(self.shape, period, usual, self.chance)
        for number, (at, wish) in enumerate(zip(period.hours, wishes, strict=True), 1):
            amount = wish * scale
            if self.upgrade_at and at >= self.upgrade_at:
                self.limit = RAISED_LIMIT
                amount *= self.growth
            if period.exhausted_at is None and used + amount >= self.limit:
                period.exhausted_at = at + HOUR * ((self.limit - used) / amount)
            used = min(used + amount, self.limit)
            if number % HOURS_PER_SAMPLE == 0 and at + HOUR < period.ends_at:
                left = self.limit - round(used)
                self.samples.append(QuotaSample(at + HOUR, left, self.limit, period.ends_at))


def make_up(shape: str, seed: int) -> Account:
    chance = random.Random(f"{shape} {seed}")
    day = 1 if shape == "month-end" else chance.choice((1, 5, 12, 20))
    starts = [datetime(2026, 6 + number, day, tzinfo=UTC) for number in range(N_PERIODS + 1)]
    periods = [Period(start, end, start) for start, end in pairwise(starts)]
    account = Account(shape, chance, chance.uniform(0.6, 1.6), chance.uniform(1, 2), periods)
    if shape == "upgraded":
        upgraded = periods[chance.randrange(1, 3)]
        length = upgraded.ends_at - upgraded.starts_at
        account.upgrade_at = upgraded.starts_at + chance.uniform(0.2, 0.7) * length
    for period in periods:
        account.live(period)
    if account.upgrade_at:
        account.periods = [each for each in periods if each.ends_at > account.upgrade_at]
        account.periods[0].judged_from = account.upgrade_at
    return account


def _usual(shape: str, period: Period) -> list[float]:
    match shape:
        case "weekday" | "upgraded":
            return [20 * _of_week(at) for at in period.hours]
        case "month-end":
            late = period.ends_at - 5 * DAY
            return [6 * (5 if at >= late else 1) for at in period.hours]
        case _:
            return [10 for _ in period.hours]


def _of_week(at: datetime) -> float:
    saturday = 5
    busy = 1.0 if at.hour in range(7, 19) else 0.1
    return busy * (0.1 if at.weekday() >= saturday else 1.0)


def _wishes(shape: str, period: Period, usual: list[float], chance: Random) -> list[float]:
    if shape == "bursty":
        return _bursts([_noise(each / 2, chance) for each in usual], chance)
    days: dict[int, float] = {}
    return [
        _noise(mean * days.setdefault(at.toordinal(), chance.lognormvariate(-0.03, 0.25)), chance)
        for at, mean in zip(period.hours, usual, strict=True)
    ]


def _noise(mean: float, chance: Random) -> float:
    return max(chance.gauss(mean, math.sqrt(mean)), 0)


def _bursts(wishes: list[float], chance: Random) -> list[float]:
    n_hours = len(wishes)
    half = 5.0 * n_hours
    start = chance.expovariate(BURSTS / n_hours)
    while start < n_hours:
        size, length = chance.expovariate(BURSTS / half), chance.randint(2, 8)
        for hour in range(int(start), min(int(start) + length, n_hours)):
            wishes[hour] += size / length
        start += chance.expovariate(BURSTS / n_hours)
    return wishes
