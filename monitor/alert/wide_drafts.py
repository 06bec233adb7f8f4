"""
Decide what the alerts say that speak of more than single connections.

Pure. The facts of each kind; all may be missing:

- `secret_expiring`: step, ends_at, application, n_connections
- `flapping`: n (changes), window (seconds)
- `outage`: host, n_failing, n_total, reason, since
- `outage_over`: host, since, until, n (connections that were concerned)
- `monitor_offline`: since, n_hosts
- `monitor_online`: since, until, n_missed (checks)
- `channel_failed`: channel, error, since; `channel_restored`: channel, since
- `resumed`: since (when it had stopped), n_changed, lines (a text for each)
- `digest`: n_active, n_error, n_expired, n_pending, n_paused, n_expiring_soon,
  next_to_end (a list of objects with name and ends_at)
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.alert import texts
from monitor.alert.about import DETAIL_LIMIT, About, Draft
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

WHO_LIMIT = 60
MOST_LINES = 20
_LONGEST_WINDOW_S = 366 * 24 * 3600


def _since(about: About) -> str:
    since = about.instant("since")
    if since is None:
        return ""
    return texts.SINCE.format(at=say_instant(since), span=say_span(about.now - since))


def _write_secret_expiring(about: About) -> Draft:
    ends_at, application = about.instant("ends_at"), about.text("application", WHO_LIMIT)
    if ends_at is None:
        headline = texts.ROTATION_EXPIRING_TITLE_WITHOUT_DATE
        sentence = texts.ROTATION_EXPIRING_WITHOUT_DATE
    else:
        day, when = say_day(ends_at), say_when(ends_at, about.now)
        is_over = ends_at <= about.now
        headline = (
            texts.ROTATION_ENDED_TITLE
            if is_over
            else texts.ROTATION_EXPIRING_TITLE.format(when=when)
        )
        sentence = (texts.ROTATION_ENDED if is_over else texts.ROTATION_EXPIRING).format(
            day=day, when=when
        )
    return Draft(
        "🟠",
        headline,
        (sentence, texts.ROTATION_BREAKS.format(stores=_stores(about))),
        texts.ROTATION_STEP,
        texts.ROTATION_SHORT,
        who=texts.ROTATION_WHO.format(application=application)
        if application
        else texts.ROTATION_WHO_UNKNOWN,
    )


def _stores(about: About) -> str:
    n = about.number("n_connections")
    if n is None:
        return texts.ROTATION_STORES_UNCOUNTED
    return texts.ROTATION_STORE if n == 1 else texts.ROTATION_STORES.format(n=say_number(n))


def _write_flapping(about: About) -> Draft:
    n, window = about.number("n"), about.number("window")
    is_counted = n is not None and window is not None and 0 < window <= _LONGEST_WINDOW_S
    changes = (
        texts.FLAPPING.format(n=say_number(n or 0), span=say_span(timedelta(seconds=window or 0)))
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
        counted = {"n": say_number(n), "total": say_number(total)}
        headline = texts.OUTAGE_TITLE_COUNTED.format(**counted)
        named = texts.REASONS[reason] if reason else texts.UNKNOWN_REASON
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
    since, until, n = about.instant("since"), about.instant("until"), about.number("n")
    lasted = (
        texts.OUTAGE_LASTED.format(
            at=say_instant(since), span=say_span((until or about.born_at) - since)
        )
        if since
        else ""
    )
    concerned = texts.OUTAGE_CONCERNED.format(n=say_number(n)) if n is not None else ""
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
    sentence = texts.OFFLINE if n is None else texts.OFFLINE_COUNTED.format(n=say_number(n))
    happened = (sentence, _since(about), texts.OFFLINE_MEANS)
    return Draft("🔴", texts.OFFLINE_TITLE, happened, texts.OFFLINE_STEP, texts.OFFLINE_SHORT)


def _write_monitor_online(about: About) -> Draft:
    since, n = about.instant("since"), about.number("n_missed")
    until = about.instant("until") or about.born_at
    between = (
        texts.ONLINE_BETWEEN.format(
            at=say_instant(since), until=say_instant(until), span=say_span(until - since)
        )
        if since
        else ""
    )
    missed = texts.ONLINE_MISSED.format(n=say_number(n)) if n is not None else ""
    happened = (texts.ONLINE, between, missed)
    return Draft("🟢", texts.ONLINE_TITLE, happened, texts.ONLINE_STEP, texts.ONLINE_SHORT)


def _channel(about: About) -> str:
    name = about.text("channel", WHO_LIMIT)
    return texts.CHANNEL_WHO.format(channel=name) if name else texts.CHANNEL_WHO_UNKNOWN


def _write_channel_failed(about: About) -> Draft:
    error = about.text("error")
    return Draft(
        "🔴",
        texts.CHANNEL_FAILED_TITLE,
        (
            texts.CHANNEL_FAILED,
            _since(about),
            texts.DETAIL.format(detail=error) if error else "",
            texts.CHANNEL_FAILED_BREAKS,
        ),
        texts.CHANNEL_FAILED_STEP,
        texts.CHANNEL_FAILED_SHORT,
        who=_channel(about),
    )


def _write_channel_restored(about: About) -> Draft:
    since = about.instant("since")
    lasted = (
        texts.FROM_TO.format(at=say_instant(since), span=say_span(about.born_at - since))
        if since
        else ""
    )
    return Draft(
        "🟢",
        texts.CHANNEL_RESTORED_TITLE,
        (texts.CHANNEL_RESTORED, lasted),
        texts.CHANNEL_RESTORED_STEP,
        texts.CHANNEL_RESTORED_SHORT,
        who=_channel(about),
    )


def _write_resumed(about: About) -> Draft:
    since, n = about.instant("since"), about.number("n_changed")
    lines = [clean(line, DETAIL_LIMIT) for line in about.items("lines") if isinstance(line, str)]
    n_more = (len(lines) if n is None else n) - MOST_LINES
    stopped = (
        texts.RESUMED_SINCE.format(at=say_instant(since), span=say_span(about.now - since))
        if since
        else ""
    )
    changed = texts.RESUMED_CHANGED.format(n=say_number(n)) if n else ""
    return Draft(
        "🔵",
        texts.RESUMED_TITLE,
        (texts.RESUMED, stopped),
        texts.RESUMED_STEP,
        texts.RESUMED_SHORT,
        label=changed.rstrip(":") or texts.LISTED,
        lines=tuple(lines[:MOST_LINES]),
        more=texts.AND_MORE.format(n=say_number(n_more)) if n_more > 0 else "",
    )


def _write_digest(about: About) -> Draft:
    counts = {name: about.number(name) or 0 for name in texts.DIGEST_COUNTS}
    n_total = sum(n for name, n in counts.items() if name != "n_expiring_soon")
    n_broken = counts["n_error"] + counts["n_expired"]
    said = ", ".join(
        text.format(n=say_number(counts[name]))
        for name, text in texts.DIGEST_COUNTS.items()
        if counts[name] or name == "n_active"
    )
    lines = tuple(
        texts.DIGEST_NEXT_LINE.format(name=name, day=say_day(at), when=say_when(at, about.now))
        for name, at in _next_to_end(about)
    )
    if n_broken:
        headline = texts.DIGEST_TITLE.format(n=say_number(n_broken), total=say_number(n_total))
        sentence, step = texts.DIGEST_NOT_FINE, texts.DIGEST_STEP_BROKEN
        short = texts.DIGEST_SHORT_BROKEN
    else:
        headline = texts.DIGEST_TITLE_FINE.format(n=say_number(counts["n_active"]))
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


WIDE_WRITERS: dict[AlertKind, Callable[[About], Draft]] = {
    AlertKind.SECRET_EXPIRING: _write_secret_expiring,
    AlertKind.FLAPPING: _write_flapping,
    AlertKind.OUTAGE: _write_outage,
    AlertKind.OUTAGE_OVER: _write_outage_over,
    AlertKind.MONITOR_OFFLINE: _write_monitor_offline,
    AlertKind.MONITOR_ONLINE: _write_monitor_online,
    AlertKind.CHANNEL_FAILED: _write_channel_failed,
    AlertKind.CHANNEL_RESTORED: _write_channel_restored,
    AlertKind.RESUMED: _write_resumed,
    AlertKind.DIGEST: _write_digest,
}
