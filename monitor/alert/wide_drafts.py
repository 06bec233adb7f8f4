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
- `resumed`: since (when it had stopped), n_missed (checks), n_changed, lines (a text for each)
- `digest`: n_active, n_error, n_expired, n_pending, n_paused, n_exhausted,
  n_expiring_soon,
  next_to_end (a list of objects with name and ends_at)
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.alert.about import DETAIL_LIMIT, About, Draft
from monitor.alert.cleaning import clean
from monitor.alert.texts import framing, reasons, wide
from monitor.alert.words import (
    read_instant,
    say_counted,
    say_day,
    say_instant,
    say_number,
    say_span,
    say_when,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

WHO_LIMIT = 60
MOST_LINES = 20
_LONGEST_WINDOW_S = 366 * 24 * 3600


def _since(about: About) -> str:
    since = about.instant("since")
    if since is None:
        return ""
    return framing.SINCE.format(at=say_instant(since), span=say_span(about.now - since))


def write_secret_expiring(about: About) -> Draft:
    """Write a `secret_expiring` alert."""
    ends_at, application = about.instant("ends_at"), about.text("application", WHO_LIMIT)
    if ends_at is None:
        headline = wide.ROTATION_EXPIRING_TITLE_WITHOUT_DATE
        sentence = wide.ROTATION_EXPIRING_WITHOUT_DATE
    else:
        day, when = say_day(ends_at), say_when(ends_at, about.now)
        is_over = ends_at <= about.now
        headline = (
            wide.ROTATION_ENDED_TITLE if is_over else wide.ROTATION_EXPIRING_TITLE.format(when=when)
        )
        sentence = (wide.ROTATION_ENDED if is_over else wide.ROTATION_EXPIRING).format(
            day=day, when=when
        )
    return Draft(
        "🟠",
        headline,
        (sentence, wide.ROTATION_BREAKS.format(stores=_stores(about))),
        wide.ROTATION_STEP,
        wide.ROTATION_SHORT,
        who=wide.ROTATION_WHO.format(application=application)
        if application
        else wide.ROTATION_WHO_UNKNOWN,
    )


def _stores(about: About) -> str:
    n = about.number("n_connections")
    if n is None:
        return wide.ROTATION_STORES_UNCOUNTED
    return say_counted(wide.ROTATION_STORES, n)


def write_flapping(about: About) -> Draft:
    """Write a `flapping` alert."""
    n, window = about.number("n"), about.number("window")
    is_counted = n is not None and window is not None and 0 < window <= _LONGEST_WINDOW_S
    changes = (
        wide.FLAPPING.format(n=say_number(n or 0), span=say_span(timedelta(seconds=window or 0)))
        if is_counted
        else wide.FLAPPING_UNCOUNTED
    )
    return Draft(
        "🟠",
        wide.FLAPPING_TITLE,
        (changes, wide.FLAPPING_HELD),
        wide.FLAPPING_STEP,
        wide.FLAPPING_SHORT,
        wide.FLAPPING_TITLE_OF_MANY,
    )


def _host(about: About) -> str:
    return about.text("host", WHO_LIMIT) or wide.OUTAGE_WHO_UNKNOWN


def write_outage(about: About) -> Draft:
    """Write an `outage` alert."""
    n, total, reason = about.number("n_failing"), about.number("n_total"), about.reason("reason")
    headline, sentence = wide.OUTAGE_TITLE, wide.OUTAGE_UNCOUNTED
    if n is not None and total is not None:
        counted = {"n": say_number(n), "total": say_number(total)}
        headline = wide.OUTAGE_TITLE_COUNTED.format(**counted)
        named = reasons.REASONS[reason] if reason else reasons.UNKNOWN_REASON
        sentence = wide.OUTAGE.format(**counted, reason=named.name)
    return Draft(
        "🔴",
        headline,
        (sentence, _since(about), wide.OUTAGE_MEANS),
        wide.OUTAGE_STEP,
        wide.OUTAGE_SHORT,
        who=_host(about),
    )


def write_outage_over(about: About) -> Draft:
    """Write an `outage_over` alert."""
    since, until, n = about.instant("since"), about.instant("until"), about.number("n")
    lasted = (
        wide.OUTAGE_LASTED.format(
            at=say_instant(since), span=say_span((until or about.born_at) - since)
        )
        if since
        else ""
    )
    concerned = say_counted(wide.OUTAGE_CONCERNED, n) if n is not None else ""
    return Draft(
        "🟢",
        wide.OUTAGE_OVER_TITLE,
        (wide.OUTAGE_OVER, lasted, concerned),
        wide.OUTAGE_OVER_STEP,
        wide.OUTAGE_OVER_SHORT,
        who=_host(about),
    )


def write_monitor_offline(about: About) -> Draft:
    """Write a `monitor_offline` alert."""
    n = about.number("n_hosts")
    sentence = wide.OFFLINE if n is None else say_counted(wide.OFFLINE_COUNTED, n)
    happened = (sentence, _since(about), wide.OFFLINE_MEANS)
    return Draft("🔴", wide.OFFLINE_TITLE, happened, wide.OFFLINE_STEP, wide.OFFLINE_SHORT)


def write_monitor_online(about: About) -> Draft:
    """Write a `monitor_online` alert."""
    since, n = about.instant("since"), about.number("n_missed")
    until = about.instant("until") or about.born_at
    between = (
        wide.ONLINE_BETWEEN.format(
            at=say_instant(since), until=say_instant(until), span=say_span(until - since)
        )
        if since
        else ""
    )
    missed = say_counted(wide.ONLINE_MISSED, n) if n is not None else ""
    happened = (wide.ONLINE, between, missed)
    return Draft("🟢", wide.ONLINE_TITLE, happened, wide.ONLINE_STEP, wide.ONLINE_SHORT)


def _channel(about: About) -> str:
    name = about.text("channel", WHO_LIMIT)
    return wide.CHANNEL_WHO.format(channel=name) if name else wide.CHANNEL_WHO_UNKNOWN


def write_channel_failed(about: About) -> Draft:
    """Write a `channel_failed` alert."""
    error = about.text("error")
    return Draft(
        "🔴",
        wide.CHANNEL_FAILED_TITLE,
        (
            wide.CHANNEL_FAILED,
            _since(about),
            framing.DETAIL.format(detail=error) if error else "",
            wide.CHANNEL_FAILED_BREAKS,
        ),
        wide.CHANNEL_FAILED_STEP,
        wide.CHANNEL_FAILED_SHORT,
        who=_channel(about),
    )


def write_channel_restored(about: About) -> Draft:
    """Write a `channel_restored` alert."""
    since = about.instant("since")
    lasted = (
        framing.FROM_TO.format(at=say_instant(since), span=say_span(about.born_at - since))
        if since
        else ""
    )
    return Draft(
        "🟢",
        wide.CHANNEL_RESTORED_TITLE,
        (wide.CHANNEL_RESTORED, lasted),
        wide.CHANNEL_RESTORED_STEP,
        wide.CHANNEL_RESTORED_SHORT,
        who=_channel(about),
    )


def write_resumed(about: About) -> Draft:
    """Write a `resumed` alert."""
    since, n = about.instant("since"), about.number("n_changed")
    lines = [clean(line, DETAIL_LIMIT) for line in about.items("lines") if isinstance(line, str)]
    n_more = (len(lines) if n is None else n) - MOST_LINES
    stopped = (
        wide.RESUMED_SINCE.format(at=say_instant(since), span=say_span(about.now - since))
        if since
        else ""
    )
    n_missed = about.number("n_missed")
    missed = say_counted(wide.RESUMED_MISSED, n_missed) if n_missed else ""
    changed = say_counted(wide.RESUMED_CHANGED, n) if n else ""
    return Draft(
        "🔵",
        wide.RESUMED_TITLE,
        (wide.RESUMED, stopped, missed),
        wide.RESUMED_STEP,
        wide.RESUMED_SHORT,
        label=changed.rstrip(":") or framing.LISTED,
        lines=tuple(lines[:MOST_LINES]),
        more=framing.AND_MORE.format(n=say_number(n_more)) if n_more > 0 else "",
    )


def write_digest(about: About) -> Draft:
    """Write a `digest` alert."""
    counts = {name: about.number(name) or 0 for name in wide.DIGEST_COUNTS}
    # What is out of quota or expiring soon is counted by its state as well.
    n_total = sum(n for name, n in counts.items() if name not in {"n_exhausted", "n_expiring_soon"})
    n_broken = counts["n_error"] + counts["n_expired"] + counts["n_exhausted"]
    said = ", ".join(
        text.format(n=say_number(counts[name]))
        for name, text in wide.DIGEST_COUNTS.items()
        if counts[name] or name == "n_active"
    )
    lines = tuple(
        wide.DIGEST_NEXT_LINE.format(name=name, day=say_day(at), when=say_when(at, about.now))
        for name, at in _next_to_end(about)
    )
    if n_broken:
        headline = say_counted(wide.DIGEST_TITLE, n_broken, total=say_number(n_total))
        headline = wide.DIGEST_TITLE_OF_ONE if n_total == 1 else headline
        sentence, step = wide.DIGEST_NOT_FINE, wide.DIGEST_STEP_BROKEN
        short = wide.DIGEST_SHORT_BROKEN
    else:
        headline = wide.DIGEST_TITLE_FINE.format(n=say_number(counts["n_active"]))
        sentence, step, short = wide.DIGEST_FINE, wide.DIGEST_STEP, wide.DIGEST_SHORT
    happened = (sentence.format(counts=said),)
    icon = "🔴" if n_broken else "🟢"
    return Draft(icon, headline, happened, step, short, label=wide.DIGEST_NEXT, lines=lines)


def _next_to_end(about: About) -> Iterator[tuple[str, datetime]]:
    for item in about.items("next_to_end")[:MOST_LINES]:
        name, at = (item.get("name"), item.get("ends_at")) if isinstance(item, dict) else ("", None)
        ends_at = read_instant(at)
        if isinstance(name, str) and name and ends_at is not None:
            yield clean(name, WHO_LIMIT), ends_at
