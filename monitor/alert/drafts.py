"""
Decide what each kind of alert about a connection says.

Pure. The facts of each kind, as `monitor.judge` leaves them:

- `error`, `expired`: reason, detail, since, reason_before, provider (one of all
  concerned); `expired`: renew_url, ends_at (unless unknown);
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

from monitor.alert.about import About, Draft
from monitor.alert.quota_drafts import (
    write_limit_changed,
    write_quota_exhausted,
    write_quota_forecast,
    write_quota_low,
    write_quota_restored,
)
from monitor.alert.texts import framing, of_one, reasons, wide
from monitor.alert.wide_drafts import (
    write_channel_failed,
    write_channel_restored,
    write_digest,
    write_flapping,
    write_monitor_offline,
    write_monitor_online,
    write_outage,
    write_outage_over,
    write_resumed,
    write_secret_expiring,
)
from monitor.alert.words import (
    explain,
    name_command,
    say_counted,
    say_day,
    say_instant,
    say_number,
    say_span,
    say_when,
)
from monitor.judge.alerts import ABOUT_NO_CONNECTION, COUNT, AlertKind
from monitor.judge.outcome import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.judge.outcome import Reason


def draft(kind: AlertKind, about: About) -> Draft:
    """
    Return what an alert of *kind* says.
    """
    said = WRITERS[kind](about)
    n = about.number(COUNT)
    if not n:
        return said
    return _remind(said, n, "" if kind in ABOUT_NO_CONNECTION else framing.REMINDERS_END)


def _remind(said: Draft, n: int, how_to_end: str) -> Draft:
    """
    Say that this was told before, and how to hear no more of it.
    """
    times = framing.REMINDER_TIMES.format(n=say_number(n)) if n > 1 else framing.REMINDER_ONCE
    return replace(
        said,
        headline=framing.REMINDER_TITLE + said.headline,
        headline_of_many=said.headline_of_many and framing.REMINDER_TITLE + said.headline_of_many,
        happened=(framing.REMINDER.format(times=times), how_to_end, *said.happened),
    )


def _write_trouble(about: About, icon: str) -> Draft:
    reason = about.reason("reason")
    provider = about.text("provider")
    text = explain(reason, provider) if reason else reasons.UNKNOWN_REASON
    detail, since, before = about.text("detail"), about.instant("since"), _before(about)
    happened = (
        text.meaning,
        framing.SINCE.format(at=say_instant(since), span=say_span(about.now - since))
        if since
        else "",
        framing.DETAIL.format(detail=detail) if detail else "",
        framing.BEFORE.format(before=before) if before else "",
        reasons.MAYBE_THEIRS if _is_open(reason) else "",
    )
    headline = of_one.TROUBLE_TITLE.format(name=text.name)
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
        of_one.APPLICATION_CONCERNED_UNCOUNTED.format(application=application)
        if n is None
        else say_counted(of_one.APPLICATION_CONCERNED, n, application=application)
    )
    said = replace(said, who=wide.ROTATION_WHO.format(application=application))
    meaning, *others = said.happened
    if about.facts.get("permissions_changed") is True:
        return replace(
            said,
            happened=(meaning, concerned, of_one.PERMISSIONS_CHANGED, *others),
            remedy=of_one.PERMISSIONS_STEP,
            short=of_one.PERMISSIONS_SHORT,
        )
    return replace(said, happened=(meaning, concerned, *others))


def _write_expired(about: About) -> Draft:
    said, ends_at = _write_trouble(about, "🟡"), about.instant("ends_at")
    if ends_at is not None:
        # Not since when it is known: that may be much later.
        when = say_when(ends_at, about.now)
        ended = of_one.EXPIRED_MEANWHILE.format(day=say_day(ends_at), when=when)
        meaning, _, *others = said.happened
        said = replace(said, happened=(meaning, ended, *others))
    return _with_page(said, about)


def _with_page(said: Draft, about: About) -> Draft:
    """
    Add the page on which the renewal is made, if the file names one.
    """
    url = about.url("renew_url")
    if not url:
        return said
    remedy = of_one.RENEW_PAGE.format(remedy=said.remedy, url=url)
    return replace(said, remedy=remedy, urls=(url,))


def _write_expiring_soon(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    if ends_at is None:
        headline = of_one.EXPIRING_TITLE_WITHOUT_DATE
        happened = [of_one.EXPIRING_WITHOUT_DATE, of_one.EXPIRING_BREAKS]
    elif ends_at <= about.now:
        headline = of_one.EXPIRED_MEANWHILE_TITLE
        when = say_when(ends_at, about.now)
        happened = [of_one.EXPIRED_MEANWHILE.format(day=say_day(ends_at), when=when)]
    else:
        when = say_when(ends_at, about.now)
        headline = of_one.EXPIRING_TITLE.format(when=when)
        ends = of_one.EXPIRING.format(day=say_day(ends_at), when=when)
        happened = [ends, of_one.EXPIRING_BREAKS]
    said = Draft("🟠", headline, happened, of_one.EXPIRING_STEP, of_one.EXPIRING_SHORT)
    if about.facts.get("is_of_token") is True:
        said = _of_token(said)
    return _with_page(said, about)


def _of_token(said: Draft) -> Draft:
    """
    Say the same of a token whose service itself says when it ends.
    """
    headline, *happened = (
        text.replace(*of_one.TOKEN_INSTEAD) for text in (said.headline, *said.happened)
    )
    return replace(
        said,
        headline=headline,
        happened=happened,
        remedy=of_one.OWN_END_STEP,
        short=of_one.OWN_END_SHORT,
    )


def _write_renewal_unrecorded(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    happened = (
        of_one.UNRECORDED.format(day=say_day(ends_at))
        if ends_at
        else of_one.UNRECORDED_WITHOUT_DATE,
        of_one.UNRECORDED_MEANS,
    )
    steps = (of_one.UNRECORDED_STEP, of_one.UNRECORDED_SHORT)
    name = about.text("connection")
    # A name that had to be cleaned would not be found.
    if name and name == about.facts["connection"]:
        steps = (name_command(steps[0], name), name_command(steps[1], name))
    return Draft("🟠", of_one.UNRECORDED_TITLE, happened, *steps)


def _write_renewed(about: About) -> Draft:
    authorized_at, ends_at = about.instant("authorized_at"), about.instant("ends_at")
    happened = (
        of_one.RENEWED.format(day=say_day(authorized_at))
        if authorized_at
        else of_one.RENEWED_WITHOUT_DATE,
        of_one.RENEWED_UNTIL.format(day=say_day(ends_at), when=say_when(ends_at, about.now))
        if ends_at
        else of_one.RENEWED_WITHOUT_END,
    )
    return Draft("🟢", of_one.RENEWED_TITLE, happened, of_one.RENEWED_STEP, of_one.RENEWED_SHORT)


def _before(about: About) -> str:
    reason = about.reason("reason_before")
    return reasons.REASONS[reason].name if reason else about.text("reason_before")


def _write_recovered(about: About) -> Draft:
    since, before, detail = about.instant("since"), _before(about), about.text("detail_before")
    if before and detail:
        before_line = framing.BEFORE_WITH_DETAIL.format(before=before, detail=detail)
    else:
        before_line = framing.BEFORE.format(before=before) if before else ""
    happened = (
        of_one.RECOVERED,
        framing.FROM_TO.format(at=say_instant(since), span=say_span(about.born_at - since))
        if since
        else "",
        before_line,
    )
    return Draft(
        "🟢",
        of_one.RECOVERED_TITLE,
        happened,
        of_one.RECOVERED_STEP,
        of_one.RECOVERED_SHORT,
        of_one.RECOVERED_TITLE_OF_MANY,
    )


def _write_test(_: About) -> Draft:
    return Draft("🔔", of_one.TEST_TITLE, (of_one.TEST,), of_one.TEST_STEP, of_one.TEST_SHORT)


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    AlertKind.ERROR: _write_error,
    AlertKind.EXPIRED: _write_expired,
    AlertKind.RECOVERED: _write_recovered,
    AlertKind.EXPIRING_SOON: _write_expiring_soon,
    AlertKind.SECRET_EXPIRING: write_secret_expiring,
    AlertKind.RENEWAL_UNRECORDED: _write_renewal_unrecorded,
    AlertKind.RENEWED: _write_renewed,
    AlertKind.QUOTA_LOW: write_quota_low,
    AlertKind.QUOTA_FORECAST: write_quota_forecast,
    AlertKind.QUOTA_EXHAUSTED: write_quota_exhausted,
    AlertKind.QUOTA_RESTORED: write_quota_restored,
    AlertKind.LIMIT_CHANGED: write_limit_changed,
    AlertKind.FLAPPING: write_flapping,
    AlertKind.OUTAGE: write_outage,
    AlertKind.OUTAGE_OVER: write_outage_over,
    AlertKind.MONITOR_OFFLINE: write_monitor_offline,
    AlertKind.MONITOR_ONLINE: write_monitor_online,
    AlertKind.CHANNEL_FAILED: write_channel_failed,
    AlertKind.CHANNEL_RESTORED: write_channel_restored,
    AlertKind.RESUMED: write_resumed,
    AlertKind.DIGEST: write_digest,
    AlertKind.TEST: _write_test,
}
"""What says each kind: a new kind has its line here, its sentences in `texts`."""
