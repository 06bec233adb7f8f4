"""
Word several alerts of one kind as one message.

Pure. Decides what is said once for all of them and what line by line: who,
what, since when. What each says by itself is decided in `drafts`, the form of
a message in `message`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.alert.about import About, Draft
from monitor.alert.cleaning import clean, clean_url, shorten
from monitor.alert.drafts import draft
from monitor.alert.message import (
    LATE_AFTER,
    NAME_LIMIT,
    SHORT_LIMIT,
    TITLE_LIMIT,
    Content,
    Message,
    Part,
    compose,
    write_plain,
)
from monitor.alert.texts import framing, grouped, reasons
from monitor.alert.words import say_day, say_instant, say_number, say_span
from monitor.judge.alerts import KINDS, AlertKind
from monitor.judge.outbox import MOST_LISTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitor.judge.outbox import Notification, NotificationGroup

MOST_NAMED = 3
"""How many connections of one alert its line names."""


@dataclass(frozen=True, slots=True)
class _Item:
    """
    One of the alerts.

    Args:
        who: Whom its line names first.
        said: What it would say by itself, but for the page of a renewal.
        page: That page, which its line names instead.
        is_end: It says that a trouble is over.
    """

    who: str
    said: Draft
    about: About
    page: str
    is_end: bool


def compose_group(
    group: NotificationGroup, link: Callable[[Sequence[str]], str | None], now: datetime
) -> Message:
    """
    Word what a channel is told at once.

    Args:
        link: Returns the page to name in a message about these connections.
    """
    if len(group.ids) > 1:
        names = [name for one in group.notifications for name in one.connections]
        return compose_many(
            group.notifications, len(group.ids), group.n_connections, link(names), now
        )
    [one] = group.notifications
    return compose(
        one.kind,
        one.severity,
        one.facts,
        one.connections,
        one.born_at,
        link(one.connections),
        now,
        n_connections=one.n_connections,
    )


def compose_many(
    alerts: Sequence[Notification],
    n_alerts: int,
    n_connections: int,
    link: str | None,
    now: datetime,
) -> Message:
    """
    Word alerts of one kind.

    Args:
        alerts: The worst of them, worst first; the first `MOST_LISTED` are listed.
        n_alerts: How many there are.
        n_connections: How many connections they speak of.
    """
    listed = alerts[:MOST_LISTED]
    kind, items = listed[0].kind, [_read(one, now) for one in listed]
    n_more, page = n_alerts - len(items), clean_url(link or "")
    title = _title(kind, items, n_alerts, n_connections)
    happened = [line for line in (_happened(items, n_more), _late(listed, now)) if line]
    remedies = _remedies(items)
    parts = (
        Part(tuple(happened)),
        Part(tuple(map(_line, items)), framing.LISTED, is_list=True, more=_more(n_more, page)),
        Part(remedies, framing.NEXT_STEP, is_list=len(remedies) > 1),
        *([Part((page,), framing.LINK)] if page and n_more <= 0 else []),
    )
    names = tuple(dict.fromkeys(clean(n, NAME_LIMIT) for one in listed for n in one.connections))
    return Message(
        title,
        write_plain(parts),
        max((one.severity for one in listed), key=lambda severity: severity.rank),
        _short(title, items, n_more, page),
        parts,
        tuple(dict.fromkeys([url for item in items if (url := item.page)] + [page] * bool(page))),
        Content(
            kind,
            title,
            tuple(happened),
            " ".join(remedies),
            page,
            names[:MOST_LISTED],
            n_connections,
            items[0].about,
        ),
        kind is AlertKind.TEST,
    )


def _read(one: Notification, now: datetime) -> _Item:
    # Each has a page and a command of its own: what to do stands once below, for all.
    about = About({**one.facts, "renew_url": None, "connection": None}, one.born_at, now)
    said = draft(one.kind, about)
    named = [clean(name, NAME_LIMIT) for name in one.connections[:MOST_NAMED]]
    n_more = one.n_connections - len(named)
    who = ", ".join(named) + (f" {_more(n_more, '')}" if n_more > 0 else "")
    page = About(one.facts, one.born_at, now).url("renew_url")
    if one.n_connections > 1 and not said.who:
        said = replace(said, headline=said.headline_of_many or said.headline)
    return _Item(said.who or who, said, about, page, one.kind.is_closing)


def _title(kind: AlertKind, items: Sequence[_Item], n_alerts: int, n_connections: int) -> str:
    first = items[0].said
    headlines = {item.said.headline for item in items}
    many = first.headline_of_many or grouped.HEADLINES_OF_MANY.get(kind, first.headline)
    headline = many
    if len(headlines) == 1 and n_alerts == len(items):
        headline = first.headline_of_many or first.headline
    whos, subject = {item.who for item in items}, KINDS[kind].subject
    if len(whos) == 1 and n_alerts == len(items):
        [who], headline = whos, items[-1].said.headline
    elif subject in grouped.OTHERS_OF_MANY:
        who = grouped.OTHERS_OF_MANY[subject].format(n=say_number(n_alerts))
    else:
        who = framing.MANY.format(n=say_number(max(n_connections, 1)))
    fixed = f"{first.icon} {headline}"
    return fixed.format(who=shorten(who, TITLE_LIMIT - len(fixed.format(who=""))))


def _happened(items: Sequence[_Item], n_more: int) -> str:
    meanings = {next(iter(item.said.happened), "") for item in items}
    if len(meanings) == 1 and n_more <= 0:
        return meanings.pop()
    return grouped.MANY_DIFFER


def _line(item: _Item) -> str:
    line = item.said.headline.format(who=item.who)
    if not item.who:
        line = next(iter(item.said.happened), line)
    remark = _remark(item)
    line = f"{line} ({remark})" if remark else line
    return f"{line}: {item.page}" if item.page else line


def _remark(item: _Item) -> str:
    """
    Return the one date or figure that tells an alert from its neighbours.
    """
    about = item.about
    ends_at, since = about.instant("ends_at"), about.instant("since")
    remaining, limit = about.number("remaining"), about.number("limit")
    if ends_at is not None:
        return say_day(ends_at)
    if since is not None and item.is_end:
        span = say_span((about.instant("until") or about.born_at) - since)
        return grouped.BROKEN_BRIEFLY.format(at=say_instant(since), span=span)
    if since is not None:
        return grouped.SINCE_BRIEFLY.format(at=say_instant(since))
    if remaining is not None and limit is not None:
        return grouped.LEFT_BRIEFLY.format(remaining=say_number(remaining), limit=say_number(limit))
    return ""


def _remedies(items: Sequence[_Item]) -> tuple[str, ...]:
    """
    Return what to do, each step once; where they differ, with what it is for.
    """
    for_whom: dict[str, list[str]] = {}
    for item in items:
        reason = item.about.reason("reason")
        name = reasons.REASONS[reason].name if reason else item.who
        for_whom.setdefault(item.said.remedy, []).append(name)
    if len(for_whom) == 1:
        return tuple(for_whom)
    return tuple(
        f"{', '.join(dict.fromkeys(names))}: {remedy}" for remedy, names in for_whom.items()
    )


def _more(n: int, link: str) -> str:
    if n <= 0:
        return ""
    said = framing.AND_MORE_AT if link else framing.AND_MORE
    return said.format(n=say_number(n), link=link)


def _late(listed: Sequence[Notification], now: datetime) -> str:
    born_at = min(one.born_at for one in listed)
    late = now - born_at
    return (
        framing.LATE.format(at=say_instant(born_at), span=say_span(late))
        if late >= LATE_AFTER
        else ""
    )


def _short(title: str, items: Sequence[_Item], n_more: int, page: str) -> str:
    steps = {item.said.short for item in items}
    step = steps.pop().replace("`", "") if len(steps) == 1 else ""
    who = ", ".join(dict.fromkeys(item.who for item in items if item.who))
    more = f" {_more(n_more, '')}" if n_more > 0 else ""
    for text in (f"{title}: {who}{more}. {step}".strip(), f"{title}. {step}".strip()):
        with_page = f"{text} {page}" if page else text
        if len(with_page) <= SHORT_LIMIT:
            return with_page
    return shorten(f"{title}. {who}", SHORT_LIMIT)
