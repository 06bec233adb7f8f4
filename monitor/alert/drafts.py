"""
Decide what each kind of alert says.

Pure. The facts of each kind, as `monitor.judge` leaves them:

- `error`, `expired`: reason, detail, since, reason_before; `expired`: renew_url
- `expiring_soon`: step, authorized_at, ends_at, renew_url
- `renewal_unrecorded`: authorized_at, ends_at
- `renewed`: authorized_at, ends_at
- `recovered`: reason_before, detail_before, since
- `quota_low`, `quota_exhausted`: limit, remaining, resets_at, step
- `quota_forecast`: limit, remaining, resets_at, exhausts_at, earliest, latest
- `quota_restored`: limit, remaining, resets_at
- `limit_changed`: the same and limit_before

All of them may be missing: then the message says less, and is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.alert import texts
from monitor.alert.cleaning import clean
from monitor.alert.words import (
    read_instant,
    say_day,
    say_instant,
    say_number,
    say_span,
    say_when,
)
from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import OutcomeClass, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

DETAIL_LIMIT = 300


@dataclass(frozen=True, slots=True)
class About:
    """
    What an alert knows, read with care: facts are JSON that others stored.
    """

    facts: Mapping[str, Any]
    born_at: datetime
    now: datetime

    def number(self, name: str) -> int | None:
        """
        Return a whole number; None where there is none.
        """
        value = self.facts.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str) -> str:
        """
        Return a text from outside, cleaned.
        """
        value = self.facts.get(name)
        return clean(value, DETAIL_LIMIT) if isinstance(value, str) else ""

    def instant(self, name: str) -> datetime | None:
        """
        Return an instant; None where there is none.
        """
        return read_instant(self.facts.get(name))

    def reason(self, name: str) -> Reason | None:
        """
        Return a reason; None where there is none, or none that is known here.
        """
        value = self.facts.get(name)
        return Reason(value) if isinstance(value, str) and value in set(Reason) else None


@dataclass(frozen=True, slots=True)
class Draft:
    """
    What one kind of alert says; empty lines are left out.

    Args:
        headline: The title, with a place for who is concerned.
        headline_of_many: The same where several are.
    """

    icon: str
    headline: str
    happened: Sequence[str]
    remedy: str
    headline_of_many: str = ""


def draft(kind: AlertKind, about: About) -> Draft:
    """
    Return what an alert of *kind* says.
    """
    return _WRITERS[kind](about)


def _write_trouble(about: About, icon: str) -> Draft:
    reason = about.reason("reason")
    text = texts.REASONS[reason] if reason else texts.UNKNOWN_REASON
    detail, since, before = about.text("detail"), about.instant("since"), _before(about)
    is_open = reason is None or reason.outcome_class is OutcomeClass.INCONCLUSIVE
    happened = (
        text.meaning,
        texts.SINCE.format(at=say_instant(since), span=say_span(about.now - since))
        if since
        else "",
        texts.DETAIL.format(detail=detail) if detail else "",
        texts.BEFORE.format(before=before) if before else "",
        texts.MAYBE_THEIRS if is_open else "",
    )
    return Draft(icon, texts.TROUBLE_TITLE.format(name=text.name), happened, text.remedy)


def _write_error(about: About) -> Draft:
    return _write_trouble(about, "🔴")


def _write_expired(about: About) -> Draft:
    said = _write_trouble(about, "🟡")
    return replace(said, remedy=_with_page(said.remedy, about))


def _with_page(remedy: str, about: About) -> str:
    """
    Add the page on which the renewal is made, if the file names one.
    """
    url = about.text("renew_url")
    return texts.RENEW_PAGE.format(remedy=remedy, url=url) if url else remedy


def _write_expiring_soon(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    remedy = _with_page(texts.EXPIRING_STEP, about)
    if ends_at is None:
        happened = (texts.EXPIRING_WITHOUT_DATE, texts.EXPIRING_BREAKS)
        return Draft("🟠", texts.EXPIRING_TITLE_WITHOUT_DATE, happened, remedy)
    when = say_when(ends_at, about.now)
    if ends_at <= about.now:
        ended = texts.EXPIRED_MEANWHILE.format(day=say_day(ends_at), when=when)
        return Draft("🟠", texts.EXPIRED_MEANWHILE_TITLE, (ended,), remedy)
    happened = (texts.EXPIRING.format(day=say_day(ends_at), when=when), texts.EXPIRING_BREAKS)
    return Draft("🟠", texts.EXPIRING_TITLE.format(when=when), happened, remedy)


def _write_renewal_unrecorded(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    happened = (
        texts.UNRECORDED.format(day=say_day(ends_at)) if ends_at else texts.UNRECORDED_WITHOUT_DATE,
        texts.UNRECORDED_MEANS,
    )
    return Draft("🟠", texts.UNRECORDED_TITLE, happened, texts.UNRECORDED_STEP)


def _write_renewed(about: About) -> Draft:
    authorized_at, ends_at = about.instant("authorized_at"), about.instant("ends_at")
    happened = (
        texts.RENEWED.format(day=say_day(authorized_at))
        if authorized_at
        else texts.RENEWED_WITHOUT_DATE,
        texts.RENEWED_UNTIL.format(day=say_day(ends_at), when=say_when(ends_at, about.now))
        if ends_at
        else texts.RENEWED_WITHOUT_END,
    )
    return Draft("🟢", texts.RENEWED_TITLE, happened, texts.RENEWED_STEP)


def _before(about: About) -> str:
    reason = about.reason("reason_before")
    return texts.REASONS[reason].name if reason else about.text("reason_before")


def _write_recovered(about: About) -> Draft:
    since, before, detail = about.instant("since"), _before(about), about.text("detail_before")
    if before and detail:
        before_line = texts.BEFORE_WITH_DETAIL.format(before=before, detail=detail)
    else:
        before_line = texts.BEFORE.format(before=before) if before else ""
    happened = (
        texts.RECOVERED,
        texts.FROM_TO.format(at=say_instant(since), span=say_span(about.born_at - since))
        if since
        else "",
        before_line,
    )
    return Draft(
        "🟢", texts.RECOVERED_TITLE, happened, texts.RECOVERED_STEP, texts.RECOVERED_TITLE_OF_MANY
    )


def _left(about: About) -> str:
    limit, remaining = about.number("limit"), about.number("remaining")
    if remaining is None:
        return texts.QUOTA_UNKNOWN
    if not limit or limit < 0:
        return texts.QUOTA_LEFT_OF_UNKNOWN.format(remaining=say_number(remaining))
    return texts.QUOTA_LEFT.format(
        remaining=say_number(remaining),
        limit=say_number(limit),
        percent=remaining * 100 // limit,
    )


def _period(about: About) -> str:
    ends_at = about.instant("resets_at")
    if ends_at is None:
        return ""
    if ends_at <= about.now:
        return texts.QUOTA_ENDED.format(at=say_instant(ends_at))
    return texts.QUOTA_ENDS.format(at=say_instant(ends_at), span=say_span(ends_at - about.now))


def _write_quota_low(about: About) -> Draft:
    step = about.number("step")
    happened = (
        texts.QUOTA_LOW.format(step=step) if step is not None else "",
        _left(about),
        texts.QUOTA_LOW_BREAKS,
        _period(about),
    )
    return Draft("🟠", texts.QUOTA_LOW_TITLE, happened, texts.QUOTA_LOW_STEP)


def _write_quota_forecast(about: About) -> Draft:
    at = about.instant("exhausts_at")
    earliest, latest = about.instant("earliest"), about.instant("latest")
    happened = (
        texts.QUOTA_FORECAST.format(day=say_day(at), when=say_when(at, about.now))
        if at
        else texts.QUOTA_FORECAST_WITHOUT_DATE,
        texts.QUOTA_FORECAST_RANGE.format(earliest=say_day(earliest), latest=say_day(latest))
        if earliest and latest and say_day(earliest) != say_day(latest)
        else "",
        _left(about),
        _period(about),
    )
    return Draft("🟠", texts.QUOTA_FORECAST_TITLE, happened, texts.QUOTA_LOW_STEP)


def _write_quota_exhausted(about: About) -> Draft:
    limit = about.number("limit")
    happened = (
        texts.QUOTA_EXHAUSTED_OF.format(limit=say_number(limit))
        if limit
        else texts.QUOTA_EXHAUSTED,
        texts.QUOTA_EXHAUSTED_BREAKS,
        _period(about),
    )
    return Draft("🔴", texts.QUOTA_EXHAUSTED_TITLE, happened, texts.QUOTA_EXHAUSTED_STEP)


def _write_quota_restored(about: About) -> Draft:
    happened = (texts.QUOTA_RESTORED, _left(about), _period(about))
    return Draft("🟢", texts.QUOTA_RESTORED_TITLE, happened, texts.QUOTA_RESTORED_STEP)


def _write_limit_changed(about: About) -> Draft:
    limit, before = about.number("limit"), about.number("limit_before")
    if limit is None or before is None:
        sentence, step = texts.LIMIT_CHANGED, texts.LIMIT_LOWERED_STEP
    elif limit > before:
        sentence, step = texts.LIMIT_RAISED, texts.LIMIT_RAISED_STEP
    else:
        sentence, step = texts.LIMIT_LOWERED, texts.LIMIT_LOWERED_STEP
    if limit is not None and before is not None:
        sentence = sentence.format(before=say_number(before), limit=say_number(limit))
    return Draft("🔵", texts.LIMIT_CHANGED_TITLE, (sentence, _left(about), _period(about)), step)


def _write_test(_: About) -> Draft:
    return Draft("🔔", texts.TEST_TITLE, (texts.TEST,), texts.TEST_STEP)


_WRITERS: dict[AlertKind, Callable[[About], Draft]] = {
    AlertKind.ERROR: _write_error,
    AlertKind.EXPIRED: _write_expired,
    AlertKind.RECOVERED: _write_recovered,
    AlertKind.EXPIRING_SOON: _write_expiring_soon,
    AlertKind.RENEWAL_UNRECORDED: _write_renewal_unrecorded,
    AlertKind.RENEWED: _write_renewed,
    AlertKind.QUOTA_LOW: _write_quota_low,
    AlertKind.QUOTA_FORECAST: _write_quota_forecast,
    AlertKind.QUOTA_EXHAUSTED: _write_quota_exhausted,
    AlertKind.QUOTA_RESTORED: _write_quota_restored,
    AlertKind.LIMIT_CHANGED: _write_limit_changed,
    AlertKind.TEST: _write_test,
}
