"""Decide what the alerts say that are about no single connection.

Pure. What many connections share (the secret of an application, a host that is down), and
connwatch itself: its own link and limits, its channels and sources, its stops, its digest. The
sentences stand in `texts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.errors import as_argument
from monitor.judge.alerts import SHORTAGE, AlertKind
from monitor.judge.shortage import Shortage
from monitor.notify import texts
from monitor.notify.facts import (
    DETAIL_LIMIT,
    WHO_LIMIT,
    About,
    Draft,
    name_application,
    say_rerun,
    say_since,
)
from monitor.notify.failures import name_failure
from monitor.notify.times import format_day, read_instant
from monitor.notify.words import clean, explain, format_counted, format_host, format_number, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime


MOST_LINES = 20


def _write_secret_expiring(about: About) -> Draft:
    ends_at, application = about.instant("ends_at"), about.text("application", WHO_LIMIT)
    if ends_at is None:
        headline = say(texts.ROTATION_EXPIRING_TITLE_WITHOUT_DATE)
        sentence = say(texts.ROTATION_EXPIRING_WITHOUT_DATE)
    elif ends_at <= about.now:
        headline = say(texts.ROTATION_EXPIRED_TITLE)
        sentence = about.dated(texts.ROTATION_EXPIRED, ends_at)
    else:
        headline = about.dated(texts.ROTATION_EXPIRING_TITLE, ends_at)
        sentence = about.dated(texts.ROTATION_EXPIRING, ends_at)
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
        who=name_application(application),
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
        (sentence, say_since(about), say(texts.OUTAGE_MEANS)),
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
    step = say_rerun(about)
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
        (say(texts.SHORT, what=kind.words), say_since(about), waiting, say(texts.SHORT_MEANS)),
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
    happened = (sentence, say_since(about), say(texts.OFFLINE_MEANS))
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
    lines = tuple(about.dated(say(texts.DIGEST_NEXT_LINE, name=name), at) for name, at in ends)
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


def _write_test(_: About) -> Draft:
    return Draft(
        "🔔", say(texts.TEST_TITLE), (say(texts.TEST),), say(texts.TEST_STEP), say(texts.TEST_SHORT)
    )


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    AlertKind.SECRET_EXPIRING: _write_secret_expiring,
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
