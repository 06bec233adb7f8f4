"""Compose messages for any medium: of one alert, or of several of one kind.

Pure. Decides the form of a message: who is concerned, what happened, what to do, where to read
more; and of several what is said once for all and what line by line. What each kind says is
decided in `drafts`, the sentences stand in `texts`, how a medium writes them is decided in
`formats`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import KINDS, AlertKind, Severity
from monitor.judge.outbox import MOST_LISTED
from monitor.notify import texts
from monitor.notify.drafts import draft
from monitor.notify.facts import About, Draft
from monitor.notify.times import describe_span, format_date, format_time
from monitor.notify.words import (
    clean,
    clean_detail,
    clean_url,
    explain,
    format_number,
    measure_own,
    name_command,
    say,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, tzinfo

    from monitor.judge.outbox import Notification, NotificationGroup


TITLE_LIMIT = 60
NAME_LIMIT = 100
SHORT_LIMIT = 160
NOTES_LIMIT = 500
LINE_NOTES_LIMIT = 80
MOST_WITH_NOTES = 5
"""A list of more connections than this is read for its names: notes would be in the way."""

BODY_LIMIT = 400
"""How long a text may be, addresses and lists aside; what a service said is cut for that."""

SHORTEST_DETAIL = 40
"""Less of it would say nothing."""

LATE_AFTER = timedelta(minutes=10)
"""A message that took longer than this says when it should have come."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a message.

    Args:
        lines: Plain text without line breaks; `code` stands between backticks.
        label: What the paragraph is called.
        is_list: Every line is an item.
        more: What is missing at the end.
    """

    lines: tuple[str, ...]
    label: str = ""
    is_list: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a template can use: nothing in it is escaped, all but *about* is clean.

    Args:
        title: The built-in title.
        connections: Names, worst first, at most `MOST_LISTED`.
        n_connections: How many there are.
    """

    kind: AlertKind
    title: str
    happened: tuple[str, ...]
    remedy: str
    link: str
    connections: tuple[str, ...]
    n_connections: int
    about: About


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is sent: plain text, and what other forms are made of.

    Args:
        title: One line, safe for the header of an e-mail.
        body: All of it as plain text, safe for chats.
        severity: How urgent it is, for services that show it in colour.
        short: All of it in one line of at most `SHORT_LIMIT` characters.
        parts: The paragraphs of *body*; none where there is only the text.
        urls: Addresses in *parts* that readers shall be able to follow.
        content: What a channel's template makes its own text of.
        is_test: Nothing of it has happened.
    """

    title: str
    body: str
    severity: Severity = Severity.INFO
    short: str = ""
    parts: tuple[Paragraph, ...] = ()
    urls: tuple[str, ...] = ()
    content: Content | None = field(default=None, hash=False)
    is_test: bool = False


def compose(  # noqa: PLR0913, PLR0917 - the contract lists what an alert is made of
    kind: AlertKind,
    severity: Severity,
    facts: Mapping[str, Any],
    connections: Sequence[str],
    born_at: datetime,
    link: str | None,
    now: datetime,
    is_test: bool = False,
    n_connections: int | None = None,
    zone: tzinfo = UTC,
) -> Message:
    """Compose the message of an alert.

    Args:
        connections: Names, worst first; the first `MOST_LISTED` are listed.
        is_test: Say clearly that nothing of this has happened.
        n_connections: How many are concerned, where *connections* does not
            name all of them.
        zone: Whose clocks the times are named by.
    """
    about = About(facts, born_at, now, zone)
    said = replace(draft(kind, about), notes=about.text("notes", NOTES_LIMIT))
    is_test = is_test or kind is AlertKind.TEST
    names = tuple(clean(name, NAME_LIMIT) for name in connections[:MOST_LISTED])
    n = max(len(connections), n_connections or 0)
    page = clean_url(link or "")
    mark = [say(texts.TEST)] if is_test and kind is not AlertKind.TEST else []
    who, title = _subject(said, names, n), _title(said, names, n, is_test=is_test)
    said = _name_commands(said, title, connections if n == 1 else ())
    happened = [line for line in (*said.happened, _late(born_at, now, zone)) if line]
    # Who it is about stands in the title, unless there was no room for all of it.
    first = happened if who in title else [who, *happened]
    parts = _parts([*mark, *first], _lists(said, names, n, page), (said.remedy,), said, page)
    urls = (said.renewal[1] if said.renewal else "", page)
    return Message(
        title,
        write_plain(parts),
        severity,
        _short(title, said, page),
        parts,
        tuple(dict.fromkeys(url for url in urls if url)),
        _content(kind, title, [*mark, *happened], said, page, names, n, about),
        is_test,
    )


def _name_commands(said: Draft, title: str, connections: Sequence[str]) -> Draft:
    """Make the commands out for the only connection, in a text message where there is room.

    A name that had to be cleaned would not be found.
    """
    if len(connections) != 1 or clean(connections[0], NAME_LIMIT) != connections[0]:
        return said
    [name] = connections
    short = name_command(said.short, name)
    return replace(
        said,
        happened=tuple(name_command(line, name) for line in said.happened),
        remedy=name_command(said.remedy, name),
        short=said.short if len(f"{title}. {short}") > SHORT_LIMIT else short,
    )


def _content(  # noqa: PLR0913, PLR0917 - all that a template can use
    kind: AlertKind,
    title: str,
    happened: Sequence[str],
    said: Draft,
    page: str,
    names: tuple[str, ...],
    n: int,
    about: About,
) -> Content:
    """Return what a template can use: it has no other place for the page of a renewal."""
    detail = (say(texts.DETAIL, detail=said.detail),) if said.detail else ()
    remedy = said.remedy
    if said.renewal is not None:
        label, url = said.renewal
        remedy = f"{remedy} {label}: {url}"
    return Content(kind, title, (*happened, *detail), remedy, page, names, n, about)


def write_plain(parts: Sequence[Paragraph]) -> str:
    """Return *parts* as plain text."""
    return "\n\n".join(lay_out(part) for part in parts)


def lay_out(
    part: Paragraph,
    mark: Callable[[str], str] = str,
    bold: Callable[[str], str] = str,
    line_break: str = "\n",
    bullet: str = "- ",
) -> str:
    """Return a paragraph as text; *mark* writes a line, *bold* a label, as a medium shows it."""
    label = bold(f"{part.label}:") if part.label else ""
    lines = [mark(line) for line in part.lines]
    more = [mark(part.more)] if part.more else []
    if part.is_list:
        items = [bullet + line for line in lines]
        return line_break.join([*([label] if label else []), *items, *more])
    text = line_break.join([*lines, *more])
    return f"{label} {text}" if label else text


def _parts(
    happened: Sequence[str],
    lists: Sequence[Paragraph],
    remedies: tuple[str, ...],
    said: Draft | None,
    page: str,
) -> tuple[Paragraph, ...]:
    """Return the paragraphs: what happened, what to do and where, at the end the service's words.

    Args:
        said: What one alert says; None where there are several.
    """
    steps = Paragraph(remedies, say(texts.NEXT_STEP), is_list=len(remedies) > 1)
    if remedies == (say(texts.NO_ACTION),):
        steps = Paragraph(remedies)
    first = [Paragraph(tuple(happened))] if happened else []
    parts = [*first, *lists, steps]
    if said is not None and said.renewal is not None:
        label, url = said.renewal
        parts.append(Paragraph((url,), label))
    if said is not None and said.notes:
        parts.append(Paragraph((said.notes,), say(texts.NOTES)))
    # A list that is cut names the page already.
    if page and not any(part.more.endswith(page) for part in lists):
        label = said.link_label if said is not None else ""
        parts.append(Paragraph((page,), label or say(texts.LINK)))
    if said is not None and said.detail:
        room = BODY_LIMIT - _length_of(parts, lists) - len(say(texts.DETAIL, detail="")) - 2
        own = measure_own(said.detail)
        detail = clean_detail(said.detail, max(room, own or SHORTEST_DETAIL))
        parts.append(Paragraph((say(texts.DETAIL, detail=detail),)))
    return tuple(parts)


def _length_of(parts: Sequence[Paragraph], lists: Sequence[Paragraph]) -> int:
    """Return how long *parts* are as text, *lists* and addresses aside."""
    shown = (part for part in parts if part not in lists)
    return sum(
        len(lay_out(part)) + 2 - sum(len(line) for line in part.lines if clean_url(line))
        for part in shown
    )


def _lists(said: Draft, names: Sequence[str], n: int, page: str) -> list[Paragraph]:
    lists = []
    if said.lines:
        lists.append(Paragraph(said.lines, said.label, is_list=True, more=said.more))
    if _is_about_connections(said) and n > 1 and names:
        more = _more(n - len(names), page)
        lists.append(Paragraph(tuple(names), say(texts.LISTED), is_list=True, more=more))
    return lists


def _more(n: int, page: str = "") -> str:
    if n <= 0:
        return ""
    said = texts.AND_MORE_AT if page else texts.AND_MORE
    return say(said, n=format_number(n), link=page)


def _title(said: Draft, names: Sequence[str], n: int, *, is_test: bool) -> str:
    icon = f"{said.icon} {texts.TEST_MARK}" if is_test else said.icon
    headline = said.headline
    if n > 1 and not said.who:
        headline = said.headline_of_many or headline
    who = _subject(said, names, n) or say(texts.MANY, n=format_number(n))
    return _fit_who(f"{icon} {headline}", who)


def _fit_who(title: str, who: str) -> str:
    """Return *title* with as much of *who* as it has room for."""
    room = TITLE_LIMIT - len(title.replace("{who}", ""))
    return title.replace("{who}", shorten(who, max(room, 1)))


def _is_about_connections(said: Draft) -> bool:
    """Tell whether the connections of the alert are what it speaks of."""
    return bool(said.who) or "{who}" in said.headline


def _subject(said: Draft, names: Sequence[str], n: int) -> str:
    if said.who or not _is_about_connections(said) or not n:
        return said.who
    return names[0] if n == 1 and names else say(texts.MANY, n=format_number(n))


def _short(title: str, said: Draft, link: str) -> str:
    # Backticks mark code for media that show it; here they are in the way.
    short = shorten(f"{title}. {said.short.replace('`', '')}", SHORT_LIMIT)
    with_link = f"{short} {link}"
    return with_link if link and len(with_link) <= SHORT_LIMIT else short


def _late(born_at: datetime, now: datetime, zone: tzinfo) -> str:
    is_late = now - born_at >= LATE_AFTER
    return describe_span(texts.LATE, born_at, now, now, zone) if is_late else ""


# --- several alerts of one kind


MOST_NAMED = 3
"""How many connections of one alert its line names."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One of the alerts.

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
    group: NotificationGroup,
    link: Callable[[Sequence[str]], str | None],
    now: datetime,
    zone: tzinfo = UTC,
) -> Message:
    """Compose what a channel is told at once, with times in its *zone*.

    Args:
        link: Returns the page about these connections.
    """
    if len(group.ids) > 1:
        names = [name for one in group.notifications for name in one.connections]
        return compose_many(
            group.notifications,
            len(group.ids),
            group.n_connections,
            link(names),
            now,
            zone,
            page_of=lambda name: link([name]),
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
        zone=zone,
    )


def compose_many(  # noqa: PLR0913, PLR0917 - the callers know all of it, and nobody else
    alerts: Sequence[Notification],
    n_alerts: int,
    n_connections: int,
    link: str | None,
    now: datetime,
    zone: tzinfo = UTC,
    page_of: Callable[[str], str | None] = lambda _: None,
) -> Message:
    """Compose one message of alerts of one kind.

    Args:
        alerts: The worst of them, worst first; the first `MOST_LISTED` are listed.
        n_alerts: How many there are.
        n_connections: How many connections they speak of.
        zone: Whose clocks the times are named by.
        page_of: Returns the page of one connection, on which some are renewed.
    """
    listed = alerts[:MOST_LISTED]
    kind, items = listed[0].kind, [_read(one, now, zone, page_of) for one in listed]
    n_more, page = n_alerts - len(items), clean_url(link or "")
    title = _many_title(kind, items, n_alerts, n_connections)
    late = _late(min(one.born_at for one in listed), now, zone)
    happened = [line for line in (_happened(items, n_more), late) if line]
    with_notes = n_alerts <= MOST_WITH_NOTES
    lines = tuple(_line(item, with_notes=with_notes) for item in items)
    remedies = _remedies(items)
    listing = Paragraph(lines, say(texts.LISTED), is_list=True, more=_more(n_more, page))
    parts = _parts(happened, [listing], remedies, None, page)
    names = tuple(dict.fromkeys(clean(n, NAME_LIMIT) for one in listed for n in one.connections))
    return Message(
        title,
        write_plain(parts),
        max((one.severity for one in listed), key=lambda severity: severity.rank),
        _many_short(title, items, n_more, page),
        parts,
        tuple(dict.fromkeys(url for url in (*(item.page for item in items), page) if url)),
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


def _read(
    one: Notification, now: datetime, zone: tzinfo, page_of: Callable[[str], str | None]
) -> _Item:
    # Each has a page and a command of its own: what to do stands once below, for all.
    about = About({**one.facts, "renew_url": None}, one.born_at, now, zone)
    said = draft(one.kind, about)
    named = [clean(name, NAME_LIMIT) for name in one.connections[:MOST_NAMED]]
    n_more = one.n_connections - len(named)
    who = ", ".join(named) + (f" {_more(n_more)}" if n_more > 0 else "")
    page = About(one.facts, one.born_at, now).url("renew_url")
    if not page and one.facts.get("can_renew_here") is True and len(one.connections) == 1:
        page = clean_url(page_of(one.connections[0]) or "")
    if one.n_connections > 1 and not said.who:
        said = replace(said, headline=said.headline_of_many or said.headline)
    return _Item(said.who or who, said, about, page, one.kind.is_closing)


def _many_title(kind: AlertKind, items: Sequence[_Item], n_alerts: int, n_connections: int) -> str:
    first = items[0].said
    headlines = {item.said.headline for item in items}
    many = first.headline_of_many or texts.HEADLINES_OF_MANY.get(kind, first.headline)
    headline = many
    if len(headlines) == 1 and n_alerts == len(items):
        headline = first.headline_of_many or first.headline
    whos, subject = {item.who for item in items}, KINDS[kind].subject
    if len(whos) == 1 and n_alerts == len(items):
        [who], headline = whos, items[-1].said.headline
    elif subject in texts.OTHERS_OF_MANY:
        who = say(texts.OTHERS_OF_MANY[subject], n=format_number(n_alerts))
    else:
        who = say(texts.MANY, n=format_number(max(n_connections, 1)))
    return _fit_who(f"{first.icon} {headline}", who)


def _happened(items: Sequence[_Item], n_more: int) -> str:
    """Return what is true of all of them; nothing where that differs: each has its line."""
    meanings = {next(iter(item.said.happened), "") for item in items}
    return meanings.pop() if len(meanings) == 1 and n_more <= 0 else ""


def _line(item: _Item, *, with_notes: bool) -> str:
    line = item.said.headline.replace("{who}", item.who)
    if not item.who:
        line = next(iter(item.said.happened), line)
    notes = item.about.text("notes", LINE_NOTES_LIMIT) if with_notes else ""
    remarks = (_remark(item), say(texts.LINE_NOTES, notes=notes) if notes else "")
    remark = "; ".join(filter(None, remarks))
    line = f"{line} ({remark})" if remark else line
    return f"{line}: {item.page}" if item.page else line


def _remark(item: _Item) -> str:
    """Return the one date or figure that tells an alert from its neighbours."""
    about = item.about
    ends_at, since = about.instant("ends_at"), about.instant("since")
    remaining, limit = about.number("remaining"), about.number("limit")
    if ends_at is not None:
        date = format_date(ends_at, about.now)
        return "" if date in item.said.headline else date
    if since is not None and item.is_end:
        return about.span(texts.DOWN_BRIEFLY, since, about.instant("until") or about.born_at)
    if since is not None:
        return say(texts.SINCE_BRIEFLY, at=format_time(since, about.now, about.zone))
    if remaining is not None and limit is not None:
        return say(
            texts.LEFT_BRIEFLY, remaining=format_number(remaining), limit=format_number(limit)
        )
    return ""


def _remedies(items: Sequence[_Item]) -> tuple[str, ...]:
    """Return what to do, each step once; where they differ, with what it is for."""
    for_whom: dict[str, list[_Item]] = {}
    for item in items:
        for_whom.setdefault(item.said.remedy, []).append(item)
    if len(for_whom) == 1:
        return tuple(for_whom)
    problems = {remedy: {_problem(item) for item in group} for remedy, group in for_whom.items()}
    found = Counter(problem for group in problems.values() for problem in group)
    return tuple(
        f"{', '.join(dict.fromkeys(_name_for(item, found) for item in group))}: {remedy}"
        for remedy, group in for_whom.items()
    )


def _problem(item: _Item) -> str:
    reason = item.about.reason("reason")
    provider = item.about.text("provider")
    return explain(reason, provider, item.said.detail).name if reason else item.who


def _name_for(item: _Item, found: Mapping[str, int]) -> str:
    """Return what a step is for: the problem, or who has it where another step is for it too."""
    problem = _problem(item)
    return problem if found[problem] == 1 else item.who


def _many_short(title: str, items: Sequence[_Item], n_more: int, page: str) -> str:
    steps = {item.said.short for item in items}
    step = steps.pop().replace("`", "") if len(steps) == 1 else ""
    who = ", ".join(dict.fromkeys(item.who for item in items if item.who))
    more = f" {_more(n_more)}" if n_more > 0 else ""
    for text in (f"{title}: {who}{more}. {step}".strip(), f"{title}. {step}".strip()):
        with_page = f"{text} {page}" if page else text
        if len(with_page) <= SHORT_LIMIT:
            return with_page
    return shorten(f"{title}. {who}", SHORT_LIMIT)
