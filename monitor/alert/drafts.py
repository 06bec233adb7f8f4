"""
Decide what each kind of alert about a connection says.

Pure. The facts of each kind, as `monitor.judge` leaves them:

- `error`, `expired`: reason, detail, since, reason_before, provider (one of all
  concerned); `expired`: renew_url;
  where one `error` speaks for an application: application, n_connections,
  permissions_changed
- `expiring_soon`: step, authorized_at, ends_at, renew_url
- `renewal_unrecorded`: authorized_at, ends_at, connection (the only one)
- `renewed`: authorized_at, ends_at
- `recovered`: reason_before, detail_before, since
- of any kind that lasts: reminder (how often people were reminded, this time included)

What is said of quotas stands in `quota_drafts`, of more than single connections
in `wide_drafts`.
All facts may be missing: then the message says less, and is sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.alert import texts
from monitor.alert.about import About, Draft
from monitor.alert.quota_drafts import QUOTA_WRITERS
from monitor.alert.wide_drafts import WIDE_WRITERS
from monitor.alert.words import (
    explain,
    name_command,
    say_day,
    say_instant,
    say_number,
    say_span,
    say_when,
)
from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import OutcomeClass
from monitor.judge.pairs import ABOUT_NO_CONNECTION
from monitor.judge.reminder import COUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.judge.outcome import Reason


def draft(kind: AlertKind, about: About) -> Draft:
    """
    Return what an alert of *kind* says.
    """
    said = _WRITERS[kind](about)
    n = about.number(COUNT)
    if not n:
        return said
    return _remind(said, n, "" if kind in ABOUT_NO_CONNECTION else texts.REMINDERS_END)


def _remind(said: Draft, n: int, how_to_end: str) -> Draft:
    """
    Say that this was told before, and how to hear no more of it.
    """
    times = texts.REMINDER_TIMES.format(n=say_number(n)) if n > 1 else texts.REMINDER_ONCE
    return replace(
        said,
        headline=texts.REMINDER_TITLE + said.headline,
        headline_of_many=said.headline_of_many and texts.REMINDER_TITLE + said.headline_of_many,
        happened=(texts.REMINDER.format(times=times), how_to_end, *said.happened),
    )


def _write_trouble(about: About, icon: str) -> Draft:
    reason = about.reason("reason")
    provider = about.text("provider")
    text = explain(reason, provider) if reason else texts.UNKNOWN_REASON
    detail, since, before = about.text("detail"), about.instant("since"), _before(about)
    happened = (
        text.meaning,
        texts.SINCE.format(at=say_instant(since), span=say_span(about.now - since))
        if since
        else "",
        texts.DETAIL.format(detail=detail) if detail else "",
        texts.BEFORE.format(before=before) if before else "",
        texts.MAYBE_THEIRS if _is_open(reason) else "",
    )
    headline = texts.TROUBLE_TITLE.format(name=text.name)
    return Draft(icon, headline, happened, text.remedy, text.short)


def _is_open(reason: Reason | None) -> bool:
    return reason is None or reason.outcome_class is OutcomeClass.INCONCLUSIVE


def _write_error(about: About) -> Draft:
    said = _write_trouble(about, "🔴")
    application = about.text("application")
    return _speak_for(application, said, about) if application else said


def _speak_for(application: str, said: Draft, about: About) -> Draft:
    """
    Say that an error is one application's, whichever connections it names.
    """
    n = about.number("n_connections")
    concerned = (
        texts.APPLICATION_CONCERNED_UNCOUNTED.format(application=application)
        if n is None
        else texts.APPLICATION_CONCERNED.format(n=say_number(n), application=application)
    )
    said = replace(said, who=texts.ROTATION_WHO.format(application=application))
    meaning, *others = said.happened
    if about.facts.get("permissions_changed") is True:
        return replace(
            said,
            happened=(meaning, concerned, texts.PERMISSIONS_CHANGED, *others),
            remedy=texts.PERMISSIONS_STEP,
            short=texts.PERMISSIONS_SHORT,
        )
    return replace(said, happened=(meaning, concerned, *others))


def _write_expired(about: About) -> Draft:
    return _with_page(_write_trouble(about, "🟡"), about)


def _with_page(said: Draft, about: About) -> Draft:
    """
    Add the page on which the renewal is made, if the file names one.
    """
    url = about.url("renew_url")
    if not url:
        return said
    remedy = texts.RENEW_PAGE.format(remedy=said.remedy, url=url)
    return replace(said, remedy=remedy, urls=(url,))


def _write_expiring_soon(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    if ends_at is None:
        headline = texts.EXPIRING_TITLE_WITHOUT_DATE
        happened = [texts.EXPIRING_WITHOUT_DATE, texts.EXPIRING_BREAKS]
    elif ends_at <= about.now:
        headline = texts.EXPIRED_MEANWHILE_TITLE
        when = say_when(ends_at, about.now)
        happened = [texts.EXPIRED_MEANWHILE.format(day=say_day(ends_at), when=when)]
    else:
        when = say_when(ends_at, about.now)
        headline = texts.EXPIRING_TITLE.format(when=when)
        ends = texts.EXPIRING.format(day=say_day(ends_at), when=when)
        happened = [ends, texts.EXPIRING_BREAKS]
    said = Draft("🟠", headline, happened, texts.EXPIRING_STEP, texts.EXPIRING_SHORT)
    if about.facts.get("is_of_token") is True:
        said = _of_token(said)
    return _with_page(said, about)


def _of_token(said: Draft) -> Draft:
    """
    Say the same of a token whose service itself says when it ends.
    """
    headline, *happened = (
        text.replace(*texts.TOKEN_INSTEAD) for text in (said.headline, *said.happened)
    )
    return replace(
        said,
        headline=headline,
        happened=happened,
        remedy=texts.OWN_END_STEP,
        short=texts.OWN_END_SHORT,
    )


def _write_renewal_unrecorded(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    happened = (
        texts.UNRECORDED.format(day=say_day(ends_at)) if ends_at else texts.UNRECORDED_WITHOUT_DATE,
        texts.UNRECORDED_MEANS,
    )
    steps = (texts.UNRECORDED_STEP, texts.UNRECORDED_SHORT)
    name = about.text("connection")
    # A name that had to be cleaned would not be found.
    if name and name == about.facts["connection"]:
        steps = (name_command(steps[0], name), name_command(steps[1], name))
    return Draft("🟠", texts.UNRECORDED_TITLE, happened, *steps)


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
    return Draft("🟢", texts.RENEWED_TITLE, happened, texts.RENEWED_STEP, texts.RENEWED_SHORT)


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
        "🟢",
        texts.RECOVERED_TITLE,
        happened,
        texts.RECOVERED_STEP,
        texts.RECOVERED_SHORT,
        texts.RECOVERED_TITLE_OF_MANY,
    )


def _write_test(_: About) -> Draft:
    return Draft("🔔", texts.TEST_TITLE, (texts.TEST,), texts.TEST_STEP, texts.TEST_SHORT)


_WRITERS: dict[AlertKind, Callable[[About], Draft]] = {
    **QUOTA_WRITERS,
    **WIDE_WRITERS,
    AlertKind.ERROR: _write_error,
    AlertKind.EXPIRED: _write_expired,
    AlertKind.RECOVERED: _write_recovered,
    AlertKind.EXPIRING_SOON: _write_expiring_soon,
    AlertKind.RENEWAL_UNRECORDED: _write_renewal_unrecorded,
    AlertKind.RENEWED: _write_renewed,
    AlertKind.TEST: _write_test,
}
