"""
Decide what the alerts about quotas say.

Pure. The facts of each kind; all may be missing:

- `quota_low`, `quota_exhausted`: limit, remaining, resets_at, step
- `quota_restored`: limit, remaining, resets_at
- `limit_changed`: the same and limit_before
- `quota_forecast`: limit, remaining, resets_at, exhausts_at, earliest, latest
- all of them, where a service has several windows: window, unit
"""

from __future__ import annotations

from monitor.alert.about import About, Draft
from monitor.alert.texts import of_quota
from monitor.alert.words import say_day, say_instant, say_number, say_span, say_unit, say_when
from monitor.judge.outcome import QuotaUnit

LONGEST_WINDOW = 60


def _left(about: About) -> str:
    """
    Return how much of a quota is left.
    """
    limit, remaining = about.number("limit"), about.number("remaining")
    if remaining is None:
        return of_quota.QUOTA_UNKNOWN
    unit = _unit(about)
    if not limit or limit < 0:
        return of_quota.QUOTA_LEFT_OF_UNKNOWN.format(remaining=say_number(remaining), unit=unit)
    return of_quota.QUOTA_LEFT.format(
        remaining=say_number(remaining),
        limit=say_number(limit),
        unit=unit,
        percent=remaining * 100 // limit,
    )


def _unit(about: About) -> str:
    return say_unit(about.text("unit") or QuotaUnit.REQUESTS)


def _window(about: About) -> str:
    """
    Return which of several windows it is; nothing where there is but one.
    """
    name = about.text("window", LONGEST_WINDOW)
    return of_quota.QUOTA_WINDOW.format(window=name) if name else ""


def _period(about: About) -> str:
    ends_at = about.instant("resets_at")
    if ends_at is None:
        return ""
    if ends_at <= about.now:
        return of_quota.QUOTA_ENDED.format(at=say_instant(ends_at))
    return of_quota.QUOTA_ENDS.format(at=say_instant(ends_at), span=say_span(ends_at - about.now))


def write_quota_low(about: About) -> Draft:
    """Write a `quota_low` alert."""
    step = about.number("step")
    happened = (
        of_quota.QUOTA_LOW.format(step=step) if step is not None else "",
        _window(about),
        _left(about),
        of_quota.QUOTA_LOW_BREAKS,
        _period(about),
    )
    return Draft(
        "🟠", of_quota.QUOTA_LOW_TITLE, happened, of_quota.QUOTA_LOW_STEP, of_quota.QUOTA_LOW_SHORT
    )


def write_quota_exhausted(about: About) -> Draft:
    """Write a `quota_exhausted` alert."""
    limit = about.number("limit")
    happened = (
        of_quota.QUOTA_EXHAUSTED_OF.format(limit=say_number(limit), unit=_unit(about))
        if limit
        else of_quota.QUOTA_EXHAUSTED,
        _window(about),
        of_quota.QUOTA_EXHAUSTED_BREAKS,
        _period(about),
    )
    return Draft(
        "🔴",
        of_quota.QUOTA_EXHAUSTED_TITLE,
        happened,
        of_quota.QUOTA_EXHAUSTED_STEP,
        of_quota.QUOTA_EXHAUSTED_SHORT,
    )


def write_quota_restored(about: About) -> Draft:
    """Write a `quota_restored` alert."""
    happened = (of_quota.QUOTA_RESTORED, _window(about), _left(about), _period(about))
    return Draft(
        "🟢",
        of_quota.QUOTA_RESTORED_TITLE,
        happened,
        of_quota.QUOTA_RESTORED_STEP,
        of_quota.QUOTA_RESTORED_SHORT,
    )


def write_limit_changed(about: About) -> Draft:
    """Write a `limit_changed` alert."""
    limit, before = about.number("limit"), about.number("limit_before")
    step, short = of_quota.LIMIT_LOWERED_STEP, of_quota.LIMIT_LOWERED_SHORT
    if limit is None or before is None:
        sentence = of_quota.LIMIT_CHANGED
    elif limit > before:
        sentence = of_quota.LIMIT_RAISED
        step, short = of_quota.LIMIT_RAISED_STEP, of_quota.LIMIT_RAISED_SHORT
    else:
        sentence = of_quota.LIMIT_LOWERED
    if limit is not None and before is not None:
        sentence = sentence.format(
            before=say_number(before), limit=say_number(limit), unit=_unit(about)
        )
    happened = (sentence, _window(about), _left(about), _period(about))
    return Draft("🔵", of_quota.LIMIT_CHANGED_TITLE, happened, step, short)


def write_quota_forecast(about: About) -> Draft:
    """Write a `quota_forecast` alert."""
    exhausts_at = about.instant("exhausts_at")
    if exhausts_at is not None and exhausts_at <= about.now:
        exhausts_at = None  # told late: whether it came true is not known here
    headline, sentence = of_quota.FORECAST_TITLE_WITHOUT_DATE, of_quota.FORECAST_WITHOUT_DATE
    if exhausts_at is not None:
        day, when = say_day(exhausts_at), say_when(exhausts_at, about.now)
        headline = of_quota.FORECAST_TITLE.format(when=when)
        resets_at = about.instant("resets_at")
        sentence = (
            of_quota.FORECAST_WITHOUT_END.format(day=day, when=when)
            if resets_at is None
            else of_quota.FORECAST.format(day=day, when=when, at=say_instant(resets_at))
        )
    earliest, latest = about.instant("earliest"), about.instant("latest")
    between = (
        of_quota.FORECAST_BETWEEN.format(earliest=say_day(earliest), latest=say_day(latest))
        if exhausts_at and earliest and latest and say_day(earliest) != say_day(latest)
        else ""
    )
    happened = (sentence, between, _window(about), _left(about), of_quota.QUOTA_LOW_BREAKS)
    return Draft("🟠", headline, happened, of_quota.FORECAST_STEP, of_quota.FORECAST_SHORT)
