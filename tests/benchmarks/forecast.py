"""
Try the forecast of quotas on made-up usage, against two simpler rules.

`python -m tests.benchmarks forecast [--seeds N] [--first SEED]` prints one line a shape and
rule. Four months are made up for each seed; the rules see what the daemon's samples would have
shown, and are asked every twelve hours.

- right: on how many of the days before a quota ran out the answer named that instant, within a
  day or a fifth of the time that was left (mean over the periods in which it ran out)
- lead: how many days before that an alert was sent, 0 if none was
- missed: in how many of those periods none was sent a day before or sooner
- wolf: in how many of the periods in which it did not run out an alert was sent

All three are told by the same `judge.forecast`; those that know no range are taken at their word.
The constants of `judge.forecast` were chosen looking at seeds below 5000: judge them by others.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

from monitor.judge.forecast import Forecast, Outlook, forecast, judge_forecast, note_sample
from tests.benchmarks.usage import DAY, make_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitor.judge.forecast import QuotaSample
    from tests.benchmarks.usage import Account, Period

    Rule = Callable[[Sequence[QuotaSample], Period, datetime], Forecast | None]

SHAPES = ("steady", "weekday", "bursty", "month-end", "upgraded")
ASKED_EVERY = timedelta(hours=12)
NEAR = 0.2


@dataclass
class Score:
    """
    How one rule did on one shape; a figure a period.
    """

    right: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    wolf: list[bool] = field(default_factory=list)

    @property
    def missed(self) -> float:
        return _mean([each < 1 for each in self.told])


def foresee(samples: Sequence[QuotaSample], _period: Period, now: datetime) -> Forecast | None:
    return forecast(samples, now)


def straight_line(samples: Sequence[QuotaSample], period: Period, now: datetime) -> Forecast | None:
    """
    As much a day as since the period began.
    """
    return _go_on(samples[-1], samples[-1].used / ((now - period.starts_at) / DAY), now)


def last_day(samples: Sequence[QuotaSample], period: Period, now: datetime) -> Forecast | None:
    """
    As much a day as in the last 24 hours.
    """
    since = max(now - DAY, period.starts_at)
    last = samples[-1]
    before = [each.used for each in samples if since - DAY < each.at <= since]
    used = last.used - (before[-1] if before and since > period.starts_at else 0)
    return _go_on(last, used / ((now - since) / DAY), now)


def _go_on(last: QuotaSample, per_day: float, now: datetime) -> Forecast:
    if per_day <= 0:
        return Forecast(None, None, None)
    at = now + min(last.remaining / per_day, 1000) * DAY
    return Forecast(at, at, at)


RULES: dict[str, Rule] = {
    "connwatch": foresee,
    "straight line": straight_line,
    "last day": last_day,
}


def judge(account: Account, rule: Rule, score: Score) -> None:
    outlook = Outlook()
    seen: list[QuotaSample] = []
    coming = iter(account.samples)
    following = next(coming, None)
    for period in account.periods:
        answers: list[tuple[datetime, Forecast | None]] = []
        told_at = None
        now = period.starts_at
        while (now := now + ASKED_EVERY) < (period.exhausted_at or period.ends_at):
            while following and following.at <= now:
                outlook = note_sample(outlook, following)
                seen.append(following)
                following = next(coming, None)
            if now < period.judged_from:
                continue
            answers.append((now, rule(seen, period, now)))
            outlook, alert = judge_forecast(outlook, answers[-1][1], now)
            told_at = told_at or (now if alert else None)
        _count(score, period, answers, told_at)


def _count(
    score: Score,
    period: Period,
    answers: list[tuple[datetime, Forecast | None]],
    told_at: datetime | None,
) -> None:
    end = period.exhausted_at
    if end is None:
        score.wolf.append(told_at is not None)
    elif answers:
        right = sum(_is_right(found, end, at) for at, found in answers)
        score.right.append(right * (ASKED_EVERY / DAY))
        score.told.append((end - told_at) / DAY if told_at else 0.0)


def _is_right(found: Forecast | None, end: datetime, at: datetime) -> bool:
    if found is None or found.exhausts_at is None:
        return False
    return abs(found.exhausts_at - end) <= max(DAY, NEAR * (end - at))


def _mean(figures: Sequence[float]) -> float:
    return mean(figures) if figures else 0.0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks forecast")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=5001)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    chosen = parser.parse_args(arguments)
    print(f"{'shape':<10} {'rule':<14} {'right':>8} {'lead':>8} {'missed':>7} {'wolf':>6}  ran out")
    for shape in chosen.shapes:
        for name, rule in RULES.items():
            score = Score()
            for seed in range(chosen.first, chosen.first + chosen.seeds):
                judge(make_up(shape, seed), rule, score)
            print(
                f"{shape:<10} {name:<14} {_mean(score.right):>6.1f} d {_mean(score.told):>6.1f} d "
                f"{score.missed:>7.0%} {_mean(score.wolf):>6.0%}"
                f"  {len(score.right)} of {len(score.right) + len(score.wolf)}",
                flush=True,
            )
