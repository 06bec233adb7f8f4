"""Decide what each kind of alert says.

Pure. The facts of each kind, as `monitor.judge` leaves them; they are JSON that others stored,
perhaps another version of this program, so all may be missing: then the message says less, and is
sent.

- `error`, `expired`: reason, detail, since, reason_before, provider (one of all
  affected), renew_url, can_renew_here (the page of connwatch is the renewal page); `expired`:
  ends_at (unless unknown); where one `error` speaks for an application: application, n_connections,
  permissions_changed
- `expiring_soon`: step, authorized_at, ends_at, provider, renew_url, can_renew_here
- `renewal_unrecorded`: authorized_at, ends_at, provider, renew_url, can_renew_here
- `renewed`: authorized_at, ends_at
- `recovered`: reason_before, since
- `quota_low`, `quota_exhausted`: limit, remaining, resets_at, step
- `quota_restored`: limit, remaining, resets_at; `limit_changed`: the same and limit_before
- `quota_forecast`: limit, remaining, resets_at, exhausts_at, earliest, latest
- all five, where a service has several windows: window, unit
- `secret_expiring`: step, ends_at, application, n_connections
- `flapping`: n (changes), window (seconds)
- `outage`: host, n_failing, n_total, reason, since
- `outage_over`: host, since, until, n (connections that were affected)
- `monitor_offline`: since, n_hosts; `monitor_online`: since, until, n_missed (checks)
- both for a shortage of our own: shortage, since; n_waiting (checks); until
- `channel_failed`: channel, error, since; `channel_restored`: channel, since
- `source_failed`: source, error, since; `source_restored`: source, since
- `source_held`: source, n_missing, n_known, is_empty, since
- `resumed`: since (when it had stopped), n_missed (checks), n_changed, lines (a text for each)
- `digest`: n_active, n_error, n_expired, n_pending, n_paused, n_exhausted,
  n_expiring_soon, next_to_end (a list of objects with name and ends_at)
- of any kind that lasts: reminder (how often people were reminded, this time included)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from monitor.config.errors import as_argument
from monitor.judge.alerts import ABOUT_NO_CONNECTION, REMINDER_COUNT, SHORTAGE, AlertKind
from monitor.judge.authorizations import drop_old_token
from monitor.judge.outcome import OutcomeClass, QuotaUnit, Reason
from monitor.judge.shortage import Shortage
from monitor.notify import reasons, texts
from monitor.notify.failures import name_failure
from monitor.notify.times import (
    describe_span,
    format_date,
    format_day,
    format_end,
    format_span,
    format_time,
    format_when,
    read_instant,
)
from monitor.notify.words import (
    clean,
    clean_detail,
    clean_url,
    explain,
    format_counted,
    format_host,
    format_number,
    format_unit,
    renewal_step,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo


AMAZON = "amazon"
DETAIL_LIMIT = 500
WHO_LIMIT = 60
WINDOW_LIMIT = 60
MOST_LINES = 20
_LONGEST_WINDOW_S = 366 * 24 * 3600


@dataclass(frozen=True, slots=True)
class About:
    """What an alert knows, and for whom it is worded.

    Args:
        zone: Whose clocks the times are named by.
    """

    facts: Mapping[str, Any]
    born_at: datetime
    now: datetime
    zone: tzinfo = UTC

    def number(self, name: str) -> int | None:
        """Return a whole number; None where there is none."""
        value = self.facts.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, name: str, limit: int = DETAIL_LIMIT) -> str:
        """Return a text from outside, cleaned."""
        value = self.facts.get(name)
        return clean(value, limit) if isinstance(value, str) else ""

    def detail(self, name: str) -> str:
        """Return what a check said, cleaned; where it is long, its quotation is cut."""
        value = self.facts.get(name)
        return clean_detail(value, DETAIL_LIMIT) if isinstance(value, str) else ""

    def url(self, name: str) -> str:
        """Return an address that readers can follow; empty where there is none."""
        value = self.facts.get(name)
        return clean_url(value) if isinstance(value, str) else ""

    def instant(self, name: str) -> datetime | None:
        """Return an instant; None where there is none."""
        return read_instant(self.facts.get(name))

    def span(self, text: str, since: datetime | None, until: datetime) -> str:
        """Return *text* with both instants and the time between."""
        return describe_span(text, since, until, self.now, self.zone)

    def end(self, text: str, ends_at: datetime) -> str:
        """Return *text* with the end of a period."""
        return say(text, end=format_end(ends_at, self.now, self.zone))

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
        detail: What the service said, behind what was concluded from it.
        notes: What people wrote down for whoever looks after the connection.
        renewal: The page on which it is renewed, and what that is called.
        link_label: What the page of connwatch is called, where that is more than a page to read.
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
    detail: str = ""
    notes: str = ""
    renewal: tuple[str, str] | None = None
    link_label: str = ""
    label: str = ""
    lines: tuple[str, ...] = ()
    more: str = ""


def _dated(text: str, at: datetime, now: datetime) -> str:
    """Return *text* with the day of *at* and how far away that is."""
    return say(text, day=format_day(at, now), when=format_when(at, now))


# --- quotas


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


def _write_quota_forecast(about: About) -> Draft:
    exhausts_at = about.instant("exhausts_at")
    if exhausts_at is not None and exhausts_at <= about.now:
        exhausts_at = None  # delivered late: whether it came true is not known here
    headline = say(texts.FORECAST_TITLE_WITHOUT_DATE)
    sentence = say(texts.FORECAST_WITHOUT_DATE)
    if exhausts_at is not None:
        headline = _dated(texts.FORECAST_TITLE, exhausts_at, about.now)
        sentence = _dated(texts.FORECAST, exhausts_at, about.now)
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


# --- more than single connections


def _since(about: About) -> str:
    return about.span(texts.SINCE, about.instant("since"), about.now)


def _rerun(about: About) -> str:
    """Return what to do once something works again."""
    since = about.instant("since")
    if since is None:
        return say(texts.RERUN_WITHOUT_DATE)
    return say(texts.RERUN, at=format_time(since, about.now, about.zone))


def _write_secret_expiring(about: About) -> Draft:
    ends_at, application = about.instant("ends_at"), about.text("application", WHO_LIMIT)
    if ends_at is None:
        headline = say(texts.ROTATION_EXPIRING_TITLE_WITHOUT_DATE)
        sentence = say(texts.ROTATION_EXPIRING_WITHOUT_DATE)
    elif ends_at <= about.now:
        headline = say(texts.ROTATION_EXPIRED_TITLE)
        sentence = _dated(texts.ROTATION_EXPIRED, ends_at, about.now)
    else:
        headline = _dated(texts.ROTATION_EXPIRING_TITLE, ends_at, about.now)
        sentence = _dated(texts.ROTATION_EXPIRING, ends_at, about.now)
    n = about.number("n_connections")
    breaks = (
        say(texts.ROTATION_BREAKS_UNCOUNTED)
        if n is None
        else format_counted(texts.ROTATION_BREAKS, n)
    )
    return Draft(
        "🟠",
        headline,
        (sentence, breaks),
        say(texts.ROTATION_STEP),
        say(texts.ROTATION_SHORT),
        who=_application(application),
    )


def _application(name: str) -> str:
    if not name:
        return say(texts.APPLICATION_WHO_UNKNOWN)
    return say(texts.APPLICATION_WHO, application=name)


def _write_flapping(about: About) -> Draft:
    n, window = about.number("n"), about.number("window")
    is_counted = n is not None and window is not None and 0 < window <= _LONGEST_WINDOW_S
    changes = (
        say(
            texts.FLAPPING,
            n=format_number(n or 0),
            span=format_span(timedelta(seconds=window or 0)),
        )
        if is_counted
        else say(texts.FLAPPING_UNCOUNTED)
    )
    return Draft(
        "🟠",
        say(texts.FLAPPING_TITLE),
        (changes, say(texts.FLAPPING_HELD)),
        say(texts.FLAPPING_STEP),
        say(texts.FLAPPING_SHORT),
        say(texts.FLAPPING_TITLE_OF_MANY),
    )


def _host(about: About) -> str:
    return format_host(about.text("host", WHO_LIMIT)) or say(texts.OUTAGE_WHO_UNKNOWN)


def _write_outage(about: About) -> Draft:
    n, total, reason = about.number("n_failing"), about.number("n_total"), about.reason("reason")
    host = about.text("host", WHO_LIMIT) or say(texts.OUTAGE_WHO_UNKNOWN)
    headline, sentence = say(texts.OUTAGE_TITLE), say(texts.OUTAGE_UNCOUNTED, host=host)
    if n is not None and total is not None:
        counted = {"n": format_number(n), "total": format_number(total)}
        headline = say(texts.OUTAGE_TITLE_COUNTED, **counted)
        sentence = say(texts.OUTAGE, **counted, host=host, reason=explain(reason, None).name)
    return Draft(
        "🔴",
        headline,
        (sentence, _since(about), say(texts.OUTAGE_MEANS)),
        say(texts.OUTAGE_STEP),
        say(texts.OUTAGE_SHORT),
        say(texts.OUTAGE_TITLE_OF_MANY),
        who=_host(about),
    )


def _write_outage_over(about: About) -> Draft:
    n = about.number("n")
    until = about.instant("until") or about.born_at
    host = about.text("host", WHO_LIMIT) or say(texts.OUTAGE_WHO_UNKNOWN)
    lasted = about.span(texts.DOWN_FOR, about.instant("since"), until)
    affected = format_counted(texts.OUTAGE_AFFECTED, n) if n is not None else ""
    step = _rerun(about)
    return Draft(
        "🟢",
        say(texts.OUTAGE_OVER_TITLE),
        (say(texts.OUTAGE_OVER, host=host), lasted, affected),
        step,
        step,
        say(texts.OUTAGE_OVER_TITLE_OF_MANY),
        who=_host(about),
    )


def _write_shortage(about: About, kind: Shortage) -> Draft:
    n = about.number("n_waiting")
    waiting = "" if n is None else format_counted(texts.SHORT_WAITING, n)
    remedy = say(kind.remedy[0].upper() + kind.remedy[1:] + ".")
    return Draft(
        "🔴",
        say(texts.SHORT_TITLE, what=kind.words),
        (say(texts.SHORT, what=kind.words), _since(about), waiting, say(texts.SHORT_MEANS)),
        remedy,
        remedy,
    )


def _shortage_of(about: About) -> Shortage | None:
    named = about.text(SHORTAGE)
    return Shortage(named) if named in set(Shortage) else None


def _write_monitor_offline(about: About) -> Draft:
    kind = _shortage_of(about)
    if kind is not None:
        return _write_shortage(about, kind)
    n = about.number("n_hosts")
    sentence = say(texts.OFFLINE) if n is None else format_counted(texts.OFFLINE_COUNTED, n)
    happened = (sentence, _since(about), say(texts.OFFLINE_MEANS))
    return Draft(
        "🔴",
        say(texts.OFFLINE_TITLE),
        happened,
        say(texts.OFFLINE_STEP),
        say(texts.OFFLINE_SHORT),
    )


def _write_monitor_online(about: About) -> Draft:
    if _shortage_of(about) is not None:
        until = about.instant("until") or about.born_at
        lasted = about.span(texts.SHORT_LASTED, about.instant("since"), until)
        return Draft(
            "🟢",
            say(texts.SHORT_OVER_TITLE),
            (say(texts.SHORT_OVER), lasted),
            say(texts.SHORT_OVER_STEP),
            say(texts.SHORT_OVER_STEP),
        )
    n = about.number("n_missed")
    until = about.instant("until") or about.born_at
    between = about.span(texts.ONLINE, about.instant("since"), until)
    missed = format_counted(texts.ONLINE_MISSED, n) if n is not None else ""
    happened = (between or say(texts.ONLINE_WITHOUT_DATE), missed, say(texts.ONLINE_AFTER))
    step = say(texts.NO_ACTION)
    return Draft("🟢", say(texts.ONLINE_TITLE), happened, step, step)


def _channel(about: About) -> str:
    name = about.text("channel", WHO_LIMIT)
    return say(texts.CHANNEL_WHO, channel=name) if name else say(texts.CHANNEL_WHO_UNKNOWN)


def _write_channel_failed(about: About) -> Draft:
    name = about.text("channel", WHO_LIMIT) or say(texts.CHANNEL_WHO_UNKNOWN)
    lasts = about.span(say(texts.CHANNEL_FAILED, channel=name), about.instant("since"), about.now)
    return Draft(
        "🔴",
        say(texts.CHANNEL_FAILED_TITLE),
        (
            lasts or say(texts.CHANNEL_FAILED_WITHOUT_DATE, channel=name),
            say(texts.CHANNEL_FAILED_BREAKS),
        ),
        say(texts.CHANNEL_FAILED_STEP),
        say(texts.CHANNEL_FAILED_SHORT),
        who=_channel(about),
        detail=name_failure(about.text("error")) if about.text("error") else "",
    )


def _write_channel_restored(about: About) -> Draft:
    name = about.text("channel", WHO_LIMIT) or say(texts.CHANNEL_WHO_UNKNOWN)
    lasted = about.span(texts.DOWN_FOR, about.instant("since"), about.born_at)
    step = say(texts.CHANNEL_RESTORED_STEP)
    return Draft(
        "🟢",
        say(texts.CHANNEL_RESTORED_TITLE),
        (lasted or say(texts.CHANNEL_RESTORED, channel=name),),
        step,
        step,
        who=_channel(about),
    )


def _source(about: About) -> tuple[str, str]:
    """Return how a source is called, and what people type for it."""
    name = about.text("source", WHO_LIMIT)
    if not name:
        return say(texts.SOURCE_WHO_UNKNOWN), "NAME"
    return say(texts.SOURCE_WHO, source=name), as_argument(name)


def _write_source_failed(about: About) -> Draft:
    who, argument = _source(about)
    name = about.text("source", WHO_LIMIT) or who
    lasts = about.span(say(texts.SOURCE_FAILED, source=name), about.instant("since"), about.now)
    step = say(texts.SOURCE_FAILED_STEP, source=argument)
    return Draft(
        "🟠",
        say(texts.SOURCE_FAILED_TITLE),
        (
            lasts or say(texts.SOURCE_FAILED_WITHOUT_DATE, source=name),
            say(texts.SOURCE_FAILED_BREAKS),
        ),
        step,
        step,
        who=who,
        detail=about.detail("error"),
    )


def _write_source_held(about: About) -> Draft:
    who, argument = _source(about)
    name = about.text("source", WHO_LIMIT) or who
    n_missing, n_known = about.number("n_missing"), about.number("n_known")
    if n_missing is None or n_known is None:
        lacks = say(texts.SOURCE_HELD_WITHOUT_COUNT, source=name)
    else:
        text = texts.SOURCE_HELD_EMPTY if about.facts.get("is_empty") else texts.SOURCE_HELD
        counts = {"missing": format_number(n_missing), "known": format_number(n_known)}
        lacks = say(text, source=name, **counts)
    return Draft(
        "🔴",
        say(texts.SOURCE_HELD_TITLE),
        (lacks, say(texts.SOURCE_HELD_BREAKS)),
        say(texts.SOURCE_HELD_STEP, source=argument),
        say(texts.SOURCE_HELD_SHORT, source=argument),
        who=who,
    )


def _write_source_restored(about: About) -> Draft:
    who, _ = _source(about)
    lasted = about.span(texts.DOWN_FOR, about.instant("since"), about.born_at)
    step = say(texts.NO_ACTION)
    restored = say(texts.SOURCE_RESTORED, source=about.text("source", WHO_LIMIT) or who)
    return Draft("🟢", say(texts.SOURCE_RESTORED_TITLE), (lasted or restored,), step, step, who=who)


def _write_resumed(about: About) -> Draft:
    n = about.number("n_changed")
    lines = [clean(line, DETAIL_LIMIT) for line in about.items("lines") if isinstance(line, str)]
    n_more = (len(lines) if n is None else n) - MOST_LINES
    stopped = about.span(texts.RESUMED, about.instant("since"), about.now)
    n_missed = about.number("n_missed")
    missed = format_counted(texts.RESUMED_MISSED, n_missed) if n_missed else ""
    changed = format_counted(texts.RESUMED_CHANGED, n) if n else ""
    return Draft(
        "🔵",
        say(texts.RESUMED_TITLE),
        (stopped or say(texts.RESUMED_WITHOUT_DATE), missed),
        say(texts.RESUMED_STEP),
        say(texts.RESUMED_SHORT),
        label=changed or say(texts.LISTED),
        lines=tuple(lines[:MOST_LINES]),
        more=say(texts.AND_MORE, n=format_number(n_more)) if n_more > 0 else "",
    )


def _write_digest(about: About) -> Draft:
    counts = {name: about.number(name) or 0 for name in texts.DIGEST_COUNTS}
    # What is out of quota or expiring soon is counted by its state as well.
    n_total = sum(n for name, n in counts.items() if name not in {"n_exhausted", "n_expiring_soon"})
    n_broken = counts["n_error"] + counts["n_expired"] + counts["n_exhausted"]
    said = ", ".join(
        say(text, n=format_number(counts[name]))
        for name, text in texts.DIGEST_COUNTS.items()
        if counts[name] or name == "n_active"
    )
    ends = list(_next_to_end(about))
    lines = tuple(
        _dated(say(texts.DIGEST_NEXT_LINE, name=name), at, about.now) for name, at in ends
    )
    step = short = say(texts.NO_ACTION)
    if n_broken:
        headline = format_counted(texts.DIGEST_TITLE, n_broken, total=format_number(n_total))
        headline = say(texts.DIGEST_TITLE_OF_ONE) if n_total == 1 else headline
        step = short = say(texts.DIGEST_STEP_BROKEN)
    else:
        headline = _digest_title(counts["n_active"], counts["n_expiring_soon"], ends, about.now)
    happened = (say(texts.DIGEST, counts=said),)
    icon = "🔴" if n_broken else "🟢"
    return Draft(icon, headline, happened, step, short, label=say(texts.DIGEST_NEXT), lines=lines)


def _digest_title(
    n_active: int, n_soon: int, ends: Sequence[tuple[str, datetime]], now: datetime
) -> str:
    n = format_number(n_active)
    if n_soon == 1 and ends:
        return say(texts.DIGEST_TITLE_FINE_NEXT, n=n, day=format_day(ends[0][1], now))
    if n_soon:
        return say(texts.DIGEST_TITLE_FINE_SOON, n=n, soon=format_number(n_soon))
    return say(texts.DIGEST_TITLE_FINE, n=n)


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
    return _remind(said, n, "" if kind in ABOUT_NO_CONNECTION else say(texts.REMINDERS_END))


def _remind(said: Draft, n: int, how_to_end: str) -> Draft:
    """Say that people were notified before, and how to stop the reminders.

    What the service said they have read then.
    """
    of_many = said.headline_of_many
    return replace(
        said,
        headline=say(texts.REMINDER_TITLE, title=said.headline),
        headline_of_many=say(texts.REMINDER_TITLE, title=of_many) if of_many else "",
        happened=(say(texts.REMINDER, n=format_number(n)), *said.happened, how_to_end),
        detail="",
    )


def _write_problem(about: About, icon: str) -> Draft:
    reason, detail = about.reason("reason"), about.detail("detail")
    text = explain(
        reason,
        about.text("provider"),
        detail,
        can_renew_here=about.facts.get("can_renew_here") is True,
    )
    is_open = reason is None or reason.outcome_class is OutcomeClass.INCONCLUSIVE
    # A credential that cannot be sent is ours to fix; the meaning names both causes.
    is_open = is_open and reason is not Reason.PROTOCOL
    before = _before(about)
    happened = (
        text.meaning,
        _since(about),
        say(texts.BEFORE, before=before) if before else "",
        say(reasons.MAYBE_THEIRS) if is_open else "",
    )
    headline = say(texts.PROBLEM_TITLE, name=text.name)
    said = drop_old_token(detail)
    return Draft(icon, headline, happened, text.remedy, text.short, detail=said)


def _write_error(about: About) -> Draft:
    said = _write_problem(about, "🔴")
    application = about.text("application")
    if application:
        return _speak_for(application, said, about)
    return _with_page(said, about)


def _speak_for(application: str, said: Draft, about: About) -> Draft:
    """Say that an error is one application's, whichever connections it names."""
    n = about.number("n_connections")
    affected = (
        say(texts.APPLICATION_AFFECTED_UNCOUNTED, application=application)
        if n is None
        else format_counted(texts.APPLICATION_AFFECTED, n, application=application)
    )
    said = replace(said, who=_application(application))
    meaning, *others = said.happened
    if about.facts.get("permissions_changed") is True:
        return replace(
            said,
            happened=(say(texts.PERMISSIONS_CHANGED), affected, *others),
            remedy=say(texts.PERMISSIONS_STEP),
            short=say(texts.PERMISSIONS_SHORT),
        )
    return replace(said, happened=(meaning, affected, *others))


def _write_expired(about: About) -> Draft:
    said, ends_at = _write_problem(about, "🟡"), about.instant("ends_at")
    if ends_at is not None:
        # Not since when it is known: that may be much later.
        ended = _dated(texts.EXPIRED, ends_at, about.now)
        meaning, _, *others = said.happened
        said = replace(said, happened=(meaning, ended, *others))
    return _with_page(said, about)


def _with_page(said: Draft, about: About) -> Draft:
    """Add the page on which the renewal is made, where there is one beside the connection's own."""
    url, is_here = about.url("renew_url"), about.facts.get("can_renew_here") is True
    is_amazon = about.text("provider") == AMAZON
    label = say(texts.RENEW_AT_AMAZON if is_amazon else texts.RENEW_PAGE)
    if url:
        return replace(said, renewal=(label, url))
    return replace(said, link_label=label) if is_here else said


def _write_expiring_soon(about: About) -> Draft:
    ends_at, is_token = about.instant("ends_at"), about.facts.get("is_of_token") is True
    of_what = 1 if is_token else 0
    titles = (
        (texts.EXPIRING_TITLE, texts.OWN_END_EXPIRING_TITLE),
        (texts.EXPIRED_TITLE, texts.OWN_END_EXPIRED_TITLE),
        (texts.EXPIRING_TITLE_WITHOUT_DATE, texts.OWN_END_EXPIRING_TITLE_WITHOUT_DATE),
    )
    sentences = (
        (texts.EXPIRING, texts.OWN_END_EXPIRING),
        (texts.EXPIRED, texts.OWN_END_EXPIRED),
        (texts.EXPIRING_WITHOUT_DATE, texts.OWN_END_EXPIRING_WITHOUT_DATE),
    )
    row = 2 if ends_at is None else 1 if ends_at <= about.now else 0
    headline, sentence = say(titles[row][of_what]), say(sentences[row][of_what])
    if ends_at is not None:
        headline = _dated(headline, ends_at, about.now)
        sentence = _dated(sentence, ends_at, about.now)
    happened = [sentence] if row == 1 else [sentence, say(texts.EXPIRING_BREAKS)]
    remedy, short = _renewal_step(about)
    if is_token:
        remedy, short = say(texts.OWN_END_EXPIRING_STEP), say(texts.OWN_END_EXPIRING_SHORT)
    many = say(texts.EXPIRING_TITLE_OF_MANY)
    return _with_page(Draft("🟠", headline, happened, remedy, short, many), about)


def _renewal_step(about: About) -> tuple[str, str]:
    """Return how to renew an authorization in time, and the same in a few words."""
    return renewal_step(
        about.text("provider"), can_renew_here=about.facts.get("can_renew_here") is True
    )


def _write_renewal_unrecorded(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    happened = (
        say(texts.UNRECORDED, date=format_date(ends_at, about.now))
        if ends_at
        else say(texts.UNRECORDED_WITHOUT_DATE),
        say(texts.UNRECORDED_MEANS),
    )
    said = Draft(
        "🟠",
        say(texts.UNRECORDED_TITLE),
        happened,
        say(texts.UNRECORDED_STEP),
        say(texts.UNRECORDED_SHORT),
    )
    return _with_page(said, about)


def _write_renewed(about: About) -> Draft:
    authorized_at, ends_at = about.instant("authorized_at"), about.instant("ends_at")
    happened = (
        say(texts.RENEWED, date=format_date(authorized_at, about.now))
        if authorized_at
        else say(texts.RENEWED_WITHOUT_DATE),
        _dated(texts.RENEWED_UNTIL, ends_at, about.now)
        if ends_at
        else say(texts.RENEWED_WITHOUT_END),
    )
    step = say(texts.NO_ACTION)
    return Draft("🟢", say(texts.RENEWED_TITLE), happened, step, step)


def _before(about: About) -> str:
    reason = about.reason("reason_before")
    return explain(reason, None).name if reason else about.text("reason_before")


def _write_recovered(about: About) -> Draft:
    before, since = _before(about), about.instant("since")
    text = texts.RECOVERED if before else texts.RECOVERED_WITHOUT_REASON
    lasted = about.span(say(text, before=before) if before else text, since, about.born_at)
    step = _rerun(about)
    return Draft(
        "🟢",
        say(texts.RECOVERED_TITLE),
        (lasted or say(texts.RECOVERED_WITHOUT_DATE),),
        step,
        step,
        say(texts.RECOVERED_TITLE_OF_MANY),
    )


def _write_test(_: About) -> Draft:
    return Draft(
        "🔔", say(texts.TEST_TITLE), (say(texts.TEST),), say(texts.TEST_STEP), say(texts.TEST_SHORT)
    )


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
    AlertKind.SOURCE_FAILED: _write_source_failed,
    AlertKind.SOURCE_HELD: _write_source_held,
    AlertKind.SOURCE_RESTORED: _write_source_restored,
    AlertKind.RESUMED: _write_resumed,
    AlertKind.DIGEST: _write_digest,
    AlertKind.TEST: _write_test,
}
"""What says each kind: a new kind has its line here, its sentences in `texts`."""
