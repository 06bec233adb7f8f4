"""Decide what the alerts about a connection's quota say.

Pure. When they are due is decided in `judge.quota`, the sentences stand in `texts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import QuotaUnit
from monitor.notify import texts
from monitor.notify.facts import About, Draft
from monitor.notify.times import format_date
from monitor.notify.words import format_number, format_unit, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


WINDOW_LIMIT = 60


def _left(about: About) -> str:
    """Return how much of a quota is left, and until when."""
    limit, remaining = about.number("limit"), about.number("remaining")
    is_counted = bool(limit) and remaining is not None and (limit or 0) > 0
    forms = (texts.QUOTA_LEFT_OF_UNKNOWN, texts.QUOTA_LEFT_OF_UNKNOWN_UNTIL)
    values = {}
    if remaining is None:
        forms = (texts.QUOTA_UNKNOWN, texts.QUOTA_UNKNOWN_UNTIL)
    else:
        values = {"remaining": format_number(remaining), "unit": _unit(about)}
    if is_counted:
        forms = (texts.QUOTA_LEFT, texts.QUOTA_LEFT_UNTIL)
        values |= {
            "limit": format_number(limit or 0),
            "percent": str((remaining or 0) * 100 // (limit or 1)),
        }
    resets_at = about.instant("resets_at")
    if resets_at is None or resets_at <= about.now:
        return say(forms[0], **values)
    return about.end(say(forms[1], **values), resets_at)


def _unit(about: About) -> str:
    return format_unit(about.text("unit") or QuotaUnit.REQUESTS)


def _window(about: About) -> str:
    """Return which of several windows it is; nothing where there is but one."""
    name = about.text("window", WINDOW_LIMIT)
    return say(texts.QUOTA_WINDOW, window=name) if name else ""


def _overdue(about: About) -> str:
    """Return that a period should be over; nothing where it goes on, or its end is unknown."""
    ends_at = about.instant("resets_at")
    if ends_at is None or ends_at > about.now:
        return ""
    return about.end(texts.QUOTA_OVERDUE, ends_at)


def _write_quota_low(about: About) -> Draft:
    step, limit, remaining = (about.number(name) for name in ("step", "limit", "remaining"))
    is_counted = bool(limit) and remaining is not None
    happened = (
        say(texts.QUOTA_LOW, step=str(step)) if step is not None and not is_counted else "",
        _left(about),
        _window(about),
        _overdue(about),
        say(texts.QUOTA_LOW_BREAKS),
    )
    return Draft(
        "🟠",
        say(texts.QUOTA_LOW_TITLE),
        happened,
        say(texts.QUOTA_LOW_STEP),
        say(texts.QUOTA_LOW_SHORT),
    )


def _write_quota_forecast(about: About) -> Draft:
    exhausts_at = about.instant("exhausts_at")
    if exhausts_at is not None and exhausts_at <= about.now:
        exhausts_at = None  # delivered late: whether it came true is not known here
    headline = say(texts.FORECAST_TITLE_WITHOUT_DATE)
    sentence = say(texts.FORECAST_WITHOUT_DATE)
    if exhausts_at is not None:
        headline = about.dated(texts.FORECAST_TITLE, exhausts_at)
        sentence = about.dated(texts.FORECAST, exhausts_at)
    earliest, latest = (
        at and format_date(at, about.now)
        for at in (about.instant("earliest"), about.instant("latest"))
    )
    between = (
        say(texts.FORECAST_BETWEEN, earliest=earliest, latest=latest)
        if exhausts_at and earliest and latest and earliest != latest
        else ""
    )
    happened = (
        sentence,
        between,
        _left(about),
        _window(about),
        _overdue(about),
        say(texts.QUOTA_LOW_BREAKS),
    )
    return Draft("🟠", headline, happened, say(texts.FORECAST_STEP), say(texts.FORECAST_SHORT))


def _write_quota_exhausted(about: About) -> Draft:
    limit, ends_at = about.number("limit"), about.instant("resets_at")
    happened = (
        say(texts.QUOTA_EXHAUSTED_OF, limit=format_number(limit), unit=_unit(about))
        if limit
        else say(texts.QUOTA_EXHAUSTED),
        about.end(texts.QUOTA_RESETS, ends_at)
        if ends_at is not None and ends_at > about.now
        else _overdue(about),
        _window(about),
        say(texts.QUOTA_EXHAUSTED_BREAKS),
    )
    return Draft(
        "🔴",
        say(texts.QUOTA_EXHAUSTED_TITLE),
        happened,
        say(texts.QUOTA_EXHAUSTED_STEP),
        say(texts.QUOTA_EXHAUSTED_SHORT),
    )


def _write_quota_restored(about: About) -> Draft:
    happened = (say(texts.QUOTA_RESTORED), _left(about), _window(about), _overdue(about))
    step = say(texts.QUOTA_RESTORED_STEP)
    return Draft("🟢", say(texts.QUOTA_RESTORED_TITLE), happened, step, step)


def _write_limit_changed(about: About) -> Draft:
    limit, before = about.number("limit"), about.number("limit_before")
    step, short = say(texts.LIMIT_LOWERED_STEP), say(texts.LIMIT_LOWERED_SHORT)
    sentence = say(texts.LIMIT_CHANGED)
    if limit is not None and before is not None:
        if limit > before:
            step = short = say(texts.NO_ACTION)
        sentence = say(
            texts.LIMIT_RAISED if limit > before else texts.LIMIT_LOWERED,
            before=format_number(before),
            limit=format_number(limit),
            unit=_unit(about),
        )
    happened = (sentence, _left(about), _window(about), _overdue(about))
    return Draft("🔵", say(texts.LIMIT_CHANGED_TITLE), happened, step, short)


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    AlertKind.QUOTA_LOW: _write_quota_low,
    AlertKind.QUOTA_FORECAST: _write_quota_forecast,
    AlertKind.QUOTA_EXHAUSTED: _write_quota_exhausted,
    AlertKind.QUOTA_RESTORED: _write_quota_restored,
    AlertKind.LIMIT_CHANGED: _write_limit_changed,
}
