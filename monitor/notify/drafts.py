"""Decide what each kind of alert says.

Pure. The facts of each kind, as `monitor.judge` leaves them; they are JSON that others stored,
perhaps another version of this program, so all may be missing: then the message says less, and is
sent.

- `error`, `expired`: reason, detail, since, reason_before, provider (one of all
  concerned); `expired`: renew_url, ends_at (unless unknown);
  where one `error` speaks for an application: application, n_connections,
  permissions_changed
- `expiring_soon`: step, authorized_at, ends_at, renew_url
- `renewal_unrecorded`: authorized_at, ends_at, connection (the only one)
- `renewed`: authorized_at, ends_at
- `recovered`: reason_before, detail_before, since
- `quota_low`, `quota_exhausted`: limit, remaining, resets_at, step
- `quota_restored`: limit, remaining, resets_at; `limit_changed`: the same and limit_before
- `quota_forecast`: limit, remaining, resets_at, exhausts_at, earliest, latest
- all five, where a service has several windows: window, unit
- `secret_expiring`: step, ends_at, application, n_connections
- `flapping`: n (changes), window (seconds)
- `outage`: host, n_failing, n_total, reason, since
- `outage_over`: host, since, until, n (connections that were concerned)
- `monitor_offline`: since, n_hosts; `monitor_online`: since, until, n_missed (checks)
- `channel_failed`: channel, error, since; `channel_restored`: channel, since
- `resumed`: since (when it had stopped), n_missed (checks), n_changed, lines (a text for each)
- `digest`: n_active, n_error, n_expired, n_pending, n_paused, n_exhausted,
  n_expiring_soon, next_to_end (a list of objects with name and ends_at)
- of any kind that lasts: reminder (how often people were reminded, this time included)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import ABOUT_NO_CONNECTION, REMINDER_COUNT, AlertKind
from monitor.judge.outcome import OutcomeClass, QuotaUnit, Reason
from monitor.notify import reasons, texts
from monitor.notify.words import (
    clean,
    clean_url,
    describe_span,
    explain,
    format_counted,
    format_day,
    format_instant,
    format_number,
    format_span,
    format_unit,
    format_when,
    name_command,
    read_instant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime


DETAIL_LIMIT = 300
WHO_LIMIT = 60
WINDOW_LIMIT = 60
MOST_LINES = 20
_LONGEST_WINDOW_S = 366 * 24 * 3600


@dataclass(frozen=True, slots=True)
class About:
    """What an alert knows."""

    facts: Mapping[str, Any]
    born_at: datetime
    now: datetime

    def number(self, name: str) -> int | None:
        """Return a whole number; None where there is none."""
        value = self.facts.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str, limit: int = DETAIL_LIMIT) -> str:
        """Return a text from outside, cleaned."""
        value = self.facts.get(name)
        return clean(value, limit) if isinstance(value, str) else ""

    def url(self, name: str) -> str:
        """Return an address that readers can follow; empty where there is none."""
        value = self.facts.get(name)
        return clean_url(value) if isinstance(value, str) else ""

    def instant(self, name: str) -> datetime | None:
        """Return an instant; None where there is none."""
        return read_instant(self.facts.get(name))

    def reason(self, name: str) -> Reason | None:
        """Return a reason; None where there is none, or none that is known here."""
        value = self.facts.get(name)
        return Reason(value) if isinstance(value, str) and value in set(Reason) else None

    def items(self, name: str) -> list[Any]:
        """Return a list; an empty one where there is none."""
        value = self.facts.get(name)
        return list(value) if isinstance(value, list | tuple) else []


@dataclass(frozen=True, slots=True)
class Draft:
    """What one kind of alert says; empty lines are left out.

    Args:
        headline: The title, with a place for who is concerned.
        short: The next step in the few words of a text message.
        headline_of_many: The headline where several are concerned.
        who: What is concerned, where it is not connections.
        urls: Addresses in the text that readers shall be able to follow.
        label: The heading of *lines*.
        lines: A list below what happened.
        more: What is missing at its end.
    """

    icon: str
    headline: str
    happened: Sequence[str]
    remedy: str
    short: str
    headline_of_many: str = ""
    who: str = ""
    urls: tuple[str, ...] = ()
    label: str = ""
    lines: tuple[str, ...] = ()
    more: str = ""


def _dated(text: str, at: datetime, now: datetime) -> str:
    """Return *text* with the day of *at* and how far away that is."""
    return text.format(day=format_day(at), when=format_when(at, now))


# --- quotas


def _left(about: About) -> str:
    """Return how much of a quota is left."""
    limit, remaining = about.number("limit"), about.number("remaining")
    if remaining is None:
        return texts.QUOTA_UNKNOWN
    unit = _unit(about)
    if not limit or limit < 0:
        return texts.QUOTA_LEFT_OF_UNKNOWN.format(remaining=format_number(remaining), unit=unit)
    return texts.QUOTA_LEFT.format(
        remaining=format_number(remaining),
        limit=format_number(limit),
        unit=unit,
        percent=remaining * 100 // limit,
    )


def _unit(about: About) -> str:
    return format_unit(about.text("unit") or QuotaUnit.REQUESTS)


def _window(about: About) -> str:
    """Return which of several windows it is; nothing where there is but one."""
    name = about.text("window", WINDOW_LIMIT)
    return texts.QUOTA_WINDOW.format(window=name) if name else ""


def _period(about: About) -> str:
    ends_at = about.instant("resets_at")
    if ends_at is None:
        return ""
    if ends_at <= about.now:
        return texts.QUOTA_ENDED.format(at=format_instant(ends_at))
    return texts.QUOTA_ENDS.format(
        at=format_instant(ends_at), span=format_span(ends_at - about.now)
    )


def _write_quota_low(about: About) -> Draft:
    step = about.number("step")
    happened = (
        texts.QUOTA_LOW.format(step=step) if step is not None else "",
        _window(about),
        _left(about),
        texts.QUOTA_LOW_BREAKS,
        _period(about),
    )
    return Draft("🟠", texts.QUOTA_LOW_TITLE, happened, texts.QUOTA_LOW_STEP, texts.QUOTA_LOW_SHORT)


def _write_quota_exhausted(about: About) -> Draft:
    limit = about.number("limit")
    happened = (
        texts.QUOTA_EXHAUSTED_OF.format(limit=format_number(limit), unit=_unit(about))
        if limit
        else texts.QUOTA_EXHAUSTED,
        _window(about),
        texts.QUOTA_EXHAUSTED_BREAKS,
        _period(about),
    )
    return Draft(
        "🔴",
        texts.QUOTA_EXHAUSTED_TITLE,
        happened,
        texts.QUOTA_EXHAUSTED_STEP,
        texts.QUOTA_EXHAUSTED_SHORT,
    )


def _write_quota_restored(about: About) -> Draft:
    happened = (texts.QUOTA_RESTORED, _window(about), _left(about), _period(about))
    return Draft(
        "🟢",
        texts.QUOTA_RESTORED_TITLE,
        happened,
        texts.QUOTA_RESTORED_STEP,
        texts.QUOTA_RESTORED_SHORT,
    )


def _write_limit_changed(about: About) -> Draft:
    limit, before = about.number("limit"), about.number("limit_before")
    step, short = texts.LIMIT_LOWERED_STEP, texts.LIMIT_LOWERED_SHORT
    if limit is None or before is None:
        sentence = texts.LIMIT_CHANGED
    elif limit > before:
        sentence = texts.LIMIT_RAISED
        step, short = texts.LIMIT_RAISED_STEP, texts.LIMIT_RAISED_SHORT
    else:
        sentence = texts.LIMIT_LOWERED
    if limit is not None and before is not None:
        sentence = sentence.format(
            before=format_number(before), limit=format_number(limit), unit=_unit(about)
        )
    happened = (sentence, _window(about), _left(about), _period(about))
    return Draft("🔵", texts.LIMIT_CHANGED_TITLE, happened, step, short)


def _write_quota_forecast(about: About) -> Draft:
    exhausts_at = about.instant("exhausts_at")
    if exhausts_at is not None and exhausts_at <= about.now:
        exhausts_at = None  # told late: whether it came true is not known here
    headline, sentence = texts.FORECAST_TITLE_WITHOUT_DATE, texts.FORECAST_WITHOUT_DATE
    if exhausts_at is not None:
        day, when = format_day(exhausts_at), format_when(exhausts_at, about.now)
        headline = texts.FORECAST_TITLE.format(when=when)
        resets_at = about.instant("resets_at")
        sentence = (
            texts.FORECAST_WITHOUT_END.format(day=day, when=when)
            if resets_at is None
            else texts.FORECAST.format(day=day, when=when, at=format_instant(resets_at))
        )
    earliest, latest = about.instant("earliest"), about.instant("latest")
    between = (
        texts.FORECAST_BETWEEN.format(earliest=format_day(earliest), latest=format_day(latest))
        if exhausts_at and earliest and latest and format_day(earliest) != format_day(latest)
        else ""
    )
    happened = (sentence, between, _window(about), _left(about), texts.QUOTA_LOW_BREAKS)
    return Draft("🟠", headline, happened, texts.FORECAST_STEP, texts.FORECAST_SHORT)


# --- more than single connections


def _since(about: About) -> str:
    return describe_span(texts.SINCE, about.instant("since"), about.now)


def _write_secret_expiring(about: About) -> Draft:
    ends_at, application = about.instant("ends_at"), about.text("application", WHO_LIMIT)
    if ends_at is None:
        headline = texts.ROTATION_EXPIRING_TITLE_WITHOUT_DATE
        sentence = texts.ROTATION_EXPIRING_WITHOUT_DATE
    else:
        is_over = ends_at <= about.now
        headline = (
            texts.ROTATION_ENDED_TITLE
            if is_over
            else _dated(texts.ROTATION_EXPIRING_TITLE, ends_at, about.now)
        )
        sentence = texts.ROTATION_ENDED if is_over else texts.ROTATION_EXPIRING
        sentence = _dated(sentence, ends_at, about.now)
    who = (
        texts.ROTATION_WHO.format(application=application)
        if application
        else texts.ROTATION_WHO_UNKNOWN
    )
    n = about.number("n_connections")
    stores = (
        texts.ROTATION_STORES_UNCOUNTED if n is None else format_counted(texts.ROTATION_STORES, n)
    )
    happened = (sentence, texts.ROTATION_BREAKS.format(stores=stores))
    return Draft("🟠", headline, happened, texts.ROTATION_STEP, texts.ROTATION_SHORT, who=who)


def _write_flapping(about: About) -> Draft:
    n, window = about.number("n"), about.number("window")
    is_counted = n is not None and window is not None and 0 < window <= _LONGEST_WINDOW_S
    changes = (
        texts.FLAPPING.format(
            n=format_number(n or 0), span=format_span(timedelta(seconds=window or 0))
        )
        if is_counted
        else texts.FLAPPING_UNCOUNTED
    )
    return Draft(
        "🟠",
        texts.FLAPPING_TITLE,
        (changes, texts.FLAPPING_HELD),
        texts.FLAPPING_STEP,
        texts.FLAPPING_SHORT,
        texts.FLAPPING_TITLE_OF_MANY,
    )


def _host(about: About) -> str:
    return about.text("host", WHO_LIMIT) or texts.OUTAGE_WHO_UNKNOWN


def _write_outage(about: About) -> Draft:
    n, total, reason = about.number("n_failing"), about.number("n_total"), about.reason("reason")
    headline, sentence = texts.OUTAGE_TITLE, texts.OUTAGE_UNCOUNTED
    if n is not None and total is not None:
        counted = {"n": format_number(n), "total": format_number(total)}
        headline = texts.OUTAGE_TITLE_COUNTED.format(**counted)
        named = reasons.REASONS[reason] if reason else reasons.UNKNOWN_REASON
        sentence = texts.OUTAGE.format(**counted, reason=named.name)
    return Draft(
        "🔴",
        headline,
        (sentence, _since(about), texts.OUTAGE_MEANS),
        texts.OUTAGE_STEP,
        texts.OUTAGE_SHORT,
        who=_host(about),
    )


def _write_outage_over(about: About) -> Draft:
    n = about.number("n")
    until = about.instant("until") or about.born_at
    lasted = describe_span(texts.OUTAGE_LASTED, about.instant("since"), until)
    concerned = format_counted(texts.OUTAGE_CONCERNED, n) if n is not None else ""
    return Draft(
        "🟢",
        texts.OUTAGE_OVER_TITLE,
        (texts.OUTAGE_OVER, lasted, concerned),
        texts.OUTAGE_OVER_STEP,
        texts.OUTAGE_OVER_SHORT,
        who=_host(about),
    )


def _write_monitor_offline(about: About) -> Draft:
    n = about.number("n_hosts")
    sentence = texts.OFFLINE if n is None else format_counted(texts.OFFLINE_COUNTED, n)
    happened = (sentence, _since(about), texts.OFFLINE_MEANS)
    return Draft("🔴", texts.OFFLINE_TITLE, happened, texts.OFFLINE_STEP, texts.OFFLINE_SHORT)


def _write_monitor_online(about: About) -> Draft:
    n = about.number("n_missed")
    until = about.instant("until") or about.born_at
    between = describe_span(texts.ONLINE_BETWEEN, about.instant("since"), until)
    missed = format_counted(texts.ONLINE_MISSED, n) if n is not None else ""
    happened = (texts.ONLINE, between, missed)
    return Draft("🟢", texts.ONLINE_TITLE, happened, texts.ONLINE_STEP, texts.ONLINE_SHORT)


def _channel(about: About) -> str:
    name = about.text("channel", WHO_LIMIT)
    return texts.CHANNEL_WHO.format(channel=name) if name else texts.CHANNEL_WHO_UNKNOWN


def _write_channel_failed(about: About) -> Draft:
    error = about.text("error")
    detail = texts.DETAIL.format(detail=error) if error else ""
    return Draft(
        "🔴",
        texts.CHANNEL_FAILED_TITLE,
        (texts.CHANNEL_FAILED, _since(about), detail, texts.CHANNEL_FAILED_BREAKS),
        texts.CHANNEL_FAILED_STEP,
        texts.CHANNEL_FAILED_SHORT,
        who=_channel(about),
    )


def _write_channel_restored(about: About) -> Draft:
    lasted = describe_span(texts.FROM_TO, about.instant("since"), about.born_at)
    return Draft(
        "🟢",
        texts.CHANNEL_RESTORED_TITLE,
        (texts.CHANNEL_RESTORED, lasted),
        texts.CHANNEL_RESTORED_STEP,
        texts.CHANNEL_RESTORED_SHORT,
        who=_channel(about),
    )


def _write_resumed(about: About) -> Draft:
    n = about.number("n_changed")
    lines = [clean(line, DETAIL_LIMIT) for line in about.items("lines") if isinstance(line, str)]
    n_more = (len(lines) if n is None else n) - MOST_LINES
    stopped = describe_span(texts.RESUMED_SINCE, about.instant("since"), about.now)
    n_missed = about.number("n_missed")
    missed = format_counted(texts.RESUMED_MISSED, n_missed) if n_missed else ""
    changed = format_counted(texts.RESUMED_CHANGED, n) if n else ""
    return Draft(
        "🔵",
        texts.RESUMED_TITLE,
        (texts.RESUMED, stopped, missed),
        texts.RESUMED_STEP,
        texts.RESUMED_SHORT,
        label=changed.rstrip(":") or texts.LISTED,
        lines=tuple(lines[:MOST_LINES]),
        more=texts.AND_MORE.format(n=format_number(n_more)) if n_more > 0 else "",
    )


def _write_digest(about: About) -> Draft:
    counts = {name: about.number(name) or 0 for name in texts.DIGEST_COUNTS}
    # What is out of quota or expiring soon is counted by its state as well.
    n_total = sum(n for name, n in counts.items() if name not in {"n_exhausted", "n_expiring_soon"})
    n_broken = counts["n_error"] + counts["n_expired"] + counts["n_exhausted"]
    said = ", ".join(
        text.format(n=format_number(counts[name]))
        for name, text in texts.DIGEST_COUNTS.items()
        if counts[name] or name == "n_active"
    )
    lines = tuple(
        texts.DIGEST_NEXT_LINE.format(
            name=name, day=format_day(at), when=format_when(at, about.now)
        )
        for name, at in _next_to_end(about)
    )
    if n_broken:
        headline = format_counted(texts.DIGEST_TITLE, n_broken, total=format_number(n_total))
        headline = texts.DIGEST_TITLE_OF_ONE if n_total == 1 else headline
        sentence, step = texts.DIGEST_NOT_FINE, texts.DIGEST_STEP_BROKEN
        short = texts.DIGEST_SHORT_BROKEN
    else:
        headline = texts.DIGEST_TITLE_FINE.format(n=format_number(counts["n_active"]))
        sentence, step, short = texts.DIGEST_FINE, texts.DIGEST_STEP, texts.DIGEST_SHORT
    happened = (sentence.format(counts=said),)
    icon = "🔴" if n_broken else "🟢"
    return Draft(icon, headline, happened, step, short, label=texts.DIGEST_NEXT, lines=lines)


def _next_to_end(about: About) -> Iterator[tuple[str, datetime]]:
    for item in about.items("next_to_end")[:MOST_LINES]:
        name, at = (item.get("name"), item.get("ends_at")) if isinstance(item, dict) else ("", None)
        ends_at = read_instant(at)
        if isinstance(name, str) and name and ends_at is not None:
            yield clean(name, WHO_LIMIT), ends_at


# --- single connections


def draft(kind: AlertKind, about: About) -> Draft:
    """Return what an alert of *kind* says."""
    said = WRITERS[kind](about)
    n = about.number(REMINDER_COUNT)
    if not n:
        return said
    return _remind(said, n, "" if kind in ABOUT_NO_CONNECTION else texts.REMINDERS_END)


def _remind(said: Draft, n: int, how_to_end: str) -> Draft:
    """Say that this was told before, and how to hear no more of it."""
    times = texts.REMINDER_TIMES.format(n=format_number(n)) if n > 1 else texts.REMINDER_ONCE
    return replace(
        said,
        headline=texts.REMINDER_TITLE + said.headline,
        headline_of_many=said.headline_of_many and texts.REMINDER_TITLE + said.headline_of_many,
        happened=(texts.REMINDER.format(times=times), how_to_end, *said.happened),
    )


def _write_problem(about: About, icon: str) -> Draft:
    reason = about.reason("reason")
    provider = about.text("provider")
    text = explain(reason, provider) if reason else reasons.UNKNOWN_REASON
    detail, before = about.text("detail"), _before(about)
    is_open = reason is None or reason.outcome_class is OutcomeClass.INCONCLUSIVE
    happened = (
        text.meaning,
        _since(about),
        texts.DETAIL.format(detail=detail) if detail else "",
        texts.BEFORE.format(before=before) if before else "",
        reasons.MAYBE_THEIRS if is_open else "",
    )
    headline = texts.TROUBLE_TITLE.format(name=text.name)
    return Draft(icon, headline, happened, text.remedy, text.short)


def _write_error(about: About) -> Draft:
    said = _write_problem(about, "🔴")
    application = about.text("application")
    return _speak_for(application, said, about) if application else said


def _speak_for(application: str, said: Draft, about: About) -> Draft:
    """Say that an error is one application's, whichever connections it names."""
    n = about.number("n_connections")
    concerned = (
        texts.APPLICATION_CONCERNED_UNCOUNTED.format(application=application)
        if n is None
        else format_counted(texts.APPLICATION_CONCERNED, n, application=application)
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
    said, ends_at = _write_problem(about, "🟡"), about.instant("ends_at")
    if ends_at is not None:
        # Not since when it is known: that may be much later.
        ended = _dated(texts.EXPIRED_MEANWHILE, ends_at, about.now)
        meaning, _, *others = said.happened
        said = replace(said, happened=(meaning, ended, *others))
    return _with_page(said, about)


def _with_page(said: Draft, about: About) -> Draft:
    """Add the page on which the renewal is made, if the file names one."""
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
        happened = [_dated(texts.EXPIRED_MEANWHILE, ends_at, about.now)]
    else:
        headline = _dated(texts.EXPIRING_TITLE, ends_at, about.now)
        happened = [_dated(texts.EXPIRING, ends_at, about.now), texts.EXPIRING_BREAKS]
    said = Draft("🟠", headline, happened, texts.EXPIRING_STEP, texts.EXPIRING_SHORT)
    if about.facts.get("is_of_token") is True:
        said = _of_token(said)
    return _with_page(said, about)


def _of_token(said: Draft) -> Draft:
    """Say the same of a token whose service itself says when it ends."""
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
        texts.UNRECORDED.format(day=format_day(ends_at))
        if ends_at
        else texts.UNRECORDED_WITHOUT_DATE,
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
        texts.RENEWED.format(day=format_day(authorized_at))
        if authorized_at
        else texts.RENEWED_WITHOUT_DATE,
        _dated(texts.RENEWED_UNTIL, ends_at, about.now) if ends_at else texts.RENEWED_WITHOUT_END,
    )
    return Draft("🟢", texts.RENEWED_TITLE, happened, texts.RENEWED_STEP, texts.RENEWED_SHORT)


def _before(about: About) -> str:
    reason = about.reason("reason_before")
    return reasons.REASONS[reason].name if reason else about.text("reason_before")


def _write_recovered(about: About) -> Draft:
    before, detail = _before(about), about.text("detail_before")
    if before and detail:
        before_line = texts.BEFORE_WITH_DETAIL.format(before=before, detail=detail)
    else:
        before_line = texts.BEFORE.format(before=before) if before else ""
    lasted = describe_span(texts.FROM_TO, about.instant("since"), about.born_at)
    happened = (texts.RECOVERED, lasted, before_line)
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


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    AlertKind.ERROR: _write_error,
    AlertKind.EXPIRED: _write_expired,
    AlertKind.RECOVERED: _write_recovered,
    AlertKind.EXPIRING_SOON: _write_expiring_soon,
    AlertKind.SECRET_EXPIRING: _write_secret_expiring,
    AlertKind.RENEWAL_UNRECORDED: _write_renewal_unrecorded,
    AlertKind.RENEWED: _write_renewed,
    AlertKind.QUOTA_LOW: _write_quota_low,
    AlertKind.QUOTA_FORECAST: _write_quota_forecast,
    AlertKind.QUOTA_EXHAUSTED: _write_quota_exhausted,
    AlertKind.QUOTA_RESTORED: _write_quota_restored,
    AlertKind.LIMIT_CHANGED: _write_limit_changed,
    AlertKind.FLAPPING: _write_flapping,
    AlertKind.OUTAGE: _write_outage,
    AlertKind.OUTAGE_OVER: _write_outage_over,
    AlertKind.MONITOR_OFFLINE: _write_monitor_offline,
    AlertKind.MONITOR_ONLINE: _write_monitor_online,
    AlertKind.CHANNEL_FAILED: _write_channel_failed,
    AlertKind.CHANNEL_RESTORED: _write_channel_restored,
    AlertKind.RESUMED: _write_resumed,
    AlertKind.DIGEST: _write_digest,
    AlertKind.TEST: _write_test,
}
"""What says each kind: a new kind has its line here, its sentences in `texts`."""
