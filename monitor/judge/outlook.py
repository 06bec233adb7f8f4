"""
Judge what is foreseen of a quota: what to note, when to look ahead, when to tell.

Decides which samples are worth keeping and whether a forecast is told. How the
future is foreseen is decided in `forecast`, who else is meant in `account`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertDue, AlertKind
from monitor.judge.quota import is_same_reset
from monitor.judge.usage import Sample, starts_period

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.forecast import Forecast
    from monitor.judge.quota import Quota
    from monitor.judge.rules import Rules

KEEP_CHANGED_AFTER = timedelta(hours=1)
KEEP_UNCHANGED_AFTER = timedelta(hours=6)
KEEP_MUCH_AFTER = timedelta(minutes=15)
MUCH = 50
"""A change of one part in so many of the limit is noted sooner."""

LOOK_AHEAD_AFTER = timedelta(hours=6)
"""A forecast looks at a hundred days: it is not made with every sample."""

MARGIN = 0.05
"""A close call is not told: the range must end so much of the time before the reset."""

CLEARLY_WORSE = 0.5
"""It is told again when so much of the time that was foreseen is gone at once."""

MIN_WORSE = 0.03
"""And when that is at least this part of the time to the reset."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    What was noted of one connection's quota, what is foreseen, and what was told of that.

    Args:
        window: Which of several windows it is about.
        sample: The last sample that was kept.
        foreseen_at: When *forecast* was made, which is None where nothing is known.
        foreseen_remaining: What was left then.
        told: When it would run out, as it was told in this period.
    """

    window: str = ""
    sample: Sample | None = None
    foreseen_at: datetime | None = None
    foreseen_remaining: int | None = None
    forecast: Forecast | None = None
    told: datetime | None = None

    def shown(self, now: datetime) -> Forecast | None:
        """
        Return the forecast, unless its period has ended or nothing is left.
        """
        if self.sample is None or self.sample.remaining == 0:
            return None
        resets_at = self.sample.resets_at
        return None if resets_at is not None and resets_at <= now else self.forecast


def take_sample(previous: Outlook, quota: Quota, rules: Rules, now: datetime) -> Sample | None:
    """
    Return what is worth noting of *quota*, which was just read; None if nothing is.

    What changed much is noted soon, what did not change, seldom.
    """
    known = quota.shown
    if quota.seen_at != now or quota.is_payment_required or not quota.decides(rules):
        return None
    if not known.limit or known.remaining is None:
        return None
    last = previous.sample
    resets_at = known.resets_at or quota.known.resets_at
    if last is not None and is_same_reset(last.resets_at, resets_at):
        resets_at = last.resets_at  # what is learned of a period needs one name for it
    sample = Sample(now, min(known.remaining, known.limit), known.limit, resets_at)
    if last is None or last.limit != sample.limit or starts_period(last, sample):
        return sample
    change = abs(last.remaining - sample.remaining)
    if change * MUCH >= sample.limit or (change and not sample.remaining):
        patience = KEEP_MUCH_AFTER
    else:
        patience = KEEP_CHANGED_AFTER if change else KEEP_UNCHANGED_AFTER
    return sample if sample.at - last.at >= patience else None


def note_sample(previous: Outlook, sample: Sample) -> Outlook:
    """
    Return what is known after *sample*; a new period or limit begins untold.
    """
    last = previous.sample
    if last is None or last.limit != sample.limit or starts_period(last, sample):
        return Outlook(previous.window, sample)
    return replace(previous, sample=sample)


def should_look_ahead(outlook: Outlook) -> bool:
    """
    Tell whether the last sample deserves a new forecast.
    """
    sample = outlook.sample
    if sample is None or not sample.remaining:
        return False
    if outlook.foreseen_at is None or outlook.foreseen_remaining is None:
        return True
    change = abs(outlook.foreseen_remaining - sample.remaining)
    is_old = sample.at - outlook.foreseen_at >= LOOK_AHEAD_AFTER
    return is_old or change * MUCH >= sample.limit


def judge_forecast(
    previous: Outlook, forecast: Forecast | None, now: datetime
) -> tuple[Outlook, AlertDue | None]:
    """
    Take in a new *forecast*, and say whether people must be told.

    They are when the quota runs out well before its reset even at the late end
    of the range: once a period, and again only when it gets clearly worse.
    """
    sample = previous.sample
    assert sample is not None
    outlook = replace(
        previous, foreseen_at=now, foreseen_remaining=sample.remaining, forecast=forecast
    )
    resets_at = sample.resets_at
    if forecast is None or resets_at is None or not is_short(forecast, resets_at, now):
        return outlook, None
    assert forecast.exhausts_at is not None
    if outlook.told is not None and not is_clearly_worse(
        forecast.exhausts_at, outlook.told, resets_at, now
    ):
        return outlook, None
    return replace(outlook, told=forecast.exhausts_at), _alert(sample, forecast)


def is_short(forecast: Forecast, resets_at: datetime, now: datetime) -> bool:
    """
    Tell whether it runs out before *resets_at* in all likelihood.
    """
    if forecast.latest is None:
        return False
    return resets_at - forecast.latest > (resets_at - now) * MARGIN


def is_clearly_worse(
    exhausts_at: datetime, told: datetime, resets_at: datetime, now: datetime
) -> bool:
    """
    Tell whether it runs out so much sooner than was told that it must be told again.
    """
    worse = told - exhausts_at
    return worse >= (told - now) * CLEARLY_WORSE and worse >= (resets_at - now) * MIN_WORSE


def _alert(sample: Sample, forecast: Forecast) -> AlertDue:
    instants = {
        "exhausts_at": forecast.exhausts_at,
        "earliest": forecast.earliest,
        "latest": forecast.latest,
        "resets_at": sample.resets_at,
    }
    facts = {name: at and at.isoformat() for name, at in instants.items()}
    return AlertDue.of(
        AlertKind.QUOTA_FORECAST, **facts, limit=sample.limit, remaining=sample.remaining
    )
